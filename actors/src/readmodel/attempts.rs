//! `attempts`: what was tried to send within the last month, and what was not sent for want of a
//! link: what the reference calls the webhook log (its section 5.16). Rows are only ever added at
//! the end, so they cost next to nothing.

use rusqlite::Connection;
use serde_json::Value;

use super::{archived_keys, at, instant, integer, number, payload, text};
use crate::archive::state::ArchiveEvent;
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::mail::IgnoreReason;
use crate::mail::life::MailEvent;
use crate::webhook::events::DeliveryEvent;

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

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        match event.kind.as_str() {
            "delivery.attempted" => attempted(db, event)?,
            "mail.ignored" => ignored(db, event)?,
            "journal.archived" => return archived(db, event),
            _ => return Ok(()),
        }
        if event.position.is_multiple_of(SWEEP_EVERY) {
            drop_before(db, at(event).saturating_sub(KEPT))?;
        }
        Ok(())
    }
}

fn attempted(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<DeliveryEvent>(event) else { return Ok(()) };
    let (Some(email_id), Some(target)) = (text(&payload, "email_id"), text(&payload, "target")) else {
        return Ok(());
    };
    insert(db, event, (email_id, target), &payload)
}

/// Of all mails that nothing is sent for, the reference logs those without a link.
fn ignored(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<MailEvent>(event) else { return Ok(()) };
    if text(&payload, "reason") == Some(IgnoreReason::NoLinks.as_str()) {
        insert(db, event, (event.stream.key(), ""), &Value::Null)?;
    }
    Ok(())
}

fn insert(
    db: &Connection,
    event: &Recorded,
    (email_id, target): (&str, &str),
    payload: &Value,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO attempts (position, at_ms, email_id, target, version, attempt, url, status, error, took_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
    )?
    .execute((
        integer(event.position),
        at(event),
        email_id,
        target,
        integer(event.version),
        number(payload, "attempt").unwrap_or_default(),
        text(payload, "url"),
        number(payload, "status"),
        text(payload, "error"),
        number(payload, "took_ms"),
    ))?;
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

fn archived(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    if let Some(mails) = archived_keys(event, "mail") {
        db.prepare_cached("DELETE FROM attempts WHERE email_id IN (SELECT value FROM json_each(?1))")?
            .execute([mails])?;
    }
    // What is left of the log may tell of an old attempt that was dropped before.
    let Some(payload) = payload::<ArchiveEvent>(event) else { return Ok(()) };
    let before = instant(&payload, "before").unwrap_or(i64::MIN).max(at(event).saturating_sub(KEPT));
    db.prepare_cached("DELETE FROM attempts WHERE at_ms < ?1")?.execute([before])?;
    Ok(())
}
