//! `leases`: who holds which lease.

use rusqlite::Connection;

use super::{at, integer, typed};
use crate::kernel::projection::{FedEvent, Projection};
use crate::lock::state::LeaseEvent;
use crate::registry::TypedEvent;

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

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        let Some(TypedEvent::Lease(lease)) = typed(event) else { return Ok(()) };
        let (holder, fence) = match lease {
            LeaseEvent::Acquired(granted) | LeaseEvent::TakenOver(granted) => {
                (Some(&granted.holder), granted.fence)
            }
            LeaseEvent::Released(released) => (None, released.fence),
        };
        db.prepare_cached(
            "INSERT INTO leases (name, holder, fence, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET holder = ?2, fence = ?3, since = ?4",
        )?
        .execute((event.stream.key(), holder, integer(fence), at(event)))?;
        Ok(())
    }
}
