//! What fails here, and not at a receiver: commits, attempts that panic, the actor, the process.

use super::*;

#[test]
fn an_outcome_that_cannot_be_stored_for_long_is_not_forgotten() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::AnswersAfter(200, 2_000)]);
        scene.mail("m1", &["default"], None).await;
        wait(1).await;
        scene.disk.full.store(true, Ordering::SeqCst);
        // Far beyond the claim.
        wait(600).await;
        scene.disk.full.store(false, Ordering::SeqCst);
        wait(120).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (1, 0));
    });
}

#[test]
fn a_crash_during_an_attempt_repeats_it_after_the_claim() {
    play(|mut scene| async move {
        scene.receivers.script("default.example", [Does::Hangs]);
        scene.mail("m1", &["default"], None).await;
        wait(5).await;
        scene.crash().await;
        scene.start();
        wait(40).await;
        assert_eq!(scene.receivers.count(), 1);
        wait(20).await;
        assert_eq!(scene.receivers.ids(), ["msg_m1_default"; 2]);
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn an_attempt_that_panics_is_made_again() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::Panics]);
        scene.mail("m1", &["default"], None).await;
        wait(5).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (2, 0));
        assert_eq!(scene.status().await.in_flight, 0);
    });
}

#[test]
fn an_actor_that_panics_goes_on_with_what_is_under_way() {
    play(|mut scene| async move {
        let set = scene.trap().await;
        scene.receivers.always("default.example", Does::AnswersAfter(200, 5_000));
        scene.mails(10, "default").await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(scene.receivers.count(), 8);
        set.store(true, Ordering::SeqCst);
        wait(3).await;
        assert!(!set.load(Ordering::SeqCst), "the trap has sprung");
        assert_eq!(scene.status().await.in_flight, 8);
        wait(20).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (10, 0));
        assert_eq!(scene.status().await.in_flight, 0);
    });
}

#[test]
fn a_drain_finishes_what_it_can_and_gives_the_rest_back() {
    play(|mut scene| async move {
        scene.receivers.always("hung.example", Does::Hangs);
        scene.receivers.always("default.example", Does::AnswersAfter(200, 5_000));
        scene.mails(20, "hung").await;
        scene.mails(20, "default").await;
        wait(1).await;
        let begun = Instant::now();
        scene.address().send(Drain).await.unwrap();
        assert!(begun.elapsed() < seconds(7), "{:?}", begun.elapsed());
        // Eight of each were under way; those that were answered are stored.
        assert_eq!((scene.receivers.count(), scene.left().await), (16, 32));
        let rows = scene.journal.outbox(Queue::Deliver, 100).await.unwrap();
        assert!(rows.iter().all(|row| !row.claimed));
        scene.address().send(Drain).await.unwrap();
        scene.crash().await;
        scene.receivers.always("hung.example", Does::Answers(200));
        scene.start();
        wait(60).await;
        assert_eq!(scene.left().await, 0);
    });
}
