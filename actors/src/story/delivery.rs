//! The story of one delivery: what was tried, what the receiver said, and what followed.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::StoryError;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::Journal;
use crate::mail::outbox_rows::answer_body_key;
use crate::webhook::events::{Attempted, Deferred, DeliveryEvent, delivery_stream};

/// Something that happened to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryStep {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub what: DeliveryWhat,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DeliveryWhat {
    /// It was posted, or tried.
    Attempted {
        /// From 1.
        attempt: u32,
        /// Masked address.
        url: String,
        /// HTTP status, when there was an answer.
        status: Option<u16>,
        /// What went wrong.
        error: Option<String>,
        /// How long it took.
        took_ms: u64,
        /// The beginning of what the receiver said about a failure, while it is kept.
        answer: Option<String>,
    },
    /// The receiver took it.
    Delivered {
        /// HTTP status.
        status: u16,
    },
    /// It waits.
    Deferred {
        /// When it is due again.
        until: DateTime<Utc>,
        /// What for.
        why: String,
        /// What the fault of this machine was.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// It was given up.
    DeadLettered {
        /// Why.
        why: String,
    },
    /// It is to be sent again.
    Requeued {
        /// Who asked.
        by: String,
        /// It was delivered or cancelled before.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// It is not to be sent.
    Cancelled {
        /// Who asked.
        by: String,
    },
}

/// What happened to a delivery, oldest first; empty = nothing yet, or it is not known.
///
/// # Errors
/// See [`StoryError`].
pub async fn delivery_steps(
    journal: &dyn Journal,
    email_id: &str,
    target: &str,
) -> Result<Vec<DeliveryStep>, StoryError> {
    let events = journal.read_stream(&delivery_stream(email_id, target), 0).await?;
    let mut steps = Vec::with_capacity(events.len());
    for event in &events {
        let what = match DeliveryEvent::from_recorded(event)? {
            DeliveryEvent::Attempted(Attempted { attempt, url, status, error, took_ms, .. }) => {
                // Only of a failure is it kept.
                let kept = match error {
                    Some(_) => journal.body(&answer_body_key(email_id, target, event.version)).await?,
                    None => None,
                };
                let answer = kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                DeliveryWhat::Attempted { attempt, url, status, error, took_ms, answer }
            }
            DeliveryEvent::Succeeded(succeeded) => DeliveryWhat::Delivered { status: succeeded.status },
            DeliveryEvent::Deferred(Deferred { until, why, detail, .. }) => {
                DeliveryWhat::Deferred { until, why, detail }
            }
            DeliveryEvent::DeadLettered(dead) => DeliveryWhat::DeadLettered { why: dead.why },
            DeliveryEvent::Requeued(requeued) => {
                DeliveryWhat::Requeued { by: requeued.by, again: requeued.again }
            }
            DeliveryEvent::Cancelled(cancelled) => DeliveryWhat::Cancelled { by: cancelled.by },
        };
        steps.push(DeliveryStep { at: event.at, what });
    }
    Ok(steps)
}
