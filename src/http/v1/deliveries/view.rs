//! A delivery as it is answered.

use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::DeliveryRow;
use render_signal_actors::story::{DeliveryStep, DeliveryStory, DeliveryWhat};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryState)]
pub(in crate::http) enum DeliveryStateParam {
    /// Decided and not tried yet.
    Waiting,
    /// It failed, and will be tried again.
    Retrying,
    /// Over the hourly limit of its target.
    HeldRate,
    /// It waits for the delivery window.
    HeldWindow,
    /// The receiver took it.
    Delivered,
    /// Given up; kept, and can be sent again.
    DeadLettered,
    /// Somebody said that it is not to be sent.
    Cancelled,
}

impl DeliveryStateParam {
    /// The read model's word.
    pub(super) fn stored(self) -> String {
        let word = match self {
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::HeldRate => "held_rate",
            Self::HeldWindow => "held_window",
            Self::Delivered => "delivered",
            Self::DeadLettered => "dead_lettered",
            Self::Cancelled => "cancelled",
        };
        word.to_owned()
    }
}

/// A delivery: the webhook of a mail to a target.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct DeliveryView {
    /// `<mail>/<target>`.
    id: String,
    /// The mail.
    mail: String,
    /// Id of the target.
    target: String,
    /// `waiting`, `retrying`, `held_rate`, `held_window`, `delivered`, `dead_lettered`, `cancelled`.
    state: String,
    /// Attempts made.
    attempts: u64,
    /// HTTP status of the last one, if there was an answer.
    last_status: Option<u16>,
    /// What went wrong last.
    last_error: Option<String>,
    /// When it is due again.
    next_at: Option<DateTime<Utc>>,
    /// When it was decided.
    routed_at: DateTime<Utc>,
    /// When it was tried first.
    first_attempt_at: Option<DateTime<Utc>>,
    /// When it was tried last.
    last_attempt_at: Option<DateTime<Utc>>,
    /// When it was delivered, given up or cancelled.
    ended_at: Option<DateTime<Utc>>,
    /// Masked address of the last attempt.
    url: Option<String>,
}

impl From<DeliveryRow> for DeliveryView {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: format!("{}/{}", row.email_id, row.target),
            mail: row.email_id,
            target: row.target,
            state: row.state,
            attempts: row.attempts,
            last_status: row.last_status,
            last_error: row.last_error,
            next_at: row.next_at,
            routed_at: row.routed_at,
            first_attempt_at: row.first_attempt_at,
            last_attempt_at: row.last_attempt_at,
            ended_at: row.ended_at,
            url: row.url,
        }
    }
}

/// A delivery with all that happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DeliveryStoryView {
    /// Where it stands.
    delivery: DeliveryView,
    /// What every attempt says that it is.
    webhook_id: String,
    /// Whether its bytes are still kept, so that it can go once more.
    body_kept: bool,
    /// What happened to it, oldest first.
    steps: Vec<DeliveryStepView>,
}

impl From<DeliveryStory> for DeliveryStoryView {
    fn from(story: DeliveryStory) -> Self {
        Self {
            delivery: story.row.into(),
            webhook_id: story.webhook_id,
            body_kept: story.body_kept,
            steps: story.steps.into_iter().map(DeliveryStepView::from).collect(),
        }
    }
}

/// Something that happened to a delivery.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(in crate::http) struct DeliveryStepView {
    /// When.
    at: DateTime<Utc>,
    /// `attempted`, `delivered`, `deferred`, `dead_lettered`, `requeued`, `cancelled`.
    event: &'static str,
    /// Of an attempt: its number, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// Of an attempt: the masked address.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Of an attempt: what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Of an attempt: milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    /// Of an attempt that failed: the beginning of what the receiver said, while it is kept.
    /// Whoever shows it treats it as hostile.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// When it is due again.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<DateTime<Utc>>,
    /// What it waits for, or why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What the fault of this machine was.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// It had been delivered or cancelled before, and goes once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<bool>,
}

impl From<DeliveryStep> for DeliveryStepView {
    fn from(step: DeliveryStep) -> Self {
        let at = step.at;
        match step.what {
            DeliveryWhat::Attempted { attempt, url, status, error, took_ms, answer } => Self {
                at,
                event: "attempted",
                attempt: Some(attempt),
                url: Some(url),
                status,
                error,
                took_ms: Some(took_ms),
                answer,
                ..Self::default()
            },
            DeliveryWhat::Delivered { status } => {
                Self { at, event: "delivered", status: Some(status), ..Self::default() }
            }
            DeliveryWhat::Deferred { until, why, detail } => {
                Self { at, event: "deferred", until: Some(until), why: Some(why), detail, ..Self::default() }
            }
            DeliveryWhat::DeadLettered { why } => {
                Self { at, event: "dead_lettered", why: Some(why), ..Self::default() }
            }
            DeliveryWhat::Requeued { by, again } => {
                Self { at, event: "requeued", by: Some(by), again: Some(again), ..Self::default() }
            }
            DeliveryWhat::Cancelled { by } => {
                Self { at, event: "cancelled", by: Some(by), ..Self::default() }
            }
        }
    }
}
