//! A whole journal as JSON Lines, and back: to move it between backends, or to keep a copy.
//!
//! | line | what it holds |
//! |---|---|
//! | `journal` | the first: format, head, and how much follows |
//! | `event` | an event, as recorded |
//! | `trim` | a stream whose first events had been archived |
//! | `body` | a kept body, in base64 |
//! | `row` | a row of the outbox, without its claim |
//! | `end` | the last: SHA-256 over what the lines say, so that a torn copy is noticed |
//!
//! The lines of an archive are of the kind `event`. Claims are not copied: nobody who holds
//! one works on the copy. Fences are granted anew.

mod export;
mod import;
mod totals;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::export::{export, tally};
pub use self::import::Import;
pub use self::totals::CopyTotals;
use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::journal::{Due, JournalError, Queue};

/// The format of the lines.
pub const FORMAT: u32 = 1;

/// Read and written at once.
const PAGE_SIZE: usize = 500;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyLine {
    /// The first.
    Journal(CopyHeader),
    /// An event.
    Event(Recorded),
    /// A stream that has lost its first events to an archive.
    Trim {
        /// Its name.
        stream: StreamId,
        /// Up to which version.
        version: u64,
    },
    /// A body.
    Body {
        /// Its key.
        key: String,
        /// Kept at least until then.
        keep_until: DateTime<Utc>,
        /// In base64.
        bytes: String,
    },
    /// A row of the outbox.
    Row(CopiedRow),
    /// The last.
    End(CopyTotals),
}

/// What a copy begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyHeader {
    /// [`FORMAT`].
    pub format: u32,
    /// Position of the last event.
    pub head: u64,
    /// When the copy was begun.
    pub at: DateTime<Utc>,
}

/// A row of the outbox, as copied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopiedRow {
    /// Queue.
    pub queue: Queue,
    /// Key.
    pub key: String,
    /// Partition.
    pub partition: String,
    /// Order key, if any.
    pub order_key: Option<String>,
    /// When it may be claimed.
    pub due: Due,
    /// When it was added for the first time.
    pub added_at: DateTime<Utc>,
    /// The worker's small facts.
    pub meta: Value,
    /// Key of the body.
    pub body_key: Option<String>,
}

/// Why a journal was not copied.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The journal could not be read or written.
    #[error("{0}")]
    Journal(String),
    /// It changed meanwhile: what was copied belongs to no single moment.
    #[error(
        "the journal went on from position {before} to {after} while it was copied: stop the workers and copy it again"
    )]
    Moved {
        /// Head at the beginning.
        before: u64,
        /// Head at the end.
        after: u64,
    },
    /// The lines cannot be taken in.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// There is something in the journal already.
    #[error("the journal is not empty (it ends at position {0}); a copy goes into an empty one")]
    NotEmpty(u64),
    /// The copy is not what was copied.
    #[error("the copy differs from what the lines say: {0}")]
    Differs(String),
    /// Whoever takes the lines did not.
    #[error("the lines could not be written: {0}")]
    Sink(#[from] std::io::Error),
}

impl From<JournalError> for TransferError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error.to_string())
    }
}
