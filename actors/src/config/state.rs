//! The pure state of a configuration document.

use serde::{Deserialize, Serialize};

use super::store::ChangeId;
use crate::domain_events;
use crate::kernel::event::StreamId;

/// Payload of `config.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Key of the document, such as `webhook_config`.
    pub key: String,
    /// SHA-256 of its canonical JSON; empty when the document was removed.
    pub hash: String,
    /// Who changed it: `startup` (it was there), `external` (a program that does not say),
    /// `recovered` (put back after the store had lost it), `cli`, `api` …
    pub origin: String,
    /// Top-level fields that differ from the version before.
    pub fields: Vec<String>,
    /// Key of the kept copy of the document: it may hold capabilities, so it is no part of the event.
    pub body_key: String,
    /// Place of the change in the list that the store keeps; empty when it keeps none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub change: String,
}

domain_events! {
    /// What happens to a document.
    pub enum ConfigEvent {
        Changed(Changed) = "config.changed", schema 1, in "config", "A configuration document changed.", {
            key: "key of the document", hash: "SHA-256", origin: "who changed it", fields: "what differs",
            body_key: "key of the kept copy", change: "place in the store's list of changes" };
    }
}

impl ConfigEvent {
    /// The place of a change that came from a list.
    #[must_use]
    pub fn change(&self) -> Option<ChangeId> {
        let Self::Changed(changed) = self;
        changed.change.parse().ok()
    }
}

/// The stream of a document.
#[must_use]
pub fn config_stream(key: &str) -> StreamId {
    StreamId::new("config", key)
}
