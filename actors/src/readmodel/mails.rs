//! `mails`: one row per mail, with where it stands. Who sent it and what it is called is no part of
//! the log, so it is none of this table (ADR 0040).

use rusqlite::Connection;
use serde_json::Value;

use super::{archived_keys, at, instant, integer, length, number, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::mail::life::MailEvent;
use crate::webhook::state::DeliveryEvent;

/// See the module page.
#[derive(Debug, Clone, Copy)]
pub struct Mails;

impl Projection for Mails {
    fn name(&self) -> &'static str {
        "mails"
    }

    fn version(&self) -> u32 {
        4
    }

    fn tables(&self) -> &'static [&'static str] {
        &["mails"]
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
                 updated_at       INTEGER NOT NULL
             );
             CREATE INDEX mails_waiting ON mails (stage, position) WHERE stage IN ('held', 'skipped', 'quarantined', 'set_aside');",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        let change: Change = match event.kind.as_str() {
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
            "delivery.requeued" => return requeued(db, event),
            "journal.archived" => return archived(db, event),
            _ => return Ok(()),
        };
        match payload::<MailEvent>(event) {
            Some(payload) => change(db, event, &payload),
            None => Ok(()),
        }
    }
}

type Change = fn(&Connection, &Recorded, &Value) -> rusqlite::Result<()>;

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
    db.prepare_cached(
        "UPDATE mails SET stage = 'routed', reason = NULL, detail = NULL, hold_until = NULL, detector = ?2,
             delivery_time = ?3, urgent = ?4, links = ?5, deliveries_total = ?6, updated_at = ?7
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
    ))?;
    Ok(())
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
    db.prepare_cached(
        "UPDATE mails SET dead_lettered = MAX(dead_lettered - 1, 0), updated_at = ?2 WHERE email_id = ?1",
    )?
    .execute((email_id, at(event)))?;
    Ok(())
}

fn archived(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(mails) = archived_keys(event, "mail") else { return Ok(()) };
    db.prepare_cached("DELETE FROM mails WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([mails])?;
    Ok(())
}
