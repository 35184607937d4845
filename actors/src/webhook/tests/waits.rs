//! Deliveries that wait, and a configuration that changes meanwhile.

use super::events::DeliveryEvent;
use super::*;
use crate::mail::policy::Window;
use crate::mail::windows;

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

/// From 09:00 to `end` in Paris, where it is 13:00 when a test begins.
fn until(end: &str) -> Option<Window> {
    let time = |text: &str| windows::parse_time_hhmm(text);
    Some(Window {
        start: time("09h00"),
        end: time(end),
        start_text: "09h00".to_owned(),
        end_text: end.to_owned(),
    })
}

/// From 13:00, shortly after it closed at 14:00, until it opens again.
const CLOSING: u64 = 3_600;
const OPENING: u64 = 20 * 3_600;

impl Scene {
    async fn window(&self, end: &str) {
        let window = until(end);
        self.ties.set(InWindow::Bound);
        self.set(|policy| policy.window = window).await;
    }

    /// What the journal has said about a delivery since it was routed.
    async fn deferred(&self, email_id: &str) -> Vec<(String, DateTime<Utc>)> {
        let events = self.journal.read_stream(&delivery_stream(email_id, "default"), 0).await.unwrap();
        let deferred = events.iter().filter_map(|event| match DeliveryEvent::from_recorded(event).unwrap() {
            DeliveryEvent::Deferred(deferred) => Some((deferred.why, deferred.until)),
            _ => None,
        });
        deferred.collect()
    }
}

/// The window opens at 09:00 the next day.
fn opening() -> DateTime<Utc> {
    chrono::Utc.with_ymd_and_hms(2026, 3, 3, 8, 0, 0).unwrap()
}

#[test]
fn what_the_rate_limit_held_until_the_window_closed_waits_for_the_next_opening() {
    play(|scene| async move {
        scene.window("13h30").await;
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        scene.mails(3, "default").await;
        wait(2 * CLOSING).await;
        assert_eq!(scene.receivers.count(), 1, "the others came due while it was closed");
        let deferred = scene.deferred("default0001").await;
        let reasons: Vec<_> = deferred.iter().map(|(why, _)| why.as_str()).collect();
        assert_eq!(reasons, ["rate_limit", "outside_window"]);
        assert_eq!(deferred[1].1, opening());
        wait(OPENING - 2 * CLOSING - 60).await;
        assert_eq!(scene.receivers.count(), 1);
        wait(62).await;
        assert_eq!(scene.receivers.count(), 2);
        wait(3_600).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
    });
}

#[test]
fn a_delivery_is_not_repeated_while_the_window_is_closed() {
    play(|scene| async move {
        scene.window("14h00").await;
        scene.receivers.always("default.example", Does::Answers(500));
        scene.mail("m1", &["default"], None).await;
        wait(CLOSING).await;
        let before = scene.receivers.count();
        wait(2 * CLOSING).await;
        assert_eq!(scene.receivers.count(), before);
        assert_eq!(scene.deferred("m1").await.pop(), Some(("outside_window".to_owned(), opening())));
        scene.receivers.always("default.example", Does::Answers(200));
        wait(OPENING - 3 * CLOSING + 5).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (before + 1, 0));
    });
}

#[test]
fn what_is_routed_in_the_window_and_ready_after_it_closed_waits() {
    play(|mut scene| async move {
        scene.window("14h00").await;
        wait(CLOSING).await;
        // An offload that ended late; and what may go, goes.
        scene.mail("late", &["default"], None).await;
        scene.ties.set(InWindow::Free);
        scene.mail("free", &["default"], None).await;
        wait(10).await;
        assert_eq!(scene.receivers.ids(), ["msg_free_default"]);
        // Who starts meanwhile knows when it opens.
        scene.crash().await;
        scene.start();
        wait(60).await;
        assert_eq!(scene.receivers.count(), 1);
        assert_eq!(scene.deferred("late").await, [("outside_window".to_owned(), opening())]);
    });
}

#[test]
fn a_window_that_is_opened_or_removed_lets_go_at_once() {
    for (end, limit) in [(Some("23h00"), 0), (None, 0), (None, 1)] {
        play(|scene| async move {
            scene.window("14h00").await;
            scene.set(|policy| policy.rate_limit_per_hour = limit).await;
            wait(CLOSING).await;
            scene.mails(10, "default").await;
            wait(10).await;
            assert_eq!(scene.receivers.count(), 0);
            // It still closes before now: they wait as they did, and nothing is said twice.
            scene.set(|policy| policy.window = until("13h00")).await;
            wait(10).await;
            assert_eq!(scene.deferred("default0000").await.len(), 1);
            scene.set(|policy| policy.window = end.and_then(until)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            let at_once = if limit == 0 { 10 } else { 1 };
            assert_eq!(scene.receivers.count(), at_once, "{end:?} at {limit} an hour");
            wait(10 * 3_600).await;
            let (left, closed) = (scene.left().await, end.is_some());
            assert!(left == 0 || closed, "{left} left");
        });
    }
}

#[test]
fn a_window_that_opens_while_deliveries_are_being_put_off_lets_them_go() {
    play(|scene| async move {
        scene.window("14h00").await;
        let late: PolicyCell = Arc::new(ArcSwap::new(scene.policy.load_full()));
        let (other, _running) = scene.another_under(&late);
        wait(CLOSING).await;
        scene.mails(60, "default").await;
        wait(5).await;
        scene.disk.commits_after.store(2_000, Ordering::SeqCst);
        scene.mails(10, "more").await;
        moment().await;
        scene.set(|policy| policy.window = None).await;
        moment().await;
        tell(&other, &late, |policy| policy.window = None).await;
        wait(10).await;
        scene.disk.commits_after.store(0, Ordering::SeqCst);
        wait(30).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (70, 0));
    });
}

#[test]
fn a_window_that_was_opened_while_nobody_was_there_lets_go_at_the_start() {
    play(|mut scene| async move {
        scene.window("14h00").await;
        wait(CLOSING).await;
        scene.mails(3, "default").await;
        wait(5).await;
        scene.crash().await;
        let policy = Policy { window: until("20h00"), ..Policy::clone(&scene.policy.load()) };
        scene.policy.store(Arc::new(policy));
        scene.start();
        wait(2).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
    });
}

#[test]
fn what_somebody_wants_sent_again_goes_whatever_the_window_says() {
    play(|scene| async move {
        scene.window("14h00").await;
        scene.receivers.script("default.example", [Does::Refused]);
        scene.mail("m1", &["default"], None).await;
        wait(CLOSING).await;
        let undelivered = Undelivered::read(&*scene.journal).await.unwrap();
        undelivered.retry(&*scene.journal, &scene.world, "m1", "default", "cli").await.unwrap();
        wait(2).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (2, 0));
    });
}

#[test]
fn a_row_of_an_earlier_version_goes_as_it_did() {
    play(|scene| async move {
        scene.window("14h00").await;
        scene.ties.set(InWindow::Free);
        wait(CLOSING).await;
        scene.mail("m1", &["default"], None).await;
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows[0].meta.get("window").is_none(), "{}", rows[0].meta);
        wait(2).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (1, 0));
    });
}

#[test]
fn a_window_that_never_opens_is_asked_for_once_a_day() {
    play(|scene| async move {
        scene.window("09h00").await;
        scene.mail("m1", &["default"], None).await;
        wait(3 * 86_400 + 60).await;
        assert_eq!((scene.receivers.count(), scene.deferred("m1").await.len()), (0, 4));
        scene.set(|policy| policy.window = None).await;
        wait(2).await;
        assert_eq!(scene.left().await, 0);
    });
}
