//! What a journal tells of itself.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;

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
    /// An acknowledged commit is on a disk that the platform wipes with the next deploy. Whoever
    /// knows the platform says so; no backend does.
    UntilDeploy,
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
    /// Counts commits that added or released rows, per queue in [`Queue::ALL`](super::Queue::ALL) order.
    pub queues: [u64; super::Queue::COUNT],
}
