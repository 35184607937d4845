//! `targets`: how each target is.

use rusqlite::Connection;

use super::{at, millis, typed};
use crate::archive::state::{ArchiveEvent, Archived};
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::registry::TypedEvent;
use crate::webhook::events::{Attempted, DeliveryEvent, TargetEvent};

/// Keeps `targets`.
#[derive(Debug, Clone, Copy)]
pub struct TargetsProjection;

impl Projection for TargetsProjection {
    fn name(&self) -> &'static str {
        "targets"
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [&'static str] {
        &["targets"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // breaker: closed or open. `url_hash` names the address that was disabled.
        db.execute_batch(
            "CREATE TABLE targets (
                 id              TEXT PRIMARY KEY,
                 disabled        INTEGER NOT NULL DEFAULT 0,
                 reason          TEXT,
                 url_hash        TEXT,
                 breaker         TEXT NOT NULL DEFAULT 'closed',
                 breaker_until   INTEGER,
                 last_success_at INTEGER,
                 last_failure_at INTEGER,
                 last_failure    TEXT,
                 last_failure_of TEXT
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Target(target)) => changed(db, target),
            Some(TypedEvent::Delivery(DeliveryEvent::Attempted(attempt))) => attempted(db, event, attempt),
            Some(TypedEvent::Archive(ArchiveEvent::Archived(what))) => archived(db, what),
            _ => Ok(()),
        }
    }
}

fn attempted(db: &Connection, event: &Recorded, attempt: &Attempted) -> rusqlite::Result<()> {
    let Some(error) = &attempt.error else {
        db.prepare_cached(
            "INSERT INTO targets (id, last_success_at) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET last_success_at = MAX(COALESCE(last_success_at, ?2), ?2)",
        )?
        .execute((&attempt.target, at(event)))?;
        return Ok(());
    };
    // A clock may have been set back: the latest counts.
    db.prepare_cached(
        "INSERT INTO targets (id, last_failure_at, last_failure, last_failure_of) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET last_failure_at = ?2, last_failure = ?3, last_failure_of = ?4
         WHERE last_failure_at IS NULL OR last_failure_at <= ?2",
    )?
    .execute((&attempt.target, at(event), error, &attempt.email_id))?;
    Ok(())
}

fn changed(db: &Connection, target: &TargetEvent) -> rusqlite::Result<()> {
    match target {
        TargetEvent::Disabled(disabled) => {
            known(db, &disabled.target)?;
            db.prepare_cached("UPDATE targets SET disabled = 1, reason = ?2, url_hash = ?3 WHERE id = ?1")?
                .execute((&disabled.target, &disabled.why, &disabled.url_hash))?;
        }
        TargetEvent::Enabled(enabled) => {
            known(db, &enabled.target)?;
            db.prepare_cached(
                "UPDATE targets SET disabled = 0, reason = NULL, url_hash = NULL WHERE id = ?1",
            )?
            .execute([&enabled.target])?;
        }
        TargetEvent::BreakerOpened(opened) => {
            known(db, &opened.target)?;
            db.prepare_cached("UPDATE targets SET breaker = 'open', breaker_until = ?2 WHERE id = ?1")?
                .execute((&opened.target, millis(opened.until)))?;
        }
        TargetEvent::BreakerClosed(closed) => {
            known(db, &closed.target)?;
            db.prepare_cached("UPDATE targets SET breaker = 'closed', breaker_until = NULL WHERE id = ?1")?
                .execute([&closed.target])?;
        }
    }
    Ok(())
}

fn known(db: &Connection, target: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO targets (id) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([target])?;
    Ok(())
}

/// Attempts from before the archive leave no trace, whether they were archived or not: that
/// depends on the log alone.
fn archived(db: &Connection, archived: &Archived) -> rusqlite::Result<()> {
    let before = millis(archived.before);
    db.prepare_cached("UPDATE targets SET last_success_at = NULL WHERE last_success_at < ?1")?
        .execute([before])?;
    db.prepare_cached("UPDATE targets SET last_failure_at = NULL, last_failure = NULL, last_failure_of = NULL WHERE last_failure_at < ?1")?
        .execute([before])?;
    db.prepare_cached(
        "DELETE FROM targets WHERE disabled = 0 AND breaker = 'closed' AND last_success_at IS NULL
             AND last_failure_at IS NULL",
    )?
    .execute([])?;
    Ok(())
}
