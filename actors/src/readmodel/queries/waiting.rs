//! What waits, why, and when the next of it goes on.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::{count, time};

/// What waits for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Of mails the reason of the hold, such as `outside_window`; of deliveries their state:
    /// `waiting`, `retrying`, `held_rate`, `held_window`.
    pub reason: String,
    /// How many.
    pub n: u64,
    /// Since when the oldest of them waits.
    pub since: Option<DateTime<Utc>>,
    /// When the next of them goes on by itself; `None` = when something changes, or at once.
    pub next_at: Option<DateTime<Utc>>,
}

impl Waiting {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            reason: row.get::<_, Option<String>>("reason")?.unwrap_or_default(),
            n: count(row, "n")?,
            since: time(row, "since")?,
            next_at: time(row, "next_at")?,
        })
    }
}

/// Held mails by reason. They are found by their own index.
///
/// # Errors
/// What SQLite says.
pub fn held_mails(db: &Connection) -> rusqlite::Result<Vec<Waiting>> {
    db.prepare_cached(
        "SELECT reason, COUNT(*) AS n, MIN(received_at) AS since, MIN(hold_until) AS next_at FROM mails
         WHERE stage IN ('held', 'skipped', 'quarantined', 'set_aside') AND stage = 'held'
         GROUP BY reason ORDER BY reason",
    )?
    .query_map([], Waiting::read)?
    .collect()
}

/// Deliveries that are still to be made, by state.
///
/// # Errors
/// What SQLite says.
pub fn open_deliveries(db: &Connection) -> rusqlite::Result<Vec<Waiting>> {
    db.prepare_cached(
        "SELECT state AS reason, COUNT(*) AS n, MIN(routed_at) AS since, MIN(next_at) AS next_at FROM deliveries
         WHERE state NOT IN ('delivered', 'cancelled') AND state <> 'dead_lettered'
         GROUP BY state ORDER BY state",
    )?
    .query_map([], Waiting::read)?
    .collect()
}
