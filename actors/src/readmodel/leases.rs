//! `leases`: who holds which lease.

use rusqlite::Connection;

use super::{at, number, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::lock::state::LeaseEvent;

/// Keeps `leases`.
#[derive(Debug, Clone, Copy)]
pub struct LeasesProjection;

impl Projection for LeasesProjection {
    fn name(&self) -> &'static str {
        "leases"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["leases"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // A released lease has no holder; `since` is the instant of its last change.
        db.execute_batch(
            "CREATE TABLE leases (
                 name   TEXT PRIMARY KEY,
                 holder TEXT,
                 fence  INTEGER NOT NULL,
                 since  INTEGER NOT NULL
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        let held = match event.kind.as_str() {
            "lease.acquired" | "lease.taken_over" => true,
            "lease.released" => false,
            _ => return Ok(()),
        };
        let Some(payload) = payload::<LeaseEvent>(event) else { return Ok(()) };
        db.prepare_cached(
            "INSERT INTO leases (name, holder, fence, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET holder = ?2, fence = ?3, since = ?4",
        )?
        .execute((
            event.stream.key(),
            text(&payload, "holder").filter(|_| held),
            number(&payload, "fence").unwrap_or_default(),
            at(event),
        ))?;
        Ok(())
    }
}
