//! `deliveries`: one row per mail and target. `deliveries_tally`: how many of a target are in a state. `sends`: deliveries of the last hours, by when
//! they were counted, or first tried where there was no limit; from those that were tried a
//! worker knows what was sent while there was no limit.

use rusqlite::Connection;

use super::{archived_keys, at, millis, tally, typed};
use crate::archive::state::{ArchiveEvent, Archived};
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::mail::life::{MailEvent, MailRouted};
use crate::mail::outbox_rows::NOTIFY_TARGET;
use crate::registry::TypedEvent;
use crate::webhook::events::{
    Attempted, Cancelled, DeadLettered, Deferred, DeliveryEvent, RateEvent, Requeued, Succeeded,
};

/// Sends older than this are of no use to a limit per hour. Milliseconds.
const SENDS_KEPT: i64 = 2 * 60 * 60 * 1000;
/// Old sends are dropped at every position divisible by this: it depends on the log alone.
const SWEEP_EVERY: u64 = 64;

/// Keeps `deliveries`.
#[derive(Debug, Clone, Copy)]
pub struct DeliveriesProjection;

impl Projection for DeliveriesProjection {
    fn name(&self) -> &'static str {
        "deliveries"
    }

    fn version(&self) -> u32 {
        4
    }

    fn tables(&self) -> &'static [&'static str] {
        &["deliveries", "deliveries_tally", "sends"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // state: waiting (never tried), retrying, held_rate, held_window, delivered, dead_lettered,
        // cancelled. Almost all rows are over; the index holds only the others.
        db.execute_batch(
            "CREATE TABLE deliveries (
                 email_id         TEXT NOT NULL,
                 target           TEXT NOT NULL,
                 state            TEXT NOT NULL,
                 attempts         INTEGER NOT NULL DEFAULT 0,
                 last_status      INTEGER,
                 last_error       TEXT,
                 next_at          INTEGER,
                 routed_at        INTEGER NOT NULL,
                 first_attempt_at INTEGER,
                 last_attempt_at  INTEGER,
                 ended_at         INTEGER,
                 url              TEXT,
                 PRIMARY KEY (email_id, target)
             ) WITHOUT ROWID;
             CREATE INDEX deliveries_open ON deliveries (state, routed_at) WHERE state NOT IN ('delivered', 'cancelled');
             CREATE TABLE sends (
                 target   TEXT NOT NULL,
                 at_ms    INTEGER NOT NULL,
                 email_id TEXT NOT NULL,
                 tried    INTEGER NOT NULL,
                 PRIMARY KEY (target, email_id)
             ) WITHOUT ROWID;
             CREATE INDEX sends_at ON sends (at_ms);",
        )?;
        db.execute_batch(tally::OF_DELIVERIES)
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Delivery(delivery)) => changed(db, event, delivery),
            Some(TypedEvent::Mail(MailEvent::Routed(mail))) => routed(db, event, mail),
            Some(TypedEvent::Rate(RateEvent::Counted(counted))) => {
                sent(db, &counted.email_id, &counted.target, millis(counted.at), false)
            }
            Some(TypedEvent::Archive(ArchiveEvent::Archived(what))) => archived(db, event, what),
            _ => Ok(()),
        }
    }
}

fn changed(db: &Connection, event: &Recorded, delivery: &DeliveryEvent) -> rusqlite::Result<()> {
    match delivery {
        DeliveryEvent::Attempted(attempt) => attempted(db, event, attempt),
        DeliveryEvent::Succeeded(success) => succeeded(db, event, success),
        DeliveryEvent::Deferred(wait) => deferred(db, wait),
        DeliveryEvent::DeadLettered(dead) => dead_lettered(db, event, dead),
        DeliveryEvent::Requeued(again) => requeued(db, event, again),
        DeliveryEvent::Cancelled(end) => cancelled(db, event, end),
    }
}

fn routed(db: &Connection, event: &Recorded, mail: &MailRouted) -> rusqlite::Result<()> {
    let mut targets = mail.deliveries.iter().map(|delivery| &delivery.target);
    targets.try_for_each(|target| waiting(db, event, event.stream.key(), target))
}

fn waiting(db: &Connection, event: &Recorded, email_id: &str, target: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO deliveries (email_id, target, state, routed_at) VALUES (?1, ?2, 'waiting', ?3)
         ON CONFLICT DO NOTHING",
    )?
    .execute((email_id, target, at(event)))?;
    Ok(())
}

fn attempted(db: &Connection, event: &Recorded, attempt: &Attempted) -> rusqlite::Result<()> {
    let Attempted { email_id, target, attempt, url, status, error, took_ms: _ } = attempt;
    db.prepare_cached(
        "UPDATE deliveries SET attempts = ?3, last_status = ?4, last_error = ?5, url = ?6, next_at = NULL,
             first_attempt_at = COALESCE(first_attempt_at, ?7), last_attempt_at = ?7
         WHERE email_id = ?1 AND target = ?2",
    )?
    .execute((email_id, target, attempt, status, error, url, at(event)))?;
    if *attempt == 1 {
        sent(db, email_id, target, at(event), true)?;
    }
    if event.position.is_multiple_of(SWEEP_EVERY) {
        db.prepare_cached("DELETE FROM sends WHERE target = ?1 AND at_ms < ?2")?
            .execute((target, at(event).saturating_sub(SENDS_KEPT)))?;
    }
    Ok(())
}

/// It is counted before it is tried, and what was counted first holds.
fn sent(db: &Connection, email_id: &str, target: &str, at_ms: i64, tried: bool) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO sends (target, at_ms, email_id, tried) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET tried = MAX(tried, excluded.tried)",
    )?
    .execute((target, at_ms, email_id, tried))?;
    Ok(())
}

fn succeeded(db: &Connection, event: &Recorded, success: &Succeeded) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE deliveries SET state = 'delivered', attempts = ?3, last_status = ?4, last_error = NULL,
             next_at = NULL, ended_at = ?5
         WHERE email_id = ?1 AND target = ?2",
    )?
    .execute((&success.email_id, &success.target, success.attempts, success.status, at(event)))?;
    Ok(())
}

fn deferred(db: &Connection, wait: &Deferred) -> rusqlite::Result<()> {
    let state = match wait.why.as_str() {
        "rate_limit" => "held_rate",
        "outside_window" => "held_window",
        _ => "retrying",
    };
    db.prepare_cached(
        "UPDATE deliveries SET state = ?3, next_at = ?4, ended_at = NULL, last_error = COALESCE(?5, last_error)
         WHERE email_id = ?1 AND target = ?2",
    )?
    .execute((&wait.email_id, &wait.target, state, millis(wait.until), &wait.detail))?;
    Ok(())
}

fn dead_lettered(db: &Connection, event: &Recorded, dead: &DeadLettered) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE deliveries SET state = 'dead_lettered', attempts = ?3, last_error = ?4, next_at = NULL,
             ended_at = ?5
         WHERE email_id = ?1 AND target = ?2",
    )?
    .execute((&dead.email_id, &dead.target, dead.attempts, &dead.why, at(event)))?;
    match &dead.notice {
        Some(notice) => waiting(db, event, notice, NOTIFY_TARGET),
        None => Ok(()),
    }
}

fn requeued(db: &Connection, event: &Recorded, again: &Requeued) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE deliveries SET state = 'retrying', next_at = ?3, ended_at = NULL
         WHERE email_id = ?1 AND target = ?2",
    )?
    .execute((&again.email_id, &again.target, at(event)))?;
    Ok(())
}

fn cancelled(db: &Connection, event: &Recorded, end: &Cancelled) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE deliveries SET state = 'cancelled', next_at = NULL, ended_at = ?3
         WHERE email_id = ?1 AND target = ?2",
    )?
    .execute((&end.email_id, &end.target, at(event)))?;
    Ok(())
}

fn archived(db: &Connection, event: &Recorded, archived: &Archived) -> rusqlite::Result<()> {
    if let Some(mails) = archived_keys(archived, "mail") {
        db.prepare_cached("DELETE FROM deliveries WHERE email_id IN (SELECT value FROM json_each(?1))")?
            .execute([mails])?;
    }
    // What is left of the log may tell of an old send, and not of when it was counted.
    db.prepare_cached("DELETE FROM sends WHERE at_ms < ?1")?
        .execute([at(event).saturating_sub(SENDS_KEPT)])?;
    Ok(())
}
