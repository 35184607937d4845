//! What happens to a configuration document: the events of the streams `config-<key>`, and of
//! `config-authority`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::store::{ChangeId, ConflictWinner};
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
    /// Top-level fields that differ from the version before; none when it was only found in
    /// another store than before.
    pub fields: Vec<String>,
    /// Key of the kept copy of the document: it may hold capabilities, so it is no part of the event.
    pub body_key: String,
    /// Place of the change in the list that the store keeps; empty when it keeps none.
    pub change: String,
    /// The store that holds it: `redis`, `php`, `file`; empty when that is not known.
    pub stored_in: String,
}

/// Payload of `config.deferred`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeDeferred {
    /// Key of the document, such as `webhook_config`.
    pub key: String,
    /// SHA-256 of the canonical JSON of the document that waits, and is in force.
    pub hash: String,
    /// Who made the change, as in [`DocumentChanged::origin`].
    pub origin: String,
    /// Top-level fields that differ from the version before.
    pub fields: Vec<String>,
    /// Key of the kept copy of the document; empty when the history keeps none of it.
    pub body_key: String,
    /// Key of the body that the authority is to be given.
    pub waits: String,
    /// Key of the body that was in force before, which the writer had seen; empty = there was none.
    pub base: String,
    /// Why the authority did not take it.
    pub why: String,
}

/// Payload of `config.reconciled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeReconciled {
    /// Key of the document, such as `webhook_config`.
    pub key: String,
    /// What it took.
    pub outcome: ReconcileOutcome,
    /// SHA-256 of the canonical JSON of what the authority holds now.
    pub hash: String,
    /// Top-level fields in which that differs from the change that waited.
    pub fields: Vec<String>,
    /// Key of the kept copy of it; empty when the history keeps none of it.
    pub body_key: String,
    /// The authority.
    pub stored_in: String,
}

/// How an authority came to hold a change that waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReconcileOutcome {
    /// It held the same already.
    Same,
    /// It was as the writer saw it, or empty, and was given the change.
    Given,
    /// It had been changed in other fields, and was given both changes.
    Merged,
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
    /// Key of the kept copy of that version; empty when the history keeps none of it.
    pub body_key: String,
    /// Key of the body that somebody may decide for; empty = there is nothing to decide.
    pub waits: String,
}

/// Payload of `config.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictResolved {
    /// Key of the document, such as `webhook_config`.
    pub key: String,
    /// The side that is in force.
    pub kept: ConflictWinner,
    /// Who decided.
    pub by: String,
}

/// Payload of `config.absent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentsAbsent {
    /// The store that has the last word.
    pub store: String,
    /// Keys of the documents that it was heard not to have, and that were not known to be absent.
    pub documents: Vec<String>,
}

domain_events! {
    /// What happens to a document.
    pub enum ConfigEvent {
        Changed(DocumentChanged) = "config.changed", schema 3, in "config", "A configuration document changed.", {
            key: "key of the document", hash: "SHA-256", origin: "who changed it", fields: "what differs",
            body_key: "key of the kept copy", change: "place in the store's list of changes; empty when it keeps none",
            stored_in: "the store that holds it; empty when that is not known" },
            upcasts [without_list, without_place];
        Deferred(ChangeDeferred) = "config.deferred", schema 1, in "config",
            "A change of a document is in force, and waits for the store that has the last word.", {
            key: "key of the document", hash: "SHA-256", origin: "who changed it", fields: "what differs",
            body_key: "key of the kept copy", waits: "key of the body that waits",
            base: "key of the body that was in force before; empty when there was none", why: "why the store did not take it" };
        Reconciled(ChangeReconciled) = "config.reconciled", schema 1, in "config",
            "The store that has the last word holds a change that waited for it.", {
            key: "key of the document", outcome: "`same`, `given` or `merged`", hash: "SHA-256 of what it holds now",
            fields: "what differs from the change that waited", body_key: "key of the kept copy", stored_in: "the store" };
        Conflicted(DocumentConflicted) = "config.conflicted", schema 2, in "config",
            "A document was changed here while its store did not answer, and otherwise in the store: the store's stays in force.", {
            key: "key of the document", hash: "SHA-256 of the version that is not in force", origin: "who made that version",
            fields: "what both changed", body_key: "key of the kept copy of that version",
            waits: "key of the body that somebody may decide for; empty when there is nothing to decide" },
            upcasts [decided_elsewhere];
        Resolved(ConflictResolved) = "config.resolved", schema 1, in "config", "Somebody decided a conflict.", {
            key: "key of the document", kept: "`authority` or `pending`", by: "who decided" };
        Absent(DocumentsAbsent) = "config.absent", schema 1, in "config",
            "The store that has the last word does not have these documents.", {
            store: "the store", documents: "their keys" };
    }
}

/// Schema 1 knew no lists of changes.
fn without_list(mut old: Value) -> Value {
    set(&mut old, "change", "");
    old
}

/// Schema 2 did not say which store held a document; only that in Redis keeps a list of changes.
fn without_place(mut old: Value) -> Value {
    let is_listed = old.get("change").and_then(Value::as_str).is_some_and(|place| !place.is_empty());
    set(&mut old, "stored_in", if is_listed { "redis" } else { "" });
    old
}

/// With schema 1, what there was to decide was in a note beside the store.
fn decided_elsewhere(mut old: Value) -> Value {
    set(&mut old, "waits", "");
    old
}

fn set(payload: &mut Value, field: &str, to: &str) {
    if let Some(fields) = payload.as_object_mut() {
        fields.insert(field.to_owned(), Value::from(to));
    }
}

impl ConfigEvent {
    /// Key of the kept copy; empty when there is none.
    #[must_use]
    pub fn body_key(&self) -> Option<&str> {
        match self {
            Self::Changed(changed) => Some(&changed.body_key),
            Self::Deferred(deferred) => Some(&deferred.body_key),
            Self::Reconciled(reconciled) => Some(&reconciled.body_key),
            Self::Conflicted(lost) => Some(&lost.body_key),
            Self::Resolved(_) | Self::Absent(_) => None,
        }
    }

    /// Key of the body that waits, for the authority or for a decision.
    #[must_use]
    pub fn waits(&self) -> Option<&str> {
        match self {
            Self::Deferred(deferred) => Some(&deferred.waits),
            Self::Conflicted(lost) => Some(&lost.waits),
            Self::Changed(_) | Self::Reconciled(_) | Self::Resolved(_) | Self::Absent(_) => None,
        }
    }

    /// The place of a change that came from a list.
    #[must_use]
    pub fn change(&self) -> Option<ChangeId> {
        match self {
            Self::Changed(changed) => changed.change.parse().ok(),
            Self::Deferred(_)
            | Self::Reconciled(_)
            | Self::Conflicted(_)
            | Self::Resolved(_)
            | Self::Absent(_) => None,
        }
    }
}

/// The stream of a document.
#[must_use]
pub fn config_stream(key: &str) -> StreamId {
    StreamId::new("config", key)
}

/// The stream that says what the stores with the last word do not have.
#[must_use]
pub fn authority_stream() -> StreamId {
    config_stream("authority")
}
