//! What happens to a configuration document: the events of the streams `config-<key>`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::store::ChangeId;
use crate::domain_events;
use crate::kernel::event::StreamId;

/// Payload of `config.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentChanged {
    /// Key of the document, such as `webhook_config`.
    pub key: String,
    /// SHA-256 of its canonical JSON; empty when the document was removed.
    pub hash: String,
    /// Who changed it: `startup` (it was there), `external` (a program that does not say),
    /// `recovered` (put back after the store had lost it), `recovery` (the journal had lost
    /// it), `cli`, `api` …
    pub origin: String,
    /// Top-level fields that differ from the version before.
    pub fields: Vec<String>,
    /// Key of the kept copy of the document: it may hold capabilities, so it is no part of the event.
    pub body_key: String,
    /// Place of the change in the list that the store keeps; empty when it keeps none.
    pub change: String,
}

/// Payload of `config.conflicted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentConflicted {
    /// Key of the document, such as `webhook_config`.
    pub key: String,
    /// SHA-256 of the canonical JSON of the version that is not in force.
    pub hash: String,
    /// Who made that version, as in [`DocumentChanged::origin`].
    pub origin: String,
    /// Top-level fields that both sides changed; empty = the whole document.
    pub fields: Vec<String>,
    /// Key of the kept copy of that version.
    pub body_key: String,
}

domain_events! {
    /// What happens to a document.
    pub enum ConfigEvent {
        Changed(DocumentChanged) = "config.changed", schema 2, in "config", "A configuration document changed.", {
            key: "key of the document", hash: "SHA-256", origin: "who changed it", fields: "what differs",
            body_key: "key of the kept copy", change: "place in the store's list of changes; empty when it keeps none" },
            upcasts [without_list];
        Conflicted(DocumentConflicted) = "config.conflicted", schema 1, in "config",
            "A document was changed here while its store did not answer, and otherwise in the store: the store's stays in force.", {
            key: "key of the document", hash: "SHA-256 of the version that is not in force", origin: "who made that version",
            fields: "what both changed", body_key: "key of the kept copy of that version" };
    }
}

/// Schema 1 knew no lists of changes.
fn without_list(mut old: Value) -> Value {
    if let Some(fields) = old.as_object_mut() {
        fields.insert("change".to_owned(), Value::from(""));
    }
    old
}

impl ConfigEvent {
    /// Key of the kept copy; empty when there is none.
    #[must_use]
    pub fn body_key(&self) -> Option<&str> {
        match self {
            Self::Changed(changed) => Some(&changed.body_key),
            Self::Conflicted(lost) => Some(&lost.body_key),
        }
    }

    /// The place of a change that came from a list.
    #[must_use]
    pub fn change(&self) -> Option<ChangeId> {
        match self {
            Self::Changed(changed) => changed.change.parse().ok(),
            Self::Conflicted(_) => None,
        }
    }
}

/// The stream of a document.
#[must_use]
pub fn config_stream(key: &str) -> StreamId {
    StreamId::new("config", key)
}
