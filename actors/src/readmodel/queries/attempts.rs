//! What was tried to send.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::{count, limit, time_or_epoch};

/// A row of `attempts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// Position of its event.
    pub position: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// The mail.
    pub email_id: String,
    /// Id of the target; `None` = nothing was sent, since the mail has no link.
    pub target: Option<String>,
    /// Version of the event in its stream, by which the answer is kept.
    pub version: u64,
    /// From 1; 0 = nothing was sent.
    pub attempt: u64,
    /// Masked address.
    pub url: Option<String>,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong; `None` = it was delivered.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
}

impl AttemptRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let status: Option<i64> = row.get("status")?;
        let took_ms: Option<i64> = row.get("took_ms")?;
        let target: String = row.get("target")?;
        Ok(Self {
            position: count(row, "position")?,
            at: time_or_epoch(row, "at_ms")?,
            email_id: row.get("email_id")?,
            target: Some(target).filter(|target| !target.is_empty()),
            version: count(row, "version")?,
            attempt: count(row, "attempt")?,
            url: row.get("url")?,
            status: status.and_then(|status| u16::try_from(status).ok()),
            error: row.get("error")?,
            took_ms: took_ms.map(|took| took.max(0).unsigned_abs()),
        })
    }
}

/// The last attempts since an instant, newest first. A month is kept.
///
/// # Errors
/// What SQLite says.
pub fn attempts(db: &Connection, since: DateTime<Utc>, max: usize) -> rusqlite::Result<Vec<AttemptRow>> {
    db.prepare_cached("SELECT * FROM attempts WHERE at_ms >= ?1 ORDER BY position DESC LIMIT ?2")?
        .query_map((since.timestamp_millis(), limit(max)), AttemptRow::read)?
        .collect()
}
