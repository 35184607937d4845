//! What a chain has seen of its stores, so that everybody can: log, metrics, health.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::config::documents::Key;
use crate::config::state::DocumentState;
use crate::config::store::{Revision, StoreError, StoreHealth, StoreReading};

/// How one store is.
#[derive(Debug, Default)]
struct StoreCondition {
    since: Option<DateTime<Utc>>,
    /// By the document that it was asked for.
    troubles: BTreeMap<Key, String>,
    /// What it has answered about since the start.
    heard: HashSet<Key>,
}

#[derive(Debug, Default)]
struct TrackedState {
    conditions: HashMap<&'static str, StoreCondition>,
    known: HashMap<Key, StoreReading>,
    /// Which store the last reading of each document came from.
    holders: HashMap<Key, (Revision, &'static str)>,
    pending: BTreeMap<Key, bool>,
    conflicts: BTreeMap<Key, bool>,
    /// The last change of each document that had to wait, as it was counted.
    counted: BTreeMap<Key, u64>,
    /// What something else stands in for, so that it is said once.
    standing_in: HashSet<Key>,
    /// The last change of each document through this chain.
    origins: HashMap<Key, (Revision, String)>,
}

/// See the module page.
#[derive(Debug)]
pub(super) struct StoreHealthTracker {
    /// The authority first.
    names: Vec<&'static str>,
    seen: Mutex<TrackedState>,
}

impl StoreHealthTracker {
    pub(super) fn new(names: Vec<&'static str>) -> Self {
        Self { names, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, TrackedState> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A store was asked for a document, and answered or not.
    pub(super) fn asked(
        &self,
        store: &'static str,
        key: Key,
        error: Option<&StoreError>,
        now: DateTime<Utc>,
    ) {
        let mut seen = self.seen();
        // An authority that answers is not well while it does not take what waits for it.
        let waits = self.names.first() == Some(&store) && seen.pending.get(&key) == Some(&true);
        let condition = seen.conditions.entry(store).or_default();
        let was_well = condition.troubles.is_empty();
        match error {
            None => {
                condition.heard.insert(key);
                if !waits {
                    condition.troubles.remove(&key);
                }
            }
            Some(error) => {
                condition.troubles.insert(key, error.to_string());
            }
        }
        let is_well = condition.troubles.is_empty();
        if was_well == is_well && condition.since.is_some() {
            return;
        }
        let first = condition.since.replace(now).is_none();
        // render_signal_config_store_up{store}: 0 while the store does not answer, or not
        // for every document.
        metrics::gauge!("render_signal_config_store_up", "store" => store).set(if is_well {
            1.0
        } else {
            0.0
        });
        match error {
            Some(error) => tracing::warn!(store, %error, "a configuration store does not answer"),
            None if first => {}
            None => tracing::info!(store, "the configuration store answers again"),
        }
    }

    /// Whether a store has answered about a document since the start.
    pub(super) fn was_heard(&self, store: &'static str, key: Key) -> bool {
        self.seen().conditions.get(store).is_some_and(|condition| condition.heard.contains(&key))
    }

    /// What the authority holds.
    pub(super) fn remember(&self, key: Key, known: StoreReading) {
        self.seen().known.insert(key, known);
    }

    /// What the authority last held, when it was heard since the start.
    pub(super) fn known(&self, key: Key) -> Option<StoreReading> {
        self.seen().known.get(&key).cloned()
    }

    /// Documents that the authority did not have when it was last asked.
    pub(super) fn absent(&self) -> Vec<Key> {
        let seen = self.seen();
        let absent = seen.known.iter().filter(|(_, known)| **known == StoreReading::Absent);
        let mut absent: Vec<Key> = absent.map(|(key, _)| *key).collect();
        absent.sort_unstable();
        absent
    }

    /// A version was read from a store, or given to it.
    pub(super) fn held_by(&self, key: Key, revision: &Revision, store: &'static str) {
        self.seen().holders.insert(key, (revision.clone(), store));
    }

    /// Which store a version was last read from.
    pub(super) fn holder_of(&self, key: Key, revision: &Revision) -> Option<&'static str> {
        self.seen().holders.get(&key).filter(|(held, _)| held == revision).map(|(_, store)| *store)
    }

    /// Something stands in for the authority, which was never heard.
    pub(super) fn stands_in(&self, key: Key, what: &str, error: &StoreError) {
        if self.seen().standing_in.insert(key) {
            count_fallback(key, "read");
            tracing::warn!(
                %key, %error, what,
                "the configuration store was not reached since the start, something else stands in"
            );
        }
    }

    /// The authority answers for itself.
    pub(super) fn stands_alone(&self, key: Key) {
        self.seen().standing_in.remove(&key);
    }

    /// A change was made through this chain.
    pub(super) fn wrote(&self, key: Key, revision: &Revision, origin: &str) {
        self.seen().origins.insert(key, (revision.clone(), origin.to_owned()));
    }

    /// Who made a version.
    pub(super) fn origin_of(&self, key: Key, revision: &Revision) -> Option<String> {
        self.seen().origins.get(&key).filter(|(made, _)| made == revision).map(|(_, origin)| origin.clone())
    }

    /// What the stream of a document says that there is to do.
    pub(super) fn noted(&self, key: Key, state: &DocumentState) {
        let mut seen = self.seen();
        let (pending, conflict) = (state.pending.is_some(), state.conflict.is_some());
        // Also when a command made it: nobody can ask a process that has ended for its counters.
        if let Some(change) = &state.pending
            && seen.counted.insert(key, change.number) != Some(change.number)
        {
            count_fallback(key, "write");
        }
        let number = |flag: bool| if flag { 1.0 } else { 0.0 };
        if seen.pending.insert(key, pending) != Some(pending) {
            // render_signal_config_pending{key}: 1 while a change waits for the authority.
            metrics::gauge!("render_signal_config_pending", "key" => key.as_str()).set(number(pending));
        }
        if seen.conflicts.insert(key, conflict) != Some(conflict) {
            // render_signal_config_conflict{key}: 1 while two changes wait for a decision.
            metrics::gauge!("render_signal_config_conflict", "key" => key.as_str()).set(number(conflict));
        }
    }

    /// Whether a change waits for the authority.
    pub(super) fn is_pending(&self, key: Key) -> bool {
        self.seen().pending.get(&key) == Some(&true)
    }

    /// How the stores are.
    pub(super) fn health(&self) -> Vec<StoreHealth> {
        let seen = self.seen();
        let marked = |marks: &BTreeMap<Key, bool>| {
            marks.iter().filter(|(_, marked)| **marked).map(|(key, _)| *key).collect::<Vec<Key>>()
        };
        let of = |(index, store): (usize, &&'static str)| {
            let condition = seen.conditions.get(store);
            let authority = index == 0;
            StoreHealth {
                store,
                authority,
                since: condition.and_then(|condition| condition.since),
                trouble: condition.and_then(|condition| condition.troubles.values().next().cloned()),
                pending: if authority { marked(&seen.pending) } else { Vec::new() },
                conflicts: if authority { marked(&seen.conflicts) } else { Vec::new() },
            }
        };
        self.names.iter().enumerate().map(of).collect()
    }
}

/// Something else did what the authority should have done.
fn count_fallback(key: Key, what: &'static str) {
    // render_signal_config_fallback_total{key,what}: documents read from, or written to,
    // another place because the authority did not answer.
    metrics::counter!("render_signal_config_fallback_total", "key" => key.as_str(), "what" => what)
        .increment(1);
}
