//! The loop of the thread that writes: what waits goes into one transaction, and everybody is told
//! what became of theirs after it is on disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::watch;

use super::super::append::{self, Tx};
use super::super::files::Files;
use super::super::slot::ProcessSlot;
use super::super::{bodies, erase, open, outbox};
use super::{
    CLOSED, CUT_AGAIN, DatabaseFailure, GROUP, GROUP_BYTES, LOOK_ABROAD, Op, WriteDone, WriteJob,
    release_claims,
};
use crate::kernel::clock::World;
use crate::kernel::journal::{Hint, Queue};
use crate::kernel::projection::{self, Projections};

pub(super) struct WriteLoop {
    pub(super) path: PathBuf,
    /// Looked at around each commit: nothing is acknowledged that is written into nowhere.
    pub(super) files: Files,
    /// `None` after a failure: opened again for the next group.
    pub(super) db: Option<Connection>,
    /// Goes into the claims of this process.
    pub(super) slot: ProcessSlot,
    pub(super) world: World,
    pub(super) projections: Projections,
    pub(super) hints: watch::Sender<Hint>,
    /// SQLite's data version when hints were last given: another one means that another
    /// process has written since.
    pub(super) noticed: i64,
    /// The same, for when the projections were last known to have seen everything.
    pub(super) fed: Option<i64>,
    /// Something was deleted, and the log may still have it: since when it is to be cut, or not
    /// to be tried again before.
    pub(super) uncut: Option<Instant>,
}

impl WriteLoop {
    pub(super) fn run(mut self, queue: &Receiver<WriteJob>) {
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
                let db = open::reopen(&self.path)
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
            Op::Purge { now, limit } => WriteDone::Number(bodies::purge(tx.db, *now, *limit)?),
            Op::RaiseFence(lease) => {
                // Not below the clock (microseconds), as in Redis: a journal that was copied from
                // there, or restored from a backup, knows of grants that this table does not.
                let clock = super::super::super::rules::micros(self.world.now());
                let token: i64 = tx
                    .db
                    .prepare_cached(
                        "INSERT INTO fence (lease, token) VALUES (?1, ?2)
                         ON CONFLICT (lease) DO UPDATE SET token = max(token + 1, ?2) RETURNING token",
                    )?
                    .query_row((lease, clock), |row| row.get(0))?;
                WriteDone::Number(super::super::rows::unsigned(token))
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

pub(super) fn data_version(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}
