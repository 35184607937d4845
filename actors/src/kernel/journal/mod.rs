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
mod commit;
#[cfg(test)]
mod conformance;
mod error;
pub mod memory;
pub mod persist;
mod queue;
pub mod redis;
mod report;
mod rules;
pub mod sqlite;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

pub use self::budget::{BodyBudget, LIGHT};
pub use self::commit::{
    Appended, Body, Commit, Defer, Expected, Fence, OutboxAdd, Settle, StreamWrite, Trim,
};
pub use self::error::{AppendError, JournalError};
pub use self::queue::{ClaimRequest, Claimed, Due, OutboxRow, Queue};
pub use self::report::{Difference, Durability, Hint, KeptBody, Loss, VerifyReport, lost};
use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::projection::Views;

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
