//! `mailboxes`: one row per mailbox that was ever opened.

use rusqlite::Connection;

use super::{instant, length, number, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::poller::state::MailboxEvent;

/// Keeps `mailboxes`.
#[derive(Debug, Clone, Copy)]
pub struct MailboxesProjection;

impl Projection for MailboxesProjection {
    fn name(&self) -> &'static str {
        "mailboxes"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["mailboxes"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(
            "CREATE TABLE mailboxes (
                 mailbox  TEXT PRIMARY KEY,
                 validity INTEGER NOT NULL DEFAULT 0,
                 cursor   INTEGER NOT NULL DEFAULT 0,
                 since    INTEGER,
                 resets   INTEGER NOT NULL DEFAULT 0,
                 flagged  INTEGER NOT NULL DEFAULT 0
             ) WITHOUT ROWID;",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        if !matches!(event.kind.as_str(), "mailbox.opened" | "mailbox.reset" | "mailbox.flagged") {
            return Ok(());
        }
        let Some(payload) = payload::<MailboxEvent>(event) else { return Ok(()) };
        let Some(mailbox) = text(&payload, "mailbox") else { return Ok(()) };
        db.prepare_cached("INSERT INTO mailboxes (mailbox) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([mailbox])?;
        match event.kind.as_str() {
            "mailbox.opened" => db
                .prepare_cached(
                    "UPDATE mailboxes SET validity = ?2, cursor = ?3, since = ?4 WHERE mailbox = ?1",
                )?
                .execute((
                    mailbox,
                    number(&payload, "validity").unwrap_or_default(),
                    number(&payload, "cursor").unwrap_or_default(),
                    instant(&payload, "since"),
                ))?,
            // The old cursor means nothing under the new numbering.
            "mailbox.reset" => db
                .prepare_cached(
                    "UPDATE mailboxes SET validity = ?2, cursor = 0, resets = resets + 1 WHERE mailbox = ?1",
                )?
                .execute((mailbox, number(&payload, "after").unwrap_or_default()))?,
            _ => db
                .prepare_cached("UPDATE mailboxes SET flagged = flagged + ?2 WHERE mailbox = ?1")?
                .execute((mailbox, length(&payload, "items")))?,
        };
        Ok(())
    }
}
