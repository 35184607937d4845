//! `configs`: the present version of every configuration document.

use rusqlite::Connection;

use super::{at, integer, typed};
use crate::config::events::ConfigEvent;
use crate::kernel::projection::{FedEvent, Projection};
use crate::registry::TypedEvent;

/// Keeps `configs`.
#[derive(Debug, Clone, Copy)]
pub struct ConfigsProjection;

impl Projection for ConfigsProjection {
    fn name(&self) -> &'static str {
        "configs"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["configs"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // `version` is that of the document's stream; an empty hash means that it was removed.
        db.execute_batch(
            "CREATE TABLE configs (
                 key        TEXT PRIMARY KEY,
                 hash       TEXT NOT NULL,
                 version    INTEGER NOT NULL,
                 changed_at INTEGER NOT NULL,
                 origin     TEXT NOT NULL
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        let Some(TypedEvent::Config(ConfigEvent::Changed(changed))) = typed(event) else { return Ok(()) };
        db.prepare_cached(
            "INSERT INTO configs (key, hash, version, changed_at, origin) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (key) DO UPDATE SET hash = ?2, version = ?3, changed_at = ?4, origin = ?5",
        )?
        .execute((
            &changed.key,
            &changed.hash,
            integer(event.version),
            at(event),
            &changed.origin,
        ))?;
        Ok(())
    }
}
