//! The names of rows, bodies and partitions. Deterministic, so that a repeated commit, or the same
//! mail read again after a lost journal, makes the same row and the same `webhook-id`.

use crate::mail::life::Location;

/// Id of the target that is told about dead letters.
pub const NOTIFY_TARGET: &str = "@notify";

/// `webhook-id`, stable over retries, restarts and a lost journal.
#[must_use]
pub fn webhook_id(email_id: &str, target: &str) -> String {
    format!("msg_{email_id}_{target}")
}

/// Key of a `deliver` row.
#[must_use]
pub fn delivery_key(email_id: &str, target: &str) -> String {
    format!("{email_id}/{target}")
}

/// Key of the body of a delivery.
#[must_use]
pub fn delivery_body_key(email_id: &str, target: &str) -> String {
    format!("delivery/{email_id}/{target}")
}

/// The partition of a delivery: those that have failed before (`tried`) have one of their own,
/// so that no number of them stands before one that was not tried yet. A target of that very
/// name would share it, and lose nothing but this fairness.
#[must_use]
pub fn delivery_partition(target: &str, tried: bool) -> String {
    if tried { format!("{target}/tried") } else { target.to_owned() }
}

/// Key of what a receiver said about an attempt that failed. `version`: that of the attempt's
/// `delivery.attempted` in the delivery's stream.
#[must_use]
pub fn answer_body_key(email_id: &str, target: &str, version: u64) -> String {
    format!("answer/{email_id}/{target}/{version}")
}

/// Key of a draft.
#[must_use]
pub fn draft_body_key(email_id: &str) -> String {
    format!("draft/{email_id}")
}

/// What the key of a row and of a body of a stranger's mail begins with.
const STRANGER: &str = "stranger/";

/// Key of the row, and of the body, of a mail whose sender is not in the list. It differs from
/// those of a held mail, so that making room among strangers touches no other mail.
#[must_use]
pub fn stranger_key(email_id: &str) -> String {
    format!("{STRANGER}{email_id}")
}

/// Whether a row of the queue `hold` is that of a stranger's mail.
#[must_use]
pub fn is_stranger(row_key: &str) -> bool {
    row_key.starts_with(STRANGER)
}

/// Key of a quarantined source.
#[must_use]
pub fn source_body_key(email_id: &str) -> String {
    format!("source/{email_id}")
}

/// Key of the `flag` row of a copy of a mail.
#[must_use]
pub fn flag_key(location: &Location) -> String {
    format!("{}/{}/{}", location.mailbox, location.validity, location.item)
}
