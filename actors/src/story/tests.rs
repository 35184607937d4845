use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::kernel::clock::World;
use crate::kernel::journal::JournalAdmin as _;
use crate::kernel::journal::memory::MemoryJournal;
use crate::kernel::journal::{Body, Commit, Due, Expected, OutboxAdd, StreamWrite};
use crate::mail::IgnoreReason;
use crate::mail::life::{
    DeliveryEnd, LinkKept, MailDuplicated, MailReceived, MailReleased, MailSettled, RoutedDelivery,
};
use crate::mail::policy::{Priority, Share};
use crate::readmodel;
use crate::webhook::events::{Attempted, Cancelled, DeliveryEvent, Succeeded, delivery_stream};

fn place(item: &str) -> Location {
    Location { mailbox: "INBOX".to_owned(), validity: 1, item: item.to_owned() }
}

fn received(id: &str) -> MailEvent {
    MailEvent::Received(MailReceived {
        email_id: id.to_owned(),
        location: place("1"),
        sender: "camille@exemple.fr".to_owned(),
        subject: "Lot 42".to_owned(),
        size: 1,
        arrived_at: None,
        subject_group: String::new(),
        flaws: Vec::new(),
        content: None,
        other_content_of: None,
        copy_of: None,
        authentication: None,
    })
}

fn attempted(attempt: u32, error: Option<&str>) -> DeliveryEvent {
    DeliveryEvent::Attempted(Attempted {
        email_id: "a".to_owned(),
        target: "default".to_owned(),
        attempt,
        url: "https://h/***".to_owned(),
        status: Some(if error.is_some() { 503 } else { 200 }),
        error: error.map(str::to_owned),
        took_ms: 3,
    })
}

/// A mail that was released, sent to one target at the second try, and cancelled for another.
async fn journal(world: &World) -> MemoryJournal {
    let journal = MemoryJournal::new(world.clone(), readmodel::all());
    let target = |target: &str| RoutedDelivery { target: target.to_owned(), rule: None, share: Share::All };
    let settled = |target: &str, end| MailEvent::Settled(MailSettled { target: target.to_owned(), end });
    let mail = [
        received("a"),
        MailEvent::Ignored(MailIgnored {
            reason: IgnoreReason::Reply,
            detail: None,
            configuration: None,
            by: None,
        }),
        MailEvent::Duplicated(MailDuplicated { location: place("2") }),
        MailEvent::Released(MailReleased { by: "session:camille".to_owned() }),
        MailEvent::Routed(MailRouted {
            detection: None,
            links: Vec::new(),
            deliveries: vec![target("default"), target("rule-1")],
            offload: true,
            priority: Priority::Medium,
            text: None,
            configuration: Some(Configuration::default()),
        }),
        MailEvent::LinkKept(LinkKept { raw_url: "https://b".to_owned(), why: "too large".to_owned() }),
        settled("rule-1", DeliveryEnd::Cancelled),
        settled("default", DeliveryEnd::Delivered),
    ];
    let delivery = [
        attempted(1, Some("HTTP 503")),
        attempted(2, None),
        DeliveryEvent::Succeeded(Succeeded {
            email_id: "a".to_owned(),
            target: "default".to_owned(),
            status: 200,
            attempts: 2,
            mode: Default::default(),
        }),
    ];
    let cancelled = [DeliveryEvent::Cancelled(Cancelled {
        email_id: "a".to_owned(),
        target: "rule-1".to_owned(),
        by: "cli".to_owned(),
        was_dead: false,
        again: false,
    })];
    let of_mail = |id: &str, events: &[MailEvent]| StreamWrite {
        stream: mail_stream(id),
        expected: Expected::NoStream,
        events: events.iter().map(|event| event.to_new(world.ids.next()).unwrap()).collect(),
    };
    let of_delivery = |target: &str, events: &[DeliveryEvent]| StreamWrite {
        stream: delivery_stream("a", target),
        expected: Expected::NoStream,
        events: events.iter().map(|event| event.to_new(world.ids.next()).unwrap()).collect(),
    };
    let body = |key: String, text: &'static str| Body {
        key,
        bytes: text.into(),
        keep_until: world.now() + TimeDelta::days(1),
    };
    let flag = OutboxAdd {
        queue: Queue::Flag,
        key: outbox_rows::flag_key(&place("2")),
        partition: "INBOX".to_owned(),
        order_key: None,
        due: Due::At(world.now()),
        meta: json!({}),
        body_key: None,
    };
    journal
        .append(Commit {
            at: world.now(),
            writes: vec![
                of_mail("before", &[received("before")]),
                of_mail("a", &mail),
                of_mail("after", &[received("after")]),
                of_delivery("default", &delivery),
                of_delivery("rule-1", &cancelled),
            ],
            add: vec![flag],
            bodies: vec![
                body(outbox_rows::answer_body_key("a", "default", 1), "queue full"),
                body(outbox_rows::delivery_body_key("a", "default"), "{}"),
            ],
            ..Commit::default()
        })
        .await
        .unwrap();
    journal
}

#[tokio::test]
async fn one_answer_tells_all_of_a_mail() {
    let world = World::real();
    let journal = journal(&world).await;
    let told = story(&journal, "a").await.unwrap().unwrap();
    assert_eq!(
        (told.sender.as_deref(), told.subject.as_deref()),
        (Some("camille@exemple.fr"), Some("Lot 42"))
    );
    let beside = (told.neighbours.newer.as_deref(), told.neighbours.older.as_deref());
    assert_eq!(beside, (Some("after"), Some("before")));
    let steps: Vec<_> = told
        .steps
        .iter()
        .map(|step| (step.event.as_str(), step.by.as_deref(), step.decided_under.clone()))
        .collect();
    assert_eq!(steps[1], ("mail.ignored", None, Some(Decided::Unknown("unknown"))));
    assert_eq!(steps[3], ("mail.released", Some("session:camille"), None));
    assert_eq!(steps[4], ("mail.routed", None, Some(Decided::Documents(Vec::new()))));
    assert!(told.steps.windows(2).all(|pair| pair[0].position < pair[1].position));
    assert_eq!(told.links[0].why.as_deref(), Some("too large"));
    let [default, rule] = told.deliveries.as_slice() else { panic!("{:?}", told.deliveries) };
    assert_eq!((default.row.state.as_str(), default.webhook_id.as_str()), ("delivered", "msg_a_default"));
    assert!(default.body_kept && !rule.body_kept);
    let answers: Vec<_> = default
        .steps
        .iter()
        .map(|step| match &step.what {
            DeliveryWhat::Attempted { answer, .. } => answer.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [Some("queue full"), None, None]);
    assert_eq!(rule.steps[0].what, DeliveryWhat::Cancelled { by: "cli".to_owned() });
    let marks: Vec<_> = told
        .marks
        .iter()
        .map(|mark| (mark.location.item.as_str(), mark.state, mark.copy_id.is_some()))
        .collect();
    assert_eq!(marks, [("1", MarkState::Marked, false), ("2", MarkState::Due, true)]);
    assert!(story(&journal, "x").await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_erased_is_told_as_that() {
    let world = World::real();
    let journal = journal(&world).await;
    journal.purge(world.now() + TimeDelta::days(2)).await.unwrap();
    let told = story(&journal, "a").await.unwrap().unwrap();
    assert!(told.content_gone.is_some());
    assert!(told.deliveries.iter().all(|delivery| !delivery.body_kept));
    let DeliveryWhat::Attempted { answer, error, .. } = &told.deliveries[0].steps[0].what else {
        panic!("no attempt")
    };
    assert_eq!((answer.as_deref(), error.as_deref()), (None, Some("HTTP 503")));
}
