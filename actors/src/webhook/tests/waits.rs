//! Deliveries that wait, and a configuration that changes meanwhile.

use super::*;

async fn moment() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[test]
fn a_limit_that_is_lifted_while_deliveries_are_being_put_off_lets_them_go() {
    for lifted in [0, 30] {
        play(|scene| async move {
            scene.set(|policy| policy.rate_limit_per_hour = 1).await;
            scene.mails(20, "default").await;
            // Put off under the old limit, and not stored yet.
            scene.disk.commits_after.store(2_000, Ordering::SeqCst);
            moment().await;
            scene.set(|policy| policy.rate_limit_per_hour = lifted).await;
            wait(10).await;
            scene.disk.commits_after.store(0, Ordering::SeqCst);
            wait(10).await;
            assert_eq!((scene.receivers.count(), scene.left().await), (20, 0), "at {lifted} an hour");
        });
    }
}

#[test]
fn a_worker_that_hears_late_of_a_lifted_limit_lets_go_what_it_put_off_meanwhile() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        let late: PolicyCell = Arc::new(ArcSwap::new(scene.policy.load_full()));
        let (other, _running) = scene.another_under(&late);
        wait(2).await;
        scene.mails(60, "default").await;
        wait(2).await;
        assert_eq!(scene.receivers.count(), 1);
        // What the first one makes due the other one claims, and puts off again.
        scene.disk.commits_after.store(2_000, Ordering::SeqCst);
        scene.set(|policy| policy.rate_limit_per_hour = 0).await;
        moment().await;
        tell(&other, &late, |policy| policy.rate_limit_per_hour = 0).await;
        wait(10).await;
        scene.disk.commits_after.store(0, Ordering::SeqCst);
        wait(30).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (60, 0));
    });
}

#[test]
fn a_journal_that_is_away_when_the_limit_is_lifted_is_asked_again() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        scene.mails(6, "default").await;
        wait(2).await;
        scene.disk.full.store(true, Ordering::SeqCst);
        scene.set(|policy| policy.rate_limit_per_hour = 0).await;
        wait(30).await;
        scene.disk.full.store(false, Ordering::SeqCst);
        wait(5).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (6, 0));
    });
}
