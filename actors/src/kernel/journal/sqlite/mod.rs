//! The journal in one SQLite file.
//!
//! ```text
//! append, claim … ──▶ writer thread ── one transaction per group, WAL, synchronous=FULL ──▶ file
//! read, views     ──▶ reader thread ── read-only connection ─────────────────────────────▶ file
//! ```
//!
//! Several processes may share the file (a standby worker, the command line): positions are
//! read inside each transaction and never remembered, and a claim or a fence is one
//! transaction. All of them must feed the same projections; one that finds that others did
//! not lets its own catch up.

mod append;
pub mod backup;
mod bodies;
mod erase;
mod files;
mod open;
mod outbox;
mod pick;
mod reader;
mod rows;
mod schema;
mod slot;
#[cfg(test)]
mod tests;
mod trim;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use self::files::Files;
use self::reader::ReadThread;
use self::slot::ProcessSlot;
use self::writer::{DatabaseFailure, Op, WriteDone, WriteThread};
use super::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Durability, Hint, Journal, JournalAdmin,
    JournalError, KeptBody, OutboxRow, Queue, Trim, VerifyReport,
};
use crate::kernel::clock::World;
use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::projection::{self, Projections, ViewRunner, Views};

/// Bodies dropped in one transaction, so that commits need not wait for a long purge.
const PURGE_BATCH: u64 = 500;

/// How a journal is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// A file smaller than this many bytes is searched for structural damage at opening
    /// (`PRAGMA quick_check`, some milliseconds per 10 MB); a larger one only by
    /// [`JournalAdmin::verify`].
    pub check_below: u64,
    #[cfg(test)]
    pub(crate) max_pages: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            check_below: 256 * 1_024 * 1_024,
            #[cfg(test)]
            max_pages: None,
        }
    }
}

/// The embedded journal. See the module page.
pub struct SqliteJournal {
    path: PathBuf,
    world: World,
    /// `None` when it was opened for looking only.
    writer: Option<WriteThread>,
    reader: Arc<ReadThread>,
    hints: watch::Sender<Hint>,
    /// As they were at the opening; `None` when it was opened for looking only.
    files: Option<Files>,
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteJournal {
    /// Opens the journal, creating file and folder when there are none, and brings the read
    /// models up to date. Blocks for some milliseconds; longer when a read model has changed
    /// its shape and is rebuilt.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] and [`JournalError::FromTheFuture`] when the file is not a
    /// sound journal; it has then not been changed. [`JournalError::Unavailable`] when it
    /// cannot be reached.
    pub fn open(
        path: impl AsRef<Path>,
        world: World,
        projections: Projections,
        options: SqliteOptions,
    ) -> Result<Arc<Self>, JournalError> {
        let path = path.as_ref();
        let explain = |error: rusqlite::Error| schema::explain(path, &error);
        let db = open::open_checked(path, options.check_below)?;
        #[cfg(test)]
        if let Some(pages) = options.max_pages {
            db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).map_err(explain)?;
        }
        let slot = ProcessSlot::take(path)?;
        erase::once(&db, path);
        let released = slot::release_claims(&db, &slot).map_err(explain)?;
        if released > 0 {
            tracing::info!(released, "claims of a worker that died were released");
        }
        let head = prepare(&db, &projections).map_err(explain)?;
        let reading = open::open_reader(path).map_err(explain)?;
        let hints = watch::Sender::new(Hint { position: head, queues: [0; Queue::COUNT] });
        let files = Files::of(path);
        let place = (path.to_owned(), files.clone());
        let writer = WriteThread::start(place, db, slot, world.clone(), projections, hints.clone())
            .map_err(|error| no_thread(&error))?;
        Self::with(path, world, Some((writer, files)), reading, hints)
    }

    /// Opens an existing journal for looking only, while another process may write it.
    /// Everything that writes is refused, and nothing is created or changed.
    ///
    /// The read models are shown as that process left them. Hints never come.
    ///
    /// # Errors
    /// See [`Self::open`]; [`JournalError::Unavailable`] when there is no file.
    pub fn open_read_only(path: impl AsRef<Path>, world: World) -> Result<Arc<Self>, JournalError> {
        let path = path.as_ref();
        let reading = open::open_to_look(path)?;
        let position = reader::head(&reading).map_err(|error| schema::explain(path, &error))?;
        let hints = watch::Sender::new(Hint { position, queues: [0; Queue::COUNT] });
        Self::with(path, world, None, reading, hints)
    }

    fn with(
        path: &Path,
        world: World,
        writing: Option<(WriteThread, Files)>,
        reading: Connection,
        hints: watch::Sender<Hint>,
    ) -> Result<Arc<Self>, JournalError> {
        let reader = Arc::new(ReadThread::start(path, reading).map_err(|error| no_thread(&error))?);
        let (writer, files) = writing.unzip();
        Ok(Arc::new(Self { path: path.to_owned(), world, writer, reader, hints, files }))
    }

    /// Drops every read model and computes it anew from the log. Commits wait meanwhile.
    /// Returns the position up to which they were fed.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]; the read models are then as before.
    pub async fn rebuild_projections(&self) -> Result<u64, JournalError> {
        Ok(self.ask(Op::Rebuild).await.map(number)?)
    }

    async fn ask(&self, op: Op) -> Result<WriteDone, DatabaseFailure> {
        match &self.writer {
            Some(writer) => writer.ask(op).await,
            None => Err(DatabaseFailure::NotWritten("the journal was opened for reading only".to_owned())),
        }
    }
}

/// Brings the read models up to date, in one transaction; returns the head of the log.
fn prepare(db: &Connection, projections: &Projections) -> rusqlite::Result<u64> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let prepared = projection::prepare(db, projections)
        .and_then(|_| reader::head(db))
        .and_then(|head| append::catch_up(db, projections, head).map(|()| head))
        .and_then(|head| db.execute_batch("COMMIT").map(|()| head));
    if prepared.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    prepared
}

fn no_thread(error: &std::io::Error) -> JournalError {
    JournalError::Unavailable(format!("a thread could not be started: {error}"))
}

fn number(done: WriteDone) -> u64 {
    match done {
        WriteDone::Number(number) => number,
        WriteDone::Appended(_) | WriteDone::Claimed(_) => 0,
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, commit: Commit) -> Result<Appended, AppendError> {
        match self.ask(Op::Append(Box::new(commit))).await? {
            WriteDone::Appended(appended) => appended,
            WriteDone::Claimed(_) | WriteDone::Number(_) => {
                Err(AppendError::Indeterminate("the writer mixed up its answers".to_owned()))
            }
        }
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        let stream = stream.clone();
        self.reader.read(move |db| reader::stream(db, &stream, after)).await
    }

    async fn read_log(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        self.reader.read(move |db| reader::log(db, after, limit)).await
    }

    async fn head(&self) -> Result<u64, JournalError> {
        self.reader.read(reader::head).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, JournalError> {
        match self.ask(Op::Claim(request)).await? {
            WriteDone::Claimed(claimed) => Ok(claimed),
            WriteDone::Appended(_) | WriteDone::Number(_) => Ok(Vec::new()),
        }
    }

    async fn hasten(
        &self,
        queue: Queue,
        only: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<u64, JournalError> {
        let only = only.map(|keys| serde_json::Value::from(keys).to_string());
        Ok(self.ask(Op::Hasten { queue, only, now }).await.map(number)?)
    }

    async fn next_due(&self, queue: Queue) -> Result<Option<DateTime<Utc>>, JournalError> {
        self.reader.read(move |db| outbox::next_due(db, queue)).await
    }

    async fn outbox(&self, queue: Queue, limit: usize) -> Result<Vec<OutboxRow>, JournalError> {
        let now = self.world.now();
        self.reader.read(move |db| outbox::list(db, queue, limit, now)).await
    }

    async fn body(&self, key: &str) -> Result<Option<Bytes>, JournalError> {
        let key = key.to_owned();
        self.reader.read(move |db| bodies::body(db, &key)).await
    }

    async fn bodies_of(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, JournalError> {
        let keys = keys.to_vec();
        self.reader.read(move |db| bodies::bodies_of(db, &keys)).await
    }

    async fn raise_fence(&self, lease: &str) -> Result<u64, JournalError> {
        Ok(self.ask(Op::RaiseFence(lease.to_owned())).await.map(number)?)
    }

    fn hints(&self) -> watch::Receiver<Hint> {
        self.hints.subscribe()
    }

    fn views(&self) -> Views {
        Views::new(Arc::clone(&self.reader) as Arc<dyn ViewRunner>)
    }

    async fn close(&self) {
        self.reader.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}

#[async_trait]
impl JournalAdmin for SqliteJournal {
    async fn bodies(&self, offset: u64, limit: usize) -> Result<Vec<KeptBody>, JournalError> {
        self.reader.read(move |db| bodies::bodies(db, offset, limit)).await
    }

    async fn trimmed(&self, offset: u64, limit: usize) -> Result<Vec<Trim>, JournalError> {
        self.reader.read(move |db| trim::list(db, offset, limit)).await
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, JournalError> {
        let mut dropped = 0;
        loop {
            let batch = self.ask(Op::Purge { now, limit: PURGE_BATCH }).await.map(number)?;
            dropped += batch;
            if batch < PURGE_BATCH {
                return Ok(dropped);
            }
        }
    }

    fn durability(&self) -> Durability {
        Durability::OnDisk
    }

    fn gone(&self) -> Option<String> {
        self.files.as_ref()?.gone()
    }

    /// Reads through a connection and a thread of its own: commits and views go on.
    async fn verify(&self) -> Result<VerifyReport, JournalError> {
        let (answer, answered) = oneshot::channel();
        let path = self.path.clone();
        std::thread::Builder::new()
            .name("journal-verify".to_owned())
            // The asker may have gone away; there is nobody to tell.
            .spawn(move || drop(answer.send(verify::verify(&path))))
            .map_err(|error| no_thread(&error))?;
        answered.await.map_err(|_| JournalError::Unavailable("the check stopped".to_owned()))?
    }
}
