//! `/api/processing_prefs` and its older names: limits, retries, filters.

use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::prefs::ProcessingPrefs;
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields, success};
use super::documents::{merge, read};
use crate::http::HttpState;
use crate::http::access::Caller;

/// The fields that may be changed here.
const FIELDS: &[&str] = &[
    "exclude_keywords",
    "exclude_keywords_recadrage",
    "exclude_keywords_autorepondeur",
    "require_attachments",
    "max_email_size_mb",
    "sender_priority",
    "retry_count",
    "retry_delay_sec",
    "webhook_timeout_sec",
    "rate_limit_per_hour",
    "notify_on_failure",
];

/// Those of them that an answer names only when they are set.
const OPTIONAL: &[&str] = &["exclude_keywords_recadrage", "exclude_keywords_autorepondeur"];

const NOT_SAVED: &str = "Erreur lors de la sauvegarde.";
const NOT_READ: &str = "Erreur lors de la récupération des préférences.";

/// A field as it is stored by the reference.
fn stored(prefs: &ProcessingPrefs, name: &str) -> Value {
    match name {
        "exclude_keywords" => json!(prefs.exclude_keywords),
        "exclude_keywords_recadrage" => json!(prefs.exclude_keywords_recadrage),
        "exclude_keywords_autorepondeur" => json!(prefs.exclude_keywords_autorepondeur),
        "require_attachments" => json!(prefs.require_attachments),
        "max_email_size_mb" => json!(prefs.max_email_size_mb),
        "sender_priority" => json!(prefs.sender_priority),
        "retry_count" => json!(prefs.retry_count),
        "retry_delay_sec" => json!(prefs.retry_delay_sec),
        "webhook_timeout_sec" => json!(prefs.webhook_timeout_sec),
        "rate_limit_per_hour" => json!(prefs.rate_limit_per_hour),
        "notify_on_failure" => json!(prefs.notify_on_failure),
        "mirror_media_to_custom" => json!(prefs.mirror_media_to_custom),
        _ => Value::Null,
    }
}

fn effective(document: &Map<String, Value>) -> Map<String, Value> {
    let prefs = ProcessingPrefs::parse(&Value::Object(document.clone())).unwrap_or_else(|faults| {
        let mut sound = document.clone();
        for fault in faults {
            sound.shift_remove(&fault.field);
        }
        ProcessingPrefs::parse(&Value::Object(sound)).unwrap_or_default()
    });
    FIELDS
        .iter()
        .chain(&["mirror_media_to_custom"])
        .filter(|name| !OPTIONAL.contains(name) || document.contains_key(**name))
        .map(|name| ((*name).to_owned(), stored(&prefs, name)))
        .collect()
}

/// GET `/api/processing_prefs`.
pub(super) async fn show(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::ProcessingPrefs, NOT_READ).await?;
    Ok(success(json!({ "prefs": effective(&document) })))
}

/// POST `/api/processing_prefs`.
pub(super) async fn change(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let mut given: Map<String, Value> =
        fields.known(FIELDS).into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    // A document may have a list here, since PHP writes an empty object as one.
    if given.get("sender_priority").is_some_and(Value::is_array) {
        return Err(CompatRefusal::bad("sender_priority doit être un objet {email: niveau}"));
    }
    // A switch as text means what it says, and is stored as a switch.
    render_signal_actors::config::documents::normal::normalise(Key::ProcessingPrefs, &mut given, |_| true);
    let prefs = ProcessingPrefs::parse(&Value::Object(given.clone()))
        .map_err(|faults| CompatRefusal::invalid(&faults))?;
    let wanted = given.keys().map(|name| (name.clone(), Some(stored(&prefs, name)))).collect();
    merge(&state, &caller, Key::ProcessingPrefs, wanted, NOT_SAVED).await?;
    let document = read(&state, Key::ProcessingPrefs, NOT_READ).await?;
    let body = json!({ "prefs": effective(&document), "message": "Préférences mises à jour." });
    Ok(success(fields.noting(body, FIELDS)))
}
