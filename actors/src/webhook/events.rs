//! The events of deliveries, of their hourly limit and of targets: payloads, kinds, streams.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::event::StreamId;
use crate::mail::policy::DeliveryMode;

/// Payload of `delivery.attempted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempted {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// From 1.
    pub attempt: u32,
    /// Masked address.
    pub url: String,
    /// HTTP status, when there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong, in plain words; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Payload of `delivery.succeeded`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Succeeded {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// HTTP status.
    pub status: u16,
    /// How many attempts it took.
    pub attempts: u32,
    /// What the body was called, which it is again when it is delivered again.
    #[serde(default, skip_serializing_if = "DeliveryMode::is_json")]
    pub mode: DeliveryMode,
}

/// Payload of `delivery.deferred`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deferred {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// When it is due again.
    pub until: DateTime<Utc>,
    /// `retry`, `retry_after`, `rate_limit`, `outside_window` (due at once when the configuration
    /// opens the window), `target_disabled` (due at once when it is enabled), `local_fault` (this
    /// machine could not try; no attempt was spent).
    pub why: String,
    /// What the fault was, for `local_fault`. Absent in old events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Payload of `delivery.dead_lettered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLettered {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// Why it was given up, in plain words.
    pub why: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// Id of the delivery that tells somebody about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// Payload of `delivery.requeued`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requeued {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// Who asked, such as `cli`.
    pub by: String,
    /// The mail's own account of it is closed: it was delivered or cancelled before, and goes
    /// once more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// Payload of `delivery.cancelled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// Who asked, such as `cli`.
    pub by: String,
    /// It had been given up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_dead: bool,
    /// It was being delivered once more; see [`Requeued::again`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

domain_events! {
    /// What happens to a delivery.
    pub enum DeliveryEvent {
        Attempted(Attempted) = "delivery.attempted", schema 1, in "delivery", "A webhook was posted, or tried.", {
            email_id: "the mail", target: "id of the target", attempt: "from 1", url: "masked", status: "HTTP status, if any",
            error: "what went wrong", took_ms: "milliseconds" };
        Succeeded(Succeeded) = "delivery.succeeded", schema 1, in "delivery", "The receiver took the webhook.", {
            email_id: "the mail", target: "id of the target", status: "HTTP status", attempts: "how many",
            mode: "form, when the body was called that" };
        Deferred(Deferred) = "delivery.deferred", schema 1, in "delivery", "The delivery waits.", {
            email_id: "the mail", target: "id of the target", until: "when it is due again", why: "retry, retry_after, rate_limit, outside_window, target_disabled or local_fault",
            detail: "what the fault of this machine was, for local_fault" };
        DeadLettered(DeadLettered) = "delivery.dead_lettered", schema 1, in "delivery", "The delivery was given up and is kept.", {
            email_id: "the mail", target: "id of the target", why: "in plain words", attempts: "how many",
            notice: "the delivery that tells somebody" };
        Requeued(Requeued) = "delivery.requeued", schema 1, in "delivery", "A dead letter, or what was delivered before, is to be sent again.", {
            email_id: "the mail", target: "id of the target", by: "who asked", again: "it was delivered or cancelled before" };
        Cancelled(Cancelled) = "delivery.cancelled", schema 1, in "delivery", "Somebody said that it is not to be sent.", {
            email_id: "the mail", target: "id of the target", by: "who asked", was_dead: "it had been given up",
            again: "it was delivered or cancelled before" };
    }
}

impl DeliveryEvent {
    /// Whose delivery it is: the mail, and the id of the target.
    #[must_use]
    pub fn mail_and_target(&self) -> (&str, &str) {
        match self {
            Self::Attempted(Attempted { email_id, target, .. })
            | Self::Succeeded(Succeeded { email_id, target, .. })
            | Self::Deferred(Deferred { email_id, target, .. })
            | Self::DeadLettered(DeadLettered { email_id, target, .. })
            | Self::Requeued(Requeued { email_id, target, .. })
            | Self::Cancelled(Cancelled { email_id, target, .. }) => (email_id, target),
        }
    }
}

/// Payload of `delivery.counted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryCounted {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// From when on it counts, for an hour; a whole millisecond.
    pub at: DateTime<Utc>,
}

domain_events! {
    /// What happens to the hourly limit of a target.
    pub enum RateEvent {
        Counted(DeliveryCounted) = "delivery.counted", schema 1, in "rate", "The delivery took a place of its target's hourly limit.", {
            email_id: "the mail", target: "id of the target", at: "from when on it counts, for an hour" };
    }
}

/// Category of the streams of rate limits.
pub const RATE: &str = "rate";

/// The stream that counts the deliveries to a target within an hour. `hour` is its begin.
#[must_use]
pub fn rate_stream(target: &str, hour: DateTime<Utc>) -> StreamId {
    StreamId::new(RATE, &format!("{target}-{}", hour.format("%Y%m%d%H")))
}

/// The stream of a delivery.
#[must_use]
pub fn delivery_stream(email_id: &str, target: &str) -> StreamId {
    StreamId::new("delivery", &format!("{email_id}-{target}"))
}

/// Payload of `target.disabled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetDisabled {
    /// Id of the target.
    pub target: String,
    /// SHA-256 of the address that answered 410: another address enables the target.
    pub url_hash: String,
    /// Why.
    pub why: String,
}

/// Payload of `target.enabled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetEnabled {
    /// Id of the target.
    pub target: String,
    /// Why: `new_address`, or who asked.
    pub why: String,
}

/// Payload of `target.breaker_opened`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakerOpened {
    /// Id of the target.
    pub target: String,
    /// Failures in a row.
    pub failures: u32,
    /// When the next probe is allowed.
    pub until: DateTime<Utc>,
    /// How often it has opened without closing in between: the wait doubles with it. Not counted
    /// are probes by deliveries that had failed before. Absent in old events = one more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// Payload of `target.breaker_closed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakerClosed {
    /// Id of the target.
    pub target: String,
}

domain_events! {
    /// What happens to a target.
    pub enum TargetEvent {
        Disabled(TargetDisabled) = "target.disabled", schema 1, in "target", "The target said that it is gone (410); its deliveries wait.", {
            target: "id", url_hash: "SHA-256 of the address", why: "in plain words" };
        Enabled(TargetEnabled) = "target.enabled", schema 1, in "target", "The target takes deliveries again.", {
            target: "id", why: "new_address, or who asked" };
        BreakerOpened(BreakerOpened) = "target.breaker_opened", schema 1, in "target", "The target failed repeatedly; its deliveries wait.", {
            target: "id", failures: "in a row", until: "next probe", times: "in a row, by deliveries not tried before" };
        BreakerClosed(BreakerClosed) = "target.breaker_closed", schema 1, in "target", "A probe went through.", {
            target: "id" };
    }
}

/// The stream of a target.
#[must_use]
pub fn target_stream(target: &str) -> StreamId {
    StreamId::new("target", target)
}
