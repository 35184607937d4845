//! An authority with stores behind it: how they are, and what waits for the authority.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DocumentStore, Revision, StoreError};
use crate::config::documents::Key;

/// Which side of a conflict is to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

    /// Offers the authority the change of a document that waits for it. Answers whether one did,
    /// and does not any more: the authority holds it, or a conflict is to be decided.
    ///
    /// # Errors
    /// Why it still waits.
    async fn offer(&self, key: Key) -> Result<bool, StoreError>;

    /// Decides a conflict ([`StoreHealth::conflicts`]) on behalf of `by`. Answers whether there was
    /// one. The side that is not kept stays in the history.
    ///
    /// # Errors
    /// The conflict is as it was.
    async fn resolve(&self, key: Key, winner: ConflictWinner, by: &str) -> Result<bool, StoreError>;

    /// Who made this version, when it was written through this very object, or waits.
    fn origin_of(&self, key: Key, revision: &Revision) -> Option<String>;

    /// Which store was last heard to hold this version; `None` = none was, or it waits.
    fn holder_of(&self, key: Key, revision: &Revision) -> Option<&'static str>;

    /// Documents that the authority was heard not to have, since the start.
    fn absent(&self) -> Vec<Key>;

    /// Somebody removed a document: what is remembered of it does not stand in for it.
    fn removed(&self, key: Key);
}

/// How the back ends of a store are; nothing where there is but one.
#[must_use]
pub fn health(store: &dyn DocumentStore) -> Vec<StoreHealth> {
    store.fallbacks().map(|stores| stores.health()).unwrap_or_default()
}

/// The name of the back end that holds a text under a key; empty = that is not known.
#[must_use]
pub fn holder(store: &dyn DocumentStore, key: Key, text: &str) -> &'static str {
    match store.fallbacks() {
        None => store.name(),
        Some(stores) => stores.holder_of(key, &Revision::of(text)).unwrap_or_default(),
    }
}
