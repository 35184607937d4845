//! The documents where they belong, with the words of the reference system (its section 2.7), and
//! the checks of the service: what is approved here acts, and can be set. A document without
//! `_updated_at` is valid: the reference system never writes it.

use render_signal_actors::config::documents::{self, FieldProblem, Key, effect};
use render_signal_actors::config::edit::UPDATED_AT;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::{DocumentStore, StoreReading};
use render_signal_actors::kernel::said::Said;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::migrate::is_our_own;

/// What was found under a key.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = CheckedDocument)]
pub(crate) struct CheckedDocument {
    /// Which document.
    pub(crate) key: &'static str,
    /// Whether it is sound.
    pub(crate) valid: bool,
    /// `OK` or `INVALID`.
    pub(crate) status: &'static str,
    /// What is wrong; `OK` when nothing is.
    #[schema(value_type = String)]
    pub(crate) message: Said,
    /// Its fields in short.
    pub(crate) summary: String,
    /// Whether it has any field.
    pub(crate) payload_present: bool,
    /// What of it nobody knows.
    #[schema(value_type = Vec<String>)]
    pub(crate) unknown: Vec<Said>,
    /// Why it could not be read, if so.
    pub(crate) unread: Option<String>,
    /// The document itself.
    #[serde(skip)]
    pub(crate) payload: Option<Value>,
}

/// Checks what a store holds, the documents in this order. `asked` = they were asked for by name,
/// so that one which the reference system does not know is missed, too.
pub(crate) async fn all(
    store: Option<&dyn DocumentStore>,
    keys: &[Key],
    asked: bool,
    env: &EnvDefaults,
) -> Vec<CheckedDocument> {
    let mut checked = Vec::with_capacity(keys.len());
    for key in keys.iter().copied() {
        let read = match store {
            Some(store) => store.read(key).await,
            None => Ok(StoreReading::Absent),
        };
        if read == Ok(StoreReading::Absent) && is_our_own(key) && !asked {
            continue;
        }
        let (payload, unread) = match read {
            Ok(StoreReading::Found { text, .. }) => {
                (Some(documents::from_json(&text).unwrap_or(Value::String(text))), None)
            }
            Ok(StoreReading::Absent) => (None, None),
            Err(error) => (None, Some(error.to_string())),
        };
        checked.push(CheckedDocument { unread, ..check(key, payload.as_ref(), env) });
    }
    checked
}

/// Checks a document; `None` = absent. The words that the reference system has are its own in
/// every language.
pub(crate) fn check(key: Key, payload: Option<&Value>, env: &EnvDefaults) -> CheckedDocument {
    let (object, wrong) = match payload {
        None => (None, empty(key)),
        Some(Value::Object(object)) if object.is_empty() => (None, empty(key)),
        Some(document @ Value::Object(object)) => (Some(object), refusal(key, document, env)),
        Some(_) => (None, Some(Said::alike("payload is not a dict"))),
    };
    CheckedDocument {
        key: key.as_str(),
        valid: wrong.is_none(),
        status: if wrong.is_none() { "OK" } else { "INVALID" },
        message: wrong.unwrap_or_else(|| Said::alike("OK")),
        summary: object.map_or_else(|| "<vide>".to_owned(), |object| summary(key, object)),
        payload_present: object.is_some(),
        unknown: payload.map(|document| effect::unknown(key, document)).unwrap_or_default(),
        unread: None,
        payload: payload.cloned(),
    }
}

/// The reference system of July made two of these, and does not ask for them.
const fn is_optional(key: Key) -> bool {
    is_our_own(key) || matches!(key, Key::RoutingRules | Key::RuntimeFlags)
}

fn empty(key: Key) -> Option<Said> {
    (!is_optional(key)).then(|| Said::alike("payload is empty"))
}

/// What `serve` refuses, or switches off, and `config set` does not take.
fn refusal(key: Key, document: &Value, env: &EnvDefaults) -> Option<Said> {
    let problems: Vec<Said> =
        documents::problems(key, document, env).iter().map(FieldProblem::said).collect();
    (!problems.is_empty()).then(|| Said::joined(&problems, "; "))
}

/// As much of a sign-in link's own id as may be seen: enough to tell one from another.
const ID_CHARS_SHOWN: usize = 6;

/// A field as it may be called. Those of [`Key::MagicLinkTokens`] are the ids of sign-in links: each
/// is a part of what opens a session, so it is cut here as it is hidden everywhere else.
fn called(key: Key, field: &str) -> String {
    let is_link = key == Key::MagicLinkTokens && field != UPDATED_AT;
    match field.char_indices().nth(ID_CHARS_SHOWN).filter(|_| is_link) {
        Some((end, _)) => format!("{}…", field.get(..end).unwrap_or_default()),
        None => field.to_owned(),
    }
}

fn summary(key: Key, object: &Map<String, Value>) -> String {
    let mut parts = Vec::new();
    if let Some(Value::String(at)) = object.get(UPDATED_AT) {
        parts.push(format!("{UPDATED_AT}={at}"));
    }
    let mut sizes = |name: &str, size: fn(&Value) -> Option<usize>| {
        let mut found: Vec<String> = object
            .iter()
            .filter_map(|(field, value)| size(value).map(|size| format!("{}:{size}", called(key, field))))
            .collect();
        found.sort_unstable();
        if !found.is_empty() {
            parts.push(format!("{name}={}", found.join(", ")));
        }
    };
    sizes("dict_sizes", |value| value.as_object().map(Map::len));
    sizes("list_sizes", |value| value.as_array().map(Vec::len));
    if parts.is_empty() { format!("keys={}", object.len()) } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_words_are_those_of_the_reference() {
        let at = "2026-01-19T00:36:24.000001+00:00";
        for (key, payload, message, summary) in [
            (Key::PollingConfig, None, "payload is empty", "<vide>"),
            (Key::PollingConfig, Some(json!({})), "payload is empty", "<vide>"),
            (Key::PollingConfig, Some(json!([1])), "payload is not a dict", "<vide>"),
            (Key::PollingConfig, Some(json!({"a": 1})), "OK", "keys=1"),
            (
                Key::ProcessingPrefs,
                Some(json!({"retry_count": 99})),
                "retry_count is out of bounds (0..10)",
                "keys=1",
            ),
            (Key::MagicLinkTokens, Some(json!({"t": {"a": 1, "b": 2}})), "OK", "dict_sizes=t:2"),
            (
                Key::MagicLinkTokens,
                Some(
                    json!({"0pened-by-thé-whole": {"a": 1}, "ééééééé": {}, "short1": {}, "list-of-links": [1]}),
                ),
                "OK",
                "dict_sizes=0pened…:1, short1:0, éééééé…:0; list_sizes=list-o…:1",
            ),
            (
                Key::ProcessingPrefs,
                Some(json!({"sender_priority": {}})),
                "OK",
                "dict_sizes=sender_priority:0",
            ),
            (Key::RoutingRules, None, "OK", "<vide>"),
            (Key::RoutingRules, Some(json!({"rules": []})), "OK", "list_sizes=rules:0"),
            (Key::RuntimeFlags, Some(json!({})), "OK", "<vide>"),
            (Key::Detectors, None, "OK", "<vide>"),
            (Key::Detectors, Some(json!({"detectors": []})), "OK", "list_sizes=detectors:0"),
            (Key::Detectors, Some(json!([])), "payload is not a dict", "<vide>"),
            (Key::Providers, None, "OK", "<vide>"),
            (Key::Providers, Some(json!({"providers": 1})), "providers must be a list.", "keys=1"),
            (
                Key::ProcessingPrefs,
                Some(json!({"z": {}, "l": [1, 2], "a": {"x": 1}, "_updated_at": at})),
                "OK",
                "_updated_at=2026-01-19T00:36:24.000001+00:00; dict_sizes=a:1, z:0; list_sizes=l:2",
            ),
            (Key::ProcessingPrefs, Some(json!({"a": 1, "_updated_at": 5})), "OK", "keys=2"),
        ] {
            let checked = check(key, payload.as_ref(), &EnvDefaults::default());
            assert_eq!(
                (checked.message.english.as_str(), checked.summary.as_str()),
                (message, summary),
                "{key} {payload:?}"
            );
            assert_eq!(checked.valid, message == "OK");
        }
    }
}
