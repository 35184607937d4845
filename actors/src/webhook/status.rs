//! What the delivery tells the program about itself, when asked.

use actix::Message;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How is the delivery?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "WebhookStatus")]
pub struct GetWebhookStatus;

/// How the delivery is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WebhookStatus {
    /// Attempts under way.
    pub in_flight: usize,
    /// One entry per target that was ever used or is configured.
    pub targets: Vec<TargetStatus>,
    /// Sending is switched off.
    pub paused: bool,
}

/// How one target is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TargetStatus {
    /// Id.
    pub id: String,
    /// Masked address.
    pub url: String,
    /// `closed` (healthy), `open` (waits after failures), `half_open` (probing), `disabled` (answered 410).
    pub breaker: String,
    /// When an open breaker probes next.
    pub probe_at: Option<DateTime<Utc>>,
    /// Failures in a row.
    pub failures: u32,
    /// Attempts under way.
    pub in_flight: usize,
}
