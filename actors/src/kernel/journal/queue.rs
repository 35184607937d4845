//! The outbox: queues of work, and the right to work on their rows for a while.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::BodyBudget;

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
    /// Changes of documents that wait for the store that has the last word: `ConfigActor`.
    Config,
}

impl Queue {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// Every queue. The order is stored: a new one comes last.
    pub const ALL: [Self; Self::COUNT] = [Self::Hold, Self::Offload, Self::Deliver, Self::Flag, Self::Config];

    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Offload => "offload",
            Self::Deliver => "deliver",
            Self::Flag => "flag",
            Self::Config => "config",
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
