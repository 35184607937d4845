//! Further copies of mails.

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde::Serialize;

use super::{count, limit, time_or_epoch};
use crate::mail::life::Location;

/// A further copy of a mail: nothing was sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DuplicateRow {
    /// What it can be released by ([`crate::mail::life::copy_id`]).
    pub id: String,
    /// `duplicate`.
    pub stage: &'static str,
    /// The mail that it is a copy of.
    pub email_id: String,
    /// Where it was found.
    pub location: Location,
    /// When it was found.
    pub seen_at: DateTime<Utc>,
}

/// Further copies of mails, newest first, at most `max`.
///
/// # Errors
/// What SQLite says.
pub fn duplicates(db: &Connection, max: usize) -> rusqlite::Result<Vec<DuplicateRow>> {
    db.prepare_cached(
        "SELECT a.* FROM admitted a WHERE a.copy = 1 ORDER BY a.at DESC, a.mailbox, a.validity, a.uid DESC, a.item LIMIT ?1",
    )?
    .query_map([limit(max)], |row| {
        let location = Location {
            mailbox: row.get("mailbox")?,
            validity: count(row, "validity")?,
            item: row.get("item")?,
        };
        let email_id: String = row.get("email_id")?;
        Ok(DuplicateRow {
            id: crate::mail::life::copy_id(&email_id, &location),
            stage: "duplicate",
            email_id,
            location,
            seen_at: time_or_epoch(row, "at")?,
        })
    })?
    .collect()
}
