//! An actor that fails, or is told to stop, and the rows that it had claimed.

use super::*;

async fn millis(n: u64) {
    tokio::time::sleep(Duration::from_millis(n)).await;
}

#[test]
fn what_is_being_claimed_when_the_actor_fails_is_not_left_until_the_claim_ends() {
    play(|mut scene| async move {
        let trap = scene.trap().await;
        millis(1_100).await;
        // The rows are claimed, and their worker still asks when the next one comes due.
        scene.disk.reads_after.store(3_000, Ordering::SeqCst);
        scene.mails(5, "default").await;
        millis(100).await;
        scene.disk.reads_after.store(0, Ordering::SeqCst);
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows.iter().all(|row| row.claimed));
        trap.store(true, Ordering::SeqCst);
        wait(2).await;
        assert!(!trap.load(Ordering::SeqCst), "the trap has sprung");
        assert_eq!(scene.receivers.count(), 0);
        wait(15).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (5, 0));
    });
}

#[test]
fn what_is_claimed_while_nothing_may_be_sent_is_given_back_and_a_second_claim_waits_for_the_first() {
    play(|mut scene| async move {
        // The dispatcher without the loop that claims.
        scene.crash().await;
        let dispatcher = dispatch::Dispatcher::new(scene.deps(&scene.policy));
        scene.mails(3, "default").await;
        let take_over = async |paused: bool| {
            let mut policy = Policy::clone(&scene.policy.load());
            policy.sending_enabled = !paused;
            scene.policy.store(Arc::new(policy));
            dispatcher.configure(&scene.policy.load());
            let request = ClaimRequest {
                queue: Queue::Deliver,
                now: scene.world.now(),
                lease: seconds(60),
                limit: 10,
                partition_default: 10,
                per_partition: HashMap::new(),
                bodies: crate::kernel::journal::BodyBudget::default(),
            };
            let claimed = scene.journal.claim(request).await.unwrap();
            let row = |row: Claimed| ClaimedDelivery {
                key: row.key,
                claim: row.claim,
                claimed_until: scene.world.now() + chrono::TimeDelta::seconds(60),
                meta: serde_json::from_value(row.meta).unwrap(),
                body: row.body,
                held: crate::kernel::load::Held::default(),
            };
            let rows: Vec<ClaimedDelivery> = claimed.into_iter().map(row).collect();
            let count = rows.len();
            dispatcher.claimed(&scheduling::plan(10), rows, None);
            dispatcher.target_read("default", TargetState::default());
            count
        };
        assert_eq!(take_over(true).await, 3);
        wait(1).await;
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows.iter().all(|row| !row.claimed) && rows.len() == 3);
        // Claimed a second time, long after the claim, while they are under way: they go on, and
        // end under the second claim.
        scene.receivers.always("default.example", Does::AnswersAfter(200, 65_000));
        assert_eq!(take_over(false).await, 3);
        wait(61).await;
        assert_eq!(take_over(false).await, 3);
        wait(10).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
        assert_eq!(dispatcher.status().in_flight, 0);
        dispatcher.drained().await;
    });
}

#[test]
fn a_row_that_is_claimed_again_while_the_actor_starts_anew_is_not_forgotten() {
    play(|mut scene| async move {
        let trap = scene.trap().await;
        millis(1_100).await;
        // Claimed, and given back by a commit that takes longer than the claim holds.
        scene.disk.reads_after.store(200, Ordering::SeqCst);
        scene.mail("m1", &["default"], None).await;
        millis(100).await;
        scene.set(|policy| policy.sending_enabled = false).await;
        scene.disk.commits_after.store(70_000, Ordering::SeqCst);
        wait(2).await;
        scene.disk.commits_after.store(0, Ordering::SeqCst);
        scene.set(|policy| policy.sending_enabled = true).await;
        wait(62).await;
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows[0].claimed && rows[0].claims == 2, "{rows:?}");
        // The commit ends while the actor is starting again.
        scene.disk.reads_after.store(12_000, Ordering::SeqCst);
        trap.store(true, Ordering::SeqCst);
        wait(5).await;
        assert!(!trap.load(Ordering::SeqCst), "the trap has sprung");
        scene.disk.reads_after.store(0, Ordering::SeqCst);
        wait(25).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (1, 0));
    });
}

/// As whoever stops the whole asks.
async fn stop(scene: &Scene) -> bool {
    Port::new("webhook", scene.address(), 1, seconds(8)).ask(Drain).await.is_ok()
}

async fn assert_given_back(scene: &Scene, rows: usize) {
    let now = scene.world.now();
    let left = scene.journal.outbox(Queue::Deliver, 100).await.unwrap();
    assert_eq!(left.len(), rows);
    let due = |row: &OutboxRow| !row.claimed && matches!(row.due, Due::At(at) if at <= now);
    assert!(left.iter().all(due), "{left:?}");
}

#[test]
fn whoever_stops_the_whole_waits_long_enough_for_what_hangs_to_be_given_back() {
    play(|scene| async move {
        scene.receivers.always("hung.example", Does::Hangs);
        scene.mails(20, "hung").await;
        wait(1).await;
        assert!(stop(&scene).await, "it has answered in time");
        assert_given_back(&scene, 20).await;
        assert_eq!((scene.receivers.count(), scene.status().await.in_flight), (8, 0));
    });
}

#[test]
fn an_actor_that_fails_during_the_stop_gives_back_all_the_same() {
    play(|mut scene| async move {
        let trap = scene.trap().await;
        scene.receivers.always("hung.example", Does::Hangs);
        scene.mails(3, "hung").await;
        millis(1_500).await;
        let address = scene.address().clone();
        let asked = tokio::spawn(async move { address.send(Drain).await });
        millis(100).await;
        trap.store(true, Ordering::SeqCst);
        wait(2).await;
        assert!(!trap.load(Ordering::SeqCst) && !asked.is_finished(), "it has failed, and goes on stopping");
        // Whoever asks the fresh one is not told that nothing was begun, and whoever asked before
        // it failed still waits.
        assert!(stop(&scene).await && asked.await.unwrap().is_ok());
        assert_given_back(&scene, 3).await;
    });
}
