//! What stops the poller, and what does not.

use std::time::Duration;

use tokio::time::Instant;

use super::support::{Rig, pass};
use crate::kernel::guardian::GuardianNotice;
use crate::kernel::journal::Journal as _;
use crate::poller::source::SourceError;

#[actix_rt::test]
async fn an_unreachable_server_is_tried_for_ever_at_growing_intervals() {
    let rig = Rig::start();
    rig.mailbox.server().down = true;
    rig.grant().await;
    pass(3_600.0).await;
    let connects = rig.mailbox.server().connects.clone();
    let pauses: Vec<Duration> = connects.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (number, pause) in pauses.iter().enumerate() {
        let base = Duration::from_secs(1 << number.min(6)).min(Duration::from_secs(60));
        let slack = Duration::from_millis(5);
        assert!(*pause >= base.mul_f64(0.8), "pause {number}: {pause:?}");
        assert!(
            *pause <= base.mul_f64(1.2).min(Duration::from_secs(60)) + slack,
            "pause {number}: {pause:?}"
        );
    }
    assert!(pauses.len() >= 60, "{} tries in an hour", pauses.len());
    let status = rig.status().await;
    assert_eq!((status.phase.as_str(), status.reason.as_deref()), ("waiting", Some("down")));
    assert_eq!(status.failures as usize, connects.len());
    assert!(status.silent);
    rig.mailbox.server().down = false;
    rig.mailbox.arrive("at last");
    pass(61.0).await;
    assert_eq!(rig.received().await, ["at_last"]);
    let status = rig.status().await;
    assert_eq!((status.failures, status.silent, status.reason), (0, false, None));
}

#[actix_rt::test]
async fn a_refused_login_is_shown_and_heals() {
    let rig = Rig::start();
    rig.mailbox.server().refuses.push_back(SourceError::Refused("wrong password".to_owned()));
    rig.grant().await;
    pass(0.5).await;
    let status = rig.status().await;
    assert_eq!((status.phase.as_str(), status.reason.as_deref()), ("waiting", Some("wrong password")));
    pass(2.0).await;
    assert_eq!(rig.status().await.phase, "watching");
}

#[actix_rt::test]
async fn a_server_that_says_nothing_makes_the_mailbox_silent_and_is_left() {
    let rig = Rig::start();
    rig.grant().await;
    pass(1.0).await;
    rig.mailbox.server().hangs = true;
    pass(250.0).await;
    assert!(!rig.status().await.silent);
    pass(120.0).await;
    assert!(rig.status().await.silent, "{:?}", rig.status().await);
    pass(600.0).await;
    assert!(rig.mailbox.server().connects.len() > 1, "an adapter that hangs is dropped");
    rig.mailbox.server().hangs = false;
    rig.mailbox.arrive("heard again");
    pass(120.0).await;
    assert_eq!(rig.received().await, ["heard_again"]);
    assert!(!rig.status().await.silent);
}

#[actix_rt::test]
async fn a_lost_lease_stops_at_once_and_a_new_one_starts_at_once() {
    let rig = Rig::start();
    assert_eq!(rig.status().await.phase, "standby");
    pass(60.0).await;
    assert!(rig.mailbox.server().connects.is_empty());
    rig.grant().await;
    pass(1.0).await;
    assert_eq!(rig.status().await.phase, "watching");
    rig.revoke().await;
    pass(0.01).await;
    assert_eq!(rig.status().await.phase, "standby");
    rig.mailbox.arrive("not now");
    pass(60.0).await;
    assert!(rig.asked.lock().unwrap().is_empty());
    let fence = rig.grant().await;
    pass(1.0).await;
    assert_eq!(rig.received().await, ["not_now"]);
    assert_eq!(rig.asked.lock().unwrap()[0].fence, Some(fence));
}

#[actix_rt::test]
async fn a_fence_that_is_refused_stops_polling_until_the_next_grant() {
    let rig = Rig::start();
    let fence = rig.grant().await;
    pass(1.0).await;
    // Another worker was granted the lease, and nobody told this one.
    rig.journal.raise_fence("poller").await.unwrap();
    rig.mailbox.arrive("for the other");
    pass(1.0).await;
    assert_eq!(rig.status().await.phase, "standby");
    // The same grant, told again, changes nothing.
    rig.poller.send(crate::messages::LeaseChanged { fence: Some(fence) }).await.unwrap();
    pass(300.0).await;
    assert_eq!((rig.status().await.phase.as_str(), rig.mailbox.server().connects.len()), ("standby", 1));
    rig.grant().await;
    pass(1.0).await;
    assert_eq!(rig.received().await, ["for_the_other"]);
}

#[actix_rt::test]
async fn the_schedule_is_obeyed_at_once_in_the_middle_of_a_wait() {
    let rig = Rig::start();
    rig.grant().await;
    pass(1.0).await;
    rig.set_policy(|policy| policy.schedule.enabled = false).await;
    pass(0.01).await;
    let status = rig.status().await;
    assert_eq!((status.phase.as_str(), status.reason.as_deref()), ("inactive", Some("disabled")));
    assert_eq!(rig.mailbox.server().closes, 1, "with a goodbye");
    rig.mailbox.arrive("waits");
    pass(3_600.0).await;
    assert!(rig.received().await.is_empty());
    assert!(!rig.status().await.silent, "silence is what is wanted");
    // In the middle of the long pause between checks.
    rig.set_policy(|policy| policy.schedule.enabled = true).await;
    pass(0.1).await;
    assert_eq!(rig.received().await, ["waits"]);
}

#[actix_rt::test]
async fn another_interval_is_obeyed_in_the_middle_of_a_wait_and_the_connection_stays() {
    let rig = Rig::start();
    rig.mailbox.server().silent = true;
    rig.set_policy(|policy| policy.schedule.interval = Duration::from_secs(3_600)).await;
    rig.grant().await;
    pass(10.0).await;
    rig.mailbox.arrive("not pushed");
    pass(60.0).await;
    assert!(rig.received().await.is_empty());
    // What does not touch the mailbox wakes nobody.
    rig.set_policy(|policy| policy.rate_limit_per_hour = 7).await;
    pass(1.0).await;
    assert!(rig.received().await.is_empty());
    rig.set_policy(|policy| policy.schedule.interval = Duration::from_secs(75)).await;
    pass(5.0).await;
    assert_eq!(rig.received().await, ["not_pushed"], "75 s after the look before");
    rig.set_policy(|policy| policy.allowed_senders = vec!["a@example.com".to_owned()]).await;
    pass(1.0).await;
    assert_eq!(rig.mailbox.server().connects.len(), 1, "one connection for all of it");
    assert_eq!(rig.mailbox.server().closes, 0);
}

#[actix_rt::test]
async fn the_hours_are_obeyed_without_a_change_of_policy() {
    let rig = Rig::start();
    // It is 09:00 in Paris.
    rig.set_policy(|policy| {
        policy.schedule.start_hour = 8;
        policy.schedule.end_hour = 10;
    })
    .await;
    rig.grant().await;
    pass(3_599.0).await;
    assert_eq!(rig.status().await.phase, "watching");
    pass(10.0).await;
    assert_eq!(rig.status().await.reason.as_deref(), Some("outside_hours"));
    rig.mailbox.arrive("at night");
    pass(22.0 * 3_600.0 - 120.0).await;
    assert!(rig.received().await.is_empty());
    pass(720.0).await;
    assert_eq!(rig.received().await, ["at_night"]);
}

#[actix_rt::test]
async fn when_the_journal_fails_mails_stay_and_are_taken_later() {
    let rig = Rig::start();
    rig.grant().await;
    pass(1.0).await;
    rig.answers.lock().unwrap().journal_fails = 60;
    for number in 0..50 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    pass(0.5).await;
    let status = rig.status().await;
    assert_eq!((status.phase.as_str(), status.reason.as_deref()), ("waiting", Some("disk full")));
    assert_eq!(status.lag_mails, 50);
    pass(600.0).await;
    assert_eq!(rig.received().await.len(), 50);
    assert_eq!(rig.status().await.lag_mails, 0);
}

#[actix_rt::test]
async fn a_mail_that_makes_the_admission_panic_stops_no_other_and_causes_no_restart_storm() {
    let mut rig = Rig::start();
    rig.answers.lock().unwrap().panics = Some("poison".to_owned());
    rig.answers.lock().unwrap().takes = Duration::from_millis(20);
    rig.mailbox.arrive("poison");
    for number in 0..60 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    rig.grant().await;
    pass(240.0).await;
    assert_eq!(rig.received().await.len(), 60);
    rig.mailbox.arrive("later");
    pass(1.0).await;
    assert_eq!(rig.received().await.len(), 61);
    while let Ok(notice) = rig.notices.try_recv() {
        assert!(!matches!(notice, GuardianNotice::Escalated { .. }), "{notice:?}");
    }
    assert_eq!(rig.status().await.lag_mails, 1);
}

#[actix_rt::test]
async fn draining_finishes_what_is_under_way_and_takes_nothing_new() {
    let rig = Rig::start();
    rig.answers.lock().unwrap().takes = Duration::from_secs(2);
    rig.grant().await;
    pass(1.0).await;
    for number in 0..1_000 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    pass(0.5).await;
    let begun = Instant::now();
    rig.drain().await;
    assert!(begun.elapsed() <= Duration::from_secs(5), "{:?}", begun.elapsed());
    let received = rig.received().await.len();
    assert_eq!(received, rig.asked.lock().unwrap().len(), "all that were asked for are in");
    assert!((1..1_000).contains(&received));
    assert_eq!(rig.mailbox.server().closes, 1);
    pass(60.0).await;
    assert_eq!(rig.received().await.len(), received);
}

#[actix_rt::test]
async fn draining_without_a_lease_is_done_at_once() {
    let rig = Rig::start();
    let begun = Instant::now();
    rig.drain().await;
    assert!(begun.elapsed() < Duration::from_millis(10));
}

struct Bomb;
impl actix::Message for Bomb {
    type Result = ();
}
impl actix::Handler<Bomb> for crate::poller::PollerActor {
    type Result = ();
    fn handle(&mut self, _: Bomb, _: &mut actix::Context<Self>) {
        panic!("a fault in the actor");
    }
}

#[actix_rt::test]
async fn a_restarted_actor_goes_on_under_the_same_lease_and_alone() {
    let rig = Rig::start();
    rig.grant().await;
    rig.mailbox.arrive("one");
    pass(1.0).await;
    assert!(rig.poller.send(Bomb).await.is_err());
    rig.mailbox.arrive("two");
    pass(6.0).await;
    assert_eq!(rig.received().await, ["one", "two"]);
    assert_eq!(rig.mailbox.server().loads, [1, 2], "the old keeper is gone");
}

#[actix_rt::test]
async fn a_mailbox_that_makes_the_poller_panic_is_tried_for_ever_and_each_restart_is_told() {
    let mut rig = Rig::start();
    rig.mailbox.server().explodes = true;
    rig.grant().await;
    pass(3_600.0).await;
    let mut restarts = 0;
    while let Ok(notice) = rig.notices.try_recv() {
        let GuardianNotice::Restarting { actor, reason, .. } = notice else { panic!("{notice:?}") };
        assert_eq!((actor, reason.as_str()), ("poller", "an adapter that nobody foresaw"));
        restarts += 1;
    }
    assert_eq!(restarts, rig.mailbox.server().connects.len());
    assert!((50..=80).contains(&restarts), "about one a minute: {restarts}");
    rig.mailbox.server().explodes = false;
    rig.mailbox.arrive("at last");
    pass(75.0).await;
    assert_eq!(rig.received().await, ["at_last"]);
    // What went well ends the count.
    rig.mailbox.server().explodes = true;
    assert!(rig.poller.send(Bomb).await.is_err());
    pass(6.0).await;
    rig.mailbox.server().explodes = false;
    rig.mailbox.arrive("soon");
    pass(10.0).await;
    assert_eq!(rig.received().await, ["at_last", "soon"]);
}

#[actix_rt::test]
async fn a_mail_in_trouble_that_was_admitted_after_all_is_left_alone() {
    let rig = Rig::start();
    rig.grant().await;
    pass(1.0).await;
    // The answer comes after the deadline of the port: nobody knows, and it was taken in.
    rig.answers.lock().unwrap().takes = Duration::from_millis(30_500);
    rig.mailbox.arrive("late");
    pass(120.0).await;
    assert_eq!(rig.received().await, ["late"]);
    rig.answers.lock().unwrap().takes = Duration::ZERO;
    let begun = Instant::now();
    pass(3_600.0).await;
    assert!(begun.elapsed() < Duration::from_secs(3_601), "time passes: nothing spins");
    let status = rig.status().await;
    assert_eq!((status.phase.as_str(), status.lag_mails, status.reason), ("watching", 0, None));
    assert!(rig.mailbox.server().loads.len() <= 4, "{:?}", rig.mailbox.server().loads);
}
