//! The writer: one thread that owns the writing connection.
//!
//! It takes everything that waits in its queue into one transaction, commits once, and only
//! then answers. While the disk is busy with one group the next one gathers by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::append::{self, Tx};
use super::files::Files;
use super::slot::ProcessSlot;
use super::{erase, outbox, schema};
use crate::kernel::clock::World;
use crate::kernel::journal::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Hint, JournalError, Queue,
};
use crate::kernel::projection::{self, Projections};

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

struct WriteLoop {
    path: PathBuf,
    /// Looked at around each commit: nothing is acknowledged that is written into nowhere.
    files: Files,
    /// `None` after a failure: opened again for the next group.
    db: Option<Connection>,
    /// Goes into the claims of this process.
    slot: ProcessSlot,
    world: World,
    projections: Projections,
    hints: watch::Sender<Hint>,
    /// SQLite's data version when hints were last given: another one means that another
    /// process has written since.
    noticed: i64,
    /// The same, for when the projections were last known to have seen everything.
    fed: Option<i64>,
    /// Something was deleted, and the log may still have it: since when it is to be cut, or not
    /// to be tried again before.
    uncut: Option<Instant>,
}

impl WriteLoop {
    fn run(mut self, queue: &Receiver<WriteJob>) {
        loop {
            let first = match queue.recv_timeout(LOOK_ABROAD) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.look_abroad();
                    self.cut_log();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (group, close) = gather(first, queue);
            if !group.is_empty() {
                self.serve(group);
                self.cut_log();
            }
            if let Some(close) = close {
                self.finish(close, queue);
                return;
            }
        }
    }

    fn finish(mut self, close: WriteJob, queue: &Receiver<WriteJob>) {
        if let Some(db) = self.db.take()
            && let Err(error) = release_claims(&db, &self.slot)
        {
            // They run out by themselves, or are released by whoever takes the slot.
            tracing::warn!(%error, path = %self.path.display(), "claims were not given back at the end");
        }
        drop(close.answer.send(Ok(WriteDone::Number(0))));
        while let Ok(late) = queue.try_recv() {
            drop(late.answer.send(Err(DatabaseFailure::NotWritten(CLOSED.to_owned()))));
        }
    }

    /// Does a group and answers. When it could not be written as a whole, each operation is
    /// tried alone: a small one may still fit on a full disk, and a bad one harms nobody else.
    fn serve(&mut self, group: Vec<WriteJob>) {
        let started = Instant::now();
        let size = group.len();
        let answers: Vec<Result<WriteDone, DatabaseFailure>> = match self.attempt(&group) {
            Ok(done) => done.into_iter().map(Ok).collect(),
            Err(DatabaseFailure::NotTogether(_)) if size > 1 => group
                .iter()
                .map(|job| {
                    let done = self.attempt(std::slice::from_ref(job))?;
                    done.into_iter().next().ok_or_else(|| DatabaseFailure::Unknown("no answer".to_owned()))
                })
                .collect(),
            Err(trouble) => (0..size).map(|_| Err(trouble.clone())).collect(),
        };
        // How long a group of operations took to be on the disk, and how many shared the trip.
        metrics::histogram!("render_signal_journal_group_seconds").record(started.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
        metrics::histogram!("render_signal_journal_group_size").record(size as f64);
        for (job, answer) in group.into_iter().zip(answers) {
            // The asker may have gone away; there is nobody to tell.
            drop(job.answer.send(answer));
        }
    }

    fn attempt(&mut self, group: &[WriteJob]) -> Result<Vec<WriteDone>, DatabaseFailure> {
        if let Some(why) = self.files.gone() {
            return Err(DatabaseFailure::NotWritten(why));
        }
        let done = self.attempt_here(group)?;
        match self.files.gone() {
            Some(why) => Err(DatabaseFailure::Unknown(why)),
            None => Ok(done),
        }
    }

    fn attempt_here(&mut self, group: &[WriteJob]) -> Result<Vec<WriteDone>, DatabaseFailure> {
        let db = match self.db.take() {
            Some(db) => db,
            None => {
                self.fed = None;
                let db = schema::reopen(&self.path)
                    .map_err(|error| DatabaseFailure::NotWritten(self.text(&error)))?;
                self.files.opened_again(&self.path);
                db
            }
        };
        let (outcome, usable) = self.transact(&db, group);
        if let Err(trouble) = &outcome {
            tracing::error!(?trouble, path = %self.path.display(), "the journal could not write");
            // Transactions that failed; each answer went to whoever asked.
            metrics::counter!("render_signal_journal_failures_total").increment(1);
        }
        if usable {
            self.db = Some(db);
        }
        outcome
    }

    /// One transaction. Also says whether the connection may be used again.
    fn transact(
        &mut self,
        db: &Connection,
        group: &[WriteJob],
    ) -> (Result<Vec<WriteDone>, DatabaseFailure>, bool) {
        let applied = match self.apply(db, group) {
            Ok(applied) => applied,
            Err(error) => {
                let usable = roll_back(db) && !is_broken(&error);
                let why = self.text(&error);
                let together = is_busy(&error) || !usable;
                let trouble = if together {
                    DatabaseFailure::NotWritten(why)
                } else {
                    DatabaseFailure::NotTogether(why)
                };
                return (Err(trouble), usable);
            }
        };
        let committed = db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if let Err(error) = committed {
            let undone = roll_back(db);
            let text = self.text(&error);
            // A full disk is told before the end mark of the transaction is written.
            return match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) if undone => (Err(DatabaseFailure::NotTogether(text)), true),
                _ => (Err(DatabaseFailure::Unknown(text)), false),
            };
        }
        if applied.erased {
            self.uncut.get_or_insert_with(Instant::now);
        }
        self.fed = Some(applied.version);
        let foreign = u64::from(applied.version != self.noticed);
        self.noticed = applied.version;
        self.hint(applied.head, applied.touched.map(|count| count + foreign));
        (Ok(applied.done), true)
    }

    fn apply(&self, db: &Connection, group: &[WriteJob]) -> rusqlite::Result<Applied> {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut tx = Tx::load(db, &self.projections)?;
        let version = data_version(db)?;
        if self.fed != Some(version) {
            append::catch_up(db, &self.projections, tx.head)?;
        }
        let before = tx.head;
        let (mut done, mut erased) = (Vec::with_capacity(group.len()), false);
        for job in group {
            let one = self.one(&mut tx, &job.op)?;
            erased |= erases(&job.op, &one);
            done.push(one);
        }
        if tx.head != before {
            for one in self.projections.iter() {
                projection::advance(db, one.name(), tx.head)?;
            }
        }
        Ok(Applied { done, head: tx.head, touched: tx.touched, version, erased })
    }

    fn one(&self, tx: &mut Tx<'_>, op: &Op) -> rusqlite::Result<WriteDone> {
        Ok(match op {
            Op::Append(commit) => WriteDone::Appended(append::append(tx, commit)?),
            Op::Claim(request) => {
                WriteDone::Claimed(outbox::claim(tx.db, request, self.slot.number, self.world.ids.as_ref())?)
            }
            Op::Hasten { queue, only, now } => {
                WriteDone::Number(outbox::hasten(tx, *queue, only.as_deref(), *now)?)
            }
            Op::Purge { now, limit } => WriteDone::Number(outbox::purge(tx.db, *now, *limit)?),
            Op::RaiseFence(lease) => {
                // Not below the clock (microseconds), as in Redis: a journal that was copied from
                // there, or restored from a backup, knows of grants that this table does not.
                let clock = super::super::rules::micros(self.world.now());
                let token: i64 = tx
                    .db
                    .prepare_cached(
                        "INSERT INTO fence (lease, token) VALUES (?1, ?2)
                         ON CONFLICT (lease) DO UPDATE SET token = max(token + 1, ?2) RETURNING token",
                    )?
                    .query_row((lease, clock), |row| row.get(0))?;
                WriteDone::Number(super::rows::unsigned(token))
            }
            Op::Rebuild => {
                for one in self.projections.iter() {
                    projection::reset(tx.db, one.as_ref())?;
                }
                append::catch_up(tx.db, &self.projections, tx.head)?;
                WriteDone::Number(tx.head)
            }
            Op::Close => WriteDone::Number(0),
        })
    }

    fn hint(&self, head: u64, touched: [u64; Queue::COUNT]) {
        self.hints.send_if_modified(|hint| {
            let news = head != hint.position || touched != [0; Queue::COUNT];
            hint.position = head;
            for (count, more) in hint.queues.iter_mut().zip(touched) {
                *count += more;
            }
            news
        });
    }

    /// Passes on that another process has written.
    fn look_abroad(&mut self) {
        let Some(db) = &self.db else { return };
        let Ok(version) = data_version(db) else { return };
        if version == self.noticed {
            return;
        }
        if let Ok(tx) = Tx::load(db, &[]) {
            self.noticed = version;
            self.hint(tx.head, [1; Queue::COUNT]);
        }
    }

    /// Cuts the log after something was deleted, as soon as nobody reads there any more.
    fn cut_log(&mut self) {
        let (Some(since), Some(db)) = (self.uncut, &self.db) else { return };
        if since > Instant::now() {
            return;
        }
        self.uncut = match erase::cut_log(db) {
            Ok(true) => None,
            Ok(false) => Some(Instant::now() + CUT_AGAIN),
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "the journal's write-ahead log could not be cut");
                Some(Instant::now() + CUT_AGAIN)
            }
        };
    }

    fn text(&self, error: &rusqlite::Error) -> String {
        format!("{}: {error}", self.path.display())
    }
}

/// What a transaction did, as long as its commit succeeds.
struct Applied {
    done: Vec<WriteDone>,
    head: u64,
    touched: [u64; Queue::COUNT],
    version: i64,
    /// Something is gone that must not be found any more.
    erased: bool,
}

/// Whether something is gone by this that must not be found any more.
fn erases(op: &Op, done: &WriteDone) -> bool {
    match (op, done) {
        (Op::Purge { .. }, WriteDone::Number(bodies)) => *bodies > 0,
        (Op::Append(commit), WriteDone::Appended(Ok(_))) => !commit.trim.is_empty(),
        _ => false,
    }
}

/// Takes what waits, up to the bounds of a group. A `Close` ends it.
fn gather(first: WriteJob, queue: &Receiver<WriteJob>) -> (Vec<WriteJob>, Option<WriteJob>) {
    let mut group = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(job) = next {
        if matches!(job.op, Op::Close) {
            return (group, Some(job));
        }
        if let Op::Append(commit) = &job.op {
            bytes += commit.bodies.iter().map(|body| body.bytes.len()).sum::<usize>();
        }
        group.push(job);
        let full = group.len() >= GROUP || bytes >= GROUP_BYTES;
        next = if full { None } else { queue.try_recv().ok() };
    }
    (group, None)
}

/// Ends the transaction if one is open; `false` when that failed.
fn roll_back(db: &Connection) -> bool {
    db.is_autocommit() || db.execute_batch("ROLLBACK").is_ok()
}

/// Another process holds the file: no part of the group would fare better.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// After such an error the connection is opened anew.
fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

fn data_version(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}
