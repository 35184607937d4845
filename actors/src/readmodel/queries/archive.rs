//! What may have been settled for long enough to leave the journal.

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::count;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it comes in the order of candidates.
    pub place: u64,
    /// E-mail id, name of a worker, or key of a stream of a rate limit.
    pub key: String,
    /// Which of these.
    pub what: ArchiveKind,
}

/// What may leave the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// A mail with its deliveries.
    Mail,
    /// A worker that has stopped.
    Worker,
    /// An hour of the rate limit of a target.
    Rate,
    /// A session whose time is over.
    Session,
    /// A sign-in link that opens nothing any more.
    MagicLink,
    /// Copies of a mail that were found after it was archived.
    Remainder,
}

/// Mails that seem settled, workers that have stopped, hours of rate limits, sessions and sign-in
/// links that are over, and further copies of archived mails, since `before`; those after a place, at most `limit` of
/// each. Mails come last; the others at place 0, when `after` is 0.
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
        for (what, query) in [
            (ArchiveKind::Worker, "SELECT worker FROM workers WHERE stopped_at < ?1 ORDER BY worker LIMIT ?2"),
            (ArchiveKind::Rate, "SELECT stream FROM rates WHERE counted_at < ?1 ORDER BY stream LIMIT ?2"),
            (
                ArchiveKind::Session,
                "SELECT id FROM sessions WHERE coalesce(ended_at, ends_at) < ?1 ORDER BY id LIMIT ?2",
            ),
            (
                ArchiveKind::MagicLink,
                "SELECT name FROM magic_links
                 WHERE updated_at < ?1
                     AND (revoked_at IS NOT NULL OR (single_use AND uses > 0) OR expires_at < ?1)
                 ORDER BY name LIMIT ?2",
            ),
            (
                ArchiveKind::Remainder,
                "SELECT email_id FROM admitted
                 WHERE email_id <> '' AND NOT EXISTS (SELECT 1 FROM mails WHERE mails.email_id = admitted.email_id)
                 GROUP BY email_id HAVING max(at) < ?1 ORDER BY email_id LIMIT ?2",
            ),
        ] {
            let mut query = db.prepare_cached(query)?;
            let found = query.query_map((before, limit), |row| row.get(0))?;
            for key in found {
                page.push(Candidate { place: 0, key: key?, what });
            }
        }
    }
    let mut settled = db.prepare_cached(
        "SELECT position, email_id FROM mails
         WHERE position > ?1 AND updated_at < ?2 AND dead_lettered = 0
             AND (stage IN ('ignored', 'skipped', 'quarantined') OR (stage = 'routed' AND delivered + cancelled >= deliveries_total))
         ORDER BY position LIMIT ?3",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mails = settled.query_map((after, before, limit), |row| {
        Ok(Candidate { place: count(row, "position")?, key: row.get(1)?, what: ArchiveKind::Mail })
    })?;
    for mail in mails {
        page.push(mail?);
    }
    Ok(page)
}
