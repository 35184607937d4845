//! `attempts`: what was tried to send within the last month, and what was not sent for want of a
//! link: what the reference calls the webhook log (its section 5.16). Rows are only ever added at
//! the end, so they cost next to nothing.

use rusqlite::Connection;

use super::{archived_keys, at, integer, millis, typed};
use crate::archive::state::{ArchiveEvent, Archived};
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::mail::IgnoreReason;
use crate::mail::life::MailEvent;
use crate::registry::TypedEvent;
use crate::webhook::events::{Attempted, DeliveryEvent};

/// No list goes back further. Milliseconds; less than what the journal keeps at the least.
const KEPT: i64 = 30 * 24 * 60 * 60 * 1000;
/// Old rows are dropped at every position divisible by this: it depends on the log alone.
const SWEEP_EVERY: u64 = 64;

/// Keeps `attempts`.
#[derive(Debug, Clone, Copy)]
pub struct AttemptsProjection;

impl Projection for AttemptsProjection {
    fn name(&self) -> &'static str {
        "attempts"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["attempts"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // target: empty = there was nothing to send. version: that of the event in its stream,
        // by which the answer is kept.
        db.execute_batch(
            "CREATE TABLE attempts (
                 position INTEGER PRIMARY KEY,
                 at_ms    INTEGER NOT NULL,
                 email_id TEXT NOT NULL,
                 target   TEXT NOT NULL,
                 version  INTEGER NOT NULL,
                 attempt  INTEGER NOT NULL,
                 url      TEXT,
                 status   INTEGER,
                 error    TEXT,
                 took_ms  INTEGER
             );",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Delivery(DeliveryEvent::Attempted(attempt))) => attempted(db, event, attempt)?,
            // Of all mails that nothing is sent for, the reference logs those without a link.
            Some(TypedEvent::Mail(MailEvent::Ignored(ignored)))
                if ignored.reason == IgnoreReason::NoLinks =>
            {
                without_link(db, event)?;
            }
            Some(TypedEvent::Archive(ArchiveEvent::Archived(what))) => return archived(db, event, what),
            _ => return Ok(()),
        }
        if event.position.is_multiple_of(SWEEP_EVERY) {
            drop_before(db, at(event).saturating_sub(KEPT))?;
        }
        Ok(())
    }
}

fn attempted(db: &Connection, event: &Recorded, attempt: &Attempted) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO attempts (position, at_ms, email_id, target, version, attempt, url, status, error, took_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
    )?
    .execute((
        integer(event.position),
        at(event),
        &attempt.email_id,
        &attempt.target,
        integer(event.version),
        attempt.attempt,
        &attempt.url,
        attempt.status,
        &attempt.error,
        integer(attempt.took_ms),
    ))?;
    Ok(())
}

fn without_link(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO attempts (position, at_ms, email_id, target, version, attempt)
         VALUES (?1, ?2, ?3, '', ?4, 0) ON CONFLICT DO NOTHING",
    )?
    .execute((integer(event.position), at(event), event.stream.key(), integer(event.version)))?;
    Ok(())
}

/// Rows are in the order of time but for the clocks of several workers, so what is at the front
/// is looked at only.
fn drop_before(db: &Connection, at_ms: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM attempts WHERE position < COALESCE(
             (SELECT position FROM attempts WHERE at_ms >= ?1 ORDER BY position LIMIT 1), 9223372036854775807)",
    )?
    .execute([at_ms])?;
    Ok(())
}

fn archived(db: &Connection, event: &Recorded, archived: &Archived) -> rusqlite::Result<()> {
    if let Some(mails) = archived_keys(archived, "mail") {
        db.prepare_cached("DELETE FROM attempts WHERE email_id IN (SELECT value FROM json_each(?1))")?
            .execute([mails])?;
    }
    // What is left of the log may tell of an old attempt that was dropped before.
    let before = millis(archived.before).max(at(event).saturating_sub(KEPT));
    db.prepare_cached("DELETE FROM attempts WHERE at_ms < ?1")?.execute([before])?;
    Ok(())
}
