use std::time::Duration;

use chrono::TimeZone as _;

use super::*;
use crate::kernel::journal::Expected;
use crate::mail::life::{Location, MailRouted, RoutedDelivery};

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
            (write.stream.category(), write.expected, write.events.iter().map(|event| event.kind).collect())
        })
        .collect()
}

#[test]
fn a_mail_that_the_journal_has_lost_must_still_be_unknown_when_its_outcome_is_committed() {
    let belief = Belief { mail: Some(Loaded::default()), delivery: Some(0) };
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
    life.evolve(&MailEvent::Routed(MailRouted {
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
    let first = Belief { delivery: None, mail: Some(Loaded { state: life.clone(), version: 3 }) };
    assert!(committed(&decision, &first).add.is_empty());
    life.evolve(&MailEvent::Settled(MailSettled {
        target: "rule-1".to_owned(),
        end: DeliveryEnd::Delivered,
    }));
    let last =
        committed(&decision, &Belief { delivery: None, mail: Some(Loaded { state: life, version: 4 }) });
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
