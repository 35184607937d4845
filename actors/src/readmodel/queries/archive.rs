//! What may have been settled for long enough to leave the journal.

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::count;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it comes in the order of candidates.
    pub place: u64,
    /// E-mail id, or name of a worker.
    pub key: String,
    /// It is a worker.
    pub worker: bool,
}

/// Mails that seem settled, and workers that have stopped, since `before`; those after a
/// place, at most `limit`. Workers come first, at place 0, when `after` is 0.
///
/// # Errors
/// What SQLite says.
pub fn page(
    db: &Connection,
    before: DateTime<Utc>,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Candidate>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let before = before.timestamp_millis();
    let mut page: Vec<Candidate> = Vec::new();
    if after == 0 {
        let mut stopped =
            db.prepare_cached("SELECT worker FROM workers WHERE stopped_at < ?1 ORDER BY worker LIMIT ?2")?;
        let workers = stopped
            .query_map((before, limit), |row| Ok(Candidate { place: 0, key: row.get(0)?, worker: true }))?;
        page = workers.collect::<rusqlite::Result<_>>()?;
    }
    let mut settled = db.prepare_cached(
        "SELECT position, email_id FROM mails
         WHERE position > ?1 AND updated_at < ?2 AND dead_lettered = 0
             AND (stage IN ('ignored', 'skipped', 'quarantined') OR (stage = 'routed' AND delivered >= deliveries_total))
         ORDER BY position LIMIT ?3",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mails = settled.query_map((after, before, limit), |row| {
        Ok(Candidate { place: count(row, "position")?, key: row.get(1)?, worker: false })
    })?;
    for mail in mails {
        page.push(mail?);
    }
    Ok(page)
}
