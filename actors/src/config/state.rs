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
mod decide;

pub use self::authority::{AuthorityState, HeardAbsent};
pub use self::command::{DeferredChange, DocumentCommand, LosingVersion, Reconciliation};
use super::documents::Key;
use super::events::ConfigEvent;
use super::store::ChangeId;
use crate::kernel::aggregate::Evolve;

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

/// Whether the history has copies of a document. Of sign-in links it has none: whoever finds an
/// old one could sign in with it, or learn who did.
#[must_use]
pub const fn keeps_content(key: Key) -> bool {
    !matches!(key, Key::MagicLinkTokens)
}

#[cfg(test)]
mod tests;
