//! Where documents are kept: one adapter per back end.
//!
//! | trait | what it is for | who has it |
//! |---|---|---|
//! | [`DocumentStore`] | read, write, hear of changes | every back end |
//! | [`ChangeLog`] | a complete list of changes, which also tells a removal from a loss | Redis |
//! | [`Rollout`] | which worker runs which version | Redis |
//! | [`Fallbacks`] | an authority with stores behind it | [`fallback`] |

mod change_log;
pub mod fallback;
mod fallbacks;
pub mod file;
mod metrics;
pub mod php;
pub mod redis;
mod rollout;

use async_trait::async_trait;
use serde_json::Value;

pub use self::change_log::{ChangeId, ChangeLog, ListedChange, ListedChanges};
pub use self::fallbacks::{ConflictWinner, Fallbacks, StoreHealth, health, holder};
pub use self::rollout::{Ack, AckState, Rollout, workers};
use super::documents::Key;
use crate::kernel::digest::sha256;

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
    /// [`DocumentStore::name`] of the store that took it; `journal` = none did yet.
    pub stored_in: &'static str,
    /// Why another store than the authority took it, when that is so.
    pub degraded: Option<String>,
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
    /// it: nobody removed it. See [`ChangeLog::recover`].
    #[error("{0} is lost: the store was emptied")]
    Lost(Key),
}

/// A place that keeps documents. What only some places can do besides has a trait of its own,
/// and a place that cannot do it answers `None`.
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
    /// writer tells them by other ways: see [`Self::announce`]; the journal, in which a change is
    /// recorded, is another.
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

    /// The list of changes that it keeps.
    fn change_log(&self) -> Option<&dyn ChangeLog> {
        None
    }

    /// Where the workers tell each other what they run.
    fn rollout(&self) -> Option<&dyn Rollout> {
        None
    }

    /// What is known of the stores that it is made of, when it is an authority with fallbacks.
    fn fallbacks(&self) -> Option<&dyn Fallbacks> {
        None
    }
}
