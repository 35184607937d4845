//! `/api/test/…`: for programs that have `TEST_API_KEY`.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::mail::policy::DeliveryMode;
use render_signal_actors::webhook::test_webhook::{TestWebhookError, To, Wish};
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields, parameter, success};
use super::documents::{merge, read};
use super::webhooks::{NOT_READ, NOT_SAVED, SAVED};
use super::{logs, polling, webhooks, windows};
use crate::http::HttpState;
use crate::http::access::Caller;

pub(super) use windows::{change as set_time_window, show as time_window};

/// GET `/api/test/get_webhook_config`: what is in force.
pub(super) async fn webhook_config(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::WebhookConfig, NOT_READ).await?;
    let webhook = webhooks::effective(&state, &document);
    let document = read(&state, Key::PollingConfig, NOT_READ).await?;
    let polling = polling::effective(&state, &document);
    Ok(success(json!({
        "config": {
            "webhook_url": webhook.get("webhook_url"),
            "webhook_ssl_verify": webhook.get("webhook_ssl_verify"),
            "polling_enabled": polling.get("enable_polling"),
        },
    })))
}

/// The fields of the document that may be changed here.
const FIELDS: &[&str] = &["webhook_url", "webhook_ssl_verify"];
/// Those of the reference that nothing reads.
const WITHOUT_EFFECT: &[&str] = &["recadrage_webhook_url", "autorepondeur_webhook_url"];

/// POST `/api/test/update_webhook_config`: changes the document, by the rules of every change.
pub(super) async fn update_webhook_config(
    state: Data<HttpState>,
    caller: Caller,
    fields: JsonFields,
) -> CompatResult {
    if let Some(name) = WITHOUT_EFFECT.iter().find(|name| fields.get(name).is_some()) {
        let message = format!("{name} est sans effet : une règle de routage désigne une autre cible.");
        return Err(CompatRefusal::bad(message));
    }
    let wanted = fields
        .known(FIELDS)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Some(value.clone())))
        .collect();
    merge(&state, &caller, Key::WebhookConfig, wanted, NOT_SAVED).await?;
    Ok(success(fields.noting(json!({ "message": SAVED }), FIELDS)))
}

/// GET `/api/test/get_polling_config`: what is in force.
pub(super) async fn polling_config(state: Data<HttpState>) -> CompatResult {
    let env = &state.reference.env;
    let document = read(&state, Key::PollingConfig, NOT_READ).await?;
    let polling = polling::effective(&state, &document);
    Ok(success(json!({
        "timezone": env.zone.name(),
        "active_days": polling.get("active_days"),
        "active_start_hour": polling.get("active_start_hour"),
        "active_end_hour": polling.get("active_end_hour"),
        "interval_seconds": env.interval.as_secs(),
        "inactive_check_interval_seconds": env.inactive_interval.as_secs(),
        "enable_subject_group_dedup": polling.get("enable_subject_group_dedup"),
    })))
}

/// GET `/api/test/webhook_logs`.
pub(super) async fn webhook_logs(state: Data<HttpState>, request: HttpRequest) -> CompatResult {
    if let Some(days) = parameter(&request, "days")
        && days.trim().parse::<i64>().is_err()
    {
        return Err(CompatRefusal::bad("days invalide (entier attendu)."));
    }
    logs::show(state, request).await
}

/// POST `/api/test/clear_email_dedup`: the journal admits no mail twice, and forgets none.
pub(super) async fn clear_email_dedup(fields: JsonFields) -> CompatResult {
    let email_id = fields.get("email_id").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if email_id.is_empty() {
        return Err(CompatRefusal::bad("email_id manquant"));
    }
    Ok(success(json!({
        "removed": false,
        "email_id": email_id,
        "message": "Rien n'a été supprimé : le journal n'oublie aucun courriel. Pour le renvoyer, libérez-le.",
    })))
}

/// POST `/api/test/send_test_webhook`.
pub(super) async fn send_test_webhook(
    state: Data<HttpState>,
    caller: Caller,
    fields: JsonFields,
) -> CompatResult {
    let wish = wish(&fields)?;
    let tester = &state.reference.tester;
    let trial = tester.prepare(&wish).map_err(|error| untried(&error))?;
    let payload: Value = serde_json::from_slice(trial.body()).unwrap_or_default();
    let mode = if trial.mode == DeliveryMode::Form { "form" } else { "json" };
    let target = trial.masked_url();
    let size = trial.body().len();
    if fields.get("dry_run").is_none_or(is_on) {
        return Ok(success(json!({
            "dry_run": true,
            "message": "Dry-run: aucun envoi effectué.",
            "target_url": target,
            "target_masked": target,
            "fallback_note": Value::Null,
            "webhook_ssl_verify": trial.verifies_certificate(),
            "delivery_mode_sequence": [mode],
            "resolved_delivery_mode": mode,
            "fallback_on_415": false,
            "payload_size_bytes": size,
            "payload": payload,
            "serialized_payload": String::from_utf8_lossy(trial.body()),
            "headers": trial.headers().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        })));
    }
    tracing::info!(by = caller.by(), url = target, "a test webhook is sent");
    let tried = tester.send(trial).await;
    if !tried.delivered {
        let message = format!("Webhook refusé : {}", tried.error.unwrap_or_default());
        return Err(CompatRefusal::new(StatusCode::BAD_GATEWAY, message).with(&json!({
            "dry_run": false,
            "target_url": target,
            "flow_result": false,
            "status_code": tried.status,
            "response_snippet": tried.said,
            "payload_size_bytes": size,
        })));
    }
    Ok(success(json!({
        "dry_run": false,
        "message": "Webhook envoyé.",
        "target_url": target,
        "flow_result": true,
        "status_code": tried.status,
        "payload_size_bytes": size,
    })))
}

/// A switch as Python reads it, but for the words for off.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => {
            !matches!(text.trim().to_lowercase().as_str(), "" | "0" | "false" | "no" | "n" | "off")
        }
        Value::Array(members) => !members.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn wish(fields: &JsonFields) -> Result<Wish, CompatRefusal> {
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(_) => Err(CompatRefusal::bad(format!("{name} doit être un texte."))),
    };
    let links = match fields.get("delivery_links") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(links)) => links.clone(),
        Some(_) => return Err(CompatRefusal::bad("delivery_links doit être une liste.")),
    };
    let payload = match fields.get("payload") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(payload)) => payload.clone(),
        Some(_) => return Err(CompatRefusal::bad("payload doit être un objet JSON.")),
    };
    Ok(Wish {
        to: text("webhook_url")?.map_or(To::Default, To::Url),
        email_id: text("email_id")?,
        subject: text("subject")?,
        links,
        fields: payload,
        mode: None,
    })
}

fn untried(error: &TestWebhookError) -> CompatRefusal {
    match error {
        TestWebhookError::Address(why) => {
            CompatRefusal::bad(format!("webhook_url doit être une URL HTTPS valide. ({why})"))
        }
        TestWebhookError::TooLarge => CompatRefusal::bad("payload trop volumineux (1 Mio au plus)."),
        TestWebhookError::NoTarget => CompatRefusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Config serveur email incomplète (webhook URL).",
        ),
        TestWebhookError::UnknownTarget(_) | TestWebhookError::Request(_) => {
            CompatRefusal::bad(error.to_string())
        }
    }
}
