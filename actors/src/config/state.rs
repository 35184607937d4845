//! The pure state of a configuration document.

use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::event::StreamId;

/// Payload of `config.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Key of the document, such as `webhook_config`.
    pub key: String,
    /// SHA-256 of its canonical JSON; empty when the document was removed.
    pub hash: String,
    /// Who changed it: `startup`, `external` (the file was edited), `recovery` (the journal had lost it), `cli`, `api`.
    pub origin: String,
    /// Top-level fields that differ from the version before.
    pub fields: Vec<String>,
    /// Key of the kept copy of the document: it may hold capabilities, so it is no part of the event.
    pub body_key: String,
}

domain_events! {
    /// What happens to a document.
    pub enum ConfigEvent {
        Changed(Changed) = "config.changed", schema 1, in "config", "A configuration document changed.", {
            key: "key of the document", hash: "SHA-256", origin: "who changed it", fields: "what differs",
            body_key: "key of the kept copy" };
    }
}

/// The stream of a document.
#[must_use]
pub fn config_stream(key: &str) -> StreamId {
    StreamId::new("config", key)
}
