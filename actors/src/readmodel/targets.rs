//! `targets`: how each target is.

use rusqlite::Connection;

use super::{archived_before, at, instant, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::webhook::events::{DeliveryEvent, TargetEvent};

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

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        match event.kind.as_str() {
            "delivery.attempted" => attempted(db, event),
            "journal.archived" => archived(db, event),
            "target.disabled" | "target.enabled" | "target.breaker_opened" | "target.breaker_closed" => {
                changed(db, event)
            }
            _ => Ok(()),
        }
    }
}

fn attempted(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<DeliveryEvent>(event) else { return Ok(()) };
    let Some(target) = text(&payload, "target") else { return Ok(()) };
    let Some(error) = text(&payload, "error") else {
        db.prepare_cached(
            "INSERT INTO targets (id, last_success_at) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET last_success_at = MAX(COALESCE(last_success_at, ?2), ?2)",
        )?
        .execute((target, at(event)))?;
        return Ok(());
    };
    // A clock may have been set back: the latest counts.
    db.prepare_cached(
        "INSERT INTO targets (id, last_failure_at, last_failure, last_failure_of) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET last_failure_at = ?2, last_failure = ?3, last_failure_of = ?4
         WHERE last_failure_at IS NULL OR last_failure_at <= ?2",
    )?
    .execute((target, at(event), error, text(&payload, "email_id")))?;
    Ok(())
}

fn changed(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<TargetEvent>(event) else { return Ok(()) };
    let Some(target) = text(&payload, "target") else { return Ok(()) };
    db.prepare_cached("INSERT INTO targets (id) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([target])?;
    match event.kind.as_str() {
        "target.disabled" => db
            .prepare_cached("UPDATE targets SET disabled = 1, reason = ?2, url_hash = ?3 WHERE id = ?1")?
            .execute((target, text(&payload, "why"), text(&payload, "url_hash")))?,
        "target.enabled" => db
            .prepare_cached("UPDATE targets SET disabled = 0, reason = NULL, url_hash = NULL WHERE id = ?1")?
            .execute([target])?,
        "target.breaker_opened" => db
            .prepare_cached("UPDATE targets SET breaker = 'open', breaker_until = ?2 WHERE id = ?1")?
            .execute((target, instant(&payload, "until")))?,
        _ => db
            .prepare_cached("UPDATE targets SET breaker = 'closed', breaker_until = NULL WHERE id = ?1")?
            .execute([target])?,
    };
    Ok(())
}

/// Attempts from before the archive leave no trace, whether they were archived or not: that
/// depends on the log alone.
fn archived(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(before) = archived_before(event) else { return Ok(()) };
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
