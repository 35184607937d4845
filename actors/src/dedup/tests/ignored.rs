//! Held mails that somebody does not want.

use super::*;
use crate::dedup::release::release;
use crate::ignore::ignore;

#[test]
fn a_held_mail_that_is_ignored_is_not_decided_again_and_can_still_be_released() {
    play(
        |policy| policy.sending_enabled = false,
        |scene| async move {
            let source = mail(1);
            let email_id = id(&source);
            scene.admit(1, &source).await.unwrap();
            ignore(&*scene.journal, &scene.world, &email_id, "cli").await.unwrap();
            scene.set(|policy| policy.sending_enabled = true).await;
            wait(10).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held", "mail.ignored"]);
            assert!(scene.rows(Queue::Hold).await.is_empty() && scene.rows(Queue::Deliver).await.is_empty());
            assert_eq!(scene.rows(Queue::Flag).await.len(), 1, "it is marked as read");

            release(&*scene.journal, &scene.world, &email_id, "cli").await.unwrap();
            wait(10).await;
            assert_eq!(scene.kinds().await.last().map(String::as_str), Some("mail.routed"));
            assert_eq!(scene.rows(Queue::Deliver).await.len(), 1);
        },
    );
}
