//! Deliveries.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params_from_iter};
use serde::{Deserialize, Serialize};

use super::conditions::SqlConditions;
use super::mails::Matches;
use super::{count, limit, time, time_or_epoch};
use crate::readmodel::integer;

/// What [`DeliveryRow::read`] reads, in its order.
pub(super) const DELIVERY: &str =
    "email_id, target, state, attempts, last_status, last_error, next_at, routed_at,
    first_attempt_at, last_attempt_at, ended_at, url";

/// A row of `deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// `waiting`, `retrying`, `held_rate`, `held_window`, `delivered`, `dead_lettered`, `cancelled`.
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
    /// When it was tried last.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// When it was delivered, given up or cancelled.
    pub ended_at: Option<DateTime<Utc>>,
    /// Masked address of the last attempt.
    pub url: Option<String>,
}

impl DeliveryRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let status: Option<i64> = row.get(4)?;
        Ok(Self {
            email_id: row.get(0)?,
            target: row.get(1)?,
            state: row.get(2)?,
            attempts: count(row, 3)?,
            last_status: status.and_then(|status| u16::try_from(status).ok()),
            last_error: row.get(5)?,
            next_at: time(row, 6)?,
            routed_at: time_or_epoch(row, 7)?,
            first_attempt_at: time(row, 8)?,
            last_attempt_at: time(row, 9)?,
            ended_at: time(row, 10)?,
            url: row.get(11)?,
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

/// Deliveries that are not done, oldest first; with a state that is an end, those, newest first.
///
/// # Errors
/// What SQLite says.
pub fn deliveries(db: &Connection, filter: &DeliveryFilter) -> rusqlite::Result<Vec<DeliveryRow>> {
    // Two statements, so that the open ones are found through their partial index.
    let which = if matches!(filter.state.as_deref(), Some("delivered" | "cancelled")) {
        "state = :state AND (:target IS NULL OR target = :target)
         ORDER BY ended_at DESC, email_id, target LIMIT :limit"
    } else {
        "state NOT IN ('delivered', 'cancelled')
           AND (:state IS NULL OR state = :state) AND (:target IS NULL OR target = :target)
         ORDER BY routed_at, email_id, target LIMIT :limit"
    };
    db.prepare_cached(&format!("SELECT {DELIVERY} FROM deliveries WHERE {which}"))?
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
    db.prepare_cached("SELECT state, SUM(n) AS n FROM deliveries_tally GROUP BY state ORDER BY state IN ('delivered', 'cancelled'), state")?
        .query_map([], |row| Ok((row.get("state")?, count(row, "n")?)))?
        .collect()
}

/// The delivery that is still to be made and was decided first; dead letters do not count.
///
/// # Errors
/// What SQLite says.
pub fn oldest_open_delivery(db: &Connection) -> rusqlite::Result<Option<DeliveryRow>> {
    db.prepare_cached(&format!(
        "SELECT {DELIVERY} FROM deliveries
         WHERE state NOT IN ('delivered', 'cancelled') AND state IN ('waiting', 'retrying', 'held_rate', 'held_window')
         ORDER BY routed_at, email_id, target LIMIT 1"
    ))?
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

/// One delivery.
///
/// # Errors
/// What SQLite says.
pub fn delivery(db: &Connection, email_id: &str, target: &str) -> rusqlite::Result<Option<DeliveryRow>> {
    db.prepare_cached(&format!("SELECT {DELIVERY} FROM deliveries WHERE email_id = ?1 AND target = ?2"))?
        .query_row((email_id, target), DeliveryRow::read)
        .optional()
}

/// The deliveries of a page of mails, by mail and target: how each stands with each of its targets.
///
/// # Errors
/// What SQLite says.
pub fn deliveries_of(db: &Connection, email_ids: &[String]) -> rusqlite::Result<Vec<DeliveryRow>> {
    let list = serde_json::Value::from(email_ids.to_vec()).to_string();
    db.prepare_cached(&format!(
        "SELECT {DELIVERY} FROM deliveries
         WHERE email_id IN (SELECT value FROM json_each(?1)) ORDER BY email_id, target"
    ))?
    .query_map([list], DeliveryRow::read)?
    .collect()
}

/// A place in the list of deliveries, for the page that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryPlace {
    /// Milliseconds since 1970 of when it was decided.
    pub routed_at: i64,
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
}

impl DeliveryPlace {
    /// That of a row.
    #[must_use]
    pub fn of(row: &DeliveryRow) -> Self {
        Self {
            routed_at: row.routed_at.timestamp_millis(),
            email_id: row.email_id.clone(),
            target: row.target.clone(),
        }
    }
}

/// A choice of deliveries: to be listed, counted or acted upon. Unset fields do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliverySelection {
    /// Any of these states; empty = any.
    pub states: Vec<String>,
    /// Id of the target.
    pub target: Option<String>,
    /// The mail.
    pub email_id: Option<String>,
    /// HTTP status of the last attempt.
    pub last_status: Option<u16>,
    /// A part of what went wrong last, upper and lower case alike where they are ASCII.
    pub error: Option<String>,
    /// Decided then or later.
    pub since: Option<DateTime<Utc>>,
    /// Decided before.
    pub until: Option<DateTime<Utc>>,
}

/// States of deliveries that are over.
const OVER: [&str; 2] = ["delivered", "cancelled"];

impl DeliverySelection {
    fn conditions(&self) -> SqlConditions {
        let mut conditions = SqlConditions::default();
        if !self.states.is_empty() && !self.states.iter().any(|state| OVER.contains(&state.as_str())) {
            // The words of the partial index, so that it can be used.
            conditions.sql("state NOT IN ('delivered', 'cancelled')");
        }
        conditions.any_of("state", &self.states);
        conditions.is("target", self.target.as_deref());
        conditions.is("email_id", self.email_id.as_deref());
        if let Some(status) = self.last_status {
            conditions.with("last_status = ?", i64::from(status).into());
        }
        if let Some(error) = &self.error {
            conditions.with("instr(lower(last_error), lower(?)) > 0", error.clone().into());
        }
        if let Some(since) = self.since {
            conditions.with("routed_at >= ?", since.timestamp_millis().into());
        }
        if let Some(until) = self.until {
            conditions.with("routed_at < ?", until.timestamp_millis().into());
        }
        conditions
    }
}

/// Deliveries of a selection, latest decided first, after a place. Those that are over have no index
/// of their own: a page of them reads the table once.
///
/// # Errors
/// What SQLite says.
pub fn select_deliveries(
    db: &Connection,
    selection: &DeliverySelection,
    after: Option<&DeliveryPlace>,
    max: usize,
) -> rusqlite::Result<Vec<DeliveryRow>> {
    let (conditions, mut values) = selection.conditions().end();
    let place = match after {
        Some(place) => {
            values.push(place.routed_at.into());
            values.push(place.routed_at.into());
            values.push(place.email_id.clone().into());
            values.push(place.target.clone().into());
            "(routed_at < ? OR (routed_at = ? AND (email_id, target) > (?, ?)))"
        }
        None => "TRUE",
    };
    values.push(limit(max).into());
    let sql = format!(
        "SELECT {DELIVERY} FROM deliveries
         WHERE {conditions} AND {place} ORDER BY routed_at DESC, email_id, target LIMIT ?"
    );
    db.prepare_cached(&sql)?.query_map(params_from_iter(values), DeliveryRow::read)?.collect()
}

/// How many deliveries a selection has, counted up to `most`.
///
/// # Errors
/// What SQLite says.
pub fn count_selection(
    db: &Connection,
    selection: &DeliverySelection,
    most: u64,
) -> rusqlite::Result<Matches> {
    let (conditions, mut values) = selection.conditions().end();
    values.push(integer(most.saturating_add(1)).into());
    let sql = format!("SELECT COUNT(*) AS n FROM (SELECT 1 FROM deliveries WHERE {conditions} LIMIT ?)");
    let found = db.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| count(row, "n"))?;
    Ok(Matches::of(found, most))
}

/// How many deliveries of a target there are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetCount {
    /// Id of the target.
    pub target: String,
    /// The state.
    pub state: String,
    /// How many.
    pub n: u64,
}

/// Counts by target and state.
///
/// # Errors
/// What SQLite says.
pub fn count_by_target(db: &Connection) -> rusqlite::Result<Vec<TargetCount>> {
    db.prepare_cached("SELECT target, state, n FROM deliveries_tally ORDER BY target, state")?
        .query_map([], |row| {
            Ok(TargetCount { target: row.get("target")?, state: row.get("state")?, n: count(row, "n")? })
        })?
        .collect()
}
