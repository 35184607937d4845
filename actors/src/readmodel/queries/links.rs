//! Copies of linked files.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;

use super::{count, limit, time};
use crate::readmodel::integer;

/// A row of `links`: a copy that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkRow {
    /// Position of its event.
    pub position: u64,
    /// Id of its event.
    #[serde(skip)]
    pub event_id: String,
    /// The mail it was made for.
    pub email_id: String,
    /// The link, normalised.
    pub source_url: String,
    /// Where the copy lies.
    pub r2_url: String,
    /// File service.
    pub provider: String,
    /// The file's own name.
    pub original_filename: Option<String>,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// When it may be deleted at the earliest, where that is known.
    pub expires_at: Option<DateTime<Utc>>,
}

impl LinkRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: count(row, "position")?,
            event_id: row.get("event_id")?,
            email_id: row.get("email_id")?,
            source_url: row.get("source_url")?,
            r2_url: row.get("r2_url")?,
            provider: row.get("provider")?,
            original_filename: row.get("original_filename")?,
            at: DateTime::from_timestamp_micros(row.get("at")?).unwrap_or_default(),
            expires_at: time(row, "expires_at")?,
        })
    }
}

/// The latest copy of a normalised link.
///
/// # Errors
/// What SQLite says.
pub fn copy_of(db: &Connection, source_url: &str, provider: &str) -> rusqlite::Result<Option<LinkRow>> {
    db.prepare_cached(
        "SELECT * FROM links WHERE source_url = ?1 AND provider = ?2 ORDER BY position DESC LIMIT 1",
    )?
    .query_row((source_url, provider), LinkRow::read)
    .optional()
}

/// The latest `n` different copies (by source, address and provider) that were made above a
/// position, oldest first.
///
/// # Errors
/// What SQLite says.
pub fn copies_after(db: &Connection, position: u64, n: usize) -> rusqlite::Result<Vec<LinkRow>> {
    // Of a group, SQLite gives the row with the maximum.
    let mut rows: Vec<LinkRow> = db
        .prepare_cached(
            "SELECT MAX(position), * FROM links WHERE position > ?1
             GROUP BY source_url, r2_url, provider ORDER BY position DESC LIMIT ?2",
        )?
        .query_map((integer(position), limit(n)), LinkRow::read)?
        .collect::<rusqlite::Result<_>>()?;
    rows.reverse();
    Ok(rows)
}

/// The latest `n` copies that were made below a position, newest first.
///
/// # Errors
/// What SQLite says.
pub fn copies_before(db: &Connection, position: u64, n: usize) -> rusqlite::Result<Vec<LinkRow>> {
    db.prepare_cached("SELECT * FROM links WHERE position < ?1 ORDER BY position DESC LIMIT ?2")?
        .query_map((integer(position), limit(n)), LinkRow::read)?
        .collect()
}

/// The event id of the copy at a position, if there is one.
///
/// # Errors
/// What SQLite says.
pub fn copy_at(db: &Connection, position: u64) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT event_id FROM links WHERE position = ?1")?
        .query_row([integer(position)], |row| row.get(0))
        .optional()
}

/// What became of a link of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailLink {
    /// When.
    pub at: DateTime<Utc>,
    /// As found in the mail.
    pub raw_url: String,
    /// Where its copy lies, if there is one.
    pub r2_url: Option<String>,
    /// File service, of a copy.
    pub provider: Option<String>,
    /// The file's own name, of a copy.
    pub filename: Option<String>,
    /// The copy was there already: made for this mail.
    pub reused_from: Option<String>,
    /// Why there is no copy.
    pub why: Option<String>,
}

/// What became of the links of a mail, in order.
///
/// # Errors
/// What SQLite says.
pub fn links_of(db: &Connection, email_id: &str) -> rusqlite::Result<Vec<MailLink>> {
    db.prepare_cached("SELECT * FROM mail_links WHERE email_id = ?1 ORDER BY position")?
        .query_map([email_id], |row| {
            Ok(MailLink {
                at: super::time_or_epoch(row, "at_ms")?,
                raw_url: row.get("raw_url")?,
                r2_url: row.get("r2_url")?,
                provider: row.get("provider")?,
                filename: row.get("filename")?,
                reused_from: row.get("reused_from")?,
                why: row.get("why")?,
            })
        })?
        .collect()
}
