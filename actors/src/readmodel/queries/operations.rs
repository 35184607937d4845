//! Mailboxes, targets, workers, leases, documents, counts.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::{count, time, time_or_epoch};

/// A row of `mailboxes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailboxRow {
    /// Name.
    pub mailbox: String,
    /// UIDVALIDITY.
    pub validity: u64,
    /// Highest UID at first sight; 0 after a renumbering.
    pub cursor: u64,
    /// When it was first seen.
    pub since: Option<DateTime<Utc>>,
    /// How often the server renumbered it.
    pub resets: u64,
    /// Mails marked as read.
    pub flagged: u64,
}

/// Every mailbox that was ever opened.
///
/// # Errors
/// What SQLite says.
pub fn mailboxes(db: &Connection) -> rusqlite::Result<Vec<MailboxRow>> {
    db.prepare_cached("SELECT * FROM mailboxes ORDER BY mailbox")?
        .query_map([], |row| {
            Ok(MailboxRow {
                mailbox: row.get("mailbox")?,
                validity: count(row, "validity")?,
                cursor: count(row, "cursor")?,
                since: time(row, "since")?,
                resets: count(row, "resets")?,
                flagged: count(row, "flagged")?,
            })
        })?
        .collect()
}

/// A row of `targets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TargetRow {
    /// Id.
    pub id: String,
    /// It answered 410; its deliveries wait.
    pub disabled: bool,
    /// Why it is disabled.
    pub reason: Option<String>,
    /// SHA-256 of the address that was disabled.
    pub url_hash: Option<String>,
    /// `closed` or `open`.
    pub breaker: String,
    /// When an open breaker probes.
    pub breaker_until: Option<DateTime<Utc>>,
    /// Last attempt that went well.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Last attempt that failed.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// What went wrong then.
    pub last_failure: Option<String>,
    /// Of which mail.
    pub last_failure_of: Option<String>,
}

impl TargetRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            disabled: row.get("disabled")?,
            reason: row.get("reason")?,
            url_hash: row.get("url_hash")?,
            breaker: row.get("breaker")?,
            breaker_until: time(row, "breaker_until")?,
            last_success_at: time(row, "last_success_at")?,
            last_failure_at: time(row, "last_failure_at")?,
            last_failure: row.get("last_failure")?,
            last_failure_of: row.get("last_failure_of")?,
        })
    }
}

/// Every target that something ever happened to.
///
/// # Errors
/// What SQLite says.
pub fn targets(db: &Connection) -> rusqlite::Result<Vec<TargetRow>> {
    db.prepare_cached("SELECT * FROM targets ORDER BY id")?.query_map([], TargetRow::read)?.collect()
}

/// A row of `workers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerRow {
    /// `<host>/<pid>/<start id>`.
    pub worker: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it stopped in an orderly way.
    pub stopped_at: Option<DateTime<Utc>>,
    /// Why it stopped.
    pub stop_reason: Option<String>,
    /// Version of the program.
    pub version: String,
    /// Actors that were restarted.
    pub restarts: u64,
}

/// Every worker, latest first, at most `limit`.
///
/// # Errors
/// What SQLite says.
pub fn workers(db: &Connection, limit: usize) -> rusqlite::Result<Vec<WorkerRow>> {
    db.prepare_cached("SELECT * FROM workers ORDER BY started_at DESC, worker LIMIT ?1")?
        .query_map([super::limit(limit)], |row| {
            Ok(WorkerRow {
                worker: row.get("worker")?,
                started_at: time_or_epoch(row, "started_at")?,
                stopped_at: time(row, "stopped_at")?,
                stop_reason: row.get("stop_reason")?,
                version: row.get("version")?,
                restarts: count(row, "restarts")?,
            })
        })?
        .collect()
}

/// A row of `leases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseRow {
    /// Name, such as `poller`.
    pub name: String,
    /// Who holds it; `None` after a release.
    pub holder: Option<String>,
    /// Fence of the last grant.
    pub fence: u64,
    /// When it was last granted or released.
    pub since: DateTime<Utc>,
}

/// Every lease that was ever granted.
///
/// # Errors
/// What SQLite says.
pub fn leases(db: &Connection) -> rusqlite::Result<Vec<LeaseRow>> {
    db.prepare_cached("SELECT * FROM leases ORDER BY name")?
        .query_map([], |row| {
            Ok(LeaseRow {
                name: row.get("name")?,
                holder: row.get("holder")?,
                fence: count(row, "fence")?,
                since: time_or_epoch(row, "since")?,
            })
        })?
        .collect()
}

/// A row of `hourly`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HourRow {
    /// UTC, such as `2026-02-03T14`.
    pub hour: String,
    /// Kind of event.
    pub kind: String,
    /// How many.
    pub n: u64,
}

/// Counts per hour and kind, since the hour of `since`, in order.
///
/// # Errors
/// What SQLite says.
pub fn hours(db: &Connection, since: DateTime<Utc>) -> rusqlite::Result<Vec<HourRow>> {
    db.prepare_cached("SELECT * FROM hourly WHERE hour >= ?1 ORDER BY hour, kind")?
        .query_map([since.format("%Y-%m-%dT%H").to_string()], |row| {
            Ok(HourRow { hour: row.get("hour")?, kind: row.get("kind")?, n: count(row, "n")? })
        })?
        .collect()
}

/// A row of `configs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigRow {
    /// Key of the document.
    pub key: String,
    /// SHA-256 of its canonical JSON; empty when it was removed.
    pub hash: String,
    /// Version of its stream.
    pub version: u64,
    /// When it changed last.
    pub changed_at: DateTime<Utc>,
    /// Who changed it.
    pub origin: String,
}

/// Every document that was ever seen.
///
/// # Errors
/// What SQLite says.
pub fn configs(db: &Connection) -> rusqlite::Result<Vec<ConfigRow>> {
    db.prepare_cached("SELECT * FROM configs ORDER BY key")?
        .query_map([], |row| {
            Ok(ConfigRow {
                key: row.get("key")?,
                hash: row.get("hash")?,
                version: count(row, "version")?,
                changed_at: time_or_epoch(row, "changed_at")?,
                origin: row.get("origin")?,
            })
        })?
        .collect()
}
