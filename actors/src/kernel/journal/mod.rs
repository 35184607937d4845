//! The journal: the one place where something has happened.
//!
//! One atomic [`Commit`] = events + outbox rows + settled rows + bodies, checked
//! against the expected versions of its streams and the writer's fencing token.
//! Three backends implement [`Journal`] and pass the same conformance suite.
//!
//! * [`memory`]: the reference model, for tests and simulation.
//! * [`sqlite`]: the embedded journal, one file.
//! * [`redis`]: a server that several workers share.

mod budget;
#[cfg(test)]
mod conformance;
pub mod memory;
pub mod persist;
pub mod redis;
mod rules;
pub mod sqlite;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use uuid::Uuid;

pub use self::budget::{BodyBudget, LIGHT};
use crate::kernel::event::{NewEvent, Recorded, StreamId};
use crate::kernel::projection::Views;

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

/// A durable work queue of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Mails that wait for a window, a switch or a day: `DedupActor` decides again.
    Hold,
    /// Mails whose links are to be moved into R2: `R2Actor`.
    Offload,
    /// Webhooks to send: `WebhookActor`.
    Deliver,
    /// Mails to mark `\Seen`: `PollerActor`.
    Flag,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 4] = [Self::Hold, Self::Offload, Self::Deliver, Self::Flag];

    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Offload => "offload",
            Self::Deliver => "deliver",
            Self::Flag => "flag",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a row of the outbox may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Due {
    /// From this instant on.
    At(DateTime<Utc>),
    /// Not yet: it keeps its place in its order until an earlier stage makes it due
    /// (by adding the same key again). Later rows with the same order key wait behind it.
    Reserved,
    /// Put aside (a dead letter). Nothing waits behind it.
    Parked,
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
    /// Its version: one that has moved on since is a [`AppendError::Conflict`].
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

/// The journal turned out to be another one than it was, or shorter: its server has lost
/// commits that were acknowledged. Whoever remembers something that it read there forgets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Counts what this process has noticed, from 1.
    pub number: u64,
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// Id of the log that was known. The same as `found_log` when its end was cut off.
    pub known_log: String,
    /// Highest position known of it.
    pub known_head: u64,
    /// Id of the log that is there.
    pub found_log: String,
    /// Its head.
    pub found_head: u64,
}

/// A worker of this journal with another environment than this process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The other worker.
    pub worker: String,
    /// The variables in which it differs.
    pub settings: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has another {} than this worker", self.worker, self.settings.join(", another "))
    }
}

/// Waits for the next loss. For ever, where the journal cannot lose anything unnoticed.
pub async fn lost(losses: &mut watch::Receiver<Option<Loss>>) {
    if losses.changed().await.is_err() {
        std::future::pending::<()>().await;
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

/// What to claim.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// From which queue.
    pub queue: Queue,
    /// Rows due at or before this instant.
    pub now: DateTime<Utc>,
    /// How long the claim holds. A row that is neither settled nor deferred by then comes due again.
    pub lease: Duration,
    /// At most this many in all.
    pub limit: usize,
    /// At most this many of a partition that `per_partition` does not name.
    pub partition_default: usize,
    /// At most this many of these partitions; 0 = none.
    pub per_partition: HashMap<String, usize>,
    /// At most so many bytes of bodies.
    pub bodies: BodyBudget,
}

/// A row that this worker may work on until the claim runs out.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Queue.
    pub queue: Queue,
    /// Key.
    pub key: String,
    /// Partition.
    pub partition: String,
    /// Order key, if any.
    pub order_key: Option<String>,
    /// Token to settle or defer with.
    pub claim: Uuid,
    /// How often it has been claimed, this time included.
    pub claims: u32,
    /// When the row was added for the first time.
    pub added_at: DateTime<Utc>,
    /// The worker's small facts.
    pub meta: Value,
    /// Key of the body.
    pub body_key: Option<String>,
    /// The body; `None` when the row has none (or it is gone, which `verify` reports).
    pub body: Option<Bytes>,
}

/// A row as seen by a reader.
#[derive(Debug, Clone, Serialize)]
pub struct OutboxRow {
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
    /// Whether a worker is on it.
    pub claimed: bool,
    /// How often it was claimed.
    pub claims: u32,
    /// When the row was added for the first time.
    pub added_at: DateTime<Utc>,
    /// The worker's small facts.
    pub meta: Value,
    /// Key of the body.
    pub body_key: Option<String>,
}

/// A body as seen by a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    /// Key.
    pub key: String,
    /// Kept at least until then.
    pub keep_until: DateTime<Utc>,
}

/// What the journal can really keep, in plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// An acknowledged commit is on the disk.
    OnDisk,
    /// An acknowledged commit is on the disk within two seconds; a crash of the machine before
    /// that loses it.
    UpToTwoSeconds,
    /// An acknowledged commit is kept by a server that writes nothing down: its restart loses it.
    UntilRestart,
    /// The server does not tell.
    Unknown,
    /// An acknowledged commit is in memory only.
    Memory,
}

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Events read.
    pub events: u64,
    /// Events that were archived and have left the log.
    pub trimmed: u64,
    /// Streams, those without events in the log included.
    pub streams: u64,
    /// Rows in the outbox.
    pub outbox: u64,
    /// Each thing that is wrong, in plain words. Empty = the journal is sound.
    pub problems: Vec<String>,
}

/// Says that something was committed. A hint: it may be lost or repeated, and
/// whoever follows it also looks on a timer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hint {
    /// Head of the log.
    pub position: u64,
    /// Counts commits that added or released rows, per queue in [`Queue::ALL`] order.
    pub queues: [u64; 4],
}

/// The journal, as actors use it. The contract is at the top of this module.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Commits, atomically and durably.
    async fn append(&self, commit: Commit) -> Result<Appended, AppendError>;

    /// The events of a stream with a version above `after`, oldest first.
    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, JournalError>;

    /// Up to `limit` events with a position above `after`, oldest first.
    async fn read_log(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError>;

    /// Position of the last event; 0 when there is none.
    async fn head(&self) -> Result<u64, JournalError>;

    /// Claims due rows: oldest due first within a partition, ordered rows one at a time. Heavy
    /// rows for which no budget is left are passed over.
    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, JournalError>;

    /// Makes every unclaimed, waiting row (not parked, not reserved) of a queue due at
    /// `now`; `only` those with these keys when given. Returns how many. Rows that somebody
    /// has claimed meanwhile stay theirs, unlike with a [`Defer`] without a claim.
    async fn hasten(
        &self,
        queue: Queue,
        only: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<u64, JournalError>;

    /// When the next row of the queue comes due (claimed rows count with the end of their claim).
    async fn next_due(&self, queue: Queue) -> Result<Option<DateTime<Utc>>, JournalError>;

    /// The rows of a queue, in order of addition, at most `limit`.
    async fn outbox(&self, queue: Queue, limit: usize) -> Result<Vec<OutboxRow>, JournalError>;

    /// A kept body.
    async fn body(&self, key: &str) -> Result<Option<Bytes>, JournalError>;

    /// The kept bodies of these keys, in their order; asked for at once where the backend can.
    async fn bodies_of(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, JournalError> {
        let mut bodies = Vec::with_capacity(keys.len());
        for key in keys {
            bodies.push(self.body(key).await?);
        }
        Ok(bodies)
    }

    /// Grants the lease `lease` anew: returns a fence above every earlier one, those of a
    /// log that was lost included, and from now on refuses commits with another fence of
    /// that lease.
    async fn raise_fence(&self, lease: &str) -> Result<u64, JournalError>;

    /// Hints of commits by this process (and, where the backend can tell, by others).
    fn hints(&self) -> watch::Receiver<Hint>;

    /// The last loss that this process has noticed. Closed where the journal cannot get
    /// shorter while it is open.
    fn losses(&self) -> watch::Receiver<Option<Loss>> {
        watch::Sender::new(None).subscribe()
    }

    /// The read models kept beside the log.
    fn views(&self) -> Views;

    /// Finishes what is under way and closes. Later calls fail.
    async fn close(&self);
}

/// What the owner of a journal and its administration use beside [`Journal`]: what is kept in
/// it, whether it is sound, and its end. Actors are given a [`Journal`] alone.
#[async_trait]
pub trait JournalAdmin: Journal {
    /// The bodies that are kept, `limit` of them from `offset` on, in an order that is the same
    /// while nothing is written.
    async fn bodies(&self, offset: u64, limit: usize) -> Result<Vec<KeptBody>, JournalError>;

    /// The streams that have lost events to an archive, with the version up to which, `limit` of
    /// them from `offset` on, in an order that is the same while nothing is written.
    async fn trimmed(&self, offset: u64, limit: usize) -> Result<Vec<Trim>, JournalError>;

    /// Drops bodies that are past their time and that no row refers to. Returns how many.
    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, JournalError>;

    /// What an acknowledgement means here.
    fn durability(&self) -> Durability;

    /// Why nothing may be written any more: the place was taken away from under the program, so
    /// that what is written would be lost. For ever; the program is to stop.
    fn gone(&self) -> Option<String> {
        None
    }

    /// In what other workers of this journal have another environment than this process; nothing
    /// where they cannot be.
    async fn others(&self) -> Result<Vec<Difference>, JournalError> {
        Ok(Vec::new())
    }

    /// Reads everything and checks it: gapless positions, versions, checksums, bodies.
    async fn verify(&self) -> Result<VerifyReport, JournalError>;
}
