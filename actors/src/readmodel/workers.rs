//! `workers`: one row per process that ever worked on this journal.

use rusqlite::Connection;

use super::{archived_keys, at, typed};
use crate::archive::state::ArchiveEvent;
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::registry::TypedEvent;
use crate::worker::WorkerEvent;

/// Keeps `workers`.
#[derive(Debug, Clone, Copy)]
pub struct WorkersProjection;

impl Projection for WorkersProjection {
    fn name(&self) -> &'static str {
        "workers"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["workers"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(
            "CREATE TABLE workers (
                 worker      TEXT PRIMARY KEY,
                 started_at  INTEGER NOT NULL,
                 stopped_at  INTEGER,
                 stop_reason TEXT,
                 version     TEXT NOT NULL DEFAULT '',
                 restarts    INTEGER NOT NULL DEFAULT 0
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Worker(worker)) => changed(db, event, worker),
            Some(TypedEvent::Archive(ArchiveEvent::Archived(archived))) => {
                let Some(workers) = archived_keys(archived, "worker") else { return Ok(()) };
                db.prepare_cached("DELETE FROM workers WHERE worker IN (SELECT value FROM json_each(?1))")?
                    .execute([workers])?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn changed(db: &Connection, event: &Recorded, worker: &WorkerEvent) -> rusqlite::Result<()> {
    match worker {
        WorkerEvent::Started(started) => lives(db, event, &started.worker, &started.version),
        // Its start may be among what was lost; that it lives is known all the same.
        WorkerEvent::JournalRegressed(noticed) => lives(db, event, &noticed.worker, &noticed.version),
        WorkerEvent::Stopped(stopped) => {
            db.prepare_cached("UPDATE workers SET stopped_at = ?2, stop_reason = ?3 WHERE worker = ?1")?
                .execute((&stopped.worker, at(event), &stopped.reason))?;
            Ok(())
        }
        WorkerEvent::ActorRestarted(restarted) => {
            db.prepare_cached("UPDATE workers SET restarts = restarts + 1 WHERE worker = ?1")?
                .execute([&restarted.worker])?;
            Ok(())
        }
    }
}

fn lives(db: &Connection, event: &Recorded, worker: &str, version: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO workers (worker, started_at, version) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute((worker, at(event), version))?;
    Ok(())
}
