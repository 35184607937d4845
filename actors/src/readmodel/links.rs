//! `links`: every copy of a linked file that was made, so that none is made twice while it
//! lies there, and the list of copied files can be written. `mail_links`: what became of each link
//! of a mail.
//!
//! A copy leaves with the mail it was made for: its event is not in the log any more, so a
//! table that is built anew could not know it. That is a month at the earliest, when a copy
//! that is not kept for ever is long deleted; one that is kept for ever is made once more.

use rusqlite::Connection;

use super::{archived_keys, at, integer, millis, typed};
use crate::archive::state::{ArchiveEvent, Archived};
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::mail::life::{LinkKept, LinkOffloaded, MailEvent};
use crate::registry::TypedEvent;

/// Keeps `links`.
#[derive(Debug, Clone, Copy)]
pub struct LinksProjection;

impl Projection for LinksProjection {
    fn name(&self) -> &'static str {
        "links"
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [&'static str] {
        &["links", "mail_links"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // `at` is in microseconds, as precise as the list of copied files; `expires_at` in
        // milliseconds. `event_id` tells
        // one log from another when their positions are compared.
        db.execute_batch(
            "CREATE TABLE links (
                 position          INTEGER PRIMARY KEY,
                 event_id          TEXT NOT NULL,
                 email_id          TEXT NOT NULL,
                 source_url        TEXT NOT NULL,
                 r2_url            TEXT NOT NULL,
                 provider          TEXT NOT NULL,
                 original_filename TEXT,
                 at                INTEGER NOT NULL,
                 expires_at        INTEGER
             );
             CREATE INDEX links_source ON links (source_url, provider, position);
             CREATE INDEX links_mail ON links (email_id);
             CREATE TABLE mail_links (
                 email_id    TEXT NOT NULL,
                 position    INTEGER NOT NULL,
                 at_ms       INTEGER NOT NULL,
                 raw_url     TEXT NOT NULL,
                 r2_url      TEXT,
                 provider    TEXT,
                 filename    TEXT,
                 reused_from TEXT,
                 why         TEXT,
                 PRIMARY KEY (email_id, position)
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Mail(MailEvent::LinkOffloaded(link))) => {
                has_copy(db, event, link)?;
                // A copy that is used again gets no younger by that.
                if link.reused_from.is_none() { copied(db, event, link) } else { Ok(()) }
            }
            Some(TypedEvent::Mail(MailEvent::LinkKept(link))) => has_none(db, event, link),
            Some(TypedEvent::Archive(ArchiveEvent::Archived(what))) => archived(db, what),
            _ => Ok(()),
        }
    }
}

fn has_copy(db: &Connection, event: &Recorded, link: &LinkOffloaded) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO mail_links (email_id, position, at_ms, raw_url, r2_url, provider, filename, reused_from)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?
    .execute((
        event.stream.key(),
        integer(event.position),
        at(event),
        &link.raw_url,
        &link.r2_url,
        &link.provider,
        &link.original_filename,
        &link.reused_from,
    ))?;
    Ok(())
}

fn has_none(db: &Connection, event: &Recorded, link: &LinkKept) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO mail_links (email_id, position, at_ms, raw_url, why) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?
    .execute((event.stream.key(), integer(event.position), at(event), &link.raw_url, &link.why))?;
    Ok(())
}

fn copied(db: &Connection, event: &Recorded, link: &LinkOffloaded) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO links (position, event_id, email_id, source_url, r2_url, provider, original_filename, at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
    )?
    .execute((
        integer(event.position),
        event.id.simple().to_string(),
        event.stream.key(),
        &link.source_url,
        &link.r2_url,
        &link.provider,
        &link.original_filename,
        event.at.timestamp_micros(),
        link.expires_at.map(millis),
    ))?;
    Ok(())
}

fn archived(db: &Connection, archived: &Archived) -> rusqlite::Result<()> {
    let Some(mails) = archived_keys(archived, "mail") else { return Ok(()) };
    db.prepare_cached("DELETE FROM links WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([&mails])?;
    db.prepare_cached("DELETE FROM mail_links WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([&mails])?;
    Ok(())
}
