use std::time::Duration;

use chrono::TimeZone as _;

use super::*;
use crate::kernel::aggregate::{Evolve as _, Loaded};
use crate::kernel::journal::{Commit, Due, Expected};
use crate::mail::life::{
    DeliveryEnd, Location, MailEvent, MailLife, MailRouted, MailSettled, RoutedDelivery,
};
use uuid::Uuid;

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

fn decided(class: Class, retries: Option<u32>) -> DeliveryOutcome {
    let status = Some(500);
    let attempt = AttemptResult { class, url: "https://example.org/***".to_owned(), status, took_ms: 3 };
    let policy = RetryPolicy { retries, base: Duration::from_secs(2) };
    after_attempt(&meta(1), &attempt, &policy, now(), 0.5)
}

fn retry() -> Class {
    Class::Retry { why: "HTTP 500".to_owned(), not_before: None, alive: false }
}

fn committed(outcome: &DeliveryOutcome, known: &KnownStreams) -> Commit {
    let mut next = 0;
    commit(outcome, known, "e/default", Uuid::nil(), None, now(), || {
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
    let known = KnownStreams { mail: Some(Loaded::default()), delivery: Some(0) };
    let commit = committed(&decided(Class::Delivered, None), &known);
    let mail = kinds(&commit).pop().expect("a write");
    assert_eq!(mail, ("mail", Expected::NoStream, vec![]), "taken in again, it has places to be marked");
    assert!(commit.add.is_empty());
}

#[test]
fn each_class_has_its_fate() {
    let second = chrono::TimeDelta::seconds(1);
    for (class, retries, kind, resolution, attempts) in [
        (Class::Delivered, None, "delivery.succeeded", Resolution::Delivered, 1),
        (retry(), None, "delivery.deferred", Resolution::Deferred(now() + second * 2), 1),
        (retry(), Some(0), "delivery.dead_lettered", Resolution::DeadLettered, 1),
        (Class::Gone, Some(0), "delivery.deferred", Resolution::Deferred(now()), 0),
        (
            Class::Unsendable { why: "refused".to_owned() },
            None,
            "delivery.dead_lettered",
            Resolution::DeadLettered,
            1,
        ),
    ] {
        let outcome = decided(class, retries);
        let kinds: Vec<_> = outcome.events.iter().map(crate::kernel::event::DomainEvent::kind).collect();
        assert_eq!(kinds, ["delivery.attempted", kind]);
        assert_eq!((outcome.resolution, outcome.meta.attempts), (resolution, attempts));
    }
}

#[test]
fn a_success_is_one_commit_with_the_flag() {
    let commit = committed(&decided(Class::Delivered, None), &KnownStreams::default());
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
    let commit = committed(&decided(retry(), None), &KnownStreams { delivery: Some(4), mail: None });
    assert_eq!(kinds(&commit)[0].1, Expected::Exact(4));
    let meta: DeliverMeta = serde_json::from_value(commit.defer[0].meta.clone().unwrap()).unwrap();
    assert_eq!((meta.delivery_version, meta.attempts, meta.first_attempt_at), (6, 1, Some(now())));
    assert!(commit.settle.is_empty() && commit.add.is_empty());
}

#[test]
fn what_was_said_is_kept_beside_the_attempt_and_not_in_it() {
    let until = now() + chrono::TimeDelta::days(7);
    let mut outcome = decided(retry(), None);
    outcome.answer = Some(("queue full".to_owned(), until));
    let kept = committed(&outcome, &KnownStreams { delivery: Some(4), mail: None });
    let body = &kept.bodies[0];
    // The attempt is the fifth event of its stream.
    assert_eq!((body.key.as_str(), &body.bytes[..]), ("answer/e/default/5", &b"queue full"[..]));
    assert_eq!((kept.bodies.len(), body.keep_until), (1, until));
    let events = &kept.writes[0].events;
    assert!(events.iter().all(|event| !event.payload.to_string().contains("queue")));
}

#[test]
fn a_dead_letter_is_kept_and_the_mail_is_not_marked() {
    let commit = committed(&decided(retry(), Some(0)), &KnownStreams::default());
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
    let mut outcome = decided(Class::Delivered, None);
    outcome.meta.siblings = 2;
    assert!(committed(&outcome, &KnownStreams::default()).add.is_empty());
    let first = KnownStreams { delivery: None, mail: Some(Loaded { state: life.clone(), version: 3 }) };
    assert!(committed(&outcome, &first).add.is_empty());
    life.evolve(&MailEvent::Settled(MailSettled {
        target: "rule-1".to_owned(),
        end: DeliveryEnd::Delivered,
    }));
    let last =
        committed(&outcome, &KnownStreams { delivery: None, mail: Some(Loaded { state: life, version: 4 }) });
    assert_eq!(last.add.len(), 2);
    assert_eq!(kinds(&last)[1].1, Expected::Exact(4));
}

#[test]
fn a_delivery_that_goes_once_more_settles_no_mail() {
    let mut outcome = decided(Class::Delivered, None);
    outcome.meta.again = true;
    let commit = committed(&outcome, &KnownStreams { delivery: Some(3), mail: None });
    let streams: Vec<_> = commit.writes.iter().map(|write| write.stream.category().to_owned()).collect();
    assert_eq!(streams, ["delivery"]);
    assert!(commit.add.is_empty() && commit.settle.len() == 1);
}
