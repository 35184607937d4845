//! Where documents are kept: one trait, one adapter per back end.

pub mod fallback;
pub mod file;
pub mod php;

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::documents::Key;

/// Which version of a document was read; equal stamps mean equal content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stamp(pub String);

impl Stamp {
    /// The stamp of a text.
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What a store holds under a key. Absent is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Nothing was ever written, or it was removed.
    Absent,
    /// A text that should be a JSON object.
    Found {
        /// As stored.
        text: String,
        /// Its version.
        stamp: Stamp,
    },
}

/// What a writer believes to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// This version.
    Stamp(Stamp),
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
}

/// A place that keeps documents.
#[async_trait]
pub trait DocumentStore: Send + Sync + 'static {
    /// What is stored under `key`.
    ///
    /// # Errors
    /// When it cannot be said; that is not the same as [`Read::Absent`].
    async fn read(&self, key: Key) -> Result<Read, StoreError>;

    /// Returns when a document may differ from what [`Self::read`] last returned. A hint:
    /// it may come too often, and a reader also looks on a timer.
    async fn changed(&self);

    /// Replaces a document, when it still is what the writer believes.
    ///
    /// # Errors
    /// The document is as it was, or as somebody else left it.
    async fn write(&self, key: Key, value: &Value, expected: &Expect) -> Result<Stamp, StoreError>;
}
