//! What a chain can do besides reading and writing: follow the authority's list of changes, and tell how
//! its stores are.

use async_trait::async_trait;

use super::FallbackStore;
use crate::config::documents::Key;
use crate::config::store::{
    ChangeId, ChangeLog, ConflictWinner, Fallbacks, ListedChanges, Revision, StoreError, StoreHealth,
    StoreReading,
};

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

    async fn offer(&self, key: Key) -> Result<bool, StoreError> {
        self.settle(key).await
    }

    async fn resolve(&self, key: Key, winner: ConflictWinner, by: &str) -> Result<bool, StoreError> {
        self.decide(key, winner, by).await
    }

    fn origin_of(&self, key: Key, revision: &Revision) -> Option<String> {
        self.tracker.origin_of(key, revision)
    }

    fn holder_of(&self, key: Key, revision: &Revision) -> Option<&'static str> {
        self.tracker.holder_of(key, revision)
    }

    fn absent(&self) -> Vec<Key> {
        self.tracker.absent()
    }

    fn removed(&self, key: Key) {
        self.tracker.remember(key, StoreReading::Absent);
    }
}
