//! What is kept of mails whose senders are not in the list, and for how long.

use super::*;
use crate::dedup::release::{ReleaseError, release};
use crate::mail::outbox_rows::{Stranger, stranger_key};

fn stranger(n: usize, body: &str) -> Bytes {
    source(n, "Eve <eve@evil.example>", &format!("Lot {n}"), &format!("https://fromsmash.com/{n} {body}"))
}

fn let_in(policy: &mut Policy) {
    policy.allowed_senders.push("eve@evil.example".to_owned());
}

#[test]
fn a_strangers_mail_goes_as_soon_as_the_list_has_its_sender() {
    play(
        |_| {},
        |scene| async move {
            let mail = stranger(1, "");
            assert_eq!(scene.admit(1, &mail).await, new(id(&mail)));
            assert_eq!(scene.kinds().await, ["mail.received", "mail.ignored"]);
            wait(7_200).await;
            scene.set(|policy| policy.sending_enabled = true).await;
            wait(2).await;
            assert_eq!(scene.kinds().await.len(), 2, "nothing has changed for it");
            assert_eq!(scene.counts().await, [0, 0, 1, 0]);

            scene.set(let_in).await;
            wait(1).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.ignored", "mail.routed"]);
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
            let row = scene.rows(Queue::Deliver).await.remove(0);
            let meta: DeliverMeta = serde_json::from_value(row.meta).unwrap();
            assert_eq!((meta.mail_version, meta.locations), (3, vec![place(1)]));
        },
    );
}

#[test]
fn a_list_that_changes_while_the_mail_is_taken_in_counts() {
    play(
        |_| {},
        |scene| async move {
            *scene.next_append.0.lock().unwrap() = Some(Fault::Delay(Duration::from_secs(5)));
            let mail = stranger(1, "");
            let (admitted, ()) = tokio::join!(
                biased;
                scene.admit(1, &mail),
                async {
                    wait(1).await;
                    scene.set(let_in).await;
                },
            );
            assert_eq!(admitted, new(id(&mail)));
            wait(2).await;
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
        },
    );
}

#[test]
fn a_further_copy_goes_with_it() {
    play(
        |_| {},
        |scene| async move {
            let mail = stranger(1, "");
            scene.admit(1, &mail).await.unwrap();
            assert!(scene.admit(2, &mail).await.unwrap().duplicate);
            scene.set(let_in).await;
            wait(1).await;
            let row = scene.rows(Queue::Deliver).await.remove(0);
            let meta: DeliverMeta = serde_json::from_value(row.meta).unwrap();
            assert_eq!(meta.locations, [place(1), place(2)]);
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
        },
    );
}

#[test]
fn a_strangers_mail_is_released_by_hand() {
    play(
        |_| {},
        |scene| async move {
            let mail = stranger(1, "");
            scene.admit(1, &mail).await.unwrap();
            release(scene.journal.as_ref(), &scene.world, &id(&mail), "cli").await.unwrap();
            wait(2).await;
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
            // Its row is gone, so a change of the list does nothing to it.
            scene.set(let_in).await;
            wait(2).await;
            assert_eq!(
                scene.kinds().await,
                ["mail.received", "mail.ignored", "mail.released", "mail.routed"]
            );
        },
    );
}

#[test]
fn a_flood_of_strangers_keeps_the_newest_within_the_bounds() {
    play(
        |_| {},
        |scene| async move {
            let flood: Vec<Bytes> = (0..1_100).map(|n| stranger(n, "")).collect();
            for (item, mail) in flood.iter().enumerate() {
                assert_eq!(scene.admit(item, mail).await, new(id(mail)));
            }
            // A copy of one takes nobody's room.
            assert!(scene.admit(5_000, &flood[1_050]).await.unwrap().duplicate);
            let rows = scene.rows(Queue::Hold).await;
            assert_eq!(rows.len(), 1_000);
            let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
            assert_eq!(keys[0], stranger_key(&id(&flood[100])), "the oldest made room");
            assert_eq!(keys[999], stranger_key(&id(&flood[1_099])));
            for gone in &flood[..100] {
                let left = scene.journal.body(&stranger_key(&id(gone))).await.unwrap();
                assert_eq!(left, Some(Bytes::new()), "at once, not when bodies are purged next");
            }
            scene.journal.purge(epoch()).await.unwrap();
            let bodies = scene.journal.bodies(0, usize::MAX).await.unwrap();
            assert_eq!(bodies.len(), 1_000, "and then without a trace");
            let error =
                release(scene.journal.as_ref(), &scene.world, &id(&flood[0]), "cli").await.unwrap_err();
            assert!(matches!(error, ReleaseError::ContentGone(_)), "{error}");
            // The next worker counts what is there.
            let fence = scene.journal.raise_fence("poller").await.unwrap();
            let scene = Scene { fence: Fence { lease: "poller".to_owned(), token: fence }, ..scene };
            scene.admit(6_000, &stranger(6_000, "")).await.unwrap();
            assert_eq!(scene.rows(Queue::Hold).await.len(), 1_000);
        },
    );
}

#[test]
fn a_very_large_mail_of_a_stranger_drives_out_nobody() {
    play(
        |_| {},
        |scene| async move {
            scene.admit(1, &stranger(1, "")).await.unwrap();
            // A byte of these takes six in a draft.
            let large = stranger(2, &"\u{1}".repeat(1 << 20));
            assert_eq!(scene.admit(2, &large).await, new(id(&large)));
            assert_eq!(scene.kinds().await.len(), 4, "it is recorded like any other");
            assert_eq!(scene.counts().await, [0, 0, 1, 0]);
            assert_eq!(scene.journal.bodies(0, 9).await.unwrap().len(), 1);
        },
    );
}

#[test]
fn after_the_retention_nothing_is_left() {
    play(
        |policy| policy.retention = Duration::from_secs(86_400),
        |scene| async move {
            scene.admit(1, &stranger(1, "")).await.unwrap();
            let meta: DraftMeta =
                serde_json::from_value(scene.rows(Queue::Hold).await.remove(0).meta).unwrap();
            let Some(Stranger { until, .. }) = meta.stranger else { panic!("{meta:?}") };
            assert_eq!(until, epoch() + chrono::TimeDelta::days(1));
            wait(86_400 - 60).await;
            assert_eq!(scene.counts().await, [0, 0, 1, 0]);
            wait(2 * 3_600).await;
            assert_eq!(scene.counts().await, [0; 4]);
            scene.journal.purge(scene.world.now()).await.unwrap();
            assert_eq!(scene.journal.bodies(0, 9).await.unwrap(), []);
            scene.set(let_in).await;
            wait(2).await;
            assert_eq!(scene.kinds().await.len(), 2);
        },
    );
}
