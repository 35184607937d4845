//! Priorities, and notices about dead letters.

use serde_json::Value;

use super::*;
use crate::mail::outbox_rows::NOTIFY_TARGET;
use crate::readmodel::queries::{DeliveryFilter, deliveries};

fn notified(policy: &mut Policy) {
    policy.prefs.notify_on_failure = true;
    policy.prefs.notify_url = "https://alerts.example/x".to_owned();
}

impl Scene {
    fn posted_to(&self, host: &str) -> Vec<(String, Value)> {
        let posts = self.receivers.posts.lock().unwrap();
        let to_host = posts.iter().filter(|post| post.request.url.host_str() == Some(host));
        to_host.map(|post| (post.id.clone(), serde_json::from_slice(&post.request.body).unwrap())).collect()
    }
}

#[test]
fn the_most_urgent_goes_first_when_the_limit_lets_one_go() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        for (email_id, priority) in [
            ("first", Priority::Medium),
            ("low", Priority::Low),
            ("medium", Priority::Medium),
            ("high", Priority::High),
        ] {
            scene.urgent(email_id, &["default"], None, priority).await;
            wait(2).await;
        }
        wait(5 * 3_600).await;
        let order = ["first", "high", "medium", "low"].map(|id| format!("msg_{id}_default"));
        assert_eq!(scene.receivers.ids(), order);
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn the_most_urgent_goes_first_when_the_limit_is_raised() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        for (email_id, priority) in
            [("first", Priority::Medium), ("low", Priority::Low), ("high", Priority::High)]
        {
            scene.urgent(email_id, &["default"], None, priority).await;
            wait(2).await;
        }
        scene.set(|policy| policy.rate_limit_per_hour = 2).await;
        wait(2).await;
        assert_eq!(scene.receivers.ids(), ["msg_first_default", "msg_high_default"]);
    });
}

#[test]
fn a_dead_letter_is_told_in_the_commit_that_makes_it_one() {
    play(|scene| async move {
        scene.set(notified).await;
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        scene.receivers.always("default.example", Does::Answers(404));
        scene.mail("m1", &["default"], None).await;
        wait(5).await;
        let told = scene.posted_to("alerts.example");
        let [(id, body)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(id, "msg_m1.default.2_@notify");
        assert_eq!(body["type"], "delivery.dead_lettered");
        assert_eq!((&body["data"]["email_id"], &body["data"]["target"]), (&"m1".into(), &"default".into()));
        assert!(body["data"]["why"].as_str().unwrap().contains("404"));
        // Its own story is in its own stream, and the mail's is untouched by it.
        assert_eq!(
            scene.events(delivery_stream("m1.default.2", NOTIFY_TARGET)).await,
            ["delivery.attempted", "delivery.succeeded"]
        );
        assert_eq!(scene.events(mail_stream("m1")).await, ["mail.received", "mail.routed", "mail.settled"]);
        assert_eq!((scene.left().await, scene.marked().await), (1, 0), "the dead letter is kept");

        // Sent again and given up again: another one is told.
        let undelivered = Undelivered::read(scene.journal.as_ref()).await.unwrap();
        undelivered.retry(scene.journal.as_ref(), &scene.world, "m1", "default", "test").await.unwrap();
        wait(5).await;
        let ids: Vec<_> = scene.posted_to("alerts.example").into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["msg_m1.default.2_@notify", "msg_m1.default.5_@notify"]);
    });
}

#[test]
fn nobody_is_told_that_nobody_could_be_told() {
    play(|scene| async move {
        scene.set(notified).await;
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        scene.receivers.always("default.example", Does::Answers(404));
        scene.receivers.always("alerts.example", Does::Answers(404));
        scene.mail("m1", &["default"], None).await;
        wait(30).await;
        assert_eq!(scene.posted_to("alerts.example").len(), 1);
        // Both are dead letters, and an operator sees both.
        assert_eq!(scene.left().await, 2);
        let dead = scene
            .journal
            .views()
            .read(|db| {
                let state = Some("dead_lettered".to_owned());
                let filter = DeliveryFilter { state, ..DeliveryFilter::default() };
                deliveries(db, &filter)
            })
            .await
            .unwrap();
        let mut targets: Vec<_> = dead.into_iter().map(|row| row.target).collect();
        targets.sort();
        assert_eq!(targets, ["@notify", "default"]);
    });
}

#[test]
fn nobody_is_told_who_did_not_ask_or_has_no_address() {
    for (wanted, url) in [(false, "https://alerts.example/x"), (true, "")] {
        play(|scene| async move {
            scene
                .set(|policy| {
                    policy.prefs.notify_on_failure = wanted;
                    policy.prefs.notify_url = url.to_owned();
                    policy.retry.retries = Some(0);
                })
                .await;
            assert_eq!(scene.policy.load().prefs.remarks().len(), usize::from(wanted));
            scene.receivers.always("default.example", Does::Answers(404));
            scene.mail("m1", &["default"], None).await;
            wait(5).await;
            assert_eq!((scene.receivers.count(), scene.left().await), (1, 1));
        });
    }
}
