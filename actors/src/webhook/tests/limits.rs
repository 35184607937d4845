//! What counts against the hourly limit.

use super::super::limit::{RateLimiter, Reservation};
use super::scheduling::row;
use super::*;

#[test]
fn what_was_sent_without_a_limit_counts_when_there_is_one() {
    play(|scene| async move {
        scene.mails(3, "default").await;
        wait(10).await;
        scene.set(|policy| policy.rate_limit_per_hour = 5).await;
        for n in 10..14 {
            scene.mail(&format!("later{n}"), &["default"], None).await;
        }
        wait(10).await;
        let to_default = scene.receivers.ids().iter().filter(|id| id.ends_with("_default")).count();
        assert_eq!(to_default, 5, "three of them before there was a limit");
        wait(3_600).await;
        assert_eq!(scene.receivers.ids().iter().filter(|id| id.ends_with("_default")).count(), 7);
    });
}

#[test]
fn a_dead_letter_that_is_sent_again_within_the_hour_takes_another_place() {
    play(|scene| async move {
        scene.set(|policy| (policy.rate_limit_per_hour, policy.retry.retries) = (2, Some(0))).await;
        scene.receivers.script("default.example", [Does::Answers(500)]);
        scene.mail("m1", &["default"], None).await;
        wait(2).await;
        scene.mail("m2", &["default"], None).await;
        wait(2).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (2, 1));
        let undelivered = Undelivered::read(&*scene.journal).await.unwrap();
        undelivered.retry(&*scene.journal, &scene.world, "m1", "default", "cli").await.unwrap();
        wait(10).await;
        assert_eq!(scene.receivers.count(), 2, "its place is used, and there is no other");
        wait(3_600).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
        let events = scene.events(rate_stream("default", scene.world.now())).await;
        assert_eq!(events, ["delivery.counted"]);
    });
}

#[test]
fn what_was_sent_counts_even_if_the_journal_has_lost_it() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 3).await;
        let limiter = RateLimiter::default();
        let mut deps = scene.deps(&scene.policy);
        let now = scene.world.now();
        for n in 0..2 {
            assert_eq!(limiter.reserve(&deps, &row(n, now).meta, None).await, Reservation::Granted);
        }
        deps.journal = Arc::new(MemoryJournal::with_faults(
            scene.world.clone(),
            crate::readmodel::all(),
            scene.disk.clone(),
        ));
        assert_eq!(limiter.free(&deps, "default").await, 1);
        assert_eq!(limiter.reserve(&deps, &row(2, now).meta, None).await, Reservation::Granted);
        let full = limiter.reserve(&deps, &row(3, now).meta, None).await;
        assert!(matches!(full, Reservation::Exhausted { limit: 3, until } if until > now), "{full:?}");
        // Whoever has a place that was not used keeps it.
        assert_eq!(limiter.reserve(&deps, &row(1, now).meta, None).await, Reservation::Granted);
        assert_eq!(limiter.free(&deps, "other").await, 3);
        let counted = deps.journal.read_stream(&rate_stream("default", now), 0).await.unwrap();
        assert_eq!(counted.len(), 1, "the journal has what it was told since");
    });
}

#[test]
fn places_go_to_those_that_queued_first() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        let limiter = RateLimiter::default();
        let deps = scene.deps(&scene.policy);
        let now = scene.world.now();
        let (first, second) = (limiter.queue(&deps, "default"), limiter.queue(&deps, "default"));
        let (first_meta, second_meta) = (row(1, now).meta, row(2, now).meta);
        let (later, earlier) = tokio::join!(
            limiter.reserve(&deps, &second_meta, second),
            limiter.reserve(&deps, &first_meta, first)
        );
        assert_eq!(earlier, Reservation::Granted);
        assert!(matches!(later, Reservation::Exhausted { .. }), "{later:?}");
        // Whoever gives up stands in nobody's way.
        drop(limiter.queue(&deps, "other"));
        assert_eq!(limiter.free(&deps, "other").await, 1);
    });
}

#[test]
fn the_rate_limit_holds_and_survives_a_restart() {
    play(|mut scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 5).await;
        scene.mails(8, "default").await;
        wait(10).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (5, 3));
        assert_eq!(scene.events(delivery_stream("default0005", "default")).await, ["delivery.deferred"]);
        wait(1_800).await;
        scene.crash().await;
        scene.start();
        wait(1_700).await;
        assert_eq!(scene.receivers.count(), 5);
        wait(120).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (8, 0));
    });
}

#[test]
fn several_workers_share_the_rate_limit() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 5).await;
        let _others = [scene.another(), scene.another()];
        wait(2).await;
        scene.mails(40, "default").await;
        for hour in 1..=8 {
            wait(1_800).await;
            assert_eq!(scene.receivers.count(), 5 * hour, "hour {hour}");
            wait(1_800).await;
        }
        assert_eq!(scene.left().await, 0);
        assert_eq!(scene.events(rate_stream("default", scene.world.now())).await, Vec::<String>::new());
    });
}

#[test]
fn a_delivery_that_was_counted_and_not_sent_keeps_its_place() {
    play(|mut scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 2).await;
        scene.crash().await;
        scene.mails(3, "default").await;
        // A worker counted two of them, and was gone before it posted them.
        let (at, stream) = (scene.world.now(), rate_stream("default", scene.world.now()));
        let counted = ["default0001", "default0002"].map(|email_id| {
            let counted = DeliveryCounted { email_id: email_id.to_owned(), target: "default".to_owned(), at };
            RateEvent::Counted(counted).to_new(scene.world.ids.next()).unwrap()
        });
        let writes = vec![StreamWrite {
            stream: stream.clone(),
            expected: Expected::NoStream,
            events: counted.to_vec(),
        }];
        scene.journal.append(Commit { at, writes, ..Commit::default() }).await.unwrap();
        scene.start();
        wait(10).await;
        let mut ids = scene.receivers.ids();
        ids.sort();
        assert_eq!(ids, ["msg_default0001_default", "msg_default0002_default"]);
        wait(3_600).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
        assert_eq!(scene.events(stream).await.len(), 2);
    });
}

#[test]
fn a_raised_rate_limit_lets_go_at_once() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        scene.mails(6, "default").await;
        wait(10).await;
        assert_eq!(scene.receivers.count(), 1);
        scene.set(|policy| policy.rate_limit_per_hour = 3).await;
        wait(2).await;
        assert_eq!(scene.receivers.count(), 3);
        scene.set(|policy| policy.rate_limit_per_hour = 0).await;
        wait(2).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (6, 0));
    });
}

#[test]
fn repetitions_do_not_count_against_the_rate_limit() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        scene.receivers.script("default.example", [Does::Answers(500), Does::Answers(500)]);
        scene.mail("m1", &["default"], None).await;
        wait(30).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
    });
}
