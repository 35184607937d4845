//! The window that receivers are told of (`global_time_*`): it holds nothing back, here as in the
//! reference, and is kept in the document, not in a file beside it.

use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::webhook::WebhookConfig;
use render_signal_actors::mail::policy::Announced;
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields, success};
use super::documents::{merge, or_null, read};
use super::webhooks::{changed, start_and_end};
use crate::http::HttpState;
use crate::http::access::Caller;

const NOT_READ: &str = "Erreur lors de la récupération de la fenêtre horaire.";
const NOT_SAVED: &str = "Erreur interne lors de la mise à jour.";
const ONE_MISSING: &str =
    "Both WEBHOOKS_TIME_START and WEBHOOKS_TIME_END must be provided (or both empty to clear).";

/// What is in force: that of the document, else that of the reference's file.
fn announced(state: &HttpState, document: &Map<String, Value>) -> Announced {
    let two = ["global_time_start", "global_time_end"];
    let only: Map<String, Value> =
        two.iter().filter_map(|name| Some(((*name).to_owned(), document.get(*name)?.clone()))).collect();
    let env = &state.reference.env;
    let config = WebhookConfig::parse(&Value::Object(only), env).unwrap_or_default();
    config.announced.unwrap_or_else(|| env.announced.clone())
}

fn shown(window: &Announced) -> Value {
    json!({
        "webhooks_time_start": or_null(&window.start),
        "webhooks_time_end": or_null(&window.end),
    })
}

/// GET `/api/get_webhook_time_window`, and the same for the test key.
pub(super) async fn show(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::WebhookConfig, NOT_READ).await?;
    let mut body = shown(&announced(&state, &document));
    if let Value::Object(fields) = &mut body {
        fields.insert("timezone".to_owned(), json!(state.reference.env.zone.name()));
    }
    Ok(success(body))
}

/// POST `/api/set_webhook_time_window`, and the same for the test key. What is refused changes
/// nothing, and the answer says what is in force.
pub(super) async fn change(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let (start, end) = match start_and_end(&fields, ONE_MISSING) {
        Ok(window) => window,
        Err(refusal) => {
            let document = read(&state, Key::WebhookConfig, NOT_READ).await?;
            return Err(refusal.with(&shown(&announced(&state, &document))));
        }
    };
    let wanted = vec![
        ("global_time_start".to_owned(), Some(start.clone().into())),
        ("global_time_end".to_owned(), Some(end.clone().into())),
    ];
    merge(&state, &caller, Key::WebhookConfig, wanted, NOT_SAVED).await?;
    let mut body = shown(&Announced { start: start.clone(), end });
    if let Value::Object(fields) = &mut body {
        fields.insert("message".to_owned(), json!(changed(&start)));
    }
    Ok::<_, CompatRefusal>(success(body))
}
