//! Where documents are kept: one trait, one adapter per back end.

pub mod fallback;
pub mod file;
mod metrics;
pub mod php;
pub mod redis;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::documents::Key;
use crate::kernel::digest::sha256;
use crate::kernel::said::Said;

/// Which version of a document was read; equal revisions mean equal content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(pub String);

impl Revision {
    /// The revision of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(sha256(text))
    }
}

/// What a store holds under a key. Absent is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreReading {
    /// Nothing was ever written, or it was removed.
    Absent,
    /// A text that should be a JSON object.
    Found {
        /// As stored.
        text: String,
        /// Its version.
        revision: Revision,
    },
}

impl StoreReading {
    /// The version; `None` = absent.
    #[must_use]
    pub const fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Absent => None,
            Self::Found { revision, .. } => Some(revision),
        }
    }
}

/// What a writer believes to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    Absent,
    /// This version.
    Revision(Revision),
}

/// A document as somebody wants it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentChange {
    /// Which document.
    pub key: Key,
    /// The whole of it.
    pub value: Value,
    /// What the writer believes to be stored.
    pub expected: Precondition,
    /// Who wants it, for the history: `cli`, `api`, `php_api`, `restore`, `migrate`, `reconciled` …
    pub origin: String,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReceipt {
    /// The version that is stored now.
    pub revision: Revision,
    /// [`DocumentStore::name`] of the store that took it.
    pub stored_in: &'static str,
    /// Why another store than the authority took it, when that is so.
    pub degraded: Option<String>,
}

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

/// What a worker makes of the stored documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Name of the worker: `<host>/<pid>/<start id>`.
    pub worker: String,
    /// When it said so.
    pub at: DateTime<Utc>,
    /// One entry per document.
    pub documents: BTreeMap<Key, AckState>,
}

/// What a worker makes of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredAckState", into = "StoredAckState")]
pub struct AckState {
    /// [`crate::config::active::canonical_hash`] of the document in force there; empty = absent.
    pub hash: String,
    /// Why it could not apply the stored document and keeps the one before.
    pub refused: Option<Said>,
}

/// As workers write it for each other; those of an earlier version write English only.
#[derive(Serialize, Deserialize)]
struct StoredAckState {
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_fr: Option<String>,
}

impl From<AckState> for StoredAckState {
    fn from(AckState { hash, refused }: AckState) -> Self {
        let (refused, refused_fr) = refused.map(|said| (said.english, said.french)).unzip();
        Self { hash, refused, refused_fr }
    }
}

impl From<StoredAckState> for AckState {
    fn from(StoredAckState { hash, refused, refused_fr }: StoredAckState) -> Self {
        let refused =
            refused.map(|english| Said { french: refused_fr.unwrap_or_else(|| english.clone()), english });
        Self { hash, refused }
    }
}

/// Which side of a conflict is to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictWinner {
    /// What the authority holds.
    Authority,
    /// What was changed elsewhere while the authority did not answer.
    Pending,
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

/// Why a store could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached or read now.
    #[error("{what} could not be read: {why}")]
    Unreadable {
        /// What was read: the path, or the host.
        what: String,
        /// The system's answer.
        why: String,
    },
    /// It could not be written; the document is as it was.
    #[error("{what} could not be written: {why}")]
    Unwritable {
        /// What was written: the path, or the host.
        what: String,
        /// The system's answer.
        why: String,
    },
    /// Somebody else wrote first; the document is as they left it.
    #[error("{0} was changed by somebody else in the meantime: read it again")]
    Conflict(Key),
    /// The document was there, and the store has lost it together with all that it knew of
    /// it: nobody removed it. See [`DocumentStore::recover`].
    #[error("{0} is lost: the store was emptied")]
    Lost(Key),
}

/// A place that keeps documents.
#[async_trait]
pub trait DocumentStore: Send + Sync + 'static {
    /// What it is called in answers, logs and metrics: `redis`, `php`, `file`.
    fn name(&self) -> &'static str;

    /// What is stored under `key`.
    ///
    /// # Errors
    /// When it cannot be said; that is not the same as [`StoreReading::Absent`].
    async fn read(&self, key: Key) -> Result<StoreReading, StoreError>;

    /// Returns when a document may differ from what [`Self::read`] last returned. A hint:
    /// it may come too often, and a reader also looks on a timer.
    async fn changed(&self);

    /// Whether [`Self::changed`] hears of writes by other processes. When it does not, the
    /// writer tells them by other ways: see [`Self::announce`].
    fn tells(&self) -> bool {
        true
    }

    /// Tells those who wait for changes of this store, in whatever process, that a document
    /// was changed in another one. A hint: it may be lost.
    async fn announce(&self, _key: Key) {}

    /// The next read asks the back end, whatever is remembered.
    fn forget(&self) {}

    /// Replaces a document, when it still is what the writer believes.
    ///
    /// # Errors
    /// The document is as it was, or as somebody else left it.
    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError>;

    /// Removes a document. Answers whether there was one.
    ///
    /// # Errors
    /// It is as it was, or as somebody else left it.
    async fn remove(&self, key: Key, _origin: &str) -> Result<bool, StoreError> {
        let why = "this store cannot remove documents".to_owned();
        Err(StoreError::Unwritable { what: format!("{key} of {}", self.name()), why })
    }

    /// Somebody removed a document: whatever is remembered of it is history.
    fn removed(&self, _key: Key) {}

    /// Whether it can tell a document that somebody removed from one that has vanished.
    fn knows_removals(&self) -> bool {
        false
    }

    /// Whether it keeps notes about changes that wait for the authority, for every process
    /// that reads it.
    fn keeps_notes(&self) -> bool {
        false
    }

    /// The note about a document.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn note(&self, _key: Key) -> Result<StoredNote, StoreError> {
        Ok(StoredNote::default())
    }

    /// Replaces a document and the note about it in one step, when both are what the writer
    /// believes. A store that keeps no notes leaves that.
    ///
    /// # Errors
    /// Both are as they were, or as somebody else left them.
    async fn write_noted(
        &self,
        change: &DocumentChange,
        _note: &PutNote,
    ) -> Result<WriteReceipt, StoreError> {
        self.write(change).await
    }

    /// Replaces the note about a document, when it still is what the writer believes.
    ///
    /// # Errors
    /// It is as it was, or as somebody else left it.
    async fn put_note(&self, _key: Key, _note: &PutNote) -> Result<(), StoreError> {
        Ok(())
    }

    /// The changes after a place of the list that the store keeps, or all of the list when
    /// it is another one by now. `None` = it keeps no list (now): what a reader sees is all
    /// there is to know.
    ///
    /// A list is complete: a change that [`Self::read`] showed is in it.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn changes(&self, _after: Option<&ChangeId>) -> Result<Option<ListedChanges>, StoreError> {
        Ok(None)
    }

    /// Who made this version, when it was written through this very store object and the
    /// store keeps no list of changes.
    fn origin_of(&self, _key: Key, _stamp: &Revision) -> Option<String> {
        None
    }

    /// Puts back a document that the store has lost ([`StoreError::Lost`]), from a worker's
    /// copy. Returns whether it did: not when the document is there, or was removed by
    /// somebody, or another worker was faster.
    ///
    /// # Errors
    /// It is as it was.
    async fn recover(&self, _key: Key, _text: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Tells the other workers what this one makes of the documents. It is forgotten after
    /// some seconds, so it is said again and again.
    ///
    /// # Errors
    /// They do not know it yet.
    async fn acknowledge(&self, _ack: &Ack) -> Result<(), StoreError> {
        Ok(())
    }

    /// Tells the others that this worker stops.
    async fn leave(&self, _worker: &str) {}

    /// What the workers that are alive make of the documents; empty where they cannot tell
    /// each other.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn workers(&self) -> Result<Vec<Ack>, StoreError> {
        Ok(Vec::new())
    }

    /// How the back ends are, the authority first. Nothing is asked of them for this.
    fn health(&self) -> Vec<StoreHealth> {
        Vec::new()
    }

    /// Decides a conflict ([`StoreHealth::conflicts`]). Answers whether there was one. The
    /// side that is not kept stays in the history.
    ///
    /// # Errors
    /// The conflict is as it was.
    async fn resolve(&self, _key: Key, _keep: ConflictWinner) -> Result<bool, StoreError> {
        Ok(false)
    }
}
