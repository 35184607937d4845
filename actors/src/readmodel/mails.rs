//! `mails`: one row per mail, with where it stands. `mail_targets`: which mails were routed to a target.
//! `mails_tally`: how many mails of a day stand alike, so that counting reads no mail. `deliveries_hourly`: attempts of each hour and
//! target, and how long after the arrival of its mail a webhook was taken; it is filled from the
//! same rows, and so rebuilt with them.
//!
//! Who sent it and what it is called is no part of
//! the log, so it is none of this table (ADR 0040).

mod hours;

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

pub use self::hours::BUCKETS;
use super::{archived_keys, at, count, integer, list, millis, tally, typed};
use crate::archive::state::{ArchiveEvent, Archived};
use crate::kernel::event::Recorded;
use crate::kernel::journal::Queue;
use crate::kernel::projection::{FedEvent, Projection};
use crate::mail::life::{
    DeliveryEnd, MailEvent, MailHeld, MailIgnored, MailQuarantined, MailReceived, MailResumed, MailRouted,
    MailSetAside, MailSettled, MailSkipped,
};
use crate::registry::TypedEvent;
use crate::webhook::events::{Cancelled, DeliveryEvent, Requeued};

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
             ) WITHOUT ROWID;",
        )?;
        db.execute_batch(hours::TABLE)?;
        db.execute_batch(tally::OF_MAILS)
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Mail(mail)) => changed(db, event, mail),
            Some(TypedEvent::Delivery(delivery)) => of_delivery(db, event, delivery),
            Some(TypedEvent::Archive(ArchiveEvent::Archived(what))) => archived(db, what),
            _ => Ok(()),
        }
    }
}

fn changed(db: &Connection, event: &Recorded, mail: &MailEvent) -> rusqlite::Result<()> {
    match mail {
        MailEvent::Received(mail) => received(db, event, mail),
        MailEvent::Quarantined(mail) => quarantined(db, event, mail),
        MailEvent::Ignored(ignoring) => ignored(db, event, ignoring),
        MailEvent::Held(hold) => held(db, event, hold),
        MailEvent::Skipped(skip) => skipped(db, event, skip),
        MailEvent::Released(_) => released(db, event),
        MailEvent::Routed(routing) => routed(db, event, routing),
        MailEvent::SetAside(aside) => set_aside(db, event, aside),
        MailEvent::Resumed(resumption) => resumed(db, event, resumption),
        MailEvent::Settled(end) => settled(db, event, end),
        MailEvent::Duplicated(_)
        | MailEvent::LinkOffloaded(_)
        | MailEvent::LinkKept(_)
        | MailEvent::LinksKept(_)
        | MailEvent::LinksDeferred(_)
        | MailEvent::Suspected(_)
        | MailEvent::Cleared(_) => Ok(()),
    }
}

fn of_delivery(db: &Connection, event: &Recorded, delivery: &DeliveryEvent) -> rusqlite::Result<()> {
    match delivery {
        DeliveryEvent::Attempted(attempt) => hours::attempted(db, event, attempt),
        DeliveryEvent::Requeued(again) => requeued(db, event, again),
        DeliveryEvent::Cancelled(end) => cancelled(db, event, end),
        // The mail's own event says it.
        DeliveryEvent::Succeeded(_) | DeliveryEvent::Deferred(_) | DeliveryEvent::DeadLettered(_) => Ok(()),
    }
}

fn received(db: &Connection, event: &Recorded, mail: &MailReceived) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO mails (position, email_id, size, received_at, arrived_at, stage, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'received', ?4) ON CONFLICT DO NOTHING",
    )?
    .execute((
        integer(event.position),
        event.stream.key(),
        integer(mail.size),
        at(event),
        mail.arrived_at.map(millis),
    ))?;
    Ok(())
}

fn quarantined(db: &Connection, event: &Recorded, mail: &MailQuarantined) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO mails (position, email_id, size, received_at, stage, reason, updated_at)
         VALUES (?1, ?2, ?3, ?4, 'quarantined', ?5, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute((integer(event.position), event.stream.key(), integer(mail.size), at(event), &mail.why))?;
    Ok(())
}

fn ignored(db: &Connection, event: &Recorded, ignored: &MailIgnored) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'ignored', reason = ?2, detail = ?3, hold_until = NULL, updated_at = ?4
         WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), ignored.reason.as_str(), &ignored.detail, at(event)))?;
    Ok(())
}

fn skipped(db: &Connection, event: &Recorded, skipped: &MailSkipped) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'skipped', reason = ?2, detail = NULL, hold_until = NULL, detector = ?3,
             updated_at = ?4
         WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), skipped.reason.as_str(), &skipped.detector, at(event)))?;
    Ok(())
}

/// It waits for the worker that carries the release out.
fn released(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'held', reason = 'released', detail = NULL, hold_until = NULL, updated_at = ?2
         WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), at(event)))?;
    Ok(())
}

/// Two workers died of it: it waits for an operator.
fn set_aside(db: &Connection, event: &Recorded, aside: &MailSetAside) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'set_aside', reason = ?2, detail = ?3, updated_at = ?4 WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), &aside.why, &aside.queue, at(event)))?;
    Ok(())
}

/// It goes on where it stood.
fn resumed(db: &Connection, event: &Recorded, resumed: &MailResumed) -> rusqlite::Result<()> {
    let stage = if resumed.queue == Queue::Offload.as_str() { "routed" } else { "held" };
    db.prepare_cached(
        "UPDATE mails SET stage = ?2, reason = NULL, detail = NULL, updated_at = ?3 WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), stage, at(event)))?;
    Ok(())
}

fn held(db: &Connection, event: &Recorded, held: &MailHeld) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE mails SET stage = 'held', reason = ?2, detail = NULL, hold_until = ?3, updated_at = ?4 WHERE email_id = ?1",
    )?
    .execute((event.stream.key(), held.reason.as_str(), held.until.map(millis), at(event)))?;
    Ok(())
}

fn routed(db: &Connection, event: &Recorded, routed: &MailRouted) -> rusqlite::Result<()> {
    // Each target once and in an order that says nothing.
    let mut targets = known_targets(db, event.stream.key())?;
    targets.extend(routed.deliveries.iter().map(|delivery| delivery.target.clone()));
    let detection = routed.detection.as_ref();
    db.prepare_cached(
        "UPDATE mails SET stage = 'routed', reason = NULL, detail = NULL, hold_until = NULL, detector = ?2,
             delivery_time = ?3, urgent = ?4, links = ?5, deliveries_total = ?6, updated_at = ?7, targets = ?8
         WHERE email_id = ?1",
    )?
    .execute((
        event.stream.key(),
        detection.map(|found| &found.detector),
        detection.and_then(|found| found.delivery_time.as_ref()),
        detection.is_some_and(|found| found.urgent),
        count(&routed.links),
        count(&routed.deliveries),
        at(event),
        list(&targets.iter().cloned().collect::<Vec<_>>()),
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

/// The targets that a mail was routed to before: one that was set aside, taken for not wanted and then released
/// is routed again, and has deliveries to all of them.
fn known_targets(db: &Connection, email_id: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut known = db.prepare_cached("SELECT targets FROM mails WHERE email_id = ?1 AND targets <> '[]'")?;
    let known: Option<String> = known.query_row([email_id], |row| row.get(0)).optional()?;
    // It is this table's own text.
    Ok(known.and_then(|known| serde_json::from_str(&known).ok()).unwrap_or_default())
}

fn settled(db: &Connection, event: &Recorded, settled: &MailSettled) -> rusqlite::Result<()> {
    let sql = match settled.end {
        DeliveryEnd::Delivered => {
            "UPDATE mails SET delivered = delivered + 1, updated_at = ?2 WHERE email_id = ?1"
        }
        DeliveryEnd::DeadLettered => {
            "UPDATE mails SET dead_lettered = dead_lettered + 1, updated_at = ?2 WHERE email_id = ?1"
        }
        // The delivery's own event says whether it was a dead letter.
        DeliveryEnd::Cancelled => return Ok(()),
    };
    db.prepare_cached(sql)?.execute((event.stream.key(), at(event)))?;
    Ok(())
}

/// A dead letter that is to be sent again is none any more.
fn requeued(db: &Connection, event: &Recorded, requeued: &Requeued) -> rusqlite::Result<()> {
    if requeued.again {
        return Ok(());
    }
    db.prepare_cached(
        "UPDATE mails SET dead_lettered = MAX(dead_lettered - 1, 0), updated_at = ?2 WHERE email_id = ?1",
    )?
    .execute((&requeued.email_id, at(event)))?;
    Ok(())
}

/// What was given up and is cancelled is no dead letter any more.
fn cancelled(db: &Connection, event: &Recorded, cancelled: &Cancelled) -> rusqlite::Result<()> {
    if cancelled.again {
        return Ok(());
    }
    db.prepare_cached(
        "UPDATE mails SET cancelled = cancelled + 1, dead_lettered = MAX(dead_lettered - ?3, 0), updated_at = ?2
         WHERE email_id = ?1",
    )?
    .execute((&cancelled.email_id, at(event), cancelled.was_dead))?;
    Ok(())
}

fn archived(db: &Connection, archived: &Archived) -> rusqlite::Result<()> {
    hours::drop_before(db, archived.before)?;
    let Some(mails) = archived_keys(archived, "mail") else { return Ok(()) };
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
