//! `workers`: one row per process that ever worked on this journal.

use rusqlite::Connection;

use super::{archived_keys, at, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
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

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        if event.kind == "journal.archived" {
            let Some(workers) = archived_keys(event, "worker") else { return Ok(()) };
            db.prepare_cached("DELETE FROM workers WHERE worker IN (SELECT value FROM json_each(?1))")?
                .execute([workers])?;
            return Ok(());
        }
        if !matches!(
            event.kind.as_str(),
            "worker.started" | "worker.stopped" | "worker.actor_restarted" | "journal.regressed"
        ) {
            return Ok(());
        }
        let Some(payload) = payload::<WorkerEvent>(event) else { return Ok(()) };
        let Some(worker) = text(&payload, "worker") else { return Ok(()) };
        match event.kind.as_str() {
            // The start of a worker may be among what was lost; that it lives is known all the same.
            "worker.started" | "journal.regressed" => db
                .prepare_cached(
                    "INSERT INTO workers (worker, started_at, version) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute((worker, at(event), text(&payload, "version").unwrap_or_default()))?,
            "worker.stopped" => db
                .prepare_cached("UPDATE workers SET stopped_at = ?2, stop_reason = ?3 WHERE worker = ?1")?
                .execute((worker, at(event), text(&payload, "reason")))?,
            _ => db
                .prepare_cached("UPDATE workers SET restarts = restarts + 1 WHERE worker = ?1")?
                .execute([worker])?,
        };
        Ok(())
    }
}
