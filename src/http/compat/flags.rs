//! `/api/get_runtime_flags`, `/api/update_runtime_flags`.

use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::flags::RuntimeFlags;
use serde_json::{Map, Value, json};

use super::answer::{CompatResult, JsonFields, success};
use super::documents::{merge, read};
use crate::http::HttpState;
use crate::http::access::Caller;

/// The flags.
const FIELDS: &[&str] =
    &["disable_email_id_dedup", "allow_custom_webhook_without_links", "gmail_ingress_enabled"];

fn effective(state: &HttpState, document: &Map<String, Value>) -> Value {
    let flags = RuntimeFlags::parse(&Value::Object(document.clone())).unwrap_or_else(|faults| {
        let mut sound = document.clone();
        for fault in faults {
            sound.shift_remove(&fault.field);
        }
        RuntimeFlags::parse(&Value::Object(sound)).unwrap_or_default()
    });
    let env = &state.reference.env;
    json!({
        "disable_email_id_dedup": flags.disable_email_id_dedup.unwrap_or(env.disable_email_id_dedup),
        "allow_custom_webhook_without_links":
            flags.allow_custom_webhook_without_links.unwrap_or(env.allow_without_links),
        "gmail_ingress_enabled": flags.gmail_ingress_enabled.unwrap_or(true),
    })
}

/// GET `/api/get_runtime_flags`.
pub(super) async fn show(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::RuntimeFlags, "Erreur interne").await?;
    Ok(success(json!({ "flags": effective(&state, &document) })))
}

/// POST `/api/update_runtime_flags`.
pub(super) async fn change(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let wanted = fields
        .known(FIELDS)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Some(value.clone())))
        .collect();
    merge(&state, &caller, Key::RuntimeFlags, wanted, "Erreur lors de la sauvegarde.").await?;
    let document = read(&state, Key::RuntimeFlags, "Erreur interne").await?;
    let body = json!({
        "flags": effective(&state, &document),
        "message": "Modifications enregistrées. Un redémarrage peut être nécessaire.",
    });
    Ok(success(fields.noting(body, FIELDS)))
}
