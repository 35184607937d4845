//! The rows of the outbox: what one stage of a mail's life hands to the next.
//!
//! Keys are deterministic, so that a repeated commit, or the same mail read again
//! after a lost journal, makes the same row and the same `webhook-id`.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::life::Location;
use super::policy::{DeliveryMode, Ordering, Policy, Priority, Target};
use super::{Link, Mail, Planned, Verdict};
use crate::kernel::journal::{Body, Due, OutboxAdd, Queue};

/// Meta of a `deliver` row. The body is the webhook's exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverMeta {
    /// The mail.
    pub email_id: String,
    /// Id of the target; its address is looked up in the present policy.
    pub target: String,
    /// Address at the time of routing: used when the target is no longer configured.
    pub url: String,
    /// Version of the mail's stream when the row was made: lets the first settlement
    /// append without reading.
    pub mail_version: u64,
    /// How many deliveries the mail has.
    pub siblings: usize,
    /// Where the mail lies, to be marked when all is delivered.
    pub locations: Vec<Location>,
    /// Attempts made so far.
    #[serde(default)]
    pub attempts: u32,
    /// When the first of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// Version of the delivery's stream.
    #[serde(default)]
    pub delivery_version: u64,
    /// Who goes first of those that wait for the same target.
    #[serde(default, skip_serializing_if = "Priority::is_medium")]
    pub priority: Priority,
    /// It tells that another delivery was given up: it belongs to no mail's stream, and
    /// nobody is told when it fails itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notice: bool,
    /// What the body is called. Fixed with it: every attempt sends the same.
    #[serde(default, skip_serializing_if = "DeliveryMode::is_json")]
    pub mode: DeliveryMode,
    /// Whether it may go while the delivery window is closed.
    #[serde(default, skip_serializing_if = "InWindow::is_free")]
    pub window: InWindow,
    /// The mail's stream has closed the account of it: it was delivered or cancelled, and
    /// somebody wants it sent once more. How that ends is in the delivery's stream alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

impl DeliverMeta {
    /// Whether its end is noted in the mail's stream.
    #[must_use]
    pub const fn settles_mail(&self) -> bool {
        !self.notice && !self.again
    }
}

/// What the delivery window is to a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InWindow {
    /// Nothing: it goes at any time. Its detector wants it so, somebody released it, or the row
    /// was made by a version that asked for the window at routing only.
    #[default]
    Free,
    /// It goes while the window is open.
    Bound,
    /// The same, and it waits for the window to open.
    Waits,
}

impl InWindow {
    /// Whether it goes at any time.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::Free
    }

    /// What it is when its time has come.
    #[must_use]
    pub const fn due(self) -> Self {
        match self {
            Self::Free => Self::Free,
            Self::Bound | Self::Waits => Self::Bound,
        }
    }
}

/// Meta of an `offload` or `hold` row. The body is a [`Draft`] as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftMeta {
    /// The mail.
    pub email_id: String,
    /// Version of the mail's stream when the row was made.
    pub mail_version: u64,
    /// Where the mail lies.
    pub locations: Vec<Location>,
    /// Somebody released it: it is routed, whatever the policy says about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// How often the row had been claimed when a worker last gave it back. When it was claimed
    /// more than once since, a worker ended while it had it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returned: u32,
    /// It can be read again from its webhooks: once they are made, its draft is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// Its sender is not in the list: it waits for a change of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stranger: Option<Stranger>,
    /// Its links cannot be copied at the moment, and it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<CopyWait>,
    /// Targets whose deliveries were cancelled while its links were copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<String>,
}

/// How long a mail has been waiting for copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyWait {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Tries so far.
    pub tries: u32,
}

const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A mail whose sender is not in the list, as its row tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Clean address.
    pub sender: String,
    /// Bytes of its body.
    pub bytes: u64,
    /// When its time is over.
    pub until: DateTime<Utc>,
}

/// Meta of a `flag` row: it has no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagMeta {
    /// The mail.
    pub email_id: String,
    /// The copy to mark `\Seen`.
    pub location: Location,
}

/// A mail that is not yet a webhook, with what was decided so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The mail.
    pub mail: Mail,
    /// The decision; a held mail is decided again.
    pub verdict: Verdict,
}

impl Draft {
    /// A draft as the journal keeps it.
    ///
    /// # Errors
    /// It is none.
    pub fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut draft: Self = serde_json::from_slice(body)?;
        draft.mail.text = super::parse::text(&draft.mail.plain, &draft.mail.html);
        Ok(draft)
    }
}

/// How much earlier than it was made a delivery of high priority counts as due: of a burst,
/// those that were made up to that long before it wait behind it. Less than what
/// `/readyz` calls late.
const HEAD_START: TimeDelta = TimeDelta::seconds(30);

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
    let super::Outcome::Deliver { deliveries } = &verdict.outcome else {
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

/// Key of the `flag` row of a copy of a mail.
#[must_use]
pub fn flag_key(location: &Location) -> String {
    format!("{}/{}/{}", location.mailbox, location.validity, location.item)
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
