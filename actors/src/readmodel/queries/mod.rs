//! Questions to the read models, with typed answers: for the command line, the HTTP
//! interface and the actors. Run them through [`crate::kernel::projection::Views::read`].

pub mod access;
pub mod archive;
mod attempts;
mod conditions;
mod deliveries;
mod duplicates;
mod fates;
mod health;
mod links;
mod mails;
mod operations;
mod tally;
mod waiting;

pub use attempts::{AttemptRow, attempts};
pub use deliveries::{
    DeliveryFilter, DeliveryPlace, DeliveryRow, DeliverySelection, TargetCount, count_by_target,
    count_deliveries, count_selection, deliveries, deliveries_of, delivery, oldest_open_delivery,
    select_deliveries, sends_since,
};
pub use duplicates::{DuplicateRow, duplicates};
pub use fates::{Fate, FateCount, count_fates};
pub use health::{
    DeadLetters, DeliveryHour, LastFailure, Latency, NeedsPerson, delivery_hours, delivery_sums,
    last_failure, needs_person,
};
pub use links::{LinkRow, MailLink, copies_after, copies_before, copy_at, copy_of, links_of};
pub use mails::{
    MailFilter, MailRow, MailStory, Matches, Neighbours, StageCount, count_by_reason, count_mails,
    count_matches, count_since, mail_story, mails, mails_above, mails_since, neighbours, oldest_held,
    still_there,
};
pub use operations::{
    ConfigRow, HourRow, LeaseRow, MailboxRow, TargetRow, WorkerRow, configs, hours, leases, mailboxes,
    targets, workers,
};
pub use waiting::{Waiting, held_mails, open_deliveries};

use chrono::{DateTime, Utc};
use rusqlite::{Row, RowIndex};

/// A column of milliseconds.
fn time(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<DateTime<Utc>>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(DateTime::from_timestamp_millis))
}

/// A column of milliseconds that is always filled.
fn time_or_epoch(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<DateTime<Utc>> {
    Ok(time(row, column)?.unwrap_or_default())
}

/// A column that is never negative.
fn count(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.max(0).unsigned_abs())
}

/// A `LIMIT`.
fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
