//! `rates`: the streams of the hourly limits, so that they can be archived.

use rusqlite::Connection;

use super::{archived_keys, at, typed};
use crate::archive::state::ArchiveEvent;
use crate::kernel::projection::{FedEvent, Projection};
use crate::registry::TypedEvent;
use crate::webhook::events::RateEvent;

/// Keeps `rates`.
#[derive(Debug, Clone, Copy)]
pub struct RatesProjection;

impl Projection for RatesProjection {
    fn name(&self) -> &'static str {
        "rates"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["rates"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // stream: what follows the category, `<target>-<hour>`.
        db.execute_batch(
            "CREATE TABLE rates (
                 stream     TEXT PRIMARY KEY,
                 counted_at INTEGER NOT NULL
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Rate(RateEvent::Counted(_))) => db
                .prepare_cached(
                    "INSERT INTO rates (stream, counted_at) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET counted_at = excluded.counted_at",
                )?
                .execute((event.stream.key(), at(event)))?,
            Some(TypedEvent::Archive(ArchiveEvent::Archived(archived))) => {
                let Some(streams) = archived_keys(archived, "rate") else { return Ok(()) };
                db.prepare_cached("DELETE FROM rates WHERE stream IN (SELECT value FROM json_each(?1))")?
                    .execute([streams])?
            }
            _ => return Ok(()),
        };
        Ok(())
    }
}
