//! Questions to the read models, with typed answers: for the command line, the HTTP
//! interface and the actors. Run them through [`crate::kernel::projection::Views::read`].

pub mod access;
pub mod archive;
mod deliveries;
mod duplicates;
mod links;
mod mails;
mod operations;

pub use deliveries::{
    DeliveryFilter, DeliveryRow, count_deliveries, deliveries, oldest_open_delivery, sends_since,
};
pub use duplicates::{DuplicateRow, duplicates};
pub use links::{LinkRow, copies_after, copy_at, copy_of};
pub use mails::{
    MailFilter, MailRow, MailStory, count_mails, count_since, mail_story, mails, mails_since, oldest_held,
};
pub use operations::{
    ConfigRow, HourRow, LeaseRow, MailboxRow, TargetRow, WorkerRow, configs, hours, leases, mailboxes,
    targets, workers,
};

use chrono::{DateTime, Utc};
use rusqlite::Row;

/// A column of milliseconds.
fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<DateTime<Utc>>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(DateTime::from_timestamp_millis))
}

/// A column of milliseconds that is always filled.
fn time_or_epoch(row: &Row<'_>, column: &str) -> rusqlite::Result<DateTime<Utc>> {
    Ok(time(row, column)?.unwrap_or_default())
}

/// A column that is never negative.
fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.max(0).unsigned_abs())
}

/// A `LIMIT`.
fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
