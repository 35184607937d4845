//! What becomes of a delivery: from the class of an attempt to one commit. Pure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::address;
use super::notice::{self, Notify};
use super::retry::{self, Class, Failed, Next};
use super::state::{
    Attempted, Cancelled, DeadLettered, Deferred, DeliveryEvent, Requeued, Succeeded, delivery_stream,
};
use crate::kernel::aggregate::{Aggregate, Evolve, Loaded};
use crate::kernel::event::{DomainEvent as _, EventError};
use crate::kernel::journal::{Body, Commit, Defer, Due, Queue, Settle, StreamWrite};
use crate::mail::HoldReason;
use crate::mail::life::{DeliveryEnd, MailEvent, MailLife, MailSettled, Stage, mail_stream};
use crate::mail::policy::RetryPolicy;
use crate::mail::work::{self, DeliverMeta, InWindow};

/// What the events of a `delivery-…` stream add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried, or waits.
    #[default]
    Open,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Dead,
    /// Somebody said that it is not to be sent.
    Cancelled,
}

/// What an operator wants done about a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryCommand {
    /// Send a dead letter again, or once more what was delivered or cancelled.
    Requeue {
        /// Who asked.
        by: String,
        /// Only what is over, or else only a dead letter.
        over: bool,
    },
    /// Do not send it.
    Cancel {
        /// Who asked.
        by: String,
    },
}

/// A delivery, and whether its mail has closed the account of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCx {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// See [`DeliverMeta::again`].
    pub again: bool,
}

/// The delivery stands elsewhere than what is wanted needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsuited(pub DeliveryState);

impl Evolve for DeliveryState {
    type Event = DeliveryEvent;

    fn evolve(&mut self, event: &DeliveryEvent) {
        *self = match event {
            DeliveryEvent::Attempted(_) | DeliveryEvent::Deferred(_) | DeliveryEvent::Requeued(_) => {
                Self::Open
            }
            DeliveryEvent::Succeeded(_) => Self::Delivered,
            DeliveryEvent::DeadLettered(_) => Self::Dead,
            DeliveryEvent::Cancelled(_) => Self::Cancelled,
        };
    }
}

impl Aggregate for DeliveryState {
    type Command = DeliveryCommand;
    type Cx = DeliveryCx;
    type Reject = Unsuited;

    fn decide(&self, command: &DeliveryCommand, cx: &DeliveryCx) -> Result<Vec<DeliveryEvent>, Unsuited> {
        let (email_id, target) = (cx.email_id.clone(), cx.target.clone());
        let event = match (command, self) {
            (DeliveryCommand::Requeue { by, over: false }, Self::Dead) => {
                DeliveryEvent::Requeued(Requeued { email_id, target, by: by.clone(), again: cx.again })
            }
            (DeliveryCommand::Requeue { by, over: true }, Self::Delivered | Self::Cancelled) => {
                DeliveryEvent::Requeued(Requeued { email_id, target, by: by.clone(), again: true })
            }
            (DeliveryCommand::Cancel { by }, Self::Open | Self::Dead) => {
                let was_dead = *self == Self::Dead;
                DeliveryEvent::Cancelled(Cancelled {
                    email_id,
                    target,
                    by: by.clone(),
                    was_dead,
                    again: cx.again,
                })
            }
            (_, state) => return Err(Unsuited(*state)),
        };
        Ok(vec![event])
    }
}

/// One attempt, as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
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
pub enum Fate {
    /// It is done.
    Delivered,
    /// It comes due again.
    Waits(DateTime<Utc>),
    /// It is kept as a dead letter.
    Dead,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is to be remembered about it.
    pub events: Vec<DeliveryEvent>,
    /// What becomes of its row.
    pub fate: Fate,
    /// The row's new meta, but for the stream's version.
    pub meta: DeliverMeta,
    /// What the receiver said, to be kept with the attempt until then.
    pub said: Option<(String, DateTime<Utc>)>,
}

/// Decides after an attempt. `chance` is in `0.0..1.0`.
#[must_use]
pub fn after_attempt(
    meta: &DeliverMeta,
    attempt: &Attempt,
    policy: &RetryPolicy,
    now: DateTime<Utc>,
    chance: f64,
) -> Decision {
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
    let (then, fate, meta) = match &attempt.class {
        Class::Delivered => {
            let succeeded = DeliveryEvent::Succeeded(Succeeded {
                email_id: meta.email_id.clone(),
                target: meta.target.clone(),
                status: attempt.status.unwrap_or_default(),
                attempts: number,
                mode: meta.mode,
            });
            (succeeded, Fate::Delivered, counted)
        }
        // The target has gone, not the delivery: it waits and no attempt is spent.
        Class::Gone => (deferred(meta, now, "target_disabled"), Fate::Waits(now), meta.clone()),
        Class::Unsendable { why } => (dead(&counted, why.clone()), Fate::Dead, counted),
        Class::Retry { why, not_before, .. } => {
            match retry::next(
                policy,
                Failed { attempts: number, first, not_before: *not_before },
                now,
                chance,
            ) {
                Next::At { due, asked } => {
                    let word = if asked { "retry_after" } else { "retry" };
                    (deferred(meta, due, word), Fate::Waits(due), counted)
                }
                Next::GiveUp { why: count } => {
                    (dead(&counted, format!("{count}, the last one with: {why}")), Fate::Dead, counted)
                }
            }
        }
    };
    Decision { events: vec![attempted, then], fate, meta, said: None }
}

/// A delivery that cannot be tried at all.
#[must_use]
pub fn unusable(meta: &DeliverMeta, why: String) -> Decision {
    Decision { events: vec![dead(meta, why)], fate: Fate::Dead, meta: meta.clone(), said: None }
}

/// A delivery that is over the rate limit until `until`.
#[must_use]
pub fn over_the_limit(meta: &DeliverMeta, until: DateTime<Utc>) -> Decision {
    Decision {
        events: vec![deferred(meta, until, "rate_limit")],
        fate: Fate::Waits(until),
        meta: meta.clone(),
        said: None,
    }
}

/// A delivery that may go only while the window is open, which it is not before `until`.
#[must_use]
pub fn outside_the_window(meta: &DeliverMeta, until: DateTime<Utc>) -> Decision {
    Decision {
        events: vec![deferred(meta, until, HoldReason::OutsideWindow.as_str())],
        fate: Fate::Waits(until),
        meta: DeliverMeta { window: InWindow::Waits, ..meta.clone() },
        said: None,
    }
}

/// A delivery that turns out to have been delivered: only its row is left.
#[must_use]
pub fn done_before(meta: &DeliverMeta) -> Decision {
    Decision { events: Vec::new(), fate: Fate::Delivered, meta: meta.clone(), said: None }
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

/// What is known about the streams a commit writes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belief {
    /// Version of the delivery's stream; `None` = what the row says.
    pub delivery: Option<u64>,
    /// The mail; `None` = nothing but what the row says.
    pub mail: Option<Loaded<MailLife>>,
}

/// The one commit that stores `decision` about the row `key`, held under `claim`. `notify` is
/// told when it is given up.
///
/// # Errors
/// When an event cannot be written as JSON.
pub fn commit(
    decision: &Decision,
    belief: &Belief,
    key: &str,
    claim: Uuid,
    notify: Option<&Notify>,
    now: DateTime<Utc>,
    mut id: impl FnMut() -> Uuid,
) -> Result<Commit, EventError> {
    let meta = &decision.meta;
    let version = belief.delivery.unwrap_or(meta.delivery_version);
    let mut commit = Commit { at: now, ..Commit::default() };
    let mut facts = decision.events.clone();
    // Nobody is told that nobody could be told.
    if let Some(notify) = notify.filter(|_| !meta.notice) {
        tell(&mut facts, version, notify, now, &mut commit);
    }
    let events = facts.iter().map(|event| event.to_new(id())).collect::<Result<Vec<_>, _>>()?;
    let new_version = version + u64::try_from(events.len()).unwrap_or_default();
    if !events.is_empty() {
        commit.writes.push(StreamWrite::after(
            version,
            delivery_stream(&meta.email_id, &meta.target),
            events,
        ));
    }
    if let (Some((said, keep_until)), Some(DeliveryEvent::Attempted(_))) = (&decision.said, facts.first()) {
        let key = work::answer_body_key(&meta.email_id, &meta.target, version + 1);
        commit.bodies.push(Body { key, bytes: said.clone().into(), keep_until: *keep_until });
    }
    let row = |due| Defer {
        queue: Queue::Deliver,
        key: key.to_owned(),
        claim: Some(claim),
        due,
        meta: Some(work::to_value(&DeliverMeta { delivery_version: new_version, ..meta.clone() })),
        partition: Some(work::delivery_partition(&meta.target, meta.attempts > 0)),
    };
    let end = match decision.fate {
        Fate::Waits(until) => {
            commit.defer.push(row(Due::At(until)));
            return Ok(commit);
        }
        Fate::Dead => {
            commit.defer.push(row(Due::Parked));
            DeliveryEnd::DeadLettered
        }
        Fate::Delivered => {
            commit.settle.push(Settle { queue: Queue::Deliver, key: key.to_owned(), claim: Some(claim) });
            DeliveryEnd::Delivered
        }
    };
    if !meta.settles_mail() {
        return Ok(commit);
    }
    let settled = MailEvent::Settled(MailSettled { target: meta.target.clone(), end });
    let (version, locations) = match &belief.mail {
        // No other delivery of this mail can have ended at this version.
        None => (meta.mail_version, (meta.siblings <= 1).then_some(&meta.locations)),
        Some(Loaded { state: life, version }) if life.stage == Stage::Unknown => {
            // The journal does not know the mail (it has lost commits). If it is taken in again
            // meanwhile, this outcome settles it, and its places have to be marked.
            commit.writes.push(StreamWrite::after(*version, mail_stream(&meta.email_id), Vec::new()));
            return Ok(commit);
        }
        Some(Loaded { state: life, version }) => (*version, ends(life, &settled).then_some(&life.locations)),
    };
    let known = belief.mail.as_ref().is_some_and(|Loaded { state: life, .. }| {
        life.deliveries.iter().any(|(target, known)| *target == meta.target && *known == Some(end))
    });
    // Even without an event the version is checked: the places to mark depend on it.
    let events = if known { Vec::new() } else { vec![settled.to_new(id())?] };
    commit.writes.push(StreamWrite::after(version, mail_stream(&meta.email_id), events));
    if let Some(locations) = locations.filter(|_| end == DeliveryEnd::Delivered) {
        commit.add.extend(work::flag_rows(&meta.email_id, locations, now));
    }
    Ok(commit)
}

/// Adds what tells about a dead letter, and names it in the fact.
fn tell(facts: &mut [DeliveryEvent], version: u64, notify: &Notify, now: DateTime<Utc>, commit: &mut Commit) {
    let last = version + u64::try_from(facts.len()).unwrap_or_default();
    let Some(DeliveryEvent::DeadLettered(dead)) = facts.last_mut() else { return };
    let id = notice::notice_id(dead, last);
    let (row, body) = notice::notice(&id, dead, notify, now);
    dead.notice = Some(id);
    commit.add.push(row);
    commit.bodies.push(body);
}

fn ends(life: &MailLife, settled: &MailEvent) -> bool {
    let mut after = life.clone();
    after.evolve(settled);
    after.all_done()
}

/// The address a delivery goes to now: the configured one, or the one it was routed to.
#[must_use]
pub fn address_of<'a>(policy: &'a crate::mail::policy::Policy, meta: &'a DeliverMeta) -> &'a str {
    address::configured(policy, &meta.target).unwrap_or(&meta.url)
}

#[cfg(test)]
mod tests;
