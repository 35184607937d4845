//! Mails that a receiver never takes, among others that it takes.

use super::super::events::TargetEvent;
use super::super::scheduler::{AttemptKind, Instruction, Scheduler, Signal, WaitingDelivery};
use super::scheduling::{conditions, plan, row};
use super::*;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn good(n: usize) -> String {
    format!("good{n:03}")
}

fn bad(n: usize) -> String {
    format!("bad{n:03}")
}

impl Scene {
    /// The receiver answers this mail so, whatever else it does.
    fn refuse(&self, email_id: &str, status: u16) {
        let id = outbox_rows::webhook_id(email_id, "default");
        self.receivers.mails.lock().unwrap().insert(id, Does::AnswersAfter(status, 20));
    }

    /// The mails that were posted, by how often.
    fn posted(&self, email_id: &str) -> usize {
        let id = outbox_rows::webhook_id(email_id, "default");
        self.receivers.ids().iter().filter(|posted| **posted == id).count()
    }

    async fn rest_of(&self, email_id: &str) -> Option<Due> {
        let rows = self.journal.outbox(Queue::Deliver, usize::MAX).await.unwrap();
        rows.iter().find(|row| row.key == outbox_rows::delivery_key(email_id, "default")).map(|row| row.due)
    }

    /// How long the breaker waited, each time it opened, in seconds.
    async fn openings(&self) -> Vec<i64> {
        let events = self.journal.read_stream(&target_stream("default"), 0).await.unwrap();
        let wait = |event: &crate::kernel::event::Recorded| match TargetEvent::from_recorded(event).unwrap() {
            TargetEvent::BreakerOpened(opened) => Some((opened.until - event.at).num_seconds()),
            _ => None,
        };
        events.iter().filter_map(wait).collect()
    }
}

/// Six mails get 500 for ever, 45 are taken; which come first?
fn six_among_45(is_bad: impl Fn(usize) -> bool, restart: bool) {
    play(|mut scene| async move {
        scene.set(|policy| policy.retry.retries = Some(10)).await;
        let mails: Vec<String> = (0..51).map(|n| if is_bad(n) { bad(n) } else { good(n) }).collect();
        for mail in &mails {
            if mail.starts_with("bad") {
                scene.refuse(mail, 500);
            }
            scene.mail(mail, &["default"], None).await;
        }
        let (bad, good): (Vec<_>, Vec<_>) = mails.iter().partition(|mail| mail.starts_with("bad"));
        assert_eq!((bad.len(), good.len()), (6, 45));
        wait(60).await;
        for mail in &good {
            assert_eq!((scene.posted(mail), scene.rest_of(mail).await), (1, None), "{mail}");
        }
        // The six go through their schedule, which takes half an hour and more; whatever comes
        // meanwhile arrives beside them.
        for n in 0..30 {
            wait(60).await;
            if restart && n % 10 == 0 {
                scene.crash().await;
                scene.start();
            }
            let new = format!("new{n}");
            scene.mail(&new, &["default"], None).await;
            // At the latest when the breaker's shortest wait is over.
            wait(40).await;
            assert_eq!((scene.posted(&new), scene.rest_of(&new).await), (1, None), "new mail {n}");
        }
        for mail in &bad {
            assert_eq!((scene.posted(mail), scene.rest_of(mail).await), (11, Some(Due::Parked)), "{mail}");
        }
        let openings = scene.openings().await;
        assert!(openings.iter().all(|wait| *wait <= 36), "{openings:?}");
    });
}

#[test]
fn six_mails_that_get_500_stop_none_of_45_that_come_behind_them() {
    six_among_45(|n| n < 6, false);
}

#[test]
fn six_mails_that_get_500_stop_none_of_45_that_come_before_them() {
    six_among_45(|n| n >= 45, true);
}

#[test]
fn six_mails_that_get_500_stop_none_of_45_that_come_between_them() {
    six_among_45(|n| n % 9 == 3, false);
}

#[test]
fn mails_that_fail_while_others_pass_open_no_breaker() {
    play(|scene| async move {
        for n in 0..12 {
            scene.refuse(&bad(n), if n % 2 == 0 { 500 } else { 429 });
            scene.mail(&bad(n), &["default"], None).await;
            tokio::time::sleep(millis(200)).await;
            scene.mail(&good(n), &["default"], None).await;
            tokio::time::sleep(millis(200)).await;
        }
        wait(2 * 3_600).await;
        assert_eq!(scene.openings().await, Vec::<i64>::new());
        assert_eq!(scene.left().await, 12);
    });
}

#[test]
fn a_target_that_takes_nothing_of_a_few_mails_is_spared_and_tried_with_the_next_new_one() {
    play(|scene| async move {
        scene.receivers.always("default.example", Does::Answers(503));
        scene.mails(2, "default").await;
        wait(6 * 3_600).await;
        // Two mails are enough when nothing else passes; the wait does not grow over them.
        let openings = scene.openings().await;
        assert!(openings.len() > 2 && openings.iter().all(|wait| (24..=36).contains(wait)), "{openings:?}");
        for n in 0..2 {
            let attempts = scene.posted(&format!("default{n:04}"));
            assert!((12..=22).contains(&attempts), "{attempts} attempts in six hours");
        }
        // It would take this one.
        let taken = outbox_rows::webhook_id("new", "default");
        scene.receivers.mails.lock().unwrap().insert(taken, Does::Answers(200));
        scene.mail("new", &["default"], None).await;
        wait(40).await;
        assert_eq!(scene.rest_of("new").await, None);
    });
}

#[test]
fn the_probe_is_a_mail_that_was_not_tried_yet() {
    play(|scene| async move {
        scene.receivers.always("default.example", Does::Answers(503));
        scene.mails(40, "default").await;
        wait(20 * 60).await;
        let posts = scene.receivers.ids();
        // Eight at once at the start, then one after the other, none of them a second time.
        assert!(posts.len() > 10, "{posts:?}");
        assert_eq!(posts.iter().collect::<HashSet<_>>().len(), posts.len(), "{posts:?}");
        let openings = scene.openings().await;
        assert!(
            openings.iter().any(|wait| *wait >= 200),
            "a target that is down is left alone: {openings:?}"
        );
    });
}

#[test]
fn in_a_target_that_keeps_an_order_a_sender_stops_no_other_sender() {
    play(|scene| async move {
        scene.set(|policy| policy.default_target.ordering = Order::Sender).await;
        for n in 0..6 {
            scene.refuse(&bad(n), 500);
            scene.mail(&bad(n), &["default"], Some(&format!("stubborn{n}@example.org"))).await;
        }
        for n in 0..45 {
            scene.mail(&good(n), &["default"], Some(&format!("{}@example.org", n % 9))).await;
        }
        wait(120).await;
        for n in 0..45 {
            assert_eq!(scene.posted(&good(n)), 1, "{n}");
        }
        wait(3_600).await;
        scene.mail("new", &["default"], Some("new@example.org")).await;
        wait(60).await;
        assert_eq!(scene.posted("new"), 1);
    });
}

#[test]
fn a_dead_letter_that_is_sent_again_stands_with_the_new_ones() {
    play(|scene| async move {
        scene.set(|policy| policy.retry.retries = Some(1)).await;
        scene.receivers.script("default.example", [Does::Answers(500); 2]);
        scene.mail("m1", &["default"], None).await;
        let partition = || async {
            scene.journal.outbox(Queue::Deliver, 1).await.unwrap().first().map(|row| row.partition.clone())
        };
        tokio::time::sleep(millis(500)).await;
        assert_eq!(partition().await.as_deref(), Some("default/tried"));
        wait(5).await;
        assert_eq!(scene.rest_of("m1").await, Some(Due::Parked));
        scene.set(|policy| policy.sending_enabled = false).await;
        let undelivered = Undelivered::read(&*scene.journal).await.unwrap();
        undelivered.retry(&*scene.journal, &scene.world, "m1", "default", "cli").await.unwrap();
        assert_eq!(partition().await.as_deref(), Some("default"));
        scene.set(|policy| policy.sending_enabled = true).await;
        wait(2).await;
        assert_eq!(scene.left().await, 0);
    });
}

fn tried(n: usize, now: DateTime<Utc>) -> ClaimedDelivery {
    let mut row = row(n, now);
    (row.meta.attempts, row.meta.first_attempt_at) = (3, Some(now - chrono::TimeDelta::minutes(1)));
    row
}

/// The mails that are begun, those that have failed before apart.
fn begun(decided: &[(WaitingDelivery, Instruction)]) -> (usize, usize) {
    let kinds = decided.iter().filter_map(|(_, instruction)| match instruction {
        Instruction::Attempt(kind) => Some(*kind),
        _ => None,
    });
    let (fresh, tried): (Vec<_>, Vec<_>) = kinds.partition(|kind| kind.failing_since.is_none());
    (fresh.len(), tried.len())
}

#[test]
fn the_slots_are_shared_between_new_ones_and_repetitions() {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
    let moment = conditions(now);
    for (fresh, repeated, wanted) in
        [(20, 20, (4, 4)), (20, 0, (8, 0)), (0, 20, (0, 4)), (2, 20, (2, 4)), (20, 1, (7, 1))]
    {
        let mut scheduler = Scheduler::new(DeliveryLimits::default());
        let rows = (0..repeated).map(|n| tried(n, now)).chain((100..100 + fresh).map(|n| row(n, now)));
        let rows: Vec<_> = rows.collect();
        scheduler.claimed(&plan(64), &rows);
        scheduler.targets_to_sync();
        scheduler.target_read("default", TargetState::default());
        let decided = scheduler.advance(&moment);
        assert_eq!(begun(&decided), wanted, "{fresh} new, {repeated} repeated");
        // All slots are free again afterwards.
        for (_, instruction) in decided {
            let Instruction::Attempt(kind) = instruction else { continue };
            scheduler.ended("default", kind, Signal::Failed, millis(5), now);
        }
        assert_eq!(scheduler.posting(), 0);
        let (fresh, repeated) = (fresh - wanted.0, repeated - wanted.1);
        let again = scheduler.advance(&moment);
        if scheduler.targets_to_sync().is_empty() {
            assert_eq!(begun(&again), (fresh.min(8 - repeated.min(4)), repeated.min(4)));
        }
    }
}

#[test]
fn what_has_failed_while_others_passed_says_nothing_about_the_target() {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
    let later = now + chrono::TimeDelta::seconds(1);
    let failing = |since| AttemptKind { probe: false, failing_since: Some(since) };
    let commands = |attempts: &[(AttemptKind, Signal)]| {
        let mut scheduler = Scheduler::new(DeliveryLimits::default());
        scheduler.push(&row(1, now));
        scheduler.targets_to_sync();
        scheduler.target_read("default", TargetState::default());
        for (kind, signal) in attempts {
            scheduler.ended("default", *kind, signal.clone(), millis(5), now);
        }
        scheduler.targets_to_sync().into_iter().filter_map(|(_, command)| command).collect::<Vec<_>>()
    };
    let five = |kind| vec![(kind, Signal::Failed); 5];
    let passed = (AttemptKind::default(), Signal::Delivered);
    let opened = |fresh| vec![TargetCommand::Failed { failures: 5, fresh }];
    assert_eq!(commands(&five(AttemptKind::default())), opened(true));
    assert_eq!(commands(&five(failing(now))), opened(false), "nothing else has passed");
    let mut since_before = vec![passed.clone()];
    since_before.extend(five(failing(now)));
    assert!(commands(&since_before).is_empty(), "it passed while they failed");
    let mut since_after = vec![passed];
    since_after.extend(five(failing(later)));
    assert_eq!(commands(&since_after), opened(false), "they failed only after it had passed");
}
