//! Read models: tables computed from the log, with a checkpoint each.
//!
//! A [`Projection`] is a pure function from events to rows of a few SQLite tables.
//! The embedded journal applies it in the transaction that writes the events, so a
//! reader never sees one without the other. It can always be dropped and rebuilt:
//! the content must depend on the events alone, in log order.

mod fed;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode};
use sha2::{Digest, Sha256};

pub use self::fed::FedEvent;
use crate::kernel::digest::hex;
use crate::kernel::event::Recorded;
use crate::kernel::guardian::panic_text;

/// A read model.
pub trait Projection: Send + Sync {
    /// Unique name.
    fn name(&self) -> &'static str;

    /// Version of its shape. Another number than the stored one drops and rebuilds it.
    fn version(&self) -> u32;

    /// Its tables, for dropping and hashing.
    fn tables(&self) -> &'static [&'static str];

    /// Creates its tables and indices, which do not exist.
    ///
    /// # Errors
    /// What SQLite says.
    fn create(&self, db: &Connection) -> rusqlite::Result<()>;

    /// Takes one event in. Events it does not know are passed over, never an error:
    /// a projection must not be able to stop the journal.
    ///
    /// # Errors
    /// What SQLite says.
    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()>;
}

/// All projections of a program.
pub type Projections = Arc<Vec<Box<dyn Projection>>>;

/// Why a view could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the read model could not be read: {0}")]
pub struct ViewError(pub String);

/// A query over the read models, to be run on the reader's thread.
pub type ViewJob = Box<dyn FnOnce(&Connection) + Send>;

/// Runs queries where the read models live.
#[async_trait]
pub trait ViewRunner: Send + Sync {
    /// Runs `job` with a read connection.
    async fn run(&self, job: ViewJob) -> Result<(), ViewError>;
}

/// A handle to the read models; cheap to clone.
#[derive(Clone)]
pub struct Views(Arc<dyn ViewRunner>);

impl Views {
    /// Over a backend's runner.
    #[must_use]
    pub fn new(runner: Arc<dyn ViewRunner>) -> Self {
        Self(runner)
    }

    /// Runs a query. It sees every commit that was acknowledged before the call.
    ///
    /// # Errors
    /// When the query fails or the journal is closed.
    pub async fn read<T, F>(&self, query: F) -> Result<T, ViewError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.0
            .run(Box::new(move |db| {
                // The asker may have gone away; there is nobody to tell.
                drop(answer.send(query(db)));
            }))
            .await?;
        answered
            .await
            .map_err(|_| ViewError("the reader stopped".to_owned()))?
            .map_err(|error| ViewError(error.to_string()))
    }
}

impl std::fmt::Debug for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Views")
    }
}

/// Creates the checkpoint table and every projection whose stored version differs,
/// dropping its old tables. Returns the names of those that must be replayed from 0.
///
/// A checkpoint of a projection that is not in `projections` is forgotten: nobody feeds
/// that projection any more, so it is rebuilt if it ever comes back.
///
/// # Errors
/// What SQLite says.
pub fn prepare(db: &Connection, projections: &[Box<dyn Projection>]) -> rusqlite::Result<Vec<&'static str>> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS projection (
             name TEXT PRIMARY KEY, version INTEGER NOT NULL, position INTEGER NOT NULL
         ) WITHOUT ROWID;",
    )?;
    forget_unknown(db, projections)?;
    let mut fresh = Vec::new();
    for projection in projections {
        let stored: Option<u32> = {
            let mut query = db.prepare("SELECT version FROM projection WHERE name = ?1")?;
            let mut rows = query.query([projection.name()])?;
            match rows.next()? {
                Some(row) => Some(row.get(0)?),
                None => None,
            }
        };
        if stored == Some(projection.version()) {
            continue;
        }
        reset(db, projection.as_ref())?;
        fresh.push(projection.name());
    }
    Ok(fresh)
}

fn forget_unknown(db: &Connection, projections: &[Box<dyn Projection>]) -> rusqlite::Result<()> {
    let mut query = db.prepare("SELECT name FROM projection")?;
    let names: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names {
        if !projections.iter().any(|projection| projection.name() == name) {
            db.execute("DELETE FROM projection WHERE name = ?1", [name])?;
        }
    }
    Ok(())
}

/// Feeds one event to every projection.
///
/// A projection that fails or panics over an event has passed it over: that is logged and
/// counted (`render_signal_projection_errors_total`), and the journal goes on. It does so
/// again whenever it is rebuilt, so its content stays a function of the log.
///
/// # Errors
/// Only when the database itself fails (full, unreadable, busy): the transaction is lost.
pub fn feed(db: &Connection, projections: &[Box<dyn Projection>], event: &Recorded) -> rusqlite::Result<()> {
    let event = FedEvent::new(event);
    projections.iter().try_for_each(|projection| feed_one(db, projection.as_ref(), &event))
}

/// Feeds one event to one projection; see [`feed`].
///
/// # Errors
/// See [`feed`].
pub fn feed_one(db: &Connection, projection: &dyn Projection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
    let applied = std::panic::catch_unwind(AssertUnwindSafe(|| projection.apply(db, event)));
    let why = match applied {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) if breaks_transaction(&error) => return Err(error),
        Ok(Err(error)) => error.to_string(),
        Err(payload) => panic_text(payload.as_ref()),
    };
    tracing::error!(
        projection = projection.name(),
        position = event.position,
        kind = event.kind,
        why,
        "a projection could not take an event in and passed it over"
    );
    metrics::counter!("render_signal_projection_errors_total", "projection" => projection.name())
        .increment(1);
    Ok(())
}

/// Whether the database failed, as opposed to the statement.
fn breaks_transaction(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::OperationInterrupted
                | ErrorCode::CannotOpen
        )
    )
}

/// Drops a projection's tables and creates them anew, with its checkpoint at 0.
///
/// # Errors
/// What SQLite says.
pub fn reset(db: &Connection, projection: &dyn Projection) -> rusqlite::Result<()> {
    for table in projection.tables() {
        db.execute_batch(&format!("DROP TABLE IF EXISTS {table};"))?;
    }
    projection.create(db)?;
    db.execute(
        "INSERT INTO projection (name, version, position) VALUES (?1, ?2, 0)
         ON CONFLICT (name) DO UPDATE SET version = ?2, position = 0",
        (projection.name(), projection.version()),
    )?;
    Ok(())
}

/// The position up to which a projection has taken events in.
///
/// # Errors
/// What SQLite says.
pub fn checkpoint(db: &Connection, name: &str) -> rusqlite::Result<u64> {
    let mut query = db.prepare_cached("SELECT position FROM projection WHERE name = ?1")?;
    query.query_row([name], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// Moves the checkpoint of a projection to `position`.
///
/// # Errors
/// What SQLite says.
pub fn advance(db: &Connection, name: &str, position: u64) -> rusqlite::Result<()> {
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    db.prepare_cached("UPDATE projection SET position = ?2 WHERE name = ?1 AND position < ?2")?
        .execute((name, position))?;
    Ok(())
}

/// A hash of everything a projection holds, independent of how it got there.
///
/// # Errors
/// What SQLite says.
pub fn content_hash(db: &Connection, projection: &dyn Projection) -> rusqlite::Result<String> {
    let mut hash = Sha256::new();
    for table in projection.tables() {
        hash.update(table.as_bytes());
        let mut query = db.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = query.column_count();
        let mut lines = Vec::new();
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = String::new();
            for column in 0..columns {
                let value: rusqlite::types::Value = row.get(column)?;
                line.push_str(&format!("{value:?}\u{1f}"));
            }
            lines.push(line);
        }
        lines.sort_unstable();
        for line in lines {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
    }
    Ok(hex(hash.finalize()))
}

#[cfg(test)]
mod tests;
