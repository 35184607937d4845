//! A store that keeps a list of its changes: nothing that happened to a document is unknown.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;

use super::StoreError;
use crate::config::documents::Key;

/// The place of a change in the list of changes that a store keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeId {
    /// Which list: random, made with it, of hexadecimal digits and hyphens. Places of
    /// different lists do not compare.
    pub list: String,
    /// Where in the list; grows.
    pub place: (u64, u64),
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-{}", self.list, self.place.0, self.place.1)
    }
}

impl FromStr for ChangeId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = || {
            let (list, place) = text.split_once(':')?;
            let (major, minor) = place.split_once('-')?;
            Some(Self { list: list.to_owned(), place: (major.parse().ok()?, minor.parse().ok()?) })
        };
        parts().ok_or_else(|| format!("{text:?} is not the place of a change"))
    }
}

/// A change in the list of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChange {
    /// Where in the list.
    pub id: ChangeId,
    /// Which document.
    pub key: Key,
    /// As it was stored; `None` = it was removed.
    pub text: Option<String>,
    /// Who changed it; `external` = a program that does not say.
    pub origin: String,
}

/// What a list of changes says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedChanges {
    /// Oldest first.
    pub listed: Vec<ListedChange>,
    /// Documents that the store of this list holds now: whatever else is seen of them is older.
    pub held: Vec<Key>,
}

/// A store that keeps a list of its changes, and so can tell a document that somebody removed
/// from one that it has lost.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// The changes after a place of the list, or all of the list when it is another one by now.
    ///
    /// The list is complete: a change that a read showed is in it.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn changes(&self, after: Option<&ChangeId>) -> Result<ListedChanges, StoreError>;

    /// Puts back a document that the store has lost ([`StoreError::Lost`]), from a worker's
    /// copy. Answers whether it did: not when the document is there, or was removed by
    /// somebody, or another worker was faster.
    ///
    /// # Errors
    /// It is as it was.
    async fn recover(&self, key: Key, text: &str) -> Result<bool, StoreError>;
}
