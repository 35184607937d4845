//! `links`: every copy of a linked file that was made, so that none is made twice while it
//! lies there, and the list of copied files can be written.

use rusqlite::Connection;

use super::{integer, payload, text};
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
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["links"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // `at` is in microseconds, as precise as the list of copied files. `event_id` tells
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
                 at                INTEGER NOT NULL
             );
             CREATE INDEX links_source ON links (source_url, provider, position);",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        if event.kind != "link.offloaded" {
            return Ok(());
        }
        let Some(payload) = payload::<MailEvent>(event) else { return Ok(()) };
        // A copy that is used again gets no younger by that.
        if text(&payload, "reused_from").is_some() {
            return Ok(());
        }
        let (Some(source_url), Some(r2_url)) = (text(&payload, "source_url"), text(&payload, "r2_url"))
        else {
            return Ok(());
        };
        db.prepare_cached(
            "INSERT INTO links (position, event_id, email_id, source_url, r2_url, provider, original_filename, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
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
        ))?;
        Ok(())
    }
}
