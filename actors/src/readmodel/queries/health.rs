//! How deliveries fare, and what needs a person.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;

use super::{TargetRow, count, time};
use crate::readmodel::mails::BUCKETS;

/// How many webhooks were taken within how long after their mails came in: up to 1 s, 5 s, 30 s,
/// 2 min, 10 min, 1 h, and later.
pub type Latency = [u64; BUCKETS.len() + 1];

/// Attempts of a target within an hour, or over a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryHour {
    /// UTC, such as `2026-02-03T14`; `None` = over the whole time.
    pub hour: Option<String>,
    /// Id of the target.
    pub target: String,
    /// Attempts that went well.
    pub ok: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Of those that went well, how long after the mail came in. A notice has no mail.
    pub latency: Latency,
}

impl DeliveryHour {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut latency = Latency::default();
        for (column, bucket) in ["b0", "b1", "b2", "b3", "b4", "b5", "b6"].into_iter().zip(&mut latency) {
            *bucket = count(row, column)?;
        }
        Ok(Self {
            hour: row.get("hour")?,
            target: row.get("target")?,
            ok: count(row, "ok")?,
            failed: count(row, "failed")?,
            latency,
        })
    }
}

/// By hour and target, since the hour of `since`, in order.
///
/// # Errors
/// What SQLite says.
pub fn delivery_hours(db: &Connection, since: DateTime<Utc>) -> rusqlite::Result<Vec<DeliveryHour>> {
    db.prepare_cached("SELECT * FROM deliveries_hourly WHERE hour >= ?1 ORDER BY hour, target")?
        .query_map([hour(since)], DeliveryHour::read)?
        .collect()
}

/// By target, over the time since the hour of `since`.
///
/// # Errors
/// What SQLite says.
pub fn delivery_sums(db: &Connection, since: DateTime<Utc>) -> rusqlite::Result<Vec<DeliveryHour>> {
    db.prepare_cached(
        "SELECT NULL AS hour, target, SUM(ok) AS ok, SUM(failed) AS failed, SUM(b0) AS b0, SUM(b1) AS b1,
             SUM(b2) AS b2, SUM(b3) AS b3, SUM(b4) AS b4, SUM(b5) AS b5, SUM(b6) AS b6
         FROM deliveries_hourly WHERE hour >= ?1 GROUP BY target ORDER BY target",
    )?
    .query_map([hour(since)], DeliveryHour::read)?
    .collect()
}

fn hour(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H").to_string()
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastFailure {
    /// Id of the target.
    pub target: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What went wrong.
    pub why: Option<String>,
    /// Of which mail.
    pub email_id: Option<String>,
}

/// The last attempt that failed, of any target.
///
/// # Errors
/// What SQLite says.
pub fn last_failure(db: &Connection) -> rusqlite::Result<Option<LastFailure>> {
    db.prepare_cached(
        "SELECT * FROM targets WHERE last_failure_at IS NOT NULL ORDER BY last_failure_at DESC, id LIMIT 1",
    )?
    .query_row([], |row| {
        Ok(LastFailure {
            target: row.get("id")?,
            at: time(row, "last_failure_at")?.unwrap_or_default(),
            why: row.get("last_failure")?,
            email_id: row.get("last_failure_of")?,
        })
    })
    .optional()
}

/// Dead letters of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetters {
    /// Id of the target.
    pub target: String,
    /// How many.
    pub n: u64,
    /// When the first of them was given up.
    pub since: Option<DateTime<Utc>>,
}

/// What nothing happens to until somebody does something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NeedsPerson {
    /// Deliveries that were given up, by target.
    pub dead_letters: Vec<DeadLetters>,
    /// Mails that could not be read.
    pub quarantined: u64,
    /// Mails that workers ended over.
    pub set_aside: u64,
    /// Targets that answered 410: their deliveries wait.
    pub disabled_targets: Vec<TargetRow>,
}

impl NeedsPerson {
    /// Whether nothing needs anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What needs a person; every part of it is found by an index, or in a small table.
///
/// # Errors
/// What SQLite says.
pub fn needs_person(db: &Connection) -> rusqlite::Result<NeedsPerson> {
    let dead_letters = db
        .prepare_cached(
            "SELECT target, COUNT(*) AS n, MIN(ended_at) AS since FROM deliveries
             WHERE state NOT IN ('delivered', 'cancelled') AND state = 'dead_lettered'
             GROUP BY target ORDER BY target",
        )?
        .query_map([], |row| {
            Ok(DeadLetters { target: row.get("target")?, n: count(row, "n")?, since: time(row, "since")? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut waiting = db.prepare_cached(
        "SELECT COUNT(*) AS n FROM mails
         WHERE stage IN ('held', 'skipped', 'quarantined', 'set_aside') AND stage = ?1",
    )?;
    let mut of_stage = |stage: &str| waiting.query_row([stage], |row| count(row, "n"));
    let disabled_targets = db
        .prepare_cached("SELECT * FROM targets WHERE disabled ORDER BY id")?
        .query_map([], TargetRow::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(NeedsPerson {
        dead_letters,
        quarantined: of_stage("quarantined")?,
        set_aside: of_stage("set_aside")?,
        disabled_targets,
    })
}
