//! `admitted`: which items of which mailbox are in the journal, so that none is fetched twice.
//! Those of archived mails stay known: UIDs as few ranges (`archived_uids`), other names as rows
//! without a mail. Further copies of a mail are marked as such.

use rusqlite::Connection;

use super::{archived_keys, at, integer, typed};
use crate::archive::items::Items;
use crate::archive::state::{ArchiveEvent, Archived};
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::mail::life::{Location, MailEvent};
use crate::registry::TypedEvent;

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

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Mail(mail)) => {
                let Some(location) = mail.location() else { return Ok(()) };
                admitted(db, event, location, matches!(mail, MailEvent::Duplicated(_)))
            }
            Some(TypedEvent::Archive(ArchiveEvent::Archived(what))) => archived(db, what),
            _ => Ok(()),
        }
    }
}

fn admitted(db: &Connection, event: &Recorded, location: &Location, is_copy: bool) -> rusqlite::Result<()> {
    let Location { mailbox, validity, item } = location;
    let uid: i64 = item.parse().unwrap_or(0);
    db.prepare_cached(
        "INSERT INTO admitted (mailbox, validity, item, uid, email_id, at, copy)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?
    .execute((mailbox, integer(*validity), item, uid, event.stream.key(), at(event), is_copy))?;
    Ok(())
}

fn archived(db: &Connection, archived: &Archived) -> rusqlite::Result<()> {
    let Some(mails) = archived_keys(archived, "mail") else { return Ok(()) };
    db.prepare_cached("DELETE FROM admitted WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([mails])?;
    for Items { mailbox, validity, uids, names } in &archived.items {
        for (first, last) in uids {
            keep_uids(db, mailbox, integer(*validity), (*first).into(), (*last).into())?;
        }
        for name in names {
            db.prepare_cached(
                "INSERT INTO admitted (mailbox, validity, item, uid, email_id, at) VALUES (?1, ?2, ?3, 0, '', 0)
                 ON CONFLICT DO NOTHING",
            )?
            .execute((mailbox, integer(*validity), name))?;
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
