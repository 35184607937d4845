//! What is to be entered in the history of a document.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::DocumentState;
use crate::config::active::{InForce, canonical_hash};
use crate::config::documents::{self, Key};
use crate::config::events::ReconcileOutcome;
use crate::config::store::{ChangeId, ConflictWinner};

/// What is to be entered in the history of a document.
#[derive(Debug, Clone)]
pub enum DocumentCommand {
    /// A version has come into force.
    Change {
        /// `None` when the document was removed.
        document: Option<InForce>,
        /// Who changed it.
        origin: String,
        /// Its place in the list of the store, when the store keeps one.
        listed: Option<ChangeId>,
        /// The store that holds it; empty when that is not known.
        stored_in: String,
    },
    /// A change comes into force that the authority does not take.
    Defer(DeferredChange),
    /// The authority holds a change that waited for it.
    Reconcile(Reconciliation),
    /// A version lost against another.
    Lose(LosingVersion),
    /// Somebody has decided a conflict.
    Resolve {
        /// The side that is in force.
        kept: ConflictWinner,
        /// Who decided.
        by: String,
    },
}

/// A change that the authority does not take.
#[derive(Debug, Clone)]
pub struct DeferredChange {
    /// The document.
    pub document: InForce,
    /// What was in force before; `None` = nothing.
    pub base: Option<String>,
    /// Who made the change.
    pub origin: String,
    /// Why the authority did not take it.
    pub why: String,
    /// The change that waited when the writer looked; `None` = none did.
    pub over: Option<u64>,
    /// Id of the event, for a change that is entered by several who know it; `None` = a new one.
    pub id: Option<Uuid>,
}

/// What became of a change when the authority answered.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// Which change.
    pub number: u64,
    /// How the authority came to hold it.
    pub outcome: ReconcileOutcome,
    /// What the authority holds now.
    pub document: InForce,
    /// The authority.
    pub stored_in: String,
    /// Under which claim it was offered.
    pub claim: Option<Uuid>,
}

/// A version of a document that lost against another.
#[derive(Debug, Clone)]
pub struct LosingVersion {
    /// The document.
    pub text: String,
    /// Who made it.
    pub origin: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The top-level fields that both sides changed; empty when it is the whole document.
    pub fields: Vec<String>,
    /// The change that waited, and does not any more; `None` = none waits.
    pub number: Option<u64>,
    /// Under which claim it was offered.
    pub claim: Option<Uuid>,
}

impl DocumentCommand {
    /// A version that was seen in a store, without its place in a list.
    #[must_use]
    pub fn seen(document: Option<&InForce>, origin: &str, stored_in: &str) -> Self {
        Self::Change {
            document: document.cloned(),
            origin: origin.to_owned(),
            listed: None,
            stored_in: stored_in.to_owned(),
        }
    }

    /// The content that is kept beside the event.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Change { document, .. } => document.as_ref().map(|document| document.text.as_str()),
            Self::Defer(deferred) => Some(&deferred.document.text),
            Self::Reconcile(reconciled) => Some(&reconciled.document.text),
            Self::Lose(losing) => Some(&losing.text),
            Self::Resolve { .. } => None,
        }
    }

    /// Id of the event, where whoever records the same is to record the same event.
    #[must_use]
    pub fn event_id(&self, key: Key) -> Option<Uuid> {
        match self {
            Self::Change { .. } | Self::Reconcile(_) | Self::Resolve { .. } => None,
            Self::Defer(deferred) => deferred.id,
            Self::Lose(losing) => Some(losing.event_id(key)),
        }
    }

    /// Whether it ends the row of a change that waited, and under which claim.
    #[must_use]
    pub const fn settles(&self) -> Option<Option<Uuid>> {
        match self {
            Self::Reconcile(reconciled) => Some(reconciled.claim),
            Self::Lose(LosingVersion { number: Some(_), claim, .. }) => Some(*claim),
            Self::Lose(_) | Self::Change { .. } | Self::Defer(_) | Self::Resolve { .. } => None,
        }
    }

    /// Whether it is in the history already.
    #[must_use]
    pub fn is_done(&self, state: &DocumentState) -> bool {
        match self {
            Self::Change { document, listed, stored_in, .. } => {
                let hash = document.as_ref().map_or("", |document| document.hash.as_str());
                listed.as_ref().is_some_and(|id| state.covers(id)) || state.is_in_force(hash, stored_in)
            }
            Self::Resolve { .. } => state.conflict.is_none(),
            // The journal knows the event by its id, or the change by its number.
            Self::Defer(_) | Self::Reconcile(_) | Self::Lose(_) => false,
        }
    }
}

impl LosingVersion {
    /// SHA-256 of its canonical JSON; empty when it is no JSON.
    pub(super) fn hash(&self) -> String {
        documents::from_json(&self.text).map(|value| canonical_hash(&value)).unwrap_or_default()
    }

    /// The same conflict is the same event, whoever records it. Versions that kept in a note what
    /// there was to decide had another id for it.
    pub(super) fn event_id(&self, key: Key) -> Uuid {
        let name = format!("config.conflicted/waits/{key}/{}/{}", self.hash(), self.at.to_rfc3339());
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }
}
