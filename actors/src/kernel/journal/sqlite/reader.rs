//! The reader: one thread that owns a read-only connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::rows::{EVENT_COLUMNS, recorded, signed};
use super::schema;
use super::writer::CLOSED;
use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::journal::JournalError;
use crate::kernel::projection::{ViewError, ViewJob, ViewRunner};

/// Reads waiting or under way, in all.
const PERMITS: usize = 256;

enum ReadJob {
    Run(ViewJob, OwnedSemaphorePermit),
    Stop(oneshot::Sender<()>),
}

/// How to ask the reader.
pub(super) struct ReadThread {
    path: PathBuf,
    jobs: Sender<ReadJob>,
    permits: Arc<Semaphore>,
}

impl ReadThread {
    /// Starts the thread on an open connection.
    pub(super) fn start(path: &Path, db: Connection) -> std::io::Result<Self> {
        let (jobs, queue) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("journal-reader".to_owned()).spawn(move || {
            while let Ok(job) = queue.recv() {
                match job {
                    ReadJob::Run(job, _permit) => guarded(&db, job),
                    ReadJob::Stop(stopped) => {
                        drop(db);
                        _ = stopped.send(());
                        return;
                    }
                }
            }
        })?;
        Ok(Self { path: path.to_owned(), jobs, permits: Arc::new(Semaphore::new(PERMITS)) })
    }

    /// Runs a query of the journal itself.
    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |db: &Connection| drop(answer.send(query(db))));
        self.run(job).await.map_err(|error| JournalError::Unavailable(error.0))?;
        answered
            .await
            .map_err(|_| JournalError::Unavailable("the journal's reader stopped".to_owned()))?
            .map_err(|error| schema::explain(&self.path, &error))
    }

    /// Refuses what comes from now on, finishes what is under way, closes the connection.
    pub(super) async fn close(&self) {
        self.permits.close();
        let (stop, stopped) = oneshot::channel();
        if self.jobs.send(ReadJob::Stop(stop)).is_ok() {
            drop(stopped.await);
        }
    }
}

#[async_trait]
impl ViewRunner for ReadThread {
    async fn run(&self, job: ViewJob) -> Result<(), ViewError> {
        let closed = || ViewError(CLOSED.to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        self.jobs.send(ReadJob::Run(job, permit)).map_err(|_| closed())
    }
}

/// A query that panics is an error for whoever asked, and for nobody else.
fn guarded(db: &Connection, job: ViewJob) {
    let run = std::panic::AssertUnwindSafe(|| job(db));
    if std::panic::catch_unwind(run).is_err() {
        tracing::error!("a query over the journal panicked");
    }
}

/// The events of a stream above a version, oldest first: follows the chain back from the
/// stream's last event.
///
/// # Errors
/// What SQLite says.
pub(super) fn stream(db: &Connection, name: &StreamId, after: u64) -> rusqlite::Result<Vec<Recorded>> {
    let head: Option<i64> = db
        .prepare_cached("SELECT head FROM stream WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    let mut find = db.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS}, e.prev FROM event e JOIN stream s ON s.id = e.stream
         WHERE e.position = ?1 AND e.payload <> ''"
    ))?;
    let mut events = Vec::new();
    let mut next = head.filter(|head| *head > 0);
    while let Some(position) = next {
        let found =
            find.query_row([position], |row| Ok((recorded(row)?, row.get::<_, i64>(9)?))).optional()?;
        // What comes before an event that has left the log has left it, too.
        let Some((event, prev)) = found else { break };
        if event.version <= after {
            break;
        }
        events.push(event);
        // A chain that does not go back is damage, and must not become an endless loop.
        next = (prev > 0 && prev < position).then_some(prev);
    }
    events.reverse();
    Ok(events)
}

/// Events above a position, oldest first.
///
/// # Errors
/// What SQLite says.
pub(super) fn log(db: &Connection, after: u64, limit: usize) -> rusqlite::Result<Vec<Recorded>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS} FROM event e JOIN stream s ON s.id = e.stream
         WHERE e.position > ?1 AND e.payload <> '' ORDER BY e.position LIMIT ?2"
    ))?;
    let rows = query.query_map((signed(after), signed(limit as u64)), recorded)?;
    rows.collect()
}

/// Position of the last event; 0 when there is none.
///
/// # Errors
/// What SQLite says.
pub(super) fn head(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT coalesce(max(position), 0) FROM event")?
        .query_row([], |row| row.get(0))
        .map(super::rows::unsigned)
}
