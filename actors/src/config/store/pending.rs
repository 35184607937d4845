//! An authority with stores behind it: how they are, and what waits for the authority.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{DocumentChange, DocumentStore, Revision, StoreError, WriteReceipt};
use crate::config::documents::Key;

/// Which side of a conflict is to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictWinner {
    /// What the authority holds.
    Authority,
    /// What was changed elsewhere while the authority did not answer.
    Pending,
}

/// How one back end is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreHealth {
    /// Its [`DocumentStore::name`].
    pub store: &'static str,
    /// It is the one that has the last word.
    pub authority: bool,
    /// Since when it is as it is.
    pub since: Option<DateTime<Utc>>,
    /// What is wrong with it, in plain words.
    pub trouble: Option<String>,
    /// Documents that it must still be given.
    pub pending: Vec<Key>,
    /// Documents that it and another changed, each without the other's knowledge.
    pub conflicts: Vec<Key>,
}

/// What is known of stores of which the first has the last word.
#[async_trait]
pub trait Fallbacks: Send + Sync {
    /// How the back ends are, the authority first. Nothing is asked of them for this.
    fn health(&self) -> Vec<StoreHealth>;

    /// Decides a conflict ([`StoreHealth::conflicts`]). Answers whether there was one. The
    /// side that is not kept stays in the history.
    ///
    /// # Errors
    /// The conflict is as it was.
    async fn resolve(&self, key: Key, winner: ConflictWinner) -> Result<bool, StoreError>;

    /// Who made this version, when it was written through this very object, or waits.
    fn origin_of(&self, key: Key, revision: &Revision) -> Option<String>;

    /// Somebody removed a document: what is remembered of it does not stand in for it.
    fn removed(&self, key: Key);
}

/// How the back ends of a store are; nothing where there is but one.
#[must_use]
pub fn health(store: &dyn DocumentStore) -> Vec<StoreHealth> {
    store.fallbacks().map(|stores| stores.health()).unwrap_or_default()
}

/// What a store behind the authority keeps, for every process that reads it, about a change
/// that waits for the authority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredNote {
    /// The note; `None` = nothing waits, as far as this store knows.
    pub note: Option<String>,
    /// Ids of the last changes that no longer wait.
    pub settled: Vec<String>,
}

/// A note that takes the place of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutNote {
    /// What the writer believes to be noted; `None` = nothing.
    pub before: Option<String>,
    /// What is to be noted; `None` = nothing.
    pub after: Option<String>,
    /// Id of the change that no longer waits; `None` = it still does.
    pub settled: Option<String>,
}

/// Notes about changes that wait for the authority, kept by a store behind it for every process
/// that reads that store.
#[async_trait]
pub trait PendingNotes: Send + Sync {
    /// The note about a document.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn note(&self, key: Key) -> Result<StoredNote, StoreError>;

    /// Replaces a document and the note about it in one step, when both are what the writer
    /// believes.
    ///
    /// # Errors
    /// Both are as they were, or as somebody else left them.
    async fn write_noted(&self, change: &DocumentChange, note: &PutNote) -> Result<WriteReceipt, StoreError>;

    /// Replaces the note about a document, when it still is what the writer believes.
    ///
    /// # Errors
    /// It is as it was, or as somebody else left it.
    async fn put_note(&self, key: Key, note: &PutNote) -> Result<(), StoreError>;
}
