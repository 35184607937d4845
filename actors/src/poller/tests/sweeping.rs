//! Which mails are taken in, and how often.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::support::{NAME, NoFaults, Rig, epoch, pass};
use crate::archive::store::FileArchive;
use crate::archive::{Archiver, Round};
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::{Commit, Expected, Journal as _, StreamWrite};
use crate::mail::IgnoreReason;
use crate::mail::life::{MailEvent, MailIgnored, mail_stream};
use crate::messages::Source;

#[actix_rt::test]
async fn the_backlog_is_swept_without_a_push_and_read_mails_from_before_are_left_alone() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| {
        mailbox.arrive_with("old and read", |mail| mail.seen = true);
        mailbox.arrive("old and unread");
        mailbox.arrive_with("older and read", |mail| mail.seen = true);
    });
    rig.grant().await;
    pass(1.0).await;
    assert_eq!(rig.received().await, ["old_and_unread"]);
    // Read by somebody else before we saw it, but above the cursor: ours.
    rig.mailbox.arrive_with("new and read", |mail| mail.seen = true);
    rig.mailbox.arrive("new and unread");
    pass(1.0).await;
    assert_eq!(rig.received().await, ["old_and_unread", "new_and_read", "new_and_unread"]);
    assert_eq!(rig.mailbox.server().loads, [2, 4, 5], "each mail's bytes once");
    pass(600.0).await;
    assert_eq!(rig.mailbox.server().loads, [2, 4, 5], "not again while it stays unread");
    let status = rig.status().await;
    assert_eq!((status.phase.as_str(), status.lag_mails, status.silent), ("watching", 0, false));
}

#[actix_rt::test]
async fn mails_that_came_while_nobody_watched_are_found_also_when_somebody_has_read_them() {
    let rig = Rig::start();
    rig.grant().await;
    rig.mailbox.arrive("first");
    pass(1.0).await;
    rig.revoke().await;
    for number in 0..40 {
        rig.mailbox.arrive_with(&format!("mail {number}"), |mail| mail.seen = number % 2 == 0);
    }
    pass(60.0).await;
    assert_eq!(rig.received().await.len(), 1, "no lease, no look");
    rig.grant().await;
    pass(2.0).await;
    assert_eq!(rig.received().await.len(), 41);
}

#[actix_rt::test]
async fn a_gap_below_the_highest_admitted_mail_is_filled() {
    let rig = Rig::start();
    rig.answers.lock().unwrap().refuses = Some("refused".to_owned());
    rig.grant().await;
    pass(1.0).await;
    rig.mailbox.arrive("refused at first");
    rig.mailbox.arrive("taken");
    pass(1.0).await;
    assert_eq!(rig.received().await, ["taken"]);
    // Somebody reads it, the worker dies, and another one takes over.
    rig.revoke().await;
    rig.mailbox.server().mails.get_mut(&1).unwrap().seen = true;
    rig.answers.lock().unwrap().refuses = None;
    pass(60.0).await;
    rig.grant().await;
    pass(1.0).await;
    assert_eq!(rig.received().await, ["taken", "refused_at_first"]);
}

#[actix_rt::test]
async fn many_mails_are_admitted_at_once_and_each_exactly_once() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| {
        for number in 0..2_000 {
            mailbox.arrive(&format!("mail {number}"));
        }
    });
    rig.answers.lock().unwrap().takes = Duration::from_millis(50);
    rig.grant().await;
    pass(0.2).await;
    let status = rig.status().await;
    assert_eq!(status.phase, "fetching");
    assert!(status.lag_mails > 0 && status.oldest_waiting == Some(epoch()), "{status:?}");
    pass(10.0).await;
    let received: BTreeSet<String> = rig.received().await.into_iter().collect();
    assert_eq!(received.len(), 2_000);
    assert_eq!(rig.mailbox.server().loads.len(), 2_000);
    let most = rig.most.load(Ordering::Relaxed);
    assert!((100..=128).contains(&most), "{most} at once");
}

#[actix_rt::test]
async fn a_mail_over_the_limit_is_recorded_by_its_header() {
    let rig = Rig::start();
    rig.grant().await;
    rig.mailbox.arrive_with("large", |mail| mail.size = Some(2_000_000));
    rig.mailbox.arrive("small");
    pass(1.0).await;
    let asked = rig.asked.lock().unwrap();
    let parts: BTreeSet<(String, Option<u64>)> = asked
        .iter()
        .map(|admit| match &admit.source {
            Source::Full(bytes) => (String::from_utf8(bytes.to_vec()).unwrap(), None),
            Source::HeaderOnly { header, size } => (String::from_utf8(header.to_vec()).unwrap(), Some(*size)),
            Source::Pushed(_) => panic!("not from a mailbox"),
        })
        .collect();
    assert_eq!(parts, BTreeSet::from([("large".to_owned(), Some(2_000_000)), ("small".to_owned(), None)]));
    assert!(asked.iter().all(|admit| admit.location.mailbox == NAME && admit.location.validity == 7));
    assert!(asked.iter().all(|admit| admit.arrived_at.is_some()));
}

#[actix_rt::test]
async fn after_a_change_of_uidvalidity_nothing_is_missed_and_nothing_is_new_twice() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| {
        mailbox.arrive_with("long before", |mail| {
            mail.seen = true;
            mail.arrived_at = epoch() - chrono::Duration::days(30);
        });
    });
    rig.grant().await;
    for number in 0..10 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    pass(1.0).await;
    assert_eq!(rig.received().await.len(), 10);
    // All were read meanwhile; two more come, one of them read, and the numbers change.
    for mail in rig.mailbox.server().mails.values_mut() {
        mail.seen = true;
    }
    rig.mailbox.server().down = true;
    rig.mailbox.arrive("during");
    rig.mailbox.arrive_with("during, read", |mail| mail.seen = true);
    rig.mailbox.renumber(8);
    rig.mailbox.server().down = false;
    pass(120.0).await;
    assert_eq!(rig.received().await.len(), 12);
    assert!(!rig.received().await.contains(&"long_before".to_owned()));
    assert_eq!(rig.count("mail.duplicated").await, 10);
    assert_eq!((rig.count("mailbox.opened").await, rig.count("mailbox.reset").await), (2, 1));
    let opened: Vec<_> = rig.events().await.into_iter().filter(|e| e.kind == "mailbox.opened").collect();
    assert_eq!(opened[0].payload["since"], opened[1].payload["since"], "the first sight stays");
    // And it is quiet afterwards, also over another connection.
    let loads = rig.mailbox.server().loads.len();
    rig.revoke().await;
    rig.grant().await;
    pass(120.0).await;
    assert_eq!(rig.mailbox.server().loads.len(), loads);
}

#[actix_rt::test]
async fn a_mail_moved_away_and_back_is_a_duplicate() {
    let rig = Rig::start();
    rig.grant().await;
    rig.mailbox.arrive("moved");
    pass(1.0).await;
    rig.mailbox.server().mails.clear();
    rig.mailbox.arrive("moved");
    pass(1.0).await;
    assert_eq!(rig.received().await, ["moved"]);
    assert_eq!(rig.count("mail.duplicated").await, 1);
    pass(120.0).await;
    assert_eq!(rig.mailbox.server().loads, [1, 2]);
}

#[actix_rt::test]
async fn a_mail_that_cannot_be_loaded_stops_no_other_and_is_shown() {
    let rig = Rig::start();
    rig.grant().await;
    pass(1.0).await;
    let nil = rig.mailbox.arrive_with("nil", |mail| mail.nil = true);
    rig.mailbox.arrive("good");
    pass(1.0).await;
    assert_eq!(rig.received().await, ["good"]);
    pass(120.0).await;
    rig.mailbox.arrive("better");
    pass(1.0).await;
    assert_eq!(rig.received().await, ["good", "better"]);
    assert_eq!(rig.mailbox.server().connects.len(), 1, "the connection is not at fault");
    let status = rig.status().await;
    assert_eq!(status.lag_mails, 1);
    assert!(status.reason.as_ref().is_some_and(|why| why.contains("first is 1: NIL")), "{status:?}");
    rig.mailbox.server().mails.get_mut(&nil).unwrap().nil = false;
    pass(900.0).await;
    assert_eq!(rig.received().await, ["good", "better", "nil"]);
    assert_eq!((rig.status().await.lag_mails, rig.status().await.reason), (0, None));
}

#[actix_rt::test]
async fn a_mail_that_breaks_the_connection_stops_no_other() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| {
        for number in 0..10 {
            mailbox.arrive(&format!("before {number}"));
        }
        mailbox.arrive_with("deadly", |mail| mail.deadly = true);
        for number in 0..100 {
            mailbox.arrive(&format!("after {number}"));
        }
    });
    rig.grant().await;
    pass(30.0).await;
    assert_eq!(rig.received().await.len(), 110, "all but one");
    rig.mailbox.arrive("later");
    pass(30.0).await;
    assert_eq!(rig.received().await.len(), 111);
    rig.mailbox.server().mails.remove(&11);
    pass(1_500.0).await;
    let status = rig.status().await;
    assert_eq!((status.lag_mails, status.reason, status.failures), (0, None, 0));
}

/// Everything is done with these mails.
async fn ignore(rig: &Rig, ids: &[String]) {
    for id in ids {
        let ignored = MailEvent::Ignored(MailIgnored {
            reason: IgnoreReason::NoLinks,
            detail: None,
            configuration: None,
            by: None,
        });
        let commit = Commit {
            at: rig.world.now(),
            writes: vec![StreamWrite {
                stream: mail_stream(id),
                expected: Expected::Any,
                events: vec![ignored.to_new(rig.world.ids.next()).unwrap()],
            }],
            ..Commit::default()
        };
        rig.journal.append(commit).await.unwrap();
    }
}

#[actix_rt::test]
async fn mails_that_were_archived_and_lie_in_the_mailbox_are_not_fetched_again() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| {
        mailbox.arrive_with("old and read", |mail| mail.seen = true);
    });
    rig.grant().await;
    pass(1.0).await;
    for number in 0..250 {
        rig.mailbox.arrive_with(&format!("mail {number}"), |mail| mail.seen = number % 3 == 0);
    }
    pass(5.0).await;
    let first = rig.received().await;
    assert_eq!(first.len(), 250);
    // One of them is not settled yet, so it stays, and there is a gap.
    ignore(&rig, &first.iter().filter(|id| *id != "mail_77").cloned().collect::<Vec<_>>()).await;
    // The end of the log stays, whatever it is.
    rig.mailbox.arrive("last");
    pass(1.0).await;
    rig.revoke().await;
    pass(32.0 * 86_400.0).await;
    let folder = tempfile::tempdir().unwrap();
    let archiver = Archiver {
        world: rig.world.clone(),
        journal: rig.journal.clone(),
        store: Arc::new(FileArchive::new(folder.path().to_owned())),
        days: 31,
    };
    rig.mailbox.arrive("new");
    let round = archiver.round().await.unwrap();
    assert_eq!((round.streams, round.events), (249, 498));
    assert_eq!(rig.received().await, ["mail_77", "last"]);
    let loads = rig.mailbox.server().loads.len();

    // Every connection begins with a sweep of all that lies above the first sight, or is unread.
    for _ in 0..3 {
        rig.grant().await;
        pass(90.0).await;
        rig.revoke().await;
    }
    assert_eq!(rig.mailbox.server().loads.len(), loads + 1, "the new one only");
    assert_eq!(rig.received().await, ["mail_77", "last", "new"]);
    assert_eq!(rig.count("mail.duplicated").await, 0);
    assert_eq!(archiver.round().await.unwrap(), Round::default());
}
