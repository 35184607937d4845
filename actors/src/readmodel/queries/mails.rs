//! Mails.

use chrono::{DateTime, Utc};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::Serialize;

use super::conditions::SqlConditions;
use super::deliveries::DELIVERY;
use super::fates::Fate;
use super::tally;
use super::{DeliveryRow, count, limit, time, time_or_epoch};
use crate::readmodel::integer;

/// What [`MailRow::read`] reads, in its order. A page has many rows: finding each column by its name
/// takes longer than reading it.
const MAIL: &str =
    "position, email_id, size, received_at, arrived_at, stage, reason, detail, hold_until, detector,
    delivery_time, urgent, links, deliveries_total, delivered, dead_lettered, cancelled, updated_at";

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
    /// `received`, `held`, `skipped`, `ignored`, `quarantined`, `set_aside`, `routed`.
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
    /// Of those, cancelled by somebody.
    pub cancelled: u64,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl MailRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: count(row, 0)?,
            email_id: row.get(1)?,
            size: count(row, 2)?,
            received_at: time_or_epoch(row, 3)?,
            arrived_at: time(row, 4)?,
            stage: row.get(5)?,
            reason: row.get(6)?,
            detail: row.get(7)?,
            hold_until: time(row, 8)?,
            detector: row.get(9)?,
            delivery_time: row.get(10)?,
            urgent: row.get(11)?,
            links: count(row, 12)?,
            deliveries_total: count(row, 13)?,
            delivered: count(row, 14)?,
            dead_lettered: count(row, 15)?,
            cancelled: count(row, 16)?,
            updated_at: time_or_epoch(row, 17)?,
        })
    }
}

/// Which mails to list. Unset fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFilter {
    /// Any of these stages; empty = any.
    pub stages: Vec<String>,
    /// What became of them.
    pub fate: Option<Fate>,
    /// Why it is held, skipped, ignored or in quarantine.
    pub reason: Option<String>,
    /// What detector recognised it.
    pub detector: Option<String>,
    /// Id of a target that it was routed to.
    pub target: Option<String>,
    /// Only mails that came into the journal then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only mails that came into the journal before.
    pub until: Option<DateTime<Utc>>,
    /// Only mails of which a delivery was given up, or has failed so far.
    pub failed: bool,
    /// Only mails at these positions: those that were found by their text.
    pub positions: Option<Vec<u64>>,
    /// Only mails with a smaller position: the `position` of the last row of the page before.
    pub before: Option<u64>,
    /// Only mails with a larger position, and of these those next to it: pages back.
    pub after: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

impl Default for MailFilter {
    fn default() -> Self {
        Self {
            stages: Vec::new(),
            fate: None,
            reason: None,
            detector: None,
            target: None,
            since: None,
            until: None,
            failed: false,
            positions: None,
            before: None,
            after: None,
            limit: 100,
        }
    }
}

impl MailFilter {
    /// Mails of one stage.
    #[must_use]
    pub fn of_stage(stage: &str) -> Self {
        Self { stages: vec![stage.to_owned()], ..Self::default() }
    }

    /// How a mail has to stand: what `mails_tally` knows of it as well as `mails`.
    pub(super) fn standing(&self) -> SqlConditions {
        let mut conditions = SqlConditions::default();
        if !self.stages.is_empty() {
            if self.stages.iter().all(|stage| WAITING.contains(&stage.as_str())) {
                // The words of a partial index, so that it can be used.
                conditions.sql(IS_WAITING);
            }
            conditions.any_of("stage", &self.stages);
        }
        if let Some(fate) = self.fate {
            if fate == Fate::Unreadable {
                // The words of the partial index again.
                conditions.sql(IS_WAITING);
            }
            conditions.sql(fate.condition());
        }
        conditions.is("reason", self.reason.as_deref());
        conditions
    }

    /// Where the rows are read, and what their position is called there: mails of a target by the table
    /// that has them in order, all others as they lie.
    pub(super) fn source(&self) -> (&'static str, &'static str) {
        match (&self.target, &self.positions) {
            (Some(_), None) => {
                ("mail_targets CROSS JOIN mails ON mails.position = mail_targets.mail", "mail_targets.mail")
            }
            _ => ("mails", "position"),
        }
    }

    /// The conditions but for the page, and their values, for rows of [`Self::source`].
    pub(super) fn conditions(&self, db: &Connection) -> rusqlite::Result<(String, Vec<SqlValue>)> {
        let mut conditions = self.standing();
        let (_, position) = self.source();
        conditions.is("detector", self.detector.as_deref());
        match (&self.target, &self.positions) {
            (Some(target), None) => conditions.with("mail_targets.target = ?", target.clone().into()),
            (Some(target), Some(_)) => conditions.with(
                "EXISTS (SELECT 1 FROM mail_targets t WHERE t.target = ? AND t.mail = mails.position)",
                target.clone().into(),
            ),
            (None, _) => {}
        }
        if let Some(since) = self.since {
            conditions.with("received_at >= ?", since.timestamp_millis().into());
        }
        if let Some(until) = self.until {
            conditions.with("received_at < ?", until.timestamp_millis().into());
        }
        if let (true, None) = (self.since.is_some() || self.until.is_some(), &self.positions) {
            let (first, last) = self.bounds(db)?;
            conditions.with(&format!("{position} >= ?"), first.into());
            conditions.with(&format!("{position} <= ?"), last.into());
        }
        if self.failed {
            conditions.sql(
                "(dead_lettered > 0 OR email_id IN (SELECT email_id FROM deliveries
                  WHERE state NOT IN ('delivered', 'cancelled') AND last_error IS NOT NULL))",
            );
        }
        if let Some(positions) = &self.positions {
            let positions: Vec<i64> = positions.iter().copied().map(integer).collect();
            let list = serde_json::Value::from(positions).to_string();
            conditions.with("position IN (SELECT value FROM json_each(?))", list.into());
        }
        Ok(conditions.end())
    }

    /// The first and the last position of the mails that came in the wanted time. Mails are listed by
    /// position, and clocks may be set: without the bounds, a page of an old day would read all that
    /// came since.
    fn bounds(&self, db: &Connection) -> rusqlite::Result<(i64, i64)> {
        let at = |at: Option<DateTime<Utc>>, otherwise| at.map_or(otherwise, |at| at.timestamp_millis());
        db.prepare_cached(
            "SELECT COALESCE(MIN(position), 1), COALESCE(MAX(position), 0) FROM mails INDEXED BY mails_received
             WHERE received_at >= ?1 AND received_at < ?2",
        )?
        .query_row((at(self.since, i64::MIN), at(self.until, i64::MAX)), |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

/// Stages of mails that are in a partial index.
const WAITING: [&str; 4] = ["held", "skipped", "quarantined", "set_aside"];

/// The condition of that index, word for word.
const IS_WAITING: &str = "stage IN ('held', 'skipped', 'quarantined', 'set_aside')";

/// Mails, newest first.
///
/// # Errors
/// What SQLite says.
pub fn mails(db: &Connection, filter: &MailFilter) -> rusqlite::Result<Vec<MailRow>> {
    let (conditions, mut values) = filter.conditions(db)?;
    let (source, position) = filter.source();
    let back = filter.after.is_some() && filter.before.is_none();
    let order = if back { "ASC" } else { "DESC" };
    values.push(filter.before.map_or(i64::MAX, integer).into());
    values.push(filter.after.map_or(-1, integer).into());
    values.push(limit(filter.limit).into());
    let sql = format!(
        "SELECT {MAIL} FROM {source}
         WHERE {conditions} AND {position} < ? AND {position} > ? ORDER BY {position} {order} LIMIT ?"
    );
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map(params_from_iter(values), MailRow::read)?;
    let mut rows: Vec<MailRow> = rows.collect::<rusqlite::Result<_>>()?;
    if back {
        rows.reverse();
    }
    Ok(rows)
}

/// How many mails a filter matches, its page set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Matches {
    /// So many, or at least so many.
    pub count: u64,
    /// Counting was ended there.
    pub capped: bool,
}

impl Matches {
    /// Of so many that were found when one more than `most` were looked for.
    #[must_use]
    pub fn of(found: u64, most: u64) -> Self {
        Self { count: found.min(most), capped: found > most }
    }
}

/// How many mails a filter matches, counted up to `most`.
///
/// # Errors
/// What SQLite says.
pub fn count_matches(db: &Connection, filter: &MailFilter, most: u64) -> rusqlite::Result<Matches> {
    if let Some(accounts) = tally::accounts(db, filter)? {
        return Ok(Matches::of(accounts.iter().map(|account| account.n).sum(), most));
    }
    let (conditions, mut values) = filter.conditions(db)?;
    let (source, _) = filter.source();
    values.push(integer(most.saturating_add(1)).into());
    let sql = format!("SELECT COUNT(*) AS n FROM (SELECT 1 FROM {source} WHERE {conditions} LIMIT ?)");
    let found = db.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| count(row, "n"))?;
    Ok(Matches::of(found, most))
}

/// The mails beside one in the order of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Neighbours {
    /// The one that came next.
    pub newer: Option<String>,
    /// The one that came before.
    pub older: Option<String>,
}

/// The mails beside the one at `position`, of those that a filter matches.
///
/// # Errors
/// What SQLite says.
pub fn neighbours(db: &Connection, position: u64, filter: &MailFilter) -> rusqlite::Result<Neighbours> {
    let one = |before, after| -> rusqlite::Result<Option<String>> {
        let filter = MailFilter { before, after, limit: 1, ..filter.clone() };
        Ok(mails(db, &filter)?.pop().map(|row| row.email_id))
    };
    Ok(Neighbours { newer: one(None, Some(position))?, older: one(Some(position), None)? })
}

/// How many mails there are of each stage and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageCount {
    /// The stage.
    pub stage: String,
    /// The reason, where the stage has one.
    pub reason: Option<String>,
    /// How many.
    pub n: u64,
}

/// Counts by stage and reason.
///
/// # Errors
/// What SQLite says.
pub fn count_by_reason(db: &Connection) -> rusqlite::Result<Vec<StageCount>> {
    db.prepare_cached(
        "SELECT stage, NULLIF(reason, '') AS reason, SUM(n) AS n FROM mails_tally
         GROUP BY stage, reason ORDER BY stage, reason",
    )?
    .query_map([], |row| {
        Ok(StageCount { stage: row.get("stage")?, reason: row.get("reason")?, n: count(row, "n")? })
    })?
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
    db.prepare_cached(&format!(
        "SELECT {MAIL} FROM mails WHERE position > ?1 AND received_at >= ?2 ORDER BY position LIMIT ?3"
    ))?
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
        .prepare_cached(&format!("SELECT {MAIL} FROM mails WHERE email_id = ?1"))?
        .query_row([email_id], MailRow::read)
        .optional()?;
    let Some(mail) = mail else { return Ok(None) };
    let deliveries = db
        .prepare_cached(&format!("SELECT {DELIVERY} FROM deliveries WHERE email_id = ?1 ORDER BY target"))?
        .query_map([email_id], DeliveryRow::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(MailStory { mail, deliveries }))
}

/// How many mails there are in each stage.
///
/// # Errors
/// What SQLite says.
pub fn count_mails(db: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    db.prepare_cached("SELECT stage, SUM(n) AS n FROM mails_tally GROUP BY stage ORDER BY stage")?
        .query_map([], |row| Ok((row.get("stage")?, count(row, "n")?)))?
        .collect()
}

/// The held mail that waits longest.
///
/// # Errors
/// What SQLite says.
pub fn oldest_held(db: &Connection) -> rusqlite::Result<Option<MailRow>> {
    let sql =
        format!("SELECT {MAIL} FROM mails WHERE {IS_WAITING} AND stage = 'held' ORDER BY position LIMIT 1");
    db.prepare_cached(&sql)?.query_row([], MailRow::read).optional()
}

/// Positions and identities of the mails above a position, oldest first.
///
/// # Errors
/// What SQLite says.
pub fn mails_above(db: &Connection, after: u64, max: usize) -> rusqlite::Result<Vec<(u64, String)>> {
    db.prepare_cached("SELECT position, email_id FROM mails WHERE position > ?1 ORDER BY position LIMIT ?2")?
        .query_map((integer(after), limit(max)), |row| Ok((count(row, "position")?, row.get("email_id")?)))?
        .collect()
}

/// The positions of those of these mails that the journal still has there.
///
/// # Errors
/// What SQLite says.
pub fn still_there(db: &Connection, mails: &[(u64, String)]) -> rusqlite::Result<Vec<u64>> {
    let mut find = db.prepare_cached("SELECT 1 FROM mails WHERE position = ?1 AND email_id = ?2")?;
    let mut there = Vec::with_capacity(mails.len());
    for (position, email_id) in mails {
        if find.exists((integer(*position), email_id))? {
            there.push(*position);
        }
    }
    Ok(there)
}
