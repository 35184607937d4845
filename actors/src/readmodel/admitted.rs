//! `admitted`: which items of which mailbox are in the journal, so that none is fetched twice.
//! Those of archived mails stay known: UIDs as few ranges (`archived_uids`), other names as rows
//! without a mail. Further copies of a mail are marked as such.

use rusqlite::Connection;
use serde_json::Value;

use super::{archived_keys, at, number, payload, text};
use crate::archive::items::Items;
use crate::archive::state::ArchiveEvent;
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::mail::life::MailEvent;

/// Keeps `admitted`.
#[derive(Debug, Clone, Copy)]
pub struct AdmittedProjection;

impl Projection for AdmittedProjection {
    fn name(&self) -> &'static str {
        "admitted"
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [&'static str] {
        &["admitted", "archived_uids"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // `uid` is the item as a number (0 when it is none): the index gives the highest at once.
        db.execute_batch(
            "CREATE TABLE admitted (
                 mailbox  TEXT NOT NULL,
                 validity INTEGER NOT NULL,
                 item     TEXT NOT NULL,
                 uid      INTEGER NOT NULL,
                 email_id TEXT NOT NULL,
                 at       INTEGER NOT NULL,
                 copy     INTEGER NOT NULL DEFAULT 0,
                 PRIMARY KEY (mailbox, validity, item)
             ) WITHOUT ROWID;
             CREATE INDEX admitted_copies ON admitted (at) WHERE copy = 1;
             CREATE INDEX admitted_uid ON admitted (mailbox, validity, uid);
             CREATE TABLE archived_uids (
                 mailbox  TEXT NOT NULL,
                 validity INTEGER NOT NULL,
                 first    INTEGER NOT NULL,
                 last     INTEGER NOT NULL,
                 PRIMARY KEY (mailbox, validity, first)
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        if event.kind == "journal.archived" {
            return archived(db, event);
        }
        if !matches!(event.kind.as_str(), "mail.received" | "mail.duplicated" | "mail.quarantined") {
            return Ok(());
        }
        let Some(payload) = payload::<MailEvent>(event) else { return Ok(()) };
        let Some(location) = payload.get("location") else { return Ok(()) };
        let (Some(mailbox), Some(validity), Some(item)) =
            (text(location, "mailbox"), number(location, "validity"), text(location, "item"))
        else {
            return Ok(());
        };
        let uid: i64 = item.parse().unwrap_or(0);
        let is_copy = event.kind == "mail.duplicated";
        db.prepare_cached(
            "INSERT INTO admitted (mailbox, validity, item, uid, email_id, at, copy)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?
        .execute((mailbox, validity, item, uid, event.stream.key(), at(event), is_copy))?;
        Ok(())
    }
}

fn archived(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(mails) = archived_keys(event, "mail") else { return Ok(()) };
    db.prepare_cached("DELETE FROM admitted WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([mails])?;
    let Some(payload) = payload::<ArchiveEvent>(event) else { return Ok(()) };
    let items = payload.get("items").cloned().unwrap_or(Value::Array(Vec::new()));
    let Ok(items) = serde_json::from_value::<Vec<Items>>(items) else { return Ok(()) };
    for Items { mailbox, validity, uids, names } in items {
        let validity = i64::try_from(validity).unwrap_or(i64::MAX);
        for (first, last) in uids {
            keep_uids(db, &mailbox, validity, first.into(), last.into())?;
        }
        for name in names {
            db.prepare_cached(
                "INSERT INTO admitted (mailbox, validity, item, uid, email_id, at) VALUES (?1, ?2, ?3, 0, '', 0)
                 ON CONFLICT DO NOTHING",
            )?
            .execute((&mailbox, validity, name))?;
        }
    }
    Ok(())
}

/// Adds a range to the known ones, which then are still the fewest that cover what is known: the
/// table does not depend on the order in which mails are archived.
fn keep_uids(db: &Connection, mailbox: &str, validity: i64, first: i64, last: i64) -> rusqlite::Result<()> {
    let touching = "mailbox = ?1 AND validity = ?2 AND first <= ?4 + 1 AND last >= ?3 - 1";
    let (first, last): (i64, i64) = db
        .prepare_cached(&format!(
            "SELECT min(?3, coalesce(min(first), ?3)), max(?4, coalesce(max(last), ?4))
             FROM archived_uids WHERE {touching}"
        ))?
        .query_row((mailbox, validity, first, last), |row| Ok((row.get(0)?, row.get(1)?)))?;
    db.prepare_cached(&format!("DELETE FROM archived_uids WHERE {touching}"))?
        .execute((mailbox, validity, first, last))?;
    db.prepare_cached("INSERT INTO archived_uids (mailbox, validity, first, last) VALUES (?1, ?2, ?3, ?4)")?
        .execute((mailbox, validity, first, last))?;
    Ok(())
}
