//! Faults of this machine: nobody is charged for them.

use super::*;

/// A machine that cannot connect to anybody for a while.
fn at_fault(scene: &Scene, host: &str) {
    scene.receivers.always(host, Does::CannotConnect);
}

#[test]
fn a_fault_of_this_machine_is_no_attempt_and_the_deliveries_go_when_it_is_over() {
    play(|scene| async move {
        // One failure would be one too many.
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        at_fault(&scene, "default.example");
        scene.mails(40, "default").await;
        wait(3_600).await;
        assert_eq!((scene.left().await, scene.breaker("default").await.as_str()), (40, "closed"));
        let tried = scene.receivers.count();
        assert!((40..40 * 20).contains(&tried), "it waits longer and longer: {tried}");
        let events = scene.journal.read_stream(&delivery_stream("default0007", "default"), 0).await.unwrap();
        assert!(!events.is_empty());
        for event in &events {
            assert_eq!(
                (event.kind.as_str(), event.payload["why"].as_str()),
                ("delivery.deferred", Some("local_fault"))
            );
            assert_eq!(event.payload["detail"], "too many open files", "and it is said");
        }
        let rows = scene.journal.outbox(Queue::Deliver, 100).await.unwrap();
        assert!(rows.iter().all(|row| row.meta["attempts"] == 0));

        scene.receivers.always("default.example", Does::Answers(200));
        wait(310).await;
        assert_eq!((scene.left().await, scene.marked().await), (0, 40));
        let events = scene.journal.read_stream(&delivery_stream("default0007", "default"), 0).await.unwrap();
        let tried: Vec<_> = events.iter().filter(|event| event.kind == "delivery.attempted").collect();
        assert_eq!(tried.len(), 1);
        assert_eq!(tried[0].payload["attempt"], 1);
    });
}

#[test]
fn a_delivery_that_could_not_be_tried_keeps_its_place_in_the_hourly_limit() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 3).await;
        at_fault(&scene, "default.example");
        scene.mails(5, "default").await;
        wait(60).await;
        scene.receivers.always("default.example", Does::Answers(200));
        wait(120).await;
        assert_eq!(scene.left().await, 2, "three places, three deliveries");
        wait(3_600).await;
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn a_fault_on_the_way_to_one_target_holds_up_no_other() {
    play(|scene| async move {
        at_fault(&scene, "far.example");
        scene.mails(3, "far").await;
        scene.mails(3, "default").await;
        wait(10).await;
        assert_eq!((scene.left().await, scene.marked().await), (3, 3));
    });
}
