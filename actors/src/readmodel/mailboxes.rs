//! `mailboxes`: one row per mailbox that was ever opened.

use rusqlite::Connection;

use super::{count, integer, millis, typed};
use crate::kernel::projection::{FedEvent, Projection};
use crate::poller::state::MailboxEvent;
use crate::registry::TypedEvent;

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

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        let Some(TypedEvent::Mailbox(mailbox)) = typed(event) else { return Ok(()) };
        match mailbox {
            MailboxEvent::Opened(opened) => {
                first_seen(db, &opened.mailbox)?;
                db.prepare_cached(
                    "UPDATE mailboxes SET validity = ?2, cursor = ?3, since = ?4 WHERE mailbox = ?1",
                )?
                .execute((
                    &opened.mailbox,
                    integer(opened.validity),
                    integer(opened.cursor),
                    millis(opened.since),
                ))?;
            }
            // The old cursor means nothing under the new numbering.
            MailboxEvent::Reset(reset) => {
                first_seen(db, &reset.mailbox)?;
                db.prepare_cached(
                    "UPDATE mailboxes SET validity = ?2, cursor = 0, resets = resets + 1 WHERE mailbox = ?1",
                )?
                .execute((&reset.mailbox, integer(reset.after)))?;
            }
            MailboxEvent::Flagged(flagged) => {
                first_seen(db, &flagged.mailbox)?;
                db.prepare_cached("UPDATE mailboxes SET flagged = flagged + ?2 WHERE mailbox = ?1")?
                    .execute((&flagged.mailbox, count(&flagged.items)))?;
            }
            MailboxEvent::Suspected(_) | MailboxEvent::Cleared(_) => {}
        }
        Ok(())
    }
}

fn first_seen(db: &Connection, mailbox: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO mailboxes (mailbox) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([mailbox])?;
    Ok(())
}
