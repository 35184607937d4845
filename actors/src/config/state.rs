//! What the stream `config-<key>` says of a document. Pure.
//!
//! The documents themselves are in the stores. The stream has what was in force, version after
//! version, and what lost against another; copies lie beside it as bodies, under the keys that
//! the events name.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::active::{InForce, canonical_hash};
use super::documents::{self, Key};
use super::events::{ConfigEvent, DocumentChanged, DocumentConflicted};
use super::store::ChangeId;
use crate::kernel::aggregate::{Aggregate, Evolve};

/// The state of the stream of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentState {
    /// SHA-256 of the version that was recorded last as being in force; empty when there was
    /// none, or it was a removal.
    pub hash: String,
    /// Key of its copy; empty when it has none.
    pub body_key: String,
    /// Place of the newest change that came from the list of a store.
    pub listed: Option<ChangeId>,
}

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
    },
    /// A version lost against another.
    Lose(LosingVersion),
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
}

/// What a decision about a document depends on besides its stream.
#[derive(Debug, Clone)]
pub struct DocumentCx {
    /// Which document.
    pub key: Key,
    /// The version of the stream.
    pub version: u64,
    /// The copy of what was in force before; `None` when there is none.
    pub before: Option<String>,
}

impl DocumentState {
    /// Whether a change of the list of a store was recorded, or one after it.
    #[must_use]
    pub fn covers(&self, id: &ChangeId) -> bool {
        self.listed.as_ref().is_some_and(|known| known.list == id.list && known.place >= id.place)
    }
}

impl DocumentCommand {
    /// A version that was seen in a store that keeps no list.
    #[must_use]
    pub fn seen(document: Option<&InForce>, origin: &str) -> Self {
        Self::Change { document: document.cloned(), origin: origin.to_owned(), listed: None }
    }

    /// The content that is kept beside the event.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Change { document, .. } => document.as_ref().map(|document| document.text.as_str()),
            Self::Lose(losing) => Some(&losing.text),
        }
    }

    /// Id of the event, where whoever records the same is to record the same event.
    #[must_use]
    pub fn event_id(&self, key: Key) -> Option<Uuid> {
        match self {
            Self::Change { .. } => None,
            Self::Lose(losing) => Some(losing.event_id(key)),
        }
    }

    /// Whether it is in the history already.
    #[must_use]
    pub fn is_done(&self, state: &DocumentState) -> bool {
        match self {
            Self::Change { document, listed, .. } => {
                let hash = document.as_ref().map_or("", |document| document.hash.as_str());
                state.hash == hash || listed.as_ref().is_some_and(|id| state.covers(id))
            }
            // The journal knows the event by its id.
            Self::Lose(_) => false,
        }
    }
}

impl LosingVersion {
    /// SHA-256 of its canonical JSON; empty when it is no JSON.
    fn hash(&self) -> String {
        documents::from_json(&self.text).map(|value| canonical_hash(&value)).unwrap_or_default()
    }

    /// The same conflict is the same event, whoever records it.
    fn event_id(&self, key: Key) -> Uuid {
        let name = format!("config.conflicted/{key}/{}/{}", self.hash(), self.at.to_rfc3339());
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }
}

impl Evolve for DocumentState {
    type Event = ConfigEvent;

    fn evolve(&mut self, event: &ConfigEvent) {
        match event {
            ConfigEvent::Changed(changed) => {
                self.hash.clone_from(&changed.hash);
                self.body_key.clone_from(&changed.body_key);
                self.listed = event.change().or(self.listed.take());
            }
            // It was never in force.
            ConfigEvent::Conflicted(_) => {}
        }
    }
}

impl Aggregate for DocumentState {
    type Command = DocumentCommand;
    type Cx = DocumentCx;
    type Reject = Infallible;

    fn decide(&self, command: &DocumentCommand, cx: &DocumentCx) -> Result<Vec<ConfigEvent>, Infallible> {
        if command.is_done(self) {
            return Ok(Vec::new());
        }
        let key = cx.key.as_str().to_owned();
        let copy = |name: String| match keeps_content(cx.key) {
            true => format!("config/{}/{name}", cx.key),
            false => String::new(),
        };
        Ok(vec![match command {
            DocumentCommand::Change { document, origin, listed } => ConfigEvent::Changed(DocumentChanged {
                key,
                hash: document.as_ref().map(|document| document.hash.clone()).unwrap_or_default(),
                origin: origin.clone(),
                fields: changed_fields(
                    cx.key,
                    cx.before.as_deref(),
                    document.as_ref().map(|document| document.text.as_str()),
                ),
                body_key: document.as_ref().map(|_| copy((cx.version + 1).to_string())).unwrap_or_default(),
                change: listed.as_ref().map(ToString::to_string).unwrap_or_default(),
            }),
            DocumentCommand::Lose(losing) => ConfigEvent::Conflicted(DocumentConflicted {
                key,
                hash: losing.hash(),
                origin: losing.origin.clone(),
                fields: losing.fields.clone(),
                body_key: copy(format!("conflict/{}", losing.event_id(cx.key).simple())),
            }),
        }])
    }
}

/// Whether the history has copies of a document. Of sign-in links it has none: whoever finds an
/// old one could sign in with it, or learn who did.
#[must_use]
pub const fn keeps_content(key: Key) -> bool {
    !matches!(key, Key::MagicLinkTokens)
}

/// The top-level fields that differ. The field names of the sign-in links are the links'
/// own ids, so they are not listed.
fn changed_fields(key: Key, before: Option<&str>, after: Option<&str>) -> Vec<String> {
    if key == Key::MagicLinkTokens {
        return Vec::new();
    }
    let object = |text: Option<&str>| -> Map<String, Value> {
        text.and_then(|text| documents::from_json(text).ok()).unwrap_or_default()
    };
    let (before, after) = (object(before), object(after));
    let mut fields: Vec<String> = before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(value))
        .map(|(name, _)| name.clone())
        .chain(after.keys().filter(|name| !before.contains_key(*name)).cloned())
        .collect();
    fields.sort_unstable();
    fields
}

#[cfg(test)]
mod tests;
