//! Several stores as one. The first configured store is the *authority*: it has the last
//! word, and every change goes there. The others stand behind it.
//!
//! | the authority says | what is read |
//! |---|---|
//! | a document | that |
//! | absent | what the next store says, by the same table: absent is not empty |
//! | absent, it was heard to have one, and cannot tell a removal from a loss | absent: it has vanished |
//! | nothing, and a change waits for it | that change |
//! | nothing, and it was heard before | what it last held, from memory or from our copy |
//! | nothing, and it was never heard | what the next store has, with a warning |
//!
//! A change that the authority cannot take is taken by the next store that can, and waits
//! for the authority. What then becomes of it is in [`reconcile`]. Stores behind the authority
//! never hear of a change that it took: a document that lies there is used while the
//! authority has none, or cannot be heard by a worker that never heard it.

mod health;
mod merge;
mod pending;
mod pending_files;
mod reconcile;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::{join_all, select_all};

use self::health::StoreHealthTracker;
use self::pending::{PendingChanges, SharedPending};
use self::pending_files::{LastHeard, PendingFiles};
use super::{
    ChangeId, ChangeLog, ConflictWinner, DocumentChange, DocumentStore, Fallbacks, ListedChanges,
    PendingNotes, Precondition, Revision, Rollout, StoreError, StoreHealth, StoreReading, WriteReceipt,
};
use crate::config::documents::Key;
use crate::config::policy::EnvDefaults;
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;

/// What a chain needs besides its stores.
#[derive(Clone)]
pub struct FallbackDeps {
    /// Folder of what must not be forgotten: changes that wait for the authority, and
    /// copies of what it last held.
    pub notes: PathBuf,
    /// What time it is.
    pub world: World,
    /// What documents are checked against.
    pub env: Arc<EnvDefaults>,
    /// Where conflicts are recorded. A process without one leaves that, and the copies of
    /// what the authority holds, to the service.
    pub journal: Option<Arc<dyn Journal>>,
}

/// See the module page.
pub struct FallbackStore {
    authority: Arc<dyn DocumentStore>,
    /// In the order in which they stand in.
    others: Vec<Arc<dyn DocumentStore>>,
    notes: PendingFiles,
    deps: FallbackDeps,
    tracker: StoreHealthTracker,
}

impl FallbackStore {
    /// `authority` has the last word, `others` stand behind it, the nearest first.
    #[must_use]
    pub fn new(
        authority: Arc<dyn DocumentStore>,
        others: Vec<Arc<dyn DocumentStore>>,
        deps: FallbackDeps,
    ) -> Self {
        let names = std::iter::once(&authority).chain(&others).map(|store| store.name()).collect();
        let notes = PendingFiles::new(deps.notes.clone());
        Self { authority, others, notes, deps, tracker: StoreHealthTracker::new(names) }
    }

    /// What is noted about a document, which is shown from then on.
    async fn noted(&self, key: Key) -> Result<PendingChanges, StoreError> {
        let mut noted = PendingChanges { local: self.notes.note(key)?, shared: None };
        if let Some((store, notes)) = self.pending_notes() {
            let said = notes.note(key).await.and_then(|kept| {
                let why = |error| format!("it was not written by this program: {error}");
                let what = format!("the note about {key} in {store}");
                SharedPending::parse(kept).map_err(|error| StoreError::Unreadable { what, why: why(error) })
            });
            noted.shared = Some(match said {
                Ok(shared) => {
                    self.tracker.said(key, &shared);
                    shared
                }
                Err(error) => {
                    SharedPending { trouble: Some(error), ..self.tracker.last_said(key).unwrap_or_default() }
                }
            });
        }
        self.tracker.noted(key, &noted);
        Ok(noted)
    }

    /// Where notes are kept for all workers: in the first store behind the authority that can.
    fn pending_notes(&self) -> Option<(&'static str, &dyn PendingNotes)> {
        self.others.iter().find_map(|store| Some((store.name(), store.pending_notes()?)))
    }

    /// Asks one store, and remembers how it is.
    async fn ask(&self, store: &Arc<dyn DocumentStore>, key: Key) -> Result<StoreReading, StoreError> {
        let answer = store.read(key).await;
        self.tracker.asked(store.name(), key, answer.as_ref().err(), self.deps.world.now());
        answer
    }

    /// Asks the authority, and remembers what it holds.
    async fn ask_authority(&self, key: Key) -> Result<StoreReading, StoreError> {
        let mut read = self.ask(&self.authority, key).await?;
        if read == StoreReading::Absent && self.bring_back(key).await {
            read = self.ask(&self.authority, key).await?;
        }
        if read == StoreReading::Absent && self.has_vanished(key) {
            // What it held is remembered: nothing old takes its place.
            return Ok(read);
        }
        let (text, revision) = match &read {
            StoreReading::Absent => (None, String::new()),
            StoreReading::Found { text, revision } => (Some(text.clone()), revision.0.clone()),
        };
        self.remember(key, text, revision);
        Ok(read)
    }

    /// Whether the authority, which has nothing now and cannot say why, is known to have had
    /// the document.
    fn has_vanished(&self, key: Key) -> bool {
        self.authority.change_log().is_none() && self.known(key).is_some_and(|known| known.text.is_some())
    }

    /// Gives an authority that was emptied while this worker was not there the copy of the
    /// one before. The authority can tell that from a removal, which stays one.
    async fn bring_back(&self, key: Key) -> bool {
        if self.tracker.known(key).is_some() || self.deps.journal.is_none() {
            return false;
        }
        let Some(log) = self.authority.change_log() else { return false };
        let Some(LastHeard { text: Some(text), at, .. }) = self.known(key) else { return false };
        let recovered = log.recover(key, &text).await;
        if matches!(recovered, Ok(true)) {
            let as_of = at.to_rfc3339();
            tracing::warn!(%key, as_of, "the configuration store was empty, it was given the copy of what it held");
        }
        recovered.is_ok()
    }

    /// What the authority holds now, for the time when it cannot be asked.
    fn remember(&self, key: Key, text: Option<String>, revision: String) {
        let store = self.authority.name().to_owned();
        let known = LastHeard { store, text, revision, at: self.deps.world.now() };
        if !self.tracker.remember(key, &known) || self.others.is_empty() || self.deps.journal.is_none() {
            return;
        }
        if let Err(error) = self.notes.keep(key, &known) {
            tracing::warn!(%key, %error, "a worker that starts while the configuration store is down will not know this document");
        }
    }

    /// What the authority last held, as far as known: from memory, or left by a worker
    /// before this one.
    fn known(&self, key: Key) -> Option<LastHeard> {
        self.tracker
            .known(key)
            .or_else(|| self.notes.known(key).filter(|known| known.store == self.authority.name()))
    }

    /// What stands behind an authority that has nothing. One that does not answer hides
    /// those behind it once it was heard, and before that only while they have nothing.
    async fn behind(&self, key: Key) -> Result<(StoreReading, &'static str), StoreError> {
        let mut unheard = None;
        for store in &self.others {
            match self.ask(store, key).await {
                Ok(StoreReading::Absent) => {}
                Ok(found @ StoreReading::Found { .. }) => return Ok((found, store.name())),
                Err(error) if self.tracker.was_heard(store.name(), key) => return Err(error),
                Err(error) => unheard = unheard.or(Some(error)),
            }
        }
        unheard.map_or(Ok((StoreReading::Absent, self.authority.name())), Err)
    }

    /// What holds while the authority does not answer because of `error`.
    async fn without_authority(
        &self,
        key: Key,
        noted: &PendingChanges,
        error: StoreError,
    ) -> Result<StoreReading, StoreError> {
        if let Some(pending) = noted.in_force() {
            let revision = Revision::of(&pending.text);
            // It may be another process that made it.
            self.tracker.wrote(key, &revision, &pending.origin);
            return Ok(StoreReading::Found { text: pending.text.clone(), revision });
        }
        let heard = self.tracker.was_heard(self.authority.name(), key);
        let known = self.known(key);
        if let Some(LastHeard { text: Some(text), revision, at, .. }) = &known {
            if !heard {
                self.tracker.stands_in(key, "a copy of what it last held", Some(*at), &error);
            }
            return Ok(StoreReading::Found { text: text.clone(), revision: Revision(revision.clone()) });
        }
        match self.behind(key).await {
            Ok((found @ StoreReading::Found { .. }, store)) => {
                if !heard {
                    self.tracker.stands_in(key, store, None, &error);
                }
                Ok(found)
            }
            Ok((StoreReading::Absent, _)) if known.is_some() => Ok(StoreReading::Absent),
            Ok((StoreReading::Absent, _)) | Err(_) => Err(error),
        }
    }

    /// Gives the authority a change that it can take.
    async fn write_to_authority(
        &self,
        change: &DocumentChange,
        held: StoreReading,
    ) -> Result<WriteReceipt, StoreError> {
        let written = match held {
            StoreReading::Found { .. } => self.authority.write(change).await?,
            StoreReading::Absent => {
                let behind = match self.has_vanished(change.key) {
                    true => StoreReading::Absent,
                    false => self.behind(change.key).await?.0,
                };
                as_believed(&behind, change)?;
                self.authority
                    .write(&DocumentChange { expected: Precondition::Absent, ..change.clone() })
                    .await?
            }
        };
        self.took(change, &written).await;
        Ok(written)
    }

    /// The authority holds a change: that is remembered, and told to whoever reads through
    /// these stores when the authority tells nobody itself.
    async fn took(&self, change: &DocumentChange, written: &WriteReceipt) {
        // The store's own words, which may differ in blanks, come with the next look.
        self.remember(change.key, Some(change.value.to_string()), written.revision.0.clone());
        self.tracker.wrote(change.key, &written.revision, &change.origin);
        if self.authority.tells() {
            return;
        }
        if let Err(error) = self.notes.announce() {
            tracing::debug!(key = %change.key, %error, "a change acts when the other processes look");
        }
        join_all(self.others.iter().map(|store| store.announce(change.key))).await;
    }
}

/// Whether the writer knows what it replaces.
fn as_believed(held: &StoreReading, change: &DocumentChange) -> Result<(), StoreError> {
    match (held, &change.expected) {
        (StoreReading::Absent, Precondition::Absent) => Ok(()),
        (StoreReading::Found { revision, .. }, Precondition::Revision(believed)) if revision == believed => {
            Ok(())
        }
        _ => Err(StoreError::Conflict(change.key)),
    }
}

/// Whether another store may do what this one could not.
const fn is_out_of_reach(error: &StoreError) -> bool {
    matches!(error, StoreError::Unreadable { .. } | StoreError::Unwritable { .. })
}

#[async_trait]
impl DocumentStore for FallbackStore {
    fn name(&self) -> &'static str {
        self.authority.name()
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        let noted = self.noted(key).await?;
        match self.ask_authority(key).await {
            Ok(held) => {
                self.tracker.stands_alone(key);
                let held = if noted.waits() { self.reconcile(key).await?.0 } else { held };
                self.record_conflict(key).await;
                match held {
                    found @ StoreReading::Found { .. } => Ok(found),
                    StoreReading::Absent if self.has_vanished(key) => Ok(StoreReading::Absent),
                    StoreReading::Absent => self.behind(key).await.map(|(read, _)| read),
                }
            }
            Err(StoreError::Lost(_)) if noted.waits() => Ok(self.reconcile(key).await?.0),
            Err(error) if is_out_of_reach(&error) => self.without_authority(key, &noted, error).await,
            Err(error) => Err(error),
        }
    }

    async fn changed(&self) {
        let hints = std::iter::once(&self.authority).chain(&self.others).map(|store| store.changed());
        select_all(hints.chain([self.notes.changed().boxed()])).await;
        // Whoever it comes from, it may be about the authority.
        self.authority.forget();
    }

    fn forget(&self) {
        for store in std::iter::once(&self.authority).chain(&self.others) {
            store.forget();
        }
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        let key = change.key;
        // That it did not answer some seconds ago is no reason to go elsewhere.
        self.authority.forget();
        let waits = self.noted(key).await?.waits();
        let held = match self.ask_authority(key).await {
            Ok(_) | Err(StoreError::Lost(_)) if waits => match self.reconcile(key).await? {
                (held, None) => Ok(held),
                (_, Some(why)) => Err(why),
            },
            answer => answer,
        };
        let written = match held {
            Ok(held) => self.write_to_authority(change, held).await,
            Err(error) => Err(error),
        };
        match written {
            Err(error) if is_out_of_reach(&error) && !self.others.is_empty() => {
                self.tracker.asked(self.authority.name(), key, Some(&error), self.deps.world.now());
                self.write_elsewhere(change, error).await
            }
            answer => answer,
        }
    }

    /// From every store, the authority last: what lies behind it would be in force next.
    async fn remove(&self, key: Key, origin: &str) -> Result<bool, StoreError> {
        if self.noted(key).await?.waits() {
            return Err(StoreError::Unwritable {
                what: format!("{key} of {}", self.authority.name()),
                why: "a change of it waits for this store".to_owned(),
            });
        }
        self.authority.forget();
        // It has to answer before anything is removed behind it.
        self.authority.read(key).await?;
        let mut was_there = false;
        for store in self.others.iter().chain([&self.authority]) {
            was_there |= store.remove(key, origin).await?;
        }
        self.removed(key);
        if !self.authority.tells() {
            drop(self.notes.announce());
            join_all(self.others.iter().map(|store| store.announce(key))).await;
        }
        Ok(was_there)
    }

    fn change_log(&self) -> Option<&dyn ChangeLog> {
        self.authority.change_log().map(|_| self as &dyn ChangeLog)
    }

    fn rollout(&self) -> Option<&dyn Rollout> {
        self.authority.rollout()
    }

    fn fallbacks(&self) -> Option<&dyn Fallbacks> {
        Some(self)
    }
}

#[async_trait]
impl ChangeLog for FallbackStore {
    /// A document that waits for the authority is not in the authority's list yet.
    async fn changes(&self, after: Option<&ChangeId>) -> Result<ListedChanges, StoreError> {
        let Some(log) = self.authority.change_log() else { return Ok(ListedChanges::default()) };
        let mut changes = log.changes(after).await?;
        changes.held.retain(|key| !self.tracker.is_pending(*key));
        Ok(changes)
    }

    async fn recover(&self, key: Key, text: &str) -> Result<bool, StoreError> {
        match self.authority.change_log() {
            Some(log) => log.recover(key, text).await,
            None => Ok(false),
        }
    }
}

#[async_trait]
impl Fallbacks for FallbackStore {
    fn health(&self) -> Vec<StoreHealth> {
        self.tracker.health()
    }

    async fn resolve(&self, key: Key, winner: ConflictWinner) -> Result<bool, StoreError> {
        self.decide(key, winner).await
    }

    fn origin_of(&self, key: Key, revision: &Revision) -> Option<String> {
        self.tracker.origin_of(key, revision)
    }

    fn removed(&self, key: Key) {
        self.remember(key, None, String::new());
    }
}

#[cfg(test)]
mod tests;
