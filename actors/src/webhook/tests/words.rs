//! An operator's word about a delivery: not to be sent, and once more.

use super::*;
use crate::readmodel::queries::{self, DeliverySelection};
use crate::webhook::bulk::{self, Action};
use crate::webhook::cancel::{CancelError, cancel};
use crate::webhook::resend::{ResendError, resend, targets_of};

impl Scene {
    async fn cancel(&self, email_id: &str, target: &str) -> Result<(), CancelError> {
        cancel(&*self.journal, &self.world, email_id, target, "cli").await
    }

    async fn again(&self, email_id: &str, target: &str) -> Result<(), ResendError> {
        resend(&*self.journal, &self.world, email_id, target, "cli").await
    }

    async fn state(&self, email_id: &str, target: &str) -> String {
        let (email_id, target) = (email_id.to_owned(), target.to_owned());
        let row = self.journal.views().read(move |db| queries::delivery(db, &email_id, &target)).await;
        row.unwrap().unwrap().state
    }
}

#[test]
fn what_is_cancelled_is_not_sent_and_what_is_behind_it_goes() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::Answers(500); 2]);
        scene.mail("m1", &["default"], Some("order")).await;
        scene.mail("m2", &["default"], Some("order")).await;
        wait(1).await;
        assert_eq!(scene.receivers.ids(), ["msg_m1_default"], "the second one waits behind the first");
        scene.cancel("m1", "default").await.unwrap();
        wait(30).await;
        assert_eq!(scene.receivers.ids().last().map(String::as_str), Some("msg_m2_default"));
        assert!(!scene.receivers.ids()[1..].contains(&"msg_m1_default".to_owned()));
        // Both are dealt with.
        assert_eq!((scene.left().await, scene.marked().await), (0, 2));
        assert_eq!(scene.state("m1", "default").await, "cancelled");
        let kinds = scene.events(mail_stream("m1")).await;
        assert_eq!(kinds, ["mail.received", "mail.routed", "mail.settled"]);
        assert!(matches!(scene.cancel("m1", "default").await, Err(CancelError::Over { .. })));
        assert!(matches!(scene.cancel("m2", "default").await, Err(CancelError::Over { .. })));
        for (email_id, target) in [("m1", "other"), ("m9", "default"), ("m9", "")] {
            let refused = scene.cancel(email_id, target).await;
            assert!(matches!(refused, Err(CancelError::Unknown { .. })), "{refused:?}");
        }
    });
}

#[test]
fn a_mail_is_marked_when_what_is_not_cancelled_is_through() {
    play(|scene| async move {
        scene.receivers.script("rule-1.example", [Does::Answers(500)]);
        scene.mail("m1", &["default", "rule-1"], None).await;
        wait(1).await;
        assert_eq!(scene.marked().await, 0);
        scene.cancel("m1", "rule-1").await.unwrap();
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));

        // The other way round: cancelled before the other one has ended.
        scene.receivers.script("default.example", [Does::Answers(500)]);
        scene.receivers.script("rule-1.example", [Does::Answers(500)]);
        scene.mail("m2", &["default", "rule-1"], None).await;
        wait(1).await;
        scene.cancel("m2", "rule-1").await.unwrap();
        assert_eq!((scene.left().await, scene.marked().await), (1, 1));
        wait(60).await;
        assert_eq!((scene.left().await, scene.marked().await), (0, 2));
    });
}

#[test]
fn a_dead_letter_can_be_cancelled() {
    play(|scene| async move {
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        scene.receivers.script("default.example", [Does::Answers(500)]);
        scene.mail("m1", &["default"], None).await;
        wait(2).await;
        assert_eq!(scene.state("m1", "default").await, "dead_lettered");
        scene.cancel("m1", "default").await.unwrap();
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
        let story = scene.journal.views().read(|db| queries::mail_story(db, "m1")).await.unwrap().unwrap();
        assert_eq!((story.mail.dead_lettered, story.mail.cancelled, story.mail.delivered), (0, 1, 0));
    });
}

#[test]
fn an_attempt_under_way_loses_its_claim_and_its_outcome_is_dropped() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::AnswersAfter(200, 5_000)]);
        scene.mail("m1", &["default"], None).await;
        wait(1).await;
        assert_eq!(scene.receivers.count(), 1);
        scene.cancel("m1", "default").await.unwrap();
        wait(60).await;
        assert_eq!(scene.receivers.count(), 1);
        assert_eq!(scene.events(delivery_stream("m1", "default")).await, ["delivery.cancelled"]);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
        assert_eq!(scene.status().await.in_flight, 0);
    });
}

#[test]
fn what_waits_here_for_its_turn_is_not_posted_after_it_was_cancelled() {
    play(|scene| async move {
        scene.receivers.always("default.example", Does::AnswersAfter(200, 10_000));
        scene.mails(40, "default").await;
        wait(3).await;
        let begun = scene.receivers.ids();
        let waiting: Vec<String> = (0..40)
            .map(|n| format!("default{n:04}"))
            .filter(|id| !begun.contains(&format!("msg_{id}_default")))
            .collect();
        assert!(waiting.len() > 4, "{} are posted at once", begun.len());
        for email_id in &waiting {
            scene.cancel(email_id, "default").await.unwrap();
        }
        wait(300).await;
        assert_eq!(scene.receivers.count(), begun.len());
        assert_eq!((scene.left().await, scene.marked().await), (0, 40));
    });
}

#[test]
fn what_was_delivered_goes_once_more_with_the_same_bytes() {
    play(|scene| async move {
        scene.mail("m1", &["default", "rule-1"], None).await;
        assert!(
            matches!(scene.again("m1", "default").await, Err(ResendError::Unknown { .. })),
            "not tried yet"
        );
        wait(2).await;
        let before = scene.events(mail_stream("m1")).await;
        assert_eq!(targets_of(&*scene.journal, "m1").await.unwrap(), ["default", "rule-1"]);
        scene.again("m1", "default").await.unwrap();
        assert!(matches!(scene.again("m1", "default").await, Err(ResendError::Open { .. })));
        wait(2).await;
        {
            let posts = scene.receivers.posts.lock().unwrap();
            let to_default: Vec<_> = posts.iter().filter(|post| post.id == "msg_m1_default").collect();
            assert_eq!(to_default.len(), 2);
            assert_eq!(to_default[0].request.body, to_default[1].request.body);
        }
        // The mail's own account of it is closed.
        assert_eq!(scene.events(mail_stream("m1")).await, before);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
        let story = scene.journal.views().read(|db| queries::mail_story(db, "m1")).await.unwrap().unwrap();
        assert_eq!((story.mail.delivered, story.mail.deliveries_total), (2, 2));

        // As a dead letter it is one of the delivery's, and can be retried or cancelled.
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        scene.receivers.script("default.example", [Does::Answers(500)]);
        scene.again("m1", "default").await.unwrap();
        wait(2).await;
        assert!(matches!(scene.again("m1", "default").await, Err(ResendError::Dead { .. })));
        scene.cancel("m1", "default").await.unwrap();
        let story = scene.journal.views().read(|db| queries::mail_story(db, "m1")).await.unwrap().unwrap();
        assert_eq!((story.mail.delivered, story.mail.dead_lettered, story.mail.cancelled), (2, 0, 0));
        assert_eq!(scene.events(mail_stream("m1")).await, before);

        scene.journal.purge(scene.world.now() + chrono::TimeDelta::days(8)).await.unwrap();
        assert!(matches!(scene.again("m1", "rule-1").await, Err(ResendError::ContentGone { .. })));
        assert!(matches!(scene.again("m9", "rule-1").await, Err(ResendError::Unknown { .. })));
    });
}

#[test]
fn a_selection_is_counted_and_acted_upon() {
    play(|scene| async move {
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        scene.receivers.script("default.example", [Does::Answers(500); 3]);
        scene.receivers.script("rule-1.example", [Does::Answers(404); 2]);
        for (id, target) in
            [("a", "default"), ("b", "default"), ("c", "default"), ("d", "rule-1"), ("e", "rule-1")]
        {
            scene.mail(id, &[target], None).await;
        }
        scene.mail("f", &["other"], None).await;
        wait(3).await;
        let all = DeliverySelection::default();
        let of = |target: &str| DeliverySelection {
            target: Some(target.to_owned()),
            ..DeliverySelection::default()
        };
        let count = async |action, selection: &DeliverySelection| {
            bulk::count(&*scene.journal, action, selection).await.unwrap().count
        };
        assert_eq!(count(Action::Retry, &all).await, 5);
        assert_eq!(count(Action::Retry, &of("rule-1")).await, 2);
        assert_eq!(
            count(Action::Retry, &DeliverySelection { last_status: Some(500), ..all.clone() }).await,
            3
        );
        assert_eq!(
            count(Action::Retry, &DeliverySelection { error: Some("http 404".to_owned()), ..all.clone() })
                .await,
            2
        );
        let delivered = DeliverySelection { states: vec!["delivered".to_owned()], ..all.clone() };
        assert_eq!(count(Action::Cancel, &delivered).await, 0, "there is nothing to cancel");

        let act = async |action, selection: &DeliverySelection| {
            bulk::act(&*scene.journal, &scene.world, action, selection, "cli").await.unwrap()
        };
        let done = act(Action::Retry, &of("default")).await;
        assert_eq!((done.matches.count, done.done, done.refused.len()), (3, 3, 0));
        wait(3).await;
        assert_eq!(scene.state("a", "default").await, "delivered");
        let done = act(Action::Cancel, &all).await;
        assert_eq!((done.matches.count, done.done, done.refused.len()), (2, 2, 0));
        assert_eq!((scene.left().await, scene.marked().await), (0, 6));
    });
}
