//! Mails.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde::Serialize;

use super::{DeliveryRow, count, limit, time, time_or_epoch};
use crate::readmodel::integer;

/// A row of `mails`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailRow {
    /// Position of its first event; pages are cut by it.
    pub position: u64,
    /// Identity.
    pub email_id: String,
    /// Bytes.
    pub size: u64,
    /// When it came into the journal.
    pub received_at: DateTime<Utc>,
    /// When the server took it in, if it says so.
    pub arrived_at: Option<DateTime<Utc>>,
    /// `received`, `held`, `skipped`, `ignored`, `quarantined`, `routed`.
    pub stage: String,
    /// Why it is held, skipped, ignored or in quarantine.
    pub reason: Option<String>,
    /// Of an ignored mail what exactly: the keyword, the first mail of the group.
    pub detail: Option<String>,
    /// When a held mail is decided again at the latest.
    pub hold_until: Option<DateTime<Utc>>,
    /// What detector recognised it.
    pub detector: Option<String>,
    /// Delivery time found by the detector.
    pub delivery_time: Option<String>,
    /// The detector found it urgent.
    pub urgent: bool,
    /// Delivery links.
    pub links: u64,
    /// Webhooks to send.
    pub deliveries_total: u64,
    /// Of those, taken by their receivers.
    pub delivered: u64,
    /// Of those, given up.
    pub dead_lettered: u64,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl MailRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: count(row, "position")?,
            email_id: row.get("email_id")?,
            size: count(row, "size")?,
            received_at: time_or_epoch(row, "received_at")?,
            arrived_at: time(row, "arrived_at")?,
            stage: row.get("stage")?,
            reason: row.get("reason")?,
            detail: row.get("detail")?,
            hold_until: time(row, "hold_until")?,
            detector: row.get("detector")?,
            delivery_time: row.get("delivery_time")?,
            urgent: row.get("urgent")?,
            links: count(row, "links")?,
            deliveries_total: count(row, "deliveries_total")?,
            delivered: count(row, "delivered")?,
            dead_lettered: count(row, "dead_lettered")?,
            updated_at: time_or_epoch(row, "updated_at")?,
        })
    }
}

/// Which mails to list. Unset fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFilter {
    /// One of the stages.
    pub stage: Option<String>,
    /// Only mails with a smaller position: the `position` of the last row of the page before.
    pub before: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

impl Default for MailFilter {
    fn default() -> Self {
        Self { stage: None, before: None, limit: 100 }
    }
}

/// Mails, newest first.
///
/// # Errors
/// What SQLite says.
pub fn mails(db: &Connection, filter: &MailFilter) -> rusqlite::Result<Vec<MailRow>> {
    let mut query = db.prepare_cached(
        "SELECT * FROM mails
         WHERE position < :before
           AND (:stage IS NULL OR stage = :stage)
         ORDER BY position DESC LIMIT :limit",
    )?;
    query
        .query_map(
            named_params! {
                ":before": filter.before.map_or(i64::MAX, integer),
                ":stage": filter.stage,
                ":limit": limit(filter.limit),
            },
            MailRow::read,
        )?
        .collect()
}

/// The mails that came into the journal at `since` or later, oldest first, after a position.
///
/// # Errors
/// What SQLite says.
pub fn mails_since(
    db: &Connection,
    since: DateTime<Utc>,
    after: u64,
    max: usize,
) -> rusqlite::Result<Vec<MailRow>> {
    db.prepare_cached(
        "SELECT * FROM mails WHERE position > ?1 AND received_at >= ?2 ORDER BY position LIMIT ?3",
    )?
    .query_map((integer(after), since.timestamp_millis(), limit(max)), MailRow::read)?
    .collect()
}

/// How many mails came into the journal at `since` or later.
///
/// # Errors
/// What SQLite says.
pub fn count_since(db: &Connection, since: DateTime<Utc>) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT COUNT(*) AS n FROM mails WHERE received_at >= ?1")?
        .query_row([since.timestamp_millis()], |row| count(row, "n"))
}

/// One mail and its deliveries. What happened to it, event by event, is in its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailStory {
    /// The mail.
    pub mail: MailRow,
    /// Its deliveries.
    pub deliveries: Vec<DeliveryRow>,
}

/// One mail and its deliveries; `None` when it is not known.
///
/// # Errors
/// What SQLite says.
pub fn mail_story(db: &Connection, email_id: &str) -> rusqlite::Result<Option<MailStory>> {
    let mail = db
        .prepare_cached("SELECT * FROM mails WHERE email_id = ?1")?
        .query_row([email_id], MailRow::read)
        .optional()?;
    let Some(mail) = mail else { return Ok(None) };
    let deliveries = db
        .prepare_cached("SELECT * FROM deliveries WHERE email_id = ?1 ORDER BY target")?
        .query_map([email_id], DeliveryRow::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(MailStory { mail, deliveries }))
}

/// How many mails there are in each stage.
///
/// # Errors
/// What SQLite says.
pub fn count_mails(db: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    db.prepare_cached("SELECT stage, COUNT(*) AS n FROM mails GROUP BY stage ORDER BY stage")?
        .query_map([], |row| Ok((row.get("stage")?, count(row, "n")?)))?
        .collect()
}

/// The held mail that waits longest.
///
/// # Errors
/// What SQLite says.
pub fn oldest_held(db: &Connection) -> rusqlite::Result<Option<MailRow>> {
    db.prepare_cached("SELECT * FROM mails WHERE stage = 'held' ORDER BY position LIMIT 1")?
        .query_row([], MailRow::read)
        .optional()
}
