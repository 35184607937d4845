//! What the stream `config-<key>` says of a document. Pure.
//!
//! ```text
//! Changed ───▶ in force, and what a store last held
//! Deferred ──▶ in force, and waits ─┬─ Reconciled ─▶ the authority holds it
//!                                   └─ Conflicted ─▶ the authority's is in force, this one waits
//!                                        for somebody ── Resolved ─▶ nothing waits
//! ```
//!
//! The documents themselves are in the stores. The stream has what was in force, version after
//! version, what waits for the store that has the last word, and what lost against another; copies
//! lie beside it as bodies, under the keys that the events name.

mod authority;
mod command;

use serde_json::{Map, Value};

pub use self::authority::{AuthorityState, HeardAbsent};
pub use self::command::{DeferredChange, DocumentCommand, LosingVersion, Reconciliation};
use super::documents::{self, Key};
use super::events::{
    ChangeDeferred, ChangeReconciled, ConfigEvent, ConflictResolved, DocumentChanged, DocumentConflicted,
};
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
    /// What was last recorded as held by a store; `None` = nothing, or it was removed.
    pub held: Option<HeldDocument>,
    /// The change that waits for the authority.
    pub pending: Option<WaitingChange>,
    /// The side of a conflict that is not in force, until somebody decides.
    pub conflict: Option<OpenConflict>,
    /// How many changes have had to wait.
    deferrals: u64,
}

/// What a store held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldDocument {
    /// Which store; empty = events of an earlier version do not say.
    pub store: String,
    /// SHA-256 of its canonical JSON.
    pub hash: String,
    /// Key of its copy; empty when it has none.
    pub body_key: String,
}

/// A change that waits for the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingChange {
    /// Tells it from those before and after it.
    pub number: u64,
    /// SHA-256 of its canonical JSON.
    pub hash: String,
    /// Who made it.
    pub origin: String,
    /// Key of the document.
    pub body_key: String,
    /// Key of what was in force before the first of the changes that it holds; empty = nothing was.
    pub base: String,
    /// Keys of the changes that waited before it, and that it holds: the authority may have taken
    /// one of them without anybody having heard of that.
    pub earlier: Vec<String>,
    /// Why the authority did not take it.
    pub why: String,
}

/// The side of a conflict that is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConflict {
    /// Key of the document.
    pub body_key: String,
    /// Who made it.
    pub origin: String,
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

/// The stream has moved on: what the command is about waits no more, or something else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overtaken;

impl DocumentState {
    /// Whether a change of the list of a store was recorded, or one after it.
    #[must_use]
    pub fn covers(&self, id: &ChangeId) -> bool {
        self.listed.as_ref().is_some_and(|known| known.list == id.list && known.place >= id.place)
    }

    /// Whether a version is recorded as the one in force, and as held by that store if one is named.
    pub(super) fn is_in_force(&self, hash: &str, stored_in: &str) -> bool {
        if self.pending.as_ref().is_some_and(|pending| pending.hash == hash) {
            return true;
        }
        let is_held = || self.held.as_ref().is_some_and(|held| held.hash == hash && held.store == stored_in);
        self.hash == hash && (hash.is_empty() || stored_in.is_empty() || is_held())
    }

    /// Keys of the bodies that are still needed, whatever their age.
    #[must_use]
    pub fn needs(&self) -> Vec<&str> {
        let held = self.held.iter().map(|held| held.body_key.as_str());
        let conflict = self.conflict.iter().map(|conflict| conflict.body_key.as_str());
        let pending = self.pending.iter().flat_map(|pending| {
            let earlier = pending.earlier.iter().map(String::as_str);
            [pending.body_key.as_str(), pending.base.as_str()].into_iter().chain(earlier)
        });
        held.chain(conflict).chain(pending).filter(|key| !key.is_empty()).collect()
    }

    fn waits_for(&self, number: Option<u64>) -> Result<(), Overtaken> {
        let waiting = self.pending.as_ref().map(|pending| pending.number);
        if waiting == number { Ok(()) } else { Err(Overtaken) }
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
                self.held = (!changed.hash.is_empty()).then(|| HeldDocument {
                    store: changed.stored_in.clone(),
                    hash: changed.hash.clone(),
                    body_key: changed.body_key.clone(),
                });
            }
            ConfigEvent::Deferred(deferred) => {
                self.hash.clone_from(&deferred.hash);
                self.body_key.clone_from(&deferred.body_key);
                self.deferrals += 1;
                let earlier = self.pending.take().map(|before| {
                    let mut earlier = before.earlier;
                    earlier.push(before.body_key);
                    earlier
                });
                self.pending = Some(WaitingChange {
                    number: self.deferrals,
                    hash: deferred.hash.clone(),
                    origin: deferred.origin.clone(),
                    body_key: deferred.waits.clone(),
                    base: deferred.base.clone(),
                    earlier: earlier.unwrap_or_default(),
                    why: deferred.why.clone(),
                });
            }
            ConfigEvent::Reconciled(reconciled) => {
                self.hash.clone_from(&reconciled.hash);
                self.body_key.clone_from(&reconciled.body_key);
                self.held = Some(HeldDocument {
                    store: reconciled.stored_in.clone(),
                    hash: reconciled.hash.clone(),
                    body_key: reconciled.body_key.clone(),
                });
                self.pending = None;
            }
            ConfigEvent::Conflicted(lost) if !lost.waits.is_empty() => {
                self.pending = None;
                self.conflict =
                    Some(OpenConflict { body_key: lost.waits.clone(), origin: lost.origin.clone() });
            }
            ConfigEvent::Resolved(_) => self.conflict = None,
            // The first was never in force; the other is of another stream.
            ConfigEvent::Conflicted(_) | ConfigEvent::Absent(_) => {}
        }
    }
}

impl Aggregate for DocumentState {
    type Command = DocumentCommand;
    type Cx = DocumentCx;
    type Reject = Overtaken;

    fn decide(&self, command: &DocumentCommand, cx: &DocumentCx) -> Result<Vec<ConfigEvent>, Overtaken> {
        if command.is_done(self) {
            return Ok(Vec::new());
        }
        let key = cx.key.as_str().to_owned();
        let differing = |after| changed_fields(cx.key, cx.before.as_deref(), after);
        let next = copy_key(cx.key, &(cx.version + 1).to_string());
        Ok(vec![match command {
            DocumentCommand::Change { document, origin, listed, stored_in } => {
                let hash = document.as_ref().map(|document| document.hash.clone()).unwrap_or_default();
                // The same, in another place: its copy is there.
                let moved = !hash.is_empty() && hash == self.hash;
                let kept = if moved { self.body_key.clone() } else { next };
                ConfigEvent::Changed(DocumentChanged {
                    key,
                    origin: origin.clone(),
                    fields: match moved {
                        true => Vec::new(),
                        false => differing(document.as_ref().map(|document| document.text.as_str())),
                    },
                    body_key: if hash.is_empty() { String::new() } else { kept },
                    change: listed.as_ref().map(ToString::to_string).unwrap_or_default(),
                    stored_in: if hash.is_empty() { String::new() } else { stored_in.clone() },
                    hash,
                })
            }
            DocumentCommand::Defer(deferred) => {
                self.waits_for(deferred.over)?;
                let base = || deferred.base.as_ref().map(|_| format!("config/{key}/base"));
                ConfigEvent::Deferred(ChangeDeferred {
                    hash: deferred.document.hash.clone(),
                    origin: deferred.origin.clone(),
                    fields: differing(Some(&deferred.document.text)),
                    waits: waiting_key(&next, cx.key, "waiting"),
                    base: match &self.pending {
                        Some(pending) => pending.base.clone(),
                        None => base().unwrap_or_default(),
                    },
                    why: deferred.why.clone(),
                    body_key: next,
                    key,
                })
            }
            DocumentCommand::Reconcile(reconciled) => {
                self.waits_for(Some(reconciled.number))?;
                let hash = reconciled.document.hash.clone();
                let same = self.pending.as_ref().is_some_and(|pending| pending.hash == hash);
                ConfigEvent::Reconciled(ChangeReconciled {
                    key,
                    outcome: reconciled.outcome,
                    fields: if same { Vec::new() } else { differing(Some(&reconciled.document.text)) },
                    body_key: if same && self.hash == hash { self.body_key.clone() } else { next },
                    stored_in: reconciled.stored_in.clone(),
                    hash,
                })
            }
            DocumentCommand::Lose(losing) => {
                self.waits_for(losing.number)?;
                let name = format!("conflict/{}", losing.event_id(cx.key).simple());
                let kept = copy_key(cx.key, &name);
                ConfigEvent::Conflicted(DocumentConflicted {
                    key,
                    hash: losing.hash(),
                    origin: losing.origin.clone(),
                    fields: losing.fields.clone(),
                    waits: waiting_key(&kept, cx.key, "conflict"),
                    body_key: kept,
                })
            }
            DocumentCommand::Resolve { kept, by } => {
                ConfigEvent::Resolved(ConflictResolved { key, kept: *kept, by: by.clone() })
            }
        }])
    }
}

/// Key of a copy for the history; empty when the history keeps none.
fn copy_key(key: Key, name: &str) -> String {
    match keeps_content(key) {
        true => format!("config/{key}/{name}"),
        false => String::new(),
    }
}

/// Key of what waits: the copy of the history, or one that goes when it waits no more.
fn waiting_key(kept: &str, key: Key, name: &str) -> String {
    if kept.is_empty() { format!("config/{key}/{name}") } else { kept.to_owned() }
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
