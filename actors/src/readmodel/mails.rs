//! `mails`: one row per mail, with where it stands. `mail_targets`: which mails were routed to a target.
//! `mails_tally`: how many mails of a day stand alike, so that counting reads no mail. `deliveries_hourly`: attempts of each hour and
//! target, and how long after the arrival of its mail a webhook was taken; it is filled from the
//! same rows, and so rebuilt with them.
//!
//! Who sent it and what it is called is no part of
//! the log, so it is none of this table (ADR 0040).

use std::collections::BTreeSet;

use chrono::DateTime;
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::Value;

use super::hourly::hour_of;
use super::{
    archived_before, archived_keys, at, flag, instant, integer, length, number, payload, tally, text,
};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::mail::life::MailEvent;
use crate::webhook::events::DeliveryEvent;

/// Keeps `mails`.
#[derive(Debug, Clone, Copy)]
pub struct MailsProjection;

impl Projection for MailsProjection {
    fn name(&self) -> &'static str {
        "mails"
    }

    fn version(&self) -> u32 {
        7
    }

    fn tables(&self) -> &'static [&'static str] {
        &["mails", "mail_targets", "mails_tally", "deliveries_hourly"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // `position` is that of the mail's first event: it never changes, so pages of a list
        // stay put while mails move on.
        db.execute_batch(
            "CREATE TABLE mails (
                 position         INTEGER PRIMARY KEY,
                 email_id         TEXT NOT NULL UNIQUE,
                 size             INTEGER NOT NULL DEFAULT 0,
                 received_at      INTEGER NOT NULL,
                 arrived_at       INTEGER,
                 stage            TEXT NOT NULL,
                 reason           TEXT,
                 detail           TEXT,
                 hold_until       INTEGER,
                 detector         TEXT,
                 delivery_time    TEXT,
                 urgent           INTEGER NOT NULL DEFAULT 0,
                 links            INTEGER NOT NULL DEFAULT 0,
                 deliveries_total INTEGER NOT NULL DEFAULT 0,
                 delivered        INTEGER NOT NULL DEFAULT 0,
                 dead_lettered    INTEGER NOT NULL DEFAULT 0,
                 cancelled        INTEGER NOT NULL DEFAULT 0,
                 targets          TEXT NOT NULL DEFAULT '[]',
                 updated_at       INTEGER NOT NULL
             );
             CREATE INDEX mails_waiting ON mails (stage, position) WHERE stage IN ('held', 'skipped', 'quarantined', 'set_aside');
             -- For lists of some days: between which positions they lie. Mails come in the order of time.
             CREATE INDEX mails_received ON mails (received_at);
             CREATE TABLE mail_targets (
                 target TEXT NOT NULL,
                 mail   INTEGER NOT NULL,
                 PRIMARY KEY (target, mail)
             ) WITHOUT ROWID;
             CREATE TABLE deliveries_hourly (
                 hour   TEXT NOT NULL,
                 target TEXT NOT NULL,
                 ok     INTEGER NOT NULL DEFAULT 0,
                 failed INTEGER NOT NULL DEFAULT 0,
                 b0     INTEGER NOT NULL DEFAULT 0,
                 b1     INTEGER NOT NULL DEFAULT 0,
                 b2     INTEGER NOT NULL DEFAULT 0,
                 b3     INTEGER NOT NULL DEFAULT 0,
                 b4     INTEGER NOT NULL DEFAULT 0,
                 b5     INTEGER NOT NULL DEFAULT 0,
                 b6     INTEGER NOT NULL DEFAULT 0,
                 PRIMARY KEY (hour, target)
             ) WITHOUT ROWID;",
        )?;
        db.execute_batch(tally::OF_MAILS)
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        let change: MailRowChange = match event.kind.as_str() {
            "mail.received" => received,
            "mail.quarantined" => quarantined,
            "mail.ignored" => ignored,
            "mail.held" => held,
            "mail.skipped" => skipped,
            "mail.released" => released,
            "mail.routed" => routed,
            "mail.set_aside" => set_aside,
            "mail.resumed" => resumed,
            "mail.settled" => settled,
            "delivery.attempted" => return attempted(db, event),
            "delivery.requeued" => return requeued(db, event),
            "delivery.cancelled" => return cancelled(db, event),
            "journal.archived" => return archived(db, event),
            _ => return Ok(()),
        };
        match payload::<MailEvent>(event) {
            Some(payload) => change(db, event, &payload),
            None => Ok(()),
        }
    }
}

type MailRowChange = fn(&Connection, &Recorded, &Value) -> rusqlite::Result<()>;

fn received(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO mails (position, email_id, size, received_at, arrived_at, stage, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'received', ?4) ON CONFLICT DO NOTHING",
    )?
    .execute((
        integer(event.position),
        event.stream.key(),
        number(payload, "size").unwrap_or_default(),
        at(event),
        instant(payload, "arrived_at"),
    ))?;
    Ok(())
}

fn quarantined(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO mails (position, email_id, size, received_at, stage, reason, updated_at)
         VALUES (?1, ?2, ?3, ?4, 'quarantined', ?5, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute((
        integer(event.position),
        event.stream.key(),
        number(payload, "size").unwrap_or_default(),
        at(event),
        text(payload, "why"),
    ))?;
    Ok(())
}

fn ignored(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'ignored', reason = ?2, detail = ?3, hold_until = NULL, updated_at = ?4
         WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), text(payload, "reason"), text(payload, "detail"), at(event)))?;
    Ok(())
}

fn skipped(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'skipped', reason = ?2, detail = NULL, hold_until = NULL, detector = ?3,
             updated_at = ?4
         WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), text(payload, "reason"), text(payload, "detector"), at(event)))?;
    Ok(())
}

/// It waits for the worker that carries the release out.
fn released(db: &Connection, event: &Recorded, _: &Value) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'held', reason = 'released', detail = NULL, hold_until = NULL, updated_at = ?2
         WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), at(event)))?;
    Ok(())
}

/// Two workers died of it: it waits for an operator.
fn set_aside(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'set_aside', reason = ?2, detail = ?3, updated_at = ?4 WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), text(payload, "why"), text(payload, "queue"), at(event)))?;
    Ok(())
}

/// It goes on where it stood.
fn resumed(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    let stage = if text(payload, "queue") == Some("offload") { "routed" } else { "held" };
    db.prepare_cached(
        "UPDATE mails SET stage = ?2, reason = NULL, detail = NULL, updated_at = ?3 WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), stage, at(event)))?;
    Ok(())
}

fn held(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'held', reason = ?2, detail = NULL, hold_until = ?3, updated_at = ?4 WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), text(payload, "reason"), instant(payload, "until"), at(event)))?;
    Ok(())
}

fn routed(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    let detection = payload.get("detection").unwrap_or(&Value::Null);
    let urgent = detection.get("urgent").and_then(Value::as_bool).unwrap_or(false);
    let mut targets = targets_of(payload);
    targets.extend(known_targets(db, event.stream.key())?);
    db.prepare_cached(
        "UPDATE mails SET stage = 'routed', reason = NULL, detail = NULL, hold_until = NULL, detector = ?2,
             delivery_time = ?3, urgent = ?4, links = ?5, deliveries_total = ?6, updated_at = ?7, targets = ?8
         WHERE email_id = ?1",
    )?
    .execute((
        event.stream.key(),
        text(detection, "detector"),
        text(detection, "delivery_time"),
        urgent,
        length(payload, "links"),
        length(payload, "deliveries"),
        at(event),
        Value::from(targets.iter().cloned().collect::<Vec<_>>()).to_string(),
    ))?;
    for target in targets {
        db.prepare_cached(
            "INSERT INTO mail_targets (target, mail) SELECT ?2, position FROM mails WHERE email_id = ?1
             ON CONFLICT DO NOTHING",
        )?
        .execute((event.stream.key(), target))?;
    }
    Ok(())
}

/// The targets that a mail was routed to, each once and in an order that says nothing.
fn targets_of(payload: &Value) -> BTreeSet<String> {
    let deliveries = payload.get("deliveries").and_then(Value::as_array);
    let targets = deliveries.into_iter().flatten().filter_map(|delivery| text(delivery, "target"));
    targets.map(str::to_owned).collect()
}

/// Those that it was routed to before: one that was set aside, taken for not wanted and then released
/// is routed again, and has deliveries to all of them.
fn known_targets(db: &Connection, email_id: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut known = db.prepare_cached("SELECT targets FROM mails WHERE email_id = ?1 AND targets <> '[]'")?;
    let known: Option<String> = known.query_row([email_id], |row| row.get(0)).optional()?;
    // It is this table's own text.
    Ok(known.and_then(|known| serde_json::from_str(&known).ok()).unwrap_or_default())
}

fn settled(db: &Connection, event: &Recorded, payload: &Value) -> rusqlite::Result<()> {
    let sql = match text(payload, "end") {
        Some("delivered") => {
            "UPDATE mails SET delivered = delivered + 1, updated_at = ?2 WHERE email_id = ?1"
        }
        Some("dead_lettered") => {
            "UPDATE mails SET dead_lettered = dead_lettered + 1, updated_at = ?2 WHERE email_id = ?1"
        }
        _ => return Ok(()),
    };
    db.prepare_cached(sql)?.execute((event.stream.key(), at(event)))?;
    Ok(())
}

/// A dead letter that is to be sent again is none any more.
fn requeued(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<DeliveryEvent>(event) else { return Ok(()) };
    let Some(email_id) = text(&payload, "email_id") else { return Ok(()) };
    if flag(&payload, "again") {
        return Ok(());
    }
    db.prepare_cached(
        "UPDATE mails SET dead_lettered = MAX(dead_lettered - 1, 0), updated_at = ?2 WHERE email_id = ?1",
    )?
    .execute((email_id, at(event)))?;
    Ok(())
}

/// What was given up and is cancelled is no dead letter any more.
fn cancelled(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<DeliveryEvent>(event) else { return Ok(()) };
    let Some(email_id) = text(&payload, "email_id") else { return Ok(()) };
    if flag(&payload, "again") {
        return Ok(());
    }
    db.prepare_cached(
        "UPDATE mails SET cancelled = cancelled + 1, dead_lettered = MAX(dead_lettered - ?3, 0), updated_at = ?2
         WHERE email_id = ?1",
    )?
    .execute((email_id, at(event), flag(&payload, "was_dead")))?;
    Ok(())
}

/// Upper bounds of the first six buckets of `deliveries_hourly`, in milliseconds; the seventh has
/// none. A mail that was held waits longer than any of them.
pub const BUCKETS: [i64; 6] = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000];

fn attempted(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<DeliveryEvent>(event) else { return Ok(()) };
    let (Some(email_id), Some(target)) = (text(&payload, "email_id"), text(&payload, "target")) else {
        return Ok(());
    };
    let mut counts = [0_i64; 9];
    let [ok, failed, buckets @ ..] = &mut counts;
    if text(&payload, "error").is_some() {
        *failed = 1;
    } else {
        *ok = 1;
        if let Some(received_at) = received_at(db, email_id)? {
            let took = at(event).saturating_sub(received_at);
            let bucket = BUCKETS.iter().position(|bound| took <= *bound).unwrap_or(BUCKETS.len());
            buckets.iter_mut().skip(bucket).take(1).for_each(|count| *count = 1);
        }
    }
    let [ok, failed, b0, b1, b2, b3, b4, b5, b6] = counts;
    db.prepare_cached(
        "INSERT INTO deliveries_hourly (hour, target, ok, failed, b0, b1, b2, b3, b4, b5, b6)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET ok = ok + excluded.ok, failed = failed + excluded.failed,
             b0 = b0 + excluded.b0, b1 = b1 + excluded.b1, b2 = b2 + excluded.b2, b3 = b3 + excluded.b3,
             b4 = b4 + excluded.b4, b5 = b5 + excluded.b5, b6 = b6 + excluded.b6",
    )?
    .execute((hour_of(event.at), target, ok, failed, b0, b1, b2, b3, b4, b5, b6))?;
    Ok(())
}

/// `None` = a notice, which belongs to no mail.
fn received_at(db: &Connection, email_id: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT received_at FROM mails WHERE email_id = ?1")?
        .query_row([email_id], |row| row.get(0))
        .optional()
}

fn archived(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    if let Some(before) = archived_before(event).and_then(DateTime::from_timestamp_millis) {
        db.prepare_cached("DELETE FROM deliveries_hourly WHERE hour < ?1")?.execute([hour_of(before)])?;
    }
    let Some(mails) = archived_keys(event, "mail") else { return Ok(()) };
    // By its key, which begins with the target, of which there are few.
    db.prepare_cached(
        "DELETE FROM mail_targets WHERE (target, mail) IN
             (SELECT t.value, m.position FROM mails m, json_each(m.targets) t
              WHERE m.email_id IN (SELECT value FROM json_each(?1)))",
    )?
    .execute([&mails])?;
    db.prepare_cached("DELETE FROM mails WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([mails])?;
    Ok(())
}
