//! `hourly`: how many events of each kind there were in each hour.

use chrono::{DateTime, Datelike, Timelike, Utc};
use rusqlite::Connection;

use super::typed;
use crate::archive::state::ArchiveEvent;
use crate::kernel::projection::{FedEvent, Projection};
use crate::registry::TypedEvent;

/// Keeps `hourly`.
#[derive(Debug, Clone, Copy)]
pub struct HourlyProjection;

impl Projection for HourlyProjection {
    fn name(&self) -> &'static str {
        "hourly"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["hourly"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // `hour` is UTC, such as 2026-02-03T14: text that sorts.
        db.execute_batch(
            "CREATE TABLE hourly (
                 hour TEXT NOT NULL,
                 kind TEXT NOT NULL,
                 n    INTEGER NOT NULL,
                 PRIMARY KEY (hour, kind)
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        if let Some(TypedEvent::Archive(ArchiveEvent::Archived(archived))) = typed(event) {
            db.prepare_cached("DELETE FROM hourly WHERE hour < ?1")?.execute([hour_of(archived.before)])?;
        }
        db.prepare_cached(
            "INSERT INTO hourly (hour, kind, n) VALUES (?1, ?2, 1)
             ON CONFLICT (hour, kind) DO UPDATE SET n = n + 1",
        )?
        .execute((hour_of(event.at), event.kind.as_str()))?;
        Ok(())
    }
}

pub(super) fn hour_of(at: DateTime<Utc>) -> String {
    format!("{:04}-{:02}-{:02}T{:02}", at.year(), at.month(), at.day(), at.hour())
}
