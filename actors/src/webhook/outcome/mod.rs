//! What becomes of a delivery: from the result of an attempt to the one commit that stores it. Pure.
//!
//! | file | what |
//! |---|---|
//! | this one | what an attempt, a limit or a closed window makes of a delivery |
//! | `classify` | what an answer, or the lack of one, means |
//! | `retry` | when a failed delivery is tried again, and when it is given up |
//! | `commit` | the outcome as a commit: events, the row, the mail, the places to be marked |

mod classify;
mod commit;
pub mod retry;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use self::retry::{Failed, Next};
use super::events::{Attempted, DeadLettered, Deferred, DeliveryEvent, Succeeded};
use crate::mail::HoldReason;
use crate::mail::outbox_rows::{DeliverMeta, InWindow};
use crate::mail::policy::RetryPolicy;

pub use self::classify::{Class, classify};
pub use self::commit::{KnownStreams, commit};

/// One attempt, as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptResult {
    /// What it came to.
    pub class: Class,
    /// Masked address.
    pub url: String,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// Duration in milliseconds.
    pub took_ms: u64,
}

/// What becomes of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It is done.
    Delivered,
    /// It comes due again.
    Deferred(DateTime<Utc>),
    /// It is kept as a dead letter.
    DeadLettered,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryOutcome {
    /// What is to be remembered about it.
    pub events: Vec<DeliveryEvent>,
    /// What becomes of its row.
    pub resolution: Resolution,
    /// The row's new meta, but for the stream's version.
    pub meta: DeliverMeta,
    /// What the receiver answered, to be kept with the attempt until then.
    pub answer: Option<(String, DateTime<Utc>)>,
}

/// Decides after an attempt. `chance` is in `0.0..1.0`.
#[must_use]
pub fn after_attempt(
    meta: &DeliverMeta,
    attempt: &AttemptResult,
    policy: &RetryPolicy,
    now: DateTime<Utc>,
    chance: f64,
) -> DeliveryOutcome {
    let number = meta.attempts.saturating_add(1);
    let first = meta.first_attempt_at.unwrap_or(now);
    let error = match &attempt.class {
        Class::Delivered => None,
        Class::Retry { why, .. } | Class::Unsendable { why } => Some(why.clone()),
        Class::Gone => Some("HTTP 410: the target is gone".to_owned()),
    };
    let attempted = DeliveryEvent::Attempted(Attempted {
        email_id: meta.email_id.clone(),
        target: meta.target.clone(),
        attempt: number,
        url: attempt.url.clone(),
        status: attempt.status,
        error,
        took_ms: attempt.took_ms,
    });
    let counted = DeliverMeta { attempts: number, first_attempt_at: Some(first), ..meta.clone() };
    let (then, resolution, meta) = match &attempt.class {
        Class::Delivered => {
            let succeeded = DeliveryEvent::Succeeded(Succeeded {
                email_id: meta.email_id.clone(),
                target: meta.target.clone(),
                status: attempt.status.unwrap_or_default(),
                attempts: number,
                mode: meta.mode,
            });
            (succeeded, Resolution::Delivered, counted)
        }
        // The target has gone, not the delivery: it waits and no attempt is spent.
        Class::Gone => (deferred(meta, now, "target_disabled"), Resolution::Deferred(now), meta.clone()),
        Class::Unsendable { why } => (dead(&counted, why.clone()), Resolution::DeadLettered, counted),
        Class::Retry { why, not_before, .. } => {
            let failed = Failed { attempts: number, first, not_before: *not_before };
            match retry::next(policy, failed, now, chance) {
                Next::At { due, asked } => {
                    let reason = if asked { "retry_after" } else { "retry" };
                    (deferred(meta, due, reason), Resolution::Deferred(due), counted)
                }
                Next::GiveUp { why: count } => (
                    dead(&counted, format!("{count}, the last one with: {why}")),
                    Resolution::DeadLettered,
                    counted,
                ),
            }
        }
    };
    DeliveryOutcome { events: vec![attempted, then], resolution, meta, answer: None }
}

/// A delivery that cannot be tried at all.
#[must_use]
pub fn unusable(meta: &DeliverMeta, why: String) -> DeliveryOutcome {
    DeliveryOutcome {
        events: vec![dead(meta, why)],
        resolution: Resolution::DeadLettered,
        meta: meta.clone(),
        answer: None,
    }
}

/// A delivery that is over the rate limit until `until`.
#[must_use]
pub fn over_the_limit(meta: &DeliverMeta, until: DateTime<Utc>) -> DeliveryOutcome {
    DeliveryOutcome {
        events: vec![deferred(meta, until, "rate_limit")],
        resolution: Resolution::Deferred(until),
        meta: meta.clone(),
        answer: None,
    }
}

/// A delivery that may go only while the window is open, which it is not before `until`.
#[must_use]
pub fn outside_the_window(meta: &DeliverMeta, until: DateTime<Utc>) -> DeliveryOutcome {
    DeliveryOutcome {
        events: vec![deferred(meta, until, HoldReason::OutsideWindow.as_str())],
        resolution: Resolution::Deferred(until),
        meta: DeliverMeta { window: InWindow::Waits, ..meta.clone() },
        answer: None,
    }
}

/// A delivery that turns out to have been delivered: only its row is left.
#[must_use]
pub fn done_before(meta: &DeliverMeta) -> DeliveryOutcome {
    DeliveryOutcome {
        events: Vec::new(),
        resolution: Resolution::Delivered,
        meta: meta.clone(),
        answer: None,
    }
}

fn deferred(meta: &DeliverMeta, until: DateTime<Utc>, why: &str) -> DeliveryEvent {
    DeliveryEvent::Deferred(Deferred {
        email_id: meta.email_id.clone(),
        target: meta.target.clone(),
        until,
        why: why.to_owned(),
        detail: None,
    })
}

fn dead(meta: &DeliverMeta, why: String) -> DeliveryEvent {
    DeliveryEvent::DeadLettered(DeadLettered {
        email_id: meta.email_id.clone(),
        target: meta.target.clone(),
        why,
        attempts: meta.attempts,
        notice: None,
    })
}
