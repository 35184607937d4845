//! `notify_on_failure`: a delivery that was given up is told to `NOTIFY_WEBHOOK_URL`, by a
//! delivery of its own that is made in the same commit as the dead letter. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::super::events::DeadLettered;
use crate::kernel::journal::{Body, Due, OutboxAdd, Queue};
use crate::mail::outbox_rows::{self, DeliverMeta, NOTIFY_TARGET};
use crate::mail::policy::Policy;

/// Who is told, and for how long what is said is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// The address. A capability.
    pub url: String,
    /// As for any body.
    pub retention: Duration,
}

impl Notify {
    /// What the policy says; `None` = nobody is told.
    #[must_use]
    pub fn of(policy: &Policy) -> Option<Self> {
        let url = policy.prefs.notify()?.to_owned();
        Some(Self { url, retention: policy.retention })
    }
}

/// What is posted.
#[derive(Debug, Serialize)]
struct NoticePayload<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: DateTime<Utc>,
    data: &'a DeadLettered,
}

/// The name under which the dead letter `dead`, stored as `version` of its delivery's stream,
/// is told: one that is sent again and given up again is another one.
#[must_use]
pub fn notice_id(dead: &DeadLettered, version: u64) -> String {
    format!("{}.{}.{version}", dead.email_id, dead.target)
}

/// The row and the body that tell about `dead`.
#[must_use]
pub fn notice(id: &str, dead: &DeadLettered, notify: &Notify, now: DateTime<Utc>) -> (OutboxAdd, Body) {
    let meta = DeliverMeta {
        email_id: id.to_owned(),
        target: NOTIFY_TARGET.to_owned(),
        url: notify.url.clone(),
        mail_version: 0,
        siblings: 1,
        locations: Vec::new(),
        attempts: 0,
        first_attempt_at: None,
        delivery_version: 0,
        priority: crate::mail::policy::Priority::Medium,
        notice: true,
        mode: crate::mail::policy::DeliveryMode::Json,
        window: outbox_rows::InWindow::Free,
        again: false,
    };
    let body_key = outbox_rows::delivery_body_key(id, NOTIFY_TARGET);
    let row = OutboxAdd {
        queue: Queue::Deliver,
        key: outbox_rows::delivery_key(id, NOTIFY_TARGET),
        partition: NOTIFY_TARGET.to_owned(),
        order_key: None,
        due: Due::At(now),
        meta: outbox_rows::to_value(&meta),
        body_key: Some(body_key.clone()),
    };
    let said = NoticePayload { kind: "delivery.dead_lettered", timestamp: now, data: dead };
    // Texts and numbers always have a JSON form.
    let bytes = serde_json::to_vec(&said).unwrap_or_default();
    let keep_until = now + TimeDelta::from_std(notify.retention).unwrap_or_default();
    (row, Body { key: body_key, bytes: bytes.into(), keep_until })
}
