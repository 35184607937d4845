//! `links`: every copy of a linked file that was made, so that none is made twice while it
//! lies there, and the list of copied files can be written.
//!
//! A copy leaves with the mail it was made for: its event is not in the log any more, so a
//! table that is built anew could not know it. That is a month at the earliest, when a copy
//! that is not kept for ever is long deleted; one that is kept for ever is made once more.

use rusqlite::Connection;

use super::{archived_keys, instant, integer, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::mail::life::MailEvent;

/// See the module page.
#[derive(Debug, Clone, Copy)]
pub struct Links;

impl Projection for Links {
    fn name(&self) -> &'static str {
        "links"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static str] {
        &["links"]
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
             CREATE INDEX links_mail ON links (email_id);",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        match event.kind.as_str() {
            "link.offloaded" => offloaded(db, event),
            "journal.archived" => archived(db, event),
            _ => Ok(()),
        }
    }
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
        .execute([mails])?;
    Ok(())
}
