//! The rows of the outbox: what one stage of a mail's life hands to the next.

mod keys;
mod meta;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

pub use self::keys::{
    NOTIFY_TARGET, answer_body_key, delivery_body_key, delivery_key, delivery_partition, draft_body_key,
    flag_key, is_stranger, source_body_key, stranger_key, webhook_id,
};
pub use self::meta::{CopyWait, DeliverMeta, Draft, DraftMeta, FlagMeta, InWindow, Stranger};
use super::life::Location;
use super::policy::{DeliveryMode, Ordering, Policy, Priority, Target};
use super::{Link, Mail, Planned, Verdict};
use crate::kernel::journal::{Body, Due, OutboxAdd, Queue};

/// How much earlier than it was made a delivery of high priority counts as due: of a burst,
/// those that were made up to that long before it wait behind it. Less than what
/// `/readyz` calls late.
const HEAD_START: TimeDelta = TimeDelta::seconds(30);

/// The target of a planned delivery under the present policy.
#[must_use]
pub fn target_of<'p>(policy: &'p Policy, id: &str) -> Option<&'p Target> {
    if policy.default_target.id == id {
        return Some(&policy.default_target);
    }
    policy.rules.iter().map(|rule| &rule.target).find(|target| target.id == id)
}

/// The order key that `ordering` asks for.
#[must_use]
pub fn order_key(ordering: Ordering, sender: &str, mailbox: &str) -> Option<String> {
    match ordering {
        Ordering::None => None,
        Ordering::Sender => Some(sender.to_owned()),
        Ordering::Mailbox => Some(mailbox.to_owned()),
    }
}

/// The `deliver` rows and bodies of a routed mail.
///
/// `due` is [`Due::Reserved`] while the links are still being offloaded (only targets
/// that keep an order need such a reservation), and an instant once the bodies are final.
/// `now` starts the retention of the bodies.
#[must_use]
pub fn deliver_rows(
    mail: &Mail,
    verdict: &Verdict,
    links: &[Link],
    policy: &Policy,
    meta: &DraftMeta,
    due: Due,
    now: DateTime<Utc>,
) -> (Vec<OutboxAdd>, Vec<Body>) {
    let crate::mail::Outcome::Deliver { deliveries } = &verdict.outcome else {
        return (Vec::new(), Vec::new());
    };
    let keep_until = now + chrono::Duration::from_std(policy.retention).unwrap_or_default();
    let priority = policy.prefs.priority_of(&mail.sender);
    let due = match due {
        Due::At(at) if priority == Priority::High => Due::At(at - HEAD_START),
        due => due,
    };
    let mut rows = Vec::with_capacity(deliveries.len());
    let mut bodies = Vec::with_capacity(deliveries.len());
    let wanted = |planned: &&Planned| !meta.cancelled.contains(&planned.target);
    let siblings = deliveries.iter().filter(wanted).count();
    for planned in deliveries.iter().filter(wanted) {
        let target = target_of(policy, &planned.target).unwrap_or(&policy.default_target);
        let order = order_key(
            target.ordering,
            &mail.sender,
            meta.locations.first().map_or("", |location| location.mailbox.as_str()),
        );
        if due == Due::Reserved && order.is_none() {
            continue;
        }
        let body_key = delivery_body_key(&meta.email_id, &planned.target);
        let final_body = due != Due::Reserved;
        if final_body {
            bodies.push(Body {
                key: body_key.clone(),
                bytes: super::payload::body(mail, verdict.detection.as_ref(), links, planned).into(),
                keep_until,
            });
        }
        rows.push(deliver_row(
            planned,
            target,
            meta,
            order,
            due,
            final_body.then_some(body_key),
            siblings,
            (priority, policy.delivery_mode),
        ));
    }
    (rows, bodies)
}

#[expect(clippy::too_many_arguments, reason = "called once, with what the row is made of")]
fn deliver_row(
    planned: &Planned,
    target: &Target,
    meta: &DraftMeta,
    order_key: Option<String>,
    due: Due,
    body_key: Option<String>,
    siblings: usize,
    (priority, mode): (Priority, DeliveryMode),
) -> OutboxAdd {
    let deliver = DeliverMeta {
        email_id: meta.email_id.clone(),
        target: planned.target.clone(),
        url: target.url.clone(),
        mail_version: meta.mail_version,
        siblings,
        locations: meta.locations.clone(),
        attempts: 0,
        first_attempt_at: None,
        delivery_version: 0,
        priority,
        notice: false,
        mode,
        window: if planned.in_window { InWindow::Bound } else { InWindow::Free },
        again: false,
    };
    OutboxAdd {
        queue: Queue::Deliver,
        key: delivery_key(&meta.email_id, &planned.target),
        partition: planned.target.clone(),
        order_key,
        due,
        meta: to_value(&deliver),
        body_key,
    }
}

/// The `offload` or `hold` row of a draft, and its body.
#[must_use]
pub fn draft_row(
    queue: Queue,
    draft: &Draft,
    meta: &DraftMeta,
    due: Due,
    keep_until: DateTime<Utc>,
) -> (OutboxAdd, Body) {
    let body = draft_body(draft, &meta.email_id, keep_until);
    (kept_draft_row(queue, meta, due), body)
}

/// The row of a draft whose body is kept already.
#[must_use]
pub fn kept_draft_row(queue: Queue, meta: &DraftMeta, due: Due) -> OutboxAdd {
    OutboxAdd {
        queue,
        key: meta.email_id.clone(),
        partition: "mail".to_owned(),
        order_key: None,
        due,
        meta: to_value(meta),
        body_key: Some(draft_body_key(&meta.email_id)),
    }
}

/// Overwrites a draft that is of no more use: its bytes go now, its key with the next purge.
#[must_use]
pub fn no_draft(email_id: &str, now: DateTime<Utc>) -> Body {
    Body { key: draft_body_key(email_id), bytes: bytes::Bytes::new(), keep_until: now }
}

/// What is kept of a mail that nothing is sent for, so that it can be released.
#[must_use]
pub fn draft_body(draft: &Draft, email_id: &str, keep_until: DateTime<Utc>) -> Body {
    let bytes = serde_json::to_vec(draft).unwrap_or_default();
    Body { key: draft_body_key(email_id), bytes: bytes.into(), keep_until }
}

/// The row of a mail whose sender is not in the list, and its body. Nobody claims it before the
/// list lets its sender in. The body goes with the row.
#[must_use]
pub fn stranger_row(
    draft: &Draft,
    meta: DraftMeta,
    (now, keep_until): (DateTime<Utc>, DateTime<Utc>),
) -> (OutboxAdd, Body) {
    let key = stranger_key(&meta.email_id);
    let bytes = serde_json::to_vec(draft).unwrap_or_default();
    let stranger =
        Stranger { sender: draft.mail.sender.clone(), bytes: bytes.len() as u64, until: keep_until };
    let meta = DraftMeta { stranger: Some(stranger), ..meta };
    let row = OutboxAdd {
        key: key.clone(),
        body_key: Some(key.clone()),
        ..kept_draft_row(Queue::Hold, &meta, Due::Parked)
    };
    (row, Body { key, bytes: bytes.into(), keep_until: now })
}

/// The `flag` rows for every copy of a mail that lies in a mailbox.
#[must_use]
pub fn flag_rows(email_id: &str, locations: &[Location], now: DateTime<Utc>) -> Vec<OutboxAdd> {
    locations
        .iter()
        .filter(|location| !location.is_pushed())
        .map(|location| OutboxAdd {
            queue: Queue::Flag,
            key: flag_key(location),
            partition: location.mailbox.clone(),
            order_key: None,
            due: Due::At(now),
            meta: to_value(&FlagMeta { email_id: email_id.to_owned(), location: location.clone() }),
            body_key: None,
        })
        .collect()
}

/// Structs of text and numbers always have a JSON form.
pub(crate) fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
