//! What a journal answers when it did not do what was asked.

use super::Queue;
use crate::kernel::event::StreamId;

/// Why a commit is not (known to be) in the journal. Four answers, four reactions.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote first: load again, decide again.
    #[error("stream {stream} is at version {actual}, the writer expected {expected}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What was believed.
        expected: String,
        /// What is.
        actual: u64,
    },
    /// The claim on an outbox row was lost (it ran out and another worker has it): drop the work.
    #[error("the claim on {queue} row {key:?} was lost")]
    ClaimLost {
        /// Queue of the row.
        queue: Queue,
        /// Key of the row.
        key: String,
    },
    /// The lease was granted to somebody else: stop being the holder.
    #[error("lease {lease} is at fence {current}, the writer holds {held}")]
    Fenced {
        /// Name of the lease.
        lease: String,
        /// Fence of the writer.
        held: u64,
        /// Fence of the present holder.
        current: u64,
    },
    /// Definitely not written.
    #[error("the journal refused the commit: {0}")]
    Rejected(String),
    /// Unknown: forget what you know and recover from the journal.
    #[error("the journal did not answer, the commit may or may not have been written: {0}")]
    Indeterminate(String),
}

/// Why the journal could not be opened or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The file is damaged, or is no journal. It is never overwritten.
    #[error(
        "the journal {path} cannot be used: {what}. It was left untouched; restore it from a backup, or move it away to start a new one"
    )]
    Corrupt {
        /// Where.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// Written by a newer program.
    #[error(
        "the journal {path} has format {found}, this program knows up to {known}: it was written by a newer version"
    )]
    FromTheFuture {
        /// Where.
        path: String,
        /// Format found.
        found: i64,
        /// Highest format known.
        known: i64,
    },
    /// The place may lose or delete a journal by its settings.
    #[error("the journal cannot be kept {place}: {what}")]
    Unsuitable {
        /// Where.
        place: String,
        /// Why not, and what to change.
        what: String,
    },
    /// It is that of another installation.
    #[error(
        "the journal with JOURNAL_REDIS_PREFIX={prefix} belongs to another installation: {what}. Give each installation \
         a prefix of its own; if it is the same one, run `render-signal events adopt` once with the new settings"
    )]
    Foreign {
        /// The prefix of its keys.
        prefix: String,
        /// What differs, in plain words.
        what: String,
    },
    /// The server is there and does not serve it now; that passes by itself, or when somebody
    /// looks after the server.
    #[error("the journal could not be read: {0}")]
    NotYet(String),
    /// It could not be reached or read now.
    #[error("the journal could not be read: {0}")]
    Unavailable(String),
}
