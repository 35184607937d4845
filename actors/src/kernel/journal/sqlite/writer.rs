//! The writer: one thread that owns the writing connection.
//!
//! It takes everything that waits in its queue into one transaction, commits once, and only
//! then answers. While the disk is busy with one group the next one gathers by itself.

mod write_loop;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use self::write_loop::{WriteLoop, data_version};
use super::files::Files;
use super::outbox;
use super::slot::ProcessSlot;
use crate::kernel::clock::World;
use crate::kernel::journal::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Hint, JournalError, Queue,
};
use crate::kernel::projection::Projections;

/// Operations waiting or under way, in all.
const PERMITS: usize = 512;

/// Operations in one transaction, at most.
const GROUP: usize = 128;

/// Bytes of bodies in one transaction, about: bounds the memory that a group needs.
const GROUP_BYTES: usize = 4 * 1_024 * 1_024;

/// Pause between looks for the commits of other processes while nothing is asked.
const LOOK_ABROAD: Duration = Duration::from_millis(250);

/// Pause before the log is tried to be cut again while somebody reads in it.
const CUT_AGAIN: Duration = Duration::from_secs(5);

/// Said when the writer is gone.
pub(super) const CLOSED: &str = "the journal is closed";

/// Something to do.
pub(super) enum Op {
    Append(Box<Commit>),
    Claim(ClaimRequest),
    /// `only`: keys, as a JSON array.
    Hasten {
        queue: Queue,
        only: Option<String>,
        now: DateTime<Utc>,
    },
    Purge {
        now: DateTime<Utc>,
        limit: u64,
    },
    RaiseFence(String),
    Rebuild,
    Close,
}

/// What came of it.
pub(super) enum WriteDone {
    Appended(Result<Appended, AppendError>),
    Claimed(Vec<Claimed>),
    Number(u64),
}

/// The database failed.
#[derive(Debug, Clone)]
pub(super) enum DatabaseFailure {
    /// Nothing was written.
    NotWritten(String),
    /// Nothing was written because of something in the group: a part of it may do.
    NotTogether(String),
    /// Nobody knows.
    Unknown(String),
}

impl From<DatabaseFailure> for AppendError {
    fn from(trouble: DatabaseFailure) -> Self {
        match trouble {
            DatabaseFailure::NotWritten(why) | DatabaseFailure::NotTogether(why) => Self::Rejected(why),
            DatabaseFailure::Unknown(why) => Self::Indeterminate(why),
        }
    }
}

impl From<DatabaseFailure> for JournalError {
    fn from(trouble: DatabaseFailure) -> Self {
        match trouble {
            DatabaseFailure::NotWritten(why)
            | DatabaseFailure::NotTogether(why)
            | DatabaseFailure::Unknown(why) => Self::Unavailable(why),
        }
    }
}

struct WriteJob {
    op: Op,
    answer: oneshot::Sender<Result<WriteDone, DatabaseFailure>>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// How to ask the writer.
pub(super) struct WriteThread {
    jobs: Sender<WriteJob>,
    permits: Arc<Semaphore>,
}

impl WriteThread {
    /// Starts the thread on a checked connection.
    pub(super) fn start(
        (path, files): (PathBuf, Files),
        db: Connection,
        slot: ProcessSlot,
        world: World,
        projections: Projections,
        hints: watch::Sender<Hint>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = std::sync::mpsc::channel();
        let noticed = data_version(&db).unwrap_or_default();
        let worker = WriteLoop {
            path,
            files,
            db: Some(db),
            slot,
            world,
            projections,
            hints,
            noticed,
            fed: None,
            uncut: None,
        };
        std::thread::Builder::new().name("journal-writer".to_owned()).spawn(move || worker.run(&queue))?;
        Ok(Self { jobs, permits: Arc::new(Semaphore::new(PERMITS)) })
    }

    /// Has something done. Waits for its turn when much is under way.
    ///
    /// Dropping the future does not undo what was asked.
    pub(super) async fn ask(&self, op: Op) -> Result<WriteDone, DatabaseFailure> {
        let closed = || DatabaseFailure::NotWritten(CLOSED.to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        self.send(op, Some(permit)).await
    }

    async fn send(&self, op: Op, permit: Option<OwnedSemaphorePermit>) -> Result<WriteDone, DatabaseFailure> {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .send(WriteJob { op, answer, _permit: permit })
            .map_err(|_| DatabaseFailure::NotWritten(CLOSED.to_owned()))?;
        answered.await.map_err(|_| DatabaseFailure::Unknown("the journal's writer stopped".to_owned()))?
    }

    /// Refuses what comes from now on, finishes what is under way, closes the file.
    pub(super) async fn close(&self) {
        self.permits.close();
        // An error says that it was closed before.
        drop(self.send(Op::Close, None).await);
    }
}

/// What this process has claimed and not worked on, others may have at once.
fn release_claims(db: &Connection, slot: &ProcessSlot) -> rusqlite::Result<()> {
    let tx = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    outbox::release(&tx, slot.number)?;
    tx.commit()
}
