//! Deliveries.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde::Serialize;

use super::{count, limit, time, time_or_epoch};

/// A row of `deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// `waiting`, `retrying`, `held_rate`, `held_window`, `delivered`, `dead_lettered`.
    pub state: String,
    /// Attempts made.
    pub attempts: u64,
    /// HTTP status of the last one, if there was an answer.
    pub last_status: Option<u16>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it is due again.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was decided.
    pub routed_at: DateTime<Utc>,
    /// When it was tried first.
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// When it was delivered or given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// Masked address of the last attempt.
    pub url: Option<String>,
}

impl DeliveryRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let status: Option<i64> = row.get("last_status")?;
        Ok(Self {
            email_id: row.get("email_id")?,
            target: row.get("target")?,
            state: row.get("state")?,
            attempts: count(row, "attempts")?,
            last_status: status.and_then(|status| u16::try_from(status).ok()),
            last_error: row.get("last_error")?,
            next_at: time(row, "next_at")?,
            routed_at: time_or_epoch(row, "routed_at")?,
            first_attempt_at: time(row, "first_attempt_at")?,
            ended_at: time(row, "ended_at")?,
            url: row.get("url")?,
        })
    }
}

/// Which deliveries to list. Unset fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// One of the states.
    pub state: Option<String>,
    /// Id of the target.
    pub target: Option<String>,
    /// At most this many.
    pub limit: usize,
}

impl Default for DeliveryFilter {
    fn default() -> Self {
        Self { state: None, target: None, limit: 100 }
    }
}

/// Deliveries that are not done, oldest first; with `state: delivered`, done ones, newest first.
///
/// # Errors
/// What SQLite says.
pub fn deliveries(db: &Connection, filter: &DeliveryFilter) -> rusqlite::Result<Vec<DeliveryRow>> {
    // Two statements, so that the open ones are found through their partial index.
    let sql = if filter.state.as_deref() == Some("delivered") {
        "SELECT * FROM deliveries WHERE state = :state AND (:target IS NULL OR target = :target)
         ORDER BY ended_at DESC, email_id, target LIMIT :limit"
    } else {
        "SELECT * FROM deliveries WHERE state <> 'delivered'
           AND (:state IS NULL OR state = :state) AND (:target IS NULL OR target = :target)
         ORDER BY routed_at, email_id, target LIMIT :limit"
    };
    db.prepare_cached(sql)?
        .query_map(
            named_params! {
                ":state": filter.state,
                ":target": filter.target,
                ":limit": limit(filter.limit),
            },
            DeliveryRow::read,
        )?
        .collect()
}

/// How many deliveries there are in each state.
///
/// # Errors
/// What SQLite says.
pub fn count_deliveries(db: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    // Counting the open ones reads their small index only; the done ones are the rest.
    let mut counts: Vec<(String, u64)> = db
        .prepare_cached(
            "SELECT state, COUNT(*) AS n FROM deliveries INDEXED BY deliveries_open
             WHERE state <> 'delivered' GROUP BY state ORDER BY state",
        )?
        .query_map([], |row| Ok((row.get("state")?, count(row, "n")?)))?
        .collect::<rusqlite::Result<_>>()?;
    let all =
        db.prepare_cached("SELECT COUNT(*) AS n FROM deliveries")?.query_row([], |row| count(row, "n"))?;
    let open: u64 = counts.iter().map(|(_, n)| n).sum();
    if all > open {
        counts.push(("delivered".to_owned(), all - open));
    }
    Ok(counts)
}

/// The delivery that is still to be made and was decided first; dead letters do not count.
///
/// # Errors
/// What SQLite says.
pub fn oldest_open_delivery(db: &Connection) -> rusqlite::Result<Option<DeliveryRow>> {
    db.prepare_cached(
        "SELECT * FROM deliveries
         WHERE state <> 'delivered' AND state IN ('waiting', 'retrying', 'held_rate', 'held_window')
         ORDER BY routed_at, email_id, target LIMIT 1",
    )?
    .query_row([], DeliveryRow::read)
    .optional()
}

/// First attempts since an instant, as `(target, when)`, oldest first: what counts against
/// the rate limit. Two hours are kept.
///
/// # Errors
/// What SQLite says.
pub fn sends_since(db: &Connection, since: DateTime<Utc>) -> rusqlite::Result<Vec<(String, DateTime<Utc>)>> {
    db.prepare_cached("SELECT target, at_ms FROM sends WHERE at_ms >= ?1 AND tried ORDER BY at_ms, target")?
        .query_map([since.timestamp_millis()], |row| Ok((row.get("target")?, time_or_epoch(row, "at_ms")?)))?
        .collect()
}
