//! What becomes of a delivery: from the class of an attempt to one commit. Pure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::address;
use super::notice::{self, Notify};
use super::retry::{self, Class, Failed, Next};
use super::state::{
    Attempted, Cancelled, DeadLettered, Deferred, DeliveryEvent, Requeued, Succeeded, delivery_stream,
};
use crate::kernel::aggregate::Aggregate;
use crate::kernel::event::{DomainEvent as _, EventError, StreamId};
use crate::kernel::journal::{Body, Commit, Defer, Due, Expected, Queue, Settle, StreamWrite};
use crate::mail::HoldReason;
use crate::mail::life::{DeliveryEnd, MailEvent, MailLife, Settled, Stage, mail_stream};
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

impl Aggregate for DeliveryState {
    type Command = DeliveryCommand;
    type Event = DeliveryEvent;
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
    /// The mail and the version of its stream; `None` = nothing but what the row says.
    pub mail: Option<(MailLife, u64)>,
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
        commit.writes.push(write(delivery_stream(&meta.email_id, &meta.target), version, events));
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
    let settled = MailEvent::Settled(Settled { target: meta.target.clone(), end });
    let (version, locations) = match &belief.mail {
        // No other delivery of this mail can have ended at this version.
        None => (meta.mail_version, (meta.siblings <= 1).then_some(&meta.locations)),
        Some((life, version)) if life.stage == Stage::Unknown => {
            // The journal does not know the mail (it has lost commits). If it is taken in again
            // meanwhile, this outcome settles it, and its places have to be marked.
            commit.writes.push(write(mail_stream(&meta.email_id), *version, Vec::new()));
            return Ok(commit);
        }
        Some((life, version)) => (*version, ends(life, &settled).then_some(&life.locations)),
    };
    let known = belief.mail.as_ref().is_some_and(|(life, _)| {
        life.deliveries.iter().any(|(target, known)| *target == meta.target && *known == Some(end))
    });
    // Even without an event the version is checked: the places to mark depend on it.
    let events = if known { Vec::new() } else { vec![settled.to_new(id())?] };
    commit.writes.push(write(mail_stream(&meta.email_id), version, events));
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

fn write(stream: StreamId, version: u64, events: Vec<crate::kernel::event::NewEvent>) -> StreamWrite {
    let expected = if version == 0 { Expected::NoStream } else { Expected::Exact(version) };
    StreamWrite { stream, expected, events }
}

/// The address a delivery goes to now: the configured one, or the one it was routed to.
#[must_use]
pub fn address_of<'a>(policy: &'a crate::mail::policy::Policy, meta: &'a DeliverMeta) -> &'a str {
    address::configured(policy, &meta.target).unwrap_or(&meta.url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeZone as _;

    use super::*;
    use crate::mail::life::{Location, Routed, RoutedDelivery};

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
    }

    fn location(item: &str) -> Location {
        Location { mailbox: "INBOX".to_owned(), validity: 1, item: item.to_owned() }
    }

    fn meta(siblings: usize) -> DeliverMeta {
        DeliverMeta {
            email_id: "e".to_owned(),
            target: "default".to_owned(),
            url: "https://example.org/x".to_owned(),
            mail_version: 2,
            siblings,
            locations: vec![location("1")],
            attempts: 0,
            first_attempt_at: None,
            delivery_version: 0,
            priority: crate::mail::policy::Priority::Medium,
            notice: false,
            mode: crate::mail::policy::DeliveryMode::Json,
            window: InWindow::Bound,
            again: false,
        }
    }

    fn decided(class: Class, retries: Option<u32>) -> Decision {
        let status = Some(500);
        let attempt = Attempt { class, url: "https://example.org/***".to_owned(), status, took_ms: 3 };
        let policy = RetryPolicy { retries, base: Duration::from_secs(2) };
        after_attempt(&meta(1), &attempt, &policy, now(), 0.5)
    }

    fn retry() -> Class {
        Class::Retry { why: "HTTP 500".to_owned(), not_before: None, alive: false }
    }

    fn committed(decision: &Decision, belief: &Belief) -> Commit {
        let mut next = 0;
        commit(decision, belief, "e/default", Uuid::nil(), None, now(), || {
            next += 1;
            Uuid::from_u128(next)
        })
        .unwrap()
    }

    fn kinds(commit: &Commit) -> Vec<(&str, Expected, Vec<&str>)> {
        commit
            .writes
            .iter()
            .map(|write| {
                (
                    write.stream.category(),
                    write.expected,
                    write.events.iter().map(|event| event.kind).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn a_mail_that_the_journal_has_lost_must_still_be_unknown_when_its_outcome_is_committed() {
        let belief = Belief { mail: Some((MailLife::default(), 0)), delivery: Some(0) };
        let commit = committed(&decided(Class::Delivered, None), &belief);
        let mail = kinds(&commit).pop().expect("a write");
        assert_eq!(mail, ("mail", Expected::NoStream, vec![]), "taken in again, it has places to be marked");
        assert!(commit.add.is_empty());
    }

    #[test]
    fn each_class_has_its_fate() {
        let second = chrono::TimeDelta::seconds(1);
        for (class, retries, kind, fate, attempts) in [
            (Class::Delivered, None, "delivery.succeeded", Fate::Delivered, 1),
            (retry(), None, "delivery.deferred", Fate::Waits(now() + second * 2), 1),
            (retry(), Some(0), "delivery.dead_lettered", Fate::Dead, 1),
            (Class::Gone, Some(0), "delivery.deferred", Fate::Waits(now()), 0),
            (Class::Unsendable { why: "refused".to_owned() }, None, "delivery.dead_lettered", Fate::Dead, 1),
        ] {
            let decision = decided(class, retries);
            let kinds: Vec<_> = decision.events.iter().map(crate::kernel::event::DomainEvent::kind).collect();
            assert_eq!(kinds, ["delivery.attempted", kind]);
            assert_eq!((decision.fate, decision.meta.attempts), (fate, attempts));
        }
    }

    #[test]
    fn a_success_is_one_commit_with_the_flag() {
        let commit = committed(&decided(Class::Delivered, None), &Belief::default());
        assert_eq!(
            kinds(&commit),
            [
                ("delivery", Expected::NoStream, vec!["delivery.attempted", "delivery.succeeded"]),
                ("mail", Expected::Exact(2), vec!["mail.settled"]),
            ]
        );
        assert_eq!((commit.settle.len(), commit.defer.len(), commit.add.len()), (1, 0, 1));
    }

    #[test]
    fn a_retry_keeps_the_version_and_the_first_attempt() {
        let commit = committed(&decided(retry(), None), &Belief { delivery: Some(4), mail: None });
        assert_eq!(kinds(&commit)[0].1, Expected::Exact(4));
        let meta: DeliverMeta = serde_json::from_value(commit.defer[0].meta.clone().unwrap()).unwrap();
        assert_eq!((meta.delivery_version, meta.attempts, meta.first_attempt_at), (6, 1, Some(now())));
        assert!(commit.settle.is_empty() && commit.add.is_empty());
    }

    #[test]
    fn what_was_said_is_kept_beside_the_attempt_and_not_in_it() {
        let until = now() + chrono::TimeDelta::days(7);
        let mut decision = decided(retry(), None);
        decision.said = Some(("queue full".to_owned(), until));
        let kept = committed(&decision, &Belief { delivery: Some(4), mail: None });
        let body = &kept.bodies[0];
        // The attempt is the fifth event of its stream.
        assert_eq!((body.key.as_str(), &body.bytes[..]), ("answer/e/default/5", &b"queue full"[..]));
        assert_eq!((kept.bodies.len(), body.keep_until), (1, until));
        let events = &kept.writes[0].events;
        assert!(events.iter().all(|event| !event.payload.to_string().contains("queue")));
    }

    #[test]
    fn a_dead_letter_is_kept_and_the_mail_is_not_marked() {
        let commit = committed(&decided(retry(), Some(0)), &Belief::default());
        assert_eq!(commit.defer[0].due, Due::Parked);
        assert_eq!(kinds(&commit)[1].2, ["mail.settled"]);
        assert!(commit.add.is_empty());
    }

    #[test]
    fn the_mail_is_marked_with_its_last_delivery_at_every_place() {
        let routed = |target: &str| RoutedDelivery {
            target: target.to_owned(),
            rule: None,
            share: crate::mail::policy::Share::All,
        };
        let mut life = MailLife { locations: vec![location("1"), location("2")], ..MailLife::default() };
        life.evolve(&MailEvent::Routed(Routed {
            detection: None,
            links: Vec::new(),
            deliveries: vec![routed("default"), routed("rule-1")],
            offload: false,
            priority: crate::mail::policy::Priority::Medium,
            text: None,
            configuration: None,
        }));
        let mut decision = decided(Class::Delivered, None);
        decision.meta.siblings = 2;
        assert!(committed(&decision, &Belief::default()).add.is_empty());
        let first = Belief { delivery: None, mail: Some((life.clone(), 3)) };
        assert!(committed(&decision, &first).add.is_empty());
        life.evolve(&MailEvent::Settled(Settled {
            target: "rule-1".to_owned(),
            end: DeliveryEnd::Delivered,
        }));
        let last = committed(&decision, &Belief { delivery: None, mail: Some((life, 4)) });
        assert_eq!(last.add.len(), 2);
        assert_eq!(kinds(&last)[1].1, Expected::Exact(4));
    }

    #[test]
    fn what_is_wanted_suits_where_the_delivery_stands() {
        let cx = |again| DeliveryCx { email_id: "e".to_owned(), target: "default".to_owned(), again };
        let requeue = |over| DeliveryCommand::Requeue { by: "cli".to_owned(), over };
        let cancel = DeliveryCommand::Cancel { by: "cli".to_owned() };
        let (open, delivered, dead, cancelled) =
            (DeliveryState::Open, DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Cancelled);
        for (command, state, after) in [
            (requeue(false), open, None),
            (requeue(false), delivered, None),
            (requeue(false), dead, Some(open)),
            (requeue(false), cancelled, None),
            (requeue(true), open, None),
            (requeue(true), delivered, Some(open)),
            (requeue(true), dead, None),
            (requeue(true), cancelled, Some(open)),
            (cancel.clone(), open, Some(cancelled)),
            (cancel.clone(), delivered, None),
            (cancel.clone(), dead, Some(cancelled)),
            (cancel.clone(), cancelled, None),
        ] {
            let decided = state.decide(&command, &cx(false));
            let came_to = decided.clone().map(|events| {
                let mut state = state;
                events.iter().for_each(|event| state.evolve(event));
                state
            });
            assert_eq!(came_to, after.ok_or(Unsuited(state)), "{command:?} of {state:?}");
        }
        // The mail's account of what goes once more stays closed.
        let events = dead.decide(&cancel, &cx(true)).unwrap();
        assert!(matches!(&events[0], DeliveryEvent::Cancelled(event) if event.again && event.was_dead));
        let events = delivered.decide(&requeue(true), &cx(false)).unwrap();
        assert!(matches!(&events[0], DeliveryEvent::Requeued(event) if event.again));
    }

    #[test]
    fn a_delivery_that_goes_once_more_settles_no_mail() {
        let mut decision = decided(Class::Delivered, None);
        decision.meta.again = true;
        let commit = committed(&decision, &Belief { delivery: Some(3), mail: None });
        let streams: Vec<_> = commit.writes.iter().map(|write| write.stream.category().to_owned()).collect();
        assert_eq!(streams, ["delivery"]);
        assert!(commit.add.is_empty() && commit.settle.len() == 1);
    }
}
