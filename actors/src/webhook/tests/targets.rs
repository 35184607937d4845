//! One target: its breaker, its address, its slots and its order.

use super::*;

#[test]
fn an_open_breaker_waits_then_probes_with_one() {
    play(|scene| async move {
        scene.receivers.always("default.example", Does::Answers(503));
        scene.mails(50, "default").await;
        wait(5).await;
        let before = scene.receivers.count();
        assert!((5..=13).contains(&before), "{before} posts");
        assert_eq!(scene.breaker("default").await, "open");
        wait(15).await;
        assert_eq!(scene.receivers.count(), before, "nothing while it is open");
        wait(25).await;
        assert_eq!(scene.receivers.count(), before + 1, "one probe");
        assert_eq!(scene.breaker("default").await, "open");
        scene.receivers.always("default.example", Does::Answers(200));
        wait(120).await;
        assert_eq!(scene.breaker("default").await, "closed");
        assert_eq!(scene.left().await, 0);
        let delivered: HashSet<_> = scene.receivers.ids().into_iter().collect();
        assert_eq!(delivered.len(), 50);
        let events = scene.events(target_stream("default")).await;
        assert_eq!(events, ["target.breaker_opened", "target.breaker_opened", "target.breaker_closed"]);
    });
}

#[test]
fn a_new_address_is_probed_at_once() {
    play(|scene| async move {
        scene.receivers.always("default.example", Does::Answers(503));
        scene.mails(10, "default").await;
        wait(5).await;
        assert_eq!(scene.breaker("default").await, "open");
        scene.set(|policy| policy.default_target.url = "https://other.example/".to_owned()).await;
        wait(2).await;
        assert_eq!(scene.breaker("default").await, "closed");
        wait(60).await;
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn a_target_that_is_gone_waits_for_another_address() {
    play(|mut scene| async move {
        scene.receivers.always("default.example", Does::Answers(410));
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        scene.mails(30, "default").await;
        wait(5).await;
        let before = scene.receivers.count();
        assert!(before <= 8, "{before} posts");
        assert_eq!((scene.breaker("default").await.as_str(), scene.left().await), ("disabled", 30));
        wait(9_000).await;
        scene.crash().await;
        scene.start();
        wait(9_000).await;
        assert_eq!(scene.receivers.count(), before);
        scene.set(|policy| policy.default_target.url = "https://other.example/".to_owned()).await;
        wait(100).await;
        assert_eq!((scene.breaker("default").await.as_str(), scene.left().await), ("closed", 0));
        assert_eq!(scene.events(target_stream("default")).await, ["target.disabled", "target.enabled"]);
    });
}

#[test]
fn an_operator_enables_a_target_from_another_process() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::Answers(410)]);
        scene.mail("m1", &["default"], None).await;
        wait(5).await;
        assert_eq!(scene.left().await, 1);
        let enable = || enable_target(&*scene.journal, &scene.world, "default", "cli");
        assert!(enable().await.unwrap());
        assert!(!enable().await.unwrap());
        wait(3).await;
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn a_hung_receiver_costs_only_itself() {
    play(|scene| async move {
        scene.receivers.always("hung.example", Does::Hangs);
        scene.mails(100, "hung").await;
        scene.mails(200, "default").await;
        wait(5).await;
        let ids = scene.receivers.ids();
        let (fast, hung): (Vec<_>, Vec<_>) = ids.iter().partition(|id| id.ends_with("_default"));
        assert_eq!((fast.len(), hung.len()), (200, 8));
        assert!(scene.receivers.most.load(Ordering::SeqCst) <= 16);
        assert_eq!(scene.status().await.in_flight, 8);
    });
}

#[test]
fn slots_are_bounded_per_target_and_in_all() {
    play(|scene| async move {
        for n in 0..12 {
            let id = format!("t{n:02}");
            scene.receivers.always(&format!("{id}.example"), Does::Hangs);
            scene.mails(20, &id).await;
        }
        wait(10).await;
        assert_eq!(scene.receivers.most.load(Ordering::SeqCst), 64);
        assert!(scene.status().await.targets.iter().all(|target| target.in_flight <= 8));
    });
}

#[test]
fn a_target_that_wants_an_order_gets_it() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::AnswersAfter(200, 50), Does::Answers(500)]);
        for n in 0..5 {
            scene.mail(&format!("m{n}"), &["default"], Some("a@example.org")).await;
        }
        wait(30).await;
        let ids: Vec<_> = scene.receivers.ids().iter().map(|id| id[4..6].to_owned()).collect();
        assert_eq!(ids, ["m0", "m1", "m1", "m2", "m3", "m4"]);
    });
}

#[test]
fn a_target_that_is_not_configured_is_read_before_it_is_used() {
    play(|scene| async move {
        let url_hash = address::url_hash(&target("old").url);
        let gone = TargetCommand::Gone { url_hash };
        carry_out(&*scene.journal, &scene.world, "old", Some(&gone)).await.unwrap();
        scene.mails(3, "old").await;
        wait(120).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (0, 3));
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows.iter().all(|row| !row.claimed));
    });
}
