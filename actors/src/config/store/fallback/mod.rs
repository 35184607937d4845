//! Several stores as one. The first configured store is the *authority*: it has the last
//! word, and every change goes there. The others stand behind it.
//!
//! | the authority says | what is read |
//! |---|---|
//! | whatever, and a change waits for it | that change |
//! | a document | that |
//! | absent | what the next store says, by the same table: absent is not empty |
//! | absent, it was heard to have one, and cannot tell a removal from a loss | absent: it has vanished |
//! | nothing, and it was heard before | what it last held, from memory or from the history |
//! | nothing, and it was never heard | what the next store has, with a warning |
//!
//! What waits, what was last held and what is in conflict is said by the streams of the documents,
//! which every worker follows. Reading writes nothing. A change that the authority cannot take is
//! taken by the journal: see [`defer`]. Who offers it again is in [`settle`], what becomes of it in
//! [`reconcile`], what else stands in for a silent authority in [`stand_in`]. Stores behind the
//! authority never hear of a change that it took: a document that lies there is used while the
//! authority has none, or cannot be heard by a worker that knows nothing of what it held.

mod defer;
mod health;
mod merge;
mod reconcile;
mod roles;
mod settle;
mod stand_in;

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::{join, join_all, select_all};

use self::health::StoreHealthTracker;
pub(in crate::config) use self::merge::{MergeOutcome, three_way_merge};
use super::{
    ChangeLog, DocumentChange, DocumentStore, Fallbacks, Precondition, Rollout, StoreError, StoreReading,
    WriteReceipt,
};
use crate::config::documents::Key;
use crate::config::history::follow::DocumentFollower;
use crate::config::policy::EnvDefaults;
use crate::config::state::DocumentState;
use crate::kernel::aggregate::Loaded;
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;

/// What a chain needs besides its stores.
#[derive(Clone)]
pub struct FallbackDeps {
    /// What time it is.
    pub world: World,
    /// What documents are checked against.
    pub env: Arc<EnvDefaults>,
    /// Which changes wait, and what was last held. A process without one sees the stores alone, and
    /// has changes taken by the authority or by nobody.
    pub journal: Option<Arc<dyn Journal>>,
}

/// See the module page.
pub struct FallbackStore {
    authority: Arc<dyn DocumentStore>,
    /// In the order in which they stand in.
    others: Vec<Arc<dyn DocumentStore>>,
    deps: FallbackDeps,
    follower: Option<DocumentFollower>,
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
        let follower = deps.journal.clone().map(DocumentFollower::new);
        Self { authority, others, deps, follower, tracker: StoreHealthTracker::new(names) }
    }

    /// What the stream of a document says, as far as the journal answers; it is shown from then on.
    async fn followed(&self, key: Key) -> Result<Loaded<DocumentState>, StoreError> {
        let Some(follower) = &self.follower else { return Ok(Loaded::default()) };
        let said = follower.recently(key).await.map_err(|why| unread(key, why))?;
        self.tracker.noted(key, &said.state);
        Ok(said)
    }

    /// Asks one store, and remembers how it is.
    async fn ask(&self, store: &Arc<dyn DocumentStore>, key: Key) -> Result<StoreReading, StoreError> {
        let answer = store.read(key).await;
        self.tracker.asked(store.name(), key, answer.as_ref().err(), self.deps.world.now());
        if let Ok(StoreReading::Found { revision, .. }) = &answer {
            self.tracker.held_by(key, revision, store.name());
        }
        answer
    }

    /// Asks the authority, and remembers what it holds.
    async fn ask_authority(&self, key: Key, state: &DocumentState) -> Result<StoreReading, StoreError> {
        let read = self.ask(&self.authority, key).await?;
        self.heard(key, state, &read);
        Ok(read)
    }

    /// Remembers what the authority holds. What it held is remembered when it has vanished: nothing
    /// old takes its place.
    fn heard(&self, key: Key, state: &DocumentState, read: &StoreReading) {
        if *read != StoreReading::Absent || !self.has_vanished(key, state) {
            self.tracker.remember(key, read.clone());
        }
    }

    /// Whether the authority, when it has nothing now and cannot say why, is known to have had
    /// the document.
    fn has_vanished(&self, key: Key, state: &DocumentState) -> bool {
        let had = || match self.tracker.known(key) {
            Some(known) => known != StoreReading::Absent,
            None => state.held.as_ref().is_some_and(|held| held.store == self.authority.name()),
        };
        self.authority.change_log().is_none() && had()
    }

    /// Gives the authority a change that it can take.
    async fn write_to_authority(
        &self,
        change: &DocumentChange,
        state: &DocumentState,
        held: StoreReading,
    ) -> Result<WriteReceipt, StoreError> {
        let written = match held {
            StoreReading::Found { .. } => self.authority.write(change).await?,
            StoreReading::Absent => {
                let behind = match self.has_vanished(change.key, state) {
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
        let (key, revision) = (change.key, written.revision.clone());
        // The store's own words, which may differ in blanks, come with the next look.
        let text = change.value.to_string();
        self.tracker.remember(key, StoreReading::Found { text, revision: revision.clone() });
        self.tracker.held_by(key, &revision, self.authority.name());
        self.tracker.wrote(key, &revision, &change.origin);
        self.announce_to_others(key).await;
    }

    async fn announce_to_others(&self, key: Key) {
        if !self.authority.tells() {
            join_all(self.others.iter().map(|store| store.announce(key))).await;
        }
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

/// It is not known whether a change waits.
fn unread(key: Key, why: String) -> StoreError {
    StoreError::Unreadable { what: format!("the history of {key}"), why }
}

#[async_trait]
impl DocumentStore for FallbackStore {
    fn name(&self) -> &'static str {
        self.authority.name()
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        let (said, held) = join(self.followed(key), self.ask(&self.authority, key)).await;
        let said = said?;
        if let Ok(held) = &held {
            self.tracker.stands_alone(key);
            self.heard(key, &said.state, held);
        }
        if let Some(waiting) = self.waiting(key, &said.state).await? {
            return Ok(waiting);
        }
        match held {
            Ok(StoreReading::Absent) if !self.has_vanished(key, &said.state) => {
                self.behind(key).await.map(|(read, _)| read)
            }
            Ok(read) => Ok(read),
            Err(error) if is_out_of_reach(&error) => self.without_authority(key, &said, error).await,
            Err(error) => Err(error),
        }
    }

    async fn changed(&self) {
        let moved = async {
            match &self.follower {
                Some(follower) => follower.moved().await,
                None => std::future::pending().await,
            }
        };
        let hints = std::iter::once(&self.authority).chain(&self.others).map(|store| store.changed());
        select_all(hints.chain([moved.boxed()])).await;
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
        let said = self.followed(key).await?;
        let written = async {
            if said.state.pending.is_some() {
                self.settle(key).await?;
            }
            let held = self.ask_authority(key, &said.state).await?;
            self.write_to_authority(change, &said.state, held).await
        };
        match written.await {
            Err(error) if is_out_of_reach(&error) && !self.others.is_empty() => {
                self.tracker.asked(self.authority.name(), key, Some(&error), self.deps.world.now());
                self.defer(change, error).await
            }
            answer => answer,
        }
    }

    /// From every store, the authority last: what lies behind it would be in force next.
    async fn remove(&self, key: Key, origin: &str) -> Result<bool, StoreError> {
        let said = self.followed(key).await?;
        if said.state.pending.is_some() {
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
        self.announce_to_others(key).await;
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

#[cfg(test)]
mod tests;
