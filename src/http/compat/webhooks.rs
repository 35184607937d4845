//! `/api/webhooks/…`: where webhooks go, and when.

use actix_web::HttpResponse;
use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::webhook::WebhookConfig;
use render_signal_actors::config::urls::is_placeholder;
use render_signal_actors::mail::policy::DeliveryMode;
use render_signal_actors::mail::rules::mask_url;
use render_signal_actors::mail::windows::parse_time_hhmm;
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields, success};
use super::documents::{merge, or_null, read, text};
use crate::http::HttpState;
use crate::http::access::Caller;

/// The fields that may be changed here.
const FIELDS: &[&str] = &[
    "webhook_url",
    "webhook_ssl_verify",
    "webhook_sending_enabled",
    "webhook_time_start",
    "webhook_time_end",
    "absence_pause_enabled",
    "absence_pause_days",
    "webhook_delivery_mode",
];

pub(super) const NOT_READ: &str = "Erreur lors de la récupération de la configuration.";
pub(super) const NOT_SAVED: &str = "Erreur lors de la sauvegarde de la configuration.";
pub(super) const SAVED: &str = "Configuration mise à jour avec succès.";
const BAD_TIME: &str = "Invalid time format. Use HHhMM or HH:MM (e.g., 11h30, 17:45).";
const ONE_MISSING: &str = "Both start and end are required (or both empty to clear).";
const BOTH_NEEDED: &str =
    "Both webhook_time_start and webhook_time_end are required (or both empty to clear).";
const PLACEHOLDER: &str = "webhook_url ne peut pas être une URL placeholder (ex: example.com).";

/// What is in force of the document; fields that cannot be read count as absent.
pub(super) fn effective(state: &HttpState, document: &Map<String, Value>) -> Value {
    let env = &state.reference.env;
    let parse = |value: &Value| WebhookConfig::parse(value, env);
    let config = parse(&Value::Object(document.clone())).unwrap_or_else(|faults| {
        let mut sound = document.clone();
        for fault in faults {
            sound.shift_remove(fault.field.split(['[', '.']).next().unwrap_or_default());
        }
        parse(&Value::Object(sound)).unwrap_or_default()
    });
    let url = config.webhook_url.clone().unwrap_or_else(|| env.webhook_url.clone());
    let mode = config.delivery_mode.unwrap_or(env.delivery_mode);
    json!({
        "webhook_url": or_null(if url.is_empty() { url } else { mask_url(&url) }),
        "webhook_ssl_verify": config.ssl_verify.unwrap_or(env.ssl_verify),
        "webhook_sending_enabled": config.sending_enabled.unwrap_or(env.sending_enabled),
        "webhook_time_start": or_null(text(document, "webhook_time_start")),
        "webhook_time_end": or_null(text(document, "webhook_time_end")),
        "absence_pause_enabled": config.absence_enabled,
        "absence_pause_days": document.get("absence_pause_days").cloned().unwrap_or_else(|| json!([])),
        "webhook_delivery_mode": if mode == DeliveryMode::Form { "form" } else { "json" },
    })
}

/// GET `/api/webhooks/config`.
pub(super) async fn config(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::WebhookConfig, NOT_READ).await?;
    Ok(success(json!({ "config": effective(&state, &document) })))
}

/// POST `/api/webhooks/config`.
pub(super) async fn change(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let mut wanted: Vec<(String, Option<Value>)> = fields
        .known(FIELDS)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Some(value.clone())))
        .collect();
    if let Some(url) = fields.get("webhook_url").and_then(Value::as_str)
        && url.starts_with("https://")
        && is_placeholder(url)
        && !super::is_allowed_here(&state, url)
    {
        return Err(CompatRefusal::bad(PLACEHOLDER));
    }
    let both = ("webhook_time_start", "webhook_time_end");
    if let Some((start, end)) = window(&fields, both, BOTH_NEEDED)? {
        // Each completes the other: a change of one is one of both.
        wanted.retain(|(name, _)| !name.starts_with("webhook_time_"));
        wanted.push(("webhook_time_start".to_owned(), Some(start.into())));
        wanted.push(("webhook_time_end".to_owned(), Some(end.into())));
    }
    for (name, value) in &mut wanted {
        if name == "absence_pause_days"
            && let Some(Value::Array(days)) = value
        {
            for day in days {
                if let Value::String(day) = day {
                    *day = day.trim().to_lowercase();
                }
            }
        }
    }
    merge(&state, &caller, Key::WebhookConfig, wanted, NOT_SAVED).await?;
    Ok(success(fields.noting(json!({ "message": SAVED }), FIELDS)))
}

/// The window that a body names, trimmed: both bounds as times, or two empty texts, which clear it;
/// `None` = it names neither bound. One alone is refused, an empty one too: it would end a bound that
/// the body does not name.
///
/// # Errors
/// One of them is missing, or no time; in the reference's words.
fn window(
    fields: &JsonFields,
    (first, last): (&str, &str),
    one_missing: &str,
) -> Result<Option<(String, String)>, CompatRefusal> {
    let bound = |value: &Value| match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        // The reference reads null as the text "None".
        _ => Err(CompatRefusal::bad(BAD_TIME)),
    };
    let (start, end) = match (fields.get(first), fields.get(last)) {
        (None, None) => return Ok(None),
        (Some(start), Some(end)) => (bound(start)?, bound(end)?),
        _ => return Err(CompatRefusal::bad(one_missing)),
    };
    match (start.is_empty(), end.is_empty()) {
        (true, true) => {}
        (false, false) if parse_time_hhmm(&start).is_some() && parse_time_hhmm(&end).is_some() => {}
        (false, false) => return Err(CompatRefusal::bad(BAD_TIME)),
        _ => return Err(CompatRefusal::bad(one_missing)),
    }
    Ok(Some((start, end)))
}

/// The same where a body is about nothing else: one that names neither bound, because it was lost or
/// has other fields, is refused.
///
/// # Errors
/// One of them is missing, or no time; in the reference's words.
pub(super) fn start_and_end(
    fields: &JsonFields,
    one_missing: &str,
) -> Result<(String, String), CompatRefusal> {
    window(fields, ("start", "end"), one_missing)?.ok_or_else(|| CompatRefusal::bad(one_missing))
}

/// What the reference says of a window that was changed.
pub(super) const fn changed(start: &str) -> &'static str {
    if start.is_empty() { "Time window cleared (no constraints)." } else { "Time window updated." }
}

/// GET `/api/webhooks/time-window`.
pub(super) async fn time_window(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::WebhookConfig, NOT_READ).await?;
    Ok(success(json!({
        "webhooks_time_start": or_null(text(&document, "webhook_time_start")),
        "webhooks_time_end": or_null(text(&document, "webhook_time_end")),
    })))
}

/// POST `/api/webhooks/time-window`.
pub(super) async fn change_time_window(
    state: Data<HttpState>,
    caller: Caller,
    fields: JsonFields,
) -> Result<HttpResponse, CompatRefusal> {
    let (start, end) = start_and_end(&fields, ONE_MISSING)?;
    let wanted = vec![
        ("webhook_time_start".to_owned(), Some(start.clone().into())),
        ("webhook_time_end".to_owned(), Some(end.clone().into())),
    ];
    merge(&state, &caller, Key::WebhookConfig, wanted, "Erreur lors de la sauvegarde.").await?;
    Ok(success(json!({
        "message": changed(&start),
        "webhooks_time_start": or_null(start),
        "webhooks_time_end": or_null(end),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_not_named_is_not_ended_by_the_other() {
        let both = ("webhook_time_start", "webhook_time_end");
        let read = |body: Value| {
            let fields = JsonFields(body.as_object().cloned().expect("an object"));
            window(&fields, both, BOTH_NEEDED).map_err(|refusal| refusal.to_string())
        };
        for alone in [
            json!({"webhook_time_start": ""}),
            json!({"webhook_time_end": " "}),
            json!({"webhook_time_start": "9h00"}),
            json!({"webhook_time_end": "18h00", "webhook_sending_enabled": true}),
            json!({"webhook_time_start": "", "webhook_time_end": "18h00"}),
        ] {
            assert_eq!(read(alone.clone()), Err(BOTH_NEEDED.to_owned()), "{alone}");
        }
        assert_eq!(read(json!({"webhook_sending_enabled": true})), Ok(None));
        let cleared = json!({"webhook_time_start": "", "webhook_time_end": ""});
        assert_eq!(read(cleared), Ok(Some((String::new(), String::new()))));
    }

    #[test]
    fn a_window_is_cleared_by_two_empty_bounds_and_by_nothing_else() {
        let read = |body: Value| {
            let fields = JsonFields(body.as_object().cloned().expect("an object"));
            start_and_end(&fields, ONE_MISSING).map_err(|refusal| refusal.to_string())
        };
        let window = |start: &str, end: &str| Ok((start.to_owned(), end.to_owned()));
        for (body, expected) in [
            (json!({}), ONE_MISSING),
            (json!({"x": 1}), ONE_MISSING),
            (json!({"start": ""}), ONE_MISSING),
            (json!({"end": " "}), ONE_MISSING),
            (json!({"start": "9h00"}), ONE_MISSING),
            (json!({"start": "9h00", "end": ""}), ONE_MISSING),
            (json!({"start": null}), ONE_MISSING),
            (json!({"start": null, "end": null}), BAD_TIME),
            (json!({"start": "9h", "end": "18h"}), BAD_TIME),
        ] {
            assert_eq!(read(body.clone()), Err(expected.to_owned()), "{body}");
        }
        assert_eq!(read(json!({"start": "", "end": " "})), window("", ""));
        assert_eq!(read(json!({"start": " 9h00", "end": "18:00"})), window("9h00", "18:00"));
    }
}
