//! `admitted`: which items of which mailbox are in the journal, so that none is fetched twice.

use rusqlite::Connection;

use super::{archived_keys, number, payload, text};
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;
use crate::mail::life::MailEvent;

/// See the module page.
#[derive(Debug, Clone, Copy)]
pub struct Admitted;

impl Projection for Admitted {
    fn name(&self) -> &'static str {
        "admitted"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["admitted"]
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
                 PRIMARY KEY (mailbox, validity, item)
             ) WITHOUT ROWID;
             CREATE INDEX admitted_uid ON admitted (mailbox, validity, uid);",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        if event.kind == "journal.archived" {
            let Some(mails) = archived_keys(event, "mail") else { return Ok(()) };
            db.prepare_cached("DELETE FROM admitted WHERE email_id IN (SELECT value FROM json_each(?1))")?
                .execute([mails])?;
            return Ok(());
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
        db.prepare_cached(
            "INSERT INTO admitted (mailbox, validity, item, uid, email_id) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute((mailbox, validity, item, uid, event.stream.key()))?;
        Ok(())
    }
}
