//! `deliveries_hourly`: attempts of each hour and target, and how long after the arrival of its mail a
//! webhook was taken. It reads the rows of `mails`, so it is kept, and rebuilt, with them.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _};

use crate::kernel::event::Recorded;
use crate::readmodel::at;
use crate::readmodel::hourly::hour_of;
use crate::webhook::events::Attempted;

/// Creates the table. `b0` to `b6` are the buckets that [`BUCKETS`] bounds.
pub(super) const TABLE: &str = "CREATE TABLE deliveries_hourly (
        hour   TEXT NOT NULL,
        target TEXT NOT NULL,
        ok     INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0,
        b0     INTEGER NOT NULL DEFAULT 0,
        b1     INTEGER NOT NULL DEFAULT 0,
        b2     INTEGER NOT NULL DEFAULT 0,
        b3     INTEGER NOT NULL DEFAULT 0,
        b4     INTEGER NOT NULL DEFAULT 0,
        b5     INTEGER NOT NULL DEFAULT 0,
        b6     INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (hour, target)
    ) WITHOUT ROWID;";

/// Upper bounds of the first six buckets of `deliveries_hourly`, in milliseconds; the seventh has
/// none. A mail that was held waits longer than any of them.
pub const BUCKETS: [i64; 6] = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000];

pub(super) fn attempted(db: &Connection, event: &Recorded, attempt: &Attempted) -> rusqlite::Result<()> {
    let mut counts = [0_i64; 9];
    let [ok, failed, buckets @ ..] = &mut counts;
    if attempt.error.is_some() {
        *failed = 1;
    } else {
        *ok = 1;
        if let Some(received_at) = received_at(db, &attempt.email_id)? {
            let took = at(event).saturating_sub(received_at);
            let bucket = BUCKETS.iter().position(|bound| took <= *bound).unwrap_or(BUCKETS.len());
            buckets.iter_mut().skip(bucket).take(1).for_each(|count| *count = 1);
        }
    }
    let [ok, failed, b0, b1, b2, b3, b4, b5, b6] = counts;
    db.prepare_cached(
        "INSERT INTO deliveries_hourly (hour, target, ok, failed, b0, b1, b2, b3, b4, b5, b6)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET ok = ok + excluded.ok, failed = failed + excluded.failed,
             b0 = b0 + excluded.b0, b1 = b1 + excluded.b1, b2 = b2 + excluded.b2, b3 = b3 + excluded.b3,
             b4 = b4 + excluded.b4, b5 = b5 + excluded.b5, b6 = b6 + excluded.b6",
    )?
    .execute((hour_of(event.at), &attempt.target, ok, failed, b0, b1, b2, b3, b4, b5, b6))?;
    Ok(())
}

/// `None` = a notice, which belongs to no mail.
fn received_at(db: &Connection, email_id: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT received_at FROM mails WHERE email_id = ?1")?
        .query_row([email_id], |row| row.get(0))
        .optional()
}

/// Forgets the hours before this one.
pub(super) fn drop_before(db: &Connection, before: DateTime<Utc>) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM deliveries_hourly WHERE hour < ?1")?.execute([hour_of(before)])?;
    Ok(())
}
