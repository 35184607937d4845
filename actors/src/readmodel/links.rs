//! `links`: every copy of a linked file that was made, so that none is made twice while it
//! lies there, and the list of copied files can be written. `mail_links`: what became of each link
//! of a mail.
//!
//! A copy leaves with the mail it was made for: its event is not in the log any more, so a
//! table that is built anew could not know it. That is a month at the earliest, when a copy
//! that is not kept for ever is long deleted; one that is kept for ever is made once more.

use rusqlite::Connection;

use super::{archived_keys, at, instant, integer, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::mail::life::MailEvent;

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

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        match event.kind.as_str() {
            "link.offloaded" => became(db, event).and_then(|()| offloaded(db, event)),
            "link.kept" => became(db, event),
            "journal.archived" => archived(db, event),
            _ => Ok(()),
        }
    }
}

/// What became of a link of a mail: a copy, or the reason why there is none.
fn became(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<MailEvent>(event) else { return Ok(()) };
    let Some(raw_url) = text(&payload, "raw_url") else { return Ok(()) };
    db.prepare_cached(
        "INSERT INTO mail_links (email_id, position, at_ms, raw_url, r2_url, provider, filename, reused_from, why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
    )?
    .execute((
        event.stream.key(),
        integer(event.position),
        at(event),
        raw_url,
        text(&payload, "r2_url"),
        text(&payload, "provider"),
        text(&payload, "original_filename"),
        text(&payload, "reused_from"),
        text(&payload, "why"),
    ))?;
    Ok(())
}

fn offloaded(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(payload) = payload::<MailEvent>(event) else { return Ok(()) };
    // A copy that is used again gets no younger by that.
    if text(&payload, "reused_from").is_some() {
        return Ok(());
    }
    let (Some(source_url), Some(r2_url)) = (text(&payload, "source_url"), text(&payload, "r2_url")) else {
        return Ok(());
    };
    db.prepare_cached(
            "INSERT INTO links (position, event_id, email_id, source_url, r2_url, provider, original_filename, at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?
        .execute((
            integer(event.position),
            event.id.simple().to_string(),
            event.stream.key(),
            source_url,
            r2_url,
            text(&payload, "provider").unwrap_or_default(),
            text(&payload, "original_filename"),
            event.at.timestamp_micros(),
            instant(&payload, "expires_at"),
        ))?;
    Ok(())
}

fn archived(db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
    let Some(mails) = archived_keys(event, "mail") else { return Ok(()) };
    db.prepare_cached("DELETE FROM links WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([&mails])?;
    db.prepare_cached("DELETE FROM mail_links WHERE email_id IN (SELECT value FROM json_each(?1))")?
        .execute([&mails])?;
    Ok(())
}
