//! What is written at once or not at all.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Due, Queue};
use crate::kernel::event::{NewEvent, StreamId};

/// What a writer believes about a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The stream does not exist. This is how a duplicate is refused.
    NoStream,
    /// The stream's last version is exactly this (≥ 1).
    Exact(u64),
    /// No belief: for streams that only collect facts. Rare, and questioned in review.
    Any,
}

impl Expected {
    /// What a writer believes who has read the stream up to `version`; 0 = it does not exist.
    #[must_use]
    pub const fn after(version: u64) -> Self {
        if version == 0 { Self::NoStream } else { Self::Exact(version) }
    }
}

/// Events for one stream.
#[derive(Debug, Clone)]
pub struct StreamWrite {
    /// Where to.
    pub stream: StreamId,
    /// The belief to check.
    pub expected: Expected,
    /// In order; may be empty to check a version without writing.
    pub events: Vec<NewEvent>,
}

impl StreamWrite {
    /// Events of a writer who has read the stream up to `version`; 0 = it does not exist.
    #[must_use]
    pub const fn after(version: u64, stream: StreamId, events: Vec<NewEvent>) -> Self {
        Self { stream, expected: Expected::after(version), events }
    }
}

/// A row for a queue. Adding a key that is already there replaces the row's due
/// time, meta and body, drops any claim and keeps its place in the order.
#[derive(Debug, Clone)]
pub struct OutboxAdd {
    /// Which queue.
    pub queue: Queue,
    /// Unique within the queue, such as `<email_id>/<target>`.
    pub key: String,
    /// What shares a fate: the target of a delivery, the mailbox of a flag. Never empty.
    pub partition: String,
    /// Rows of one partition with the same order key are claimed one at a time, oldest first.
    pub order_key: Option<String>,
    /// When.
    pub due: Due,
    /// Small facts for the worker. No mail content.
    pub meta: Value,
    /// Key of a [`Body`] in this or an earlier commit.
    pub body_key: Option<String>,
}

/// Ends a claimed row: it disappears.
#[derive(Debug, Clone)]
pub struct Settle {
    /// Which queue.
    pub queue: Queue,
    /// Which row.
    pub key: String,
    /// The claim under which the work was done. `None` settles whatever its claim (for
    /// an operator's command).
    pub claim: Option<Uuid>,
}

/// Gives a claimed row back, due at another time.
#[derive(Debug, Clone)]
pub struct Defer {
    /// Which queue.
    pub queue: Queue,
    /// Which row.
    pub key: String,
    /// The claim under which the work was done; `None` = whatever its claim.
    pub claim: Option<Uuid>,
    /// When it comes due again.
    pub due: Due,
    /// Replaces the meta when given.
    pub meta: Option<Value>,
    /// Moves the row to this partition when given. A row with an order key stays where it is:
    /// its order is one of its partition.
    pub partition: Option<String>,
}

/// Content that no event may hold: a request body, the facts of a held mail, a raw source.
#[derive(Debug, Clone)]
pub struct Body {
    /// Unique; writing a key again replaces the bytes.
    pub key: String,
    /// The bytes.
    pub bytes: Bytes,
    /// Kept at least until then, and as long as a row refers to it.
    pub keep_until: DateTime<Utc>,
}

/// A stream whose events have been archived elsewhere and leave the log.
///
/// Its version stays: [`Expected::NoStream`] goes on refusing a duplicate, and later events
/// follow on. A stream that does not exist becomes one that had its events elsewhere, which
/// is how a copied journal learns of what its original has archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trim {
    /// The stream; the same commit must not write to it.
    pub stream: StreamId,
    /// Its version: one that has moved on since is a [`AppendError::Conflict`](super::AppendError::Conflict).
    pub version: u64,
}

/// A writer's proof that it still holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Name of the lease, such as `poller`.
    pub lease: String,
    /// Strictly increasing with every grant; below 2^62.
    pub token: u64,
}

impl Fence {
    /// Id of the event of this grant, and the `cause` of what is committed under it: so the
    /// log tells under which grant each fenced commit was made. A UUID of version 8 whose
    /// last eight bytes hold the token, below the two bits of the variant.
    #[must_use]
    pub fn grant(&self) -> Uuid {
        let name = Sha256::digest(self.lease.as_bytes());
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(name.into_iter().take(8).chain(self.token.to_be_bytes())) {
            *byte = from;
        }
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// One atomic change of the journal.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// When the writer decided it. Goes into every event.
    pub at: DateTime<Utc>,
    /// What led to it.
    pub cause: Option<Uuid>,
    /// Events, by stream.
    pub writes: Vec<StreamWrite>,
    /// New or replaced rows. Applied after `settle` and `defer`.
    pub add: Vec<OutboxAdd>,
    /// Rows that are done.
    pub settle: Vec<Settle>,
    /// Rows that go back.
    pub defer: Vec<Defer>,
    /// Contents.
    pub bodies: Vec<Body>,
    /// Streams whose events leave the log. A commit whose own events have left it need not
    /// be recognised when it is repeated.
    pub trim: Vec<Trim>,
    /// Refuses the commit unless this is the fence that was granted last. A journal that
    /// knows of no grant takes any.
    pub fence: Option<Fence>,
}

/// A commit that is in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Position of its last event (or the head, when it had none).
    pub position: u64,
    /// The same events were there already; nothing was written now.
    pub already_there: bool,
}
