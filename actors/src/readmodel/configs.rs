//! `configs`: the present version of every configuration document.

use rusqlite::Connection;

use super::{at, integer, typed};
use crate::config::events::ConfigEvent;
use crate::config::history::RECONCILED;
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
        2
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
        let Some(TypedEvent::Config(happened)) = typed(event) else { return Ok(()) };
        let (key, hash, origin, fields) = match happened {
            ConfigEvent::Changed(event) => (&event.key, &event.hash, event.origin.as_str(), &event.fields),
            ConfigEvent::Deferred(event) => (&event.key, &event.hash, event.origin.as_str(), &event.fields),
            ConfigEvent::Reconciled(event) => (&event.key, &event.hash, RECONCILED, &event.fields),
            // None of them puts a document in force.
            ConfigEvent::Conflicted(_) | ConfigEvent::Resolved(_) | ConfigEvent::Absent(_) => return Ok(()),
        };
        // The same as before has only come to another place.
        let says_more = !fields.is_empty() || hash.is_empty();
        db.prepare_cached(
            "INSERT INTO configs (key, hash, version, changed_at, origin) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (key) DO UPDATE SET hash = ?2, version = ?3, changed_at = ?4, origin = ?5
             WHERE ?6 OR hash <> ?2",
        )?
        .execute((key, hash, integer(event.version), at(event), origin, says_more))?;
        Ok(())
    }
}
