//! Which mails are copies of each other, and what becomes of those that are not.

use proptest::prelude::*;

use super::*;
use crate::dedup::release::{ReleaseError, release};
use crate::mail::content;
use crate::mail::life::{MailReceived, copy_id};
use crate::readmodel::queries::duplicates;

/// One of those that share an identity: neither Message-ID nor anything else tells them apart.
fn namesake(from: &str, body: &str) -> Bytes {
    Bytes::from(format!(
        "From: {from}\r\nSubject: Livraison\r\nDate: Mon, 26 Jan 2026 10:00:00 +0100\r\n\r\n{body}\r\n"
    ))
}

fn linking_to(name: &str) -> Bytes {
    namesake("camille@ex.com", &format!("https://fromsmash.com/{name}"))
}

fn other_id(source: &[u8]) -> String {
    let mail = parse::parse(source).unwrap();
    content::other_id(&mail.email_id, &content::of(&mail))
}

async fn payloads(scene: &Scene) -> Vec<serde_json::Value> {
    let mut payloads = Vec::new();
    for row in scene.rows(Queue::Deliver).await {
        let body = scene.journal.body(&row.body_key.unwrap()).await.unwrap().unwrap();
        payloads.push(serde_json::from_slice(&body).unwrap());
    }
    payloads
}

#[test]
fn another_mail_of_the_same_identity_is_delivered_under_a_name_of_its_own() {
    play(
        |_| {},
        |scene| async move {
            let (one, other) = (linking_to("a"), linking_to("b"));
            assert_eq!(id(&one), id(&other));
            let (first, second) = tokio::join!(biased; scene.admit(1, &one), scene.admit(2, &other));
            assert_eq!((first, second), (new(id(&one)), new(other_id(&other))));
            assert_eq!(scene.counts().await, [2, 0, 0, 0]);
            let ids: Vec<_> = payloads(&scene)
                .await
                .into_iter()
                .map(|body| body["microsoft_graph_email_id"].clone())
                .collect();
            assert_eq!(ids, [id(&one), other_id(&other)], "receivers tell them apart");
            let log = scene.log().await;
            assert_eq!(log[2].payload["other_content_of"], id(&one));
            // Read again, as after a crash: nothing is written.
            assert_eq!(scene.admit(2, &other).await, known(other_id(&other)));
            assert_eq!(scene.kinds().await.len(), 4);
            // Copies of either are copies of that one.
            assert_eq!(scene.admit(3, &other).await, known(other_id(&other)));
            assert_eq!(scene.admit(4, &one).await, known(id(&one)));
            assert_eq!(scene.counts().await, [2, 0, 0, 0]);
        },
    );
}

#[test]
fn a_commit_without_an_answer_makes_no_third_mail() {
    for fault in [Fault::Rejected, Fault::IndeterminateNotWritten, Fault::IndeterminateWritten] {
        play(
            |_| {},
            |scene| async move {
                let (one, other) = (linking_to("a"), linking_to("b"));
                scene.admit(1, &one).await.unwrap();
                *scene.next_append.0.lock().unwrap() = Some(fault.clone());
                // The first try is refused for its name; whatever becomes of the next.
                drop(scene.admit(2, &other).await);
                assert_eq!(scene.admit(2, &other).await.unwrap().email_id, other_id(&other), "{fault:?}");
                assert_eq!(scene.counts().await, [2, 0, 0, 0], "{fault:?}");
            },
        );
    }
}

#[test]
fn the_header_alone_of_a_large_mail_takes_no_name_from_a_small_one() {
    play(
        |_| {},
        |scene| async move {
            let header = Bytes::from_static(
                b"From: camille@ex.com\r\nSubject: Livraison\r\nDate: Mon, 26 Jan 2026 10:00:00 +0100\r\n\r\n",
            );
            let large = Source::HeaderOnly { header, size: 1 << 30 };
            scene.hand_over(1, large.clone()).await.unwrap();
            assert!(scene.hand_over(2, large).await.unwrap().duplicate);
            assert_eq!(scene.admit(3, &linking_to("a")).await, new(other_id(&linking_to("a"))));
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
        },
    );
}

#[test]
fn what_an_earlier_version_recorded_is_taken_for_the_same() {
    play(
        |_| {},
        |scene| async move {
            let mail = parse::parse(&linking_to("a")).unwrap();
            let received = MailEvent::Received(MailReceived {
                content: None,
                ..crate::dedup::commit::received(&mail, place(1), None, content::of(&mail))
            });
            let write = StreamWrite {
                stream: mail_stream(&mail.email_id),
                expected: Expected::NoStream,
                events: vec![received.to_new(scene.world.ids.next()).unwrap()],
            };
            let commit = Commit { at: scene.world.now(), writes: vec![write], ..Commit::default() };
            scene.journal.append(commit).await.unwrap();
            assert_eq!(scene.admit(2, &linking_to("b")).await, known(mail.email_id));
        },
    );
}

#[test]
fn where_every_copy_is_a_mail_a_place_that_is_used_again_is_one_too() {
    play(
        |policy| policy.disable_email_id_dedup = true,
        |scene| async move {
            let first = scene.admit(1, &linking_to("a")).await.unwrap();
            let second = scene.admit(1, &linking_to("b")).await.unwrap();
            assert_eq!((first.duplicate, second.duplicate), (false, false));
            assert!(second.email_id.starts_with(&first.email_id) && second.email_id != first.email_id);
            assert_eq!(scene.counts().await, [2, 0, 0, 0]);
        },
    );
}

#[test]
fn a_copy_is_listed_with_its_place_and_is_sent_when_somebody_wants_it() {
    play(
        |_| {},
        |scene| async move {
            let source = linking_to("a");
            scene.admit(1, &source).await.unwrap();
            wait(60).await;
            scene.admit(2, &source).await.unwrap();
            let listed = scene.journal.views().read(|db| duplicates(db, 10)).await.unwrap();
            let id = copy_id(&id(&source), &place(2));
            assert_eq!(listed.len(), 1);
            assert_eq!((&listed[0].id, &listed[0].location), (&id, &place(2)));
            assert_eq!(listed[0].seen_at, epoch() + chrono::TimeDelta::seconds(60));
            let heading = crate::stored_mail::heading(scene.journal.as_ref(), &listed[0].email_id)
                .await
                .unwrap()
                .unwrap();
            assert_eq!((&*heading.subject, &*heading.sender), ("Livraison", "camille@ex.com"));

            release(scene.journal.as_ref(), &scene.world, &id, "cli").await.unwrap();
            wait(2).await;
            assert_eq!(scene.counts().await, [2, 0, 0, 0]);
            let bodies = payloads(&scene).await;
            assert_eq!(bodies[1]["microsoft_graph_email_id"], id);
            assert_eq!(bodies[1]["email_content"], bodies[0]["email_content"]);
            let row: DeliverMeta =
                serde_json::from_value(scene.rows(Queue::Deliver).await[1].meta.clone()).unwrap();
            assert_eq!(row.locations, [place(2)], "its own place is marked, once it is delivered");
            let again = release(scene.journal.as_ref(), &scene.world, &id, "cli").await.unwrap_err();
            assert!(matches!(again, ReleaseError::Routed(_)), "{again}");
            for nobody in [copy_id(&id, &place(9)), copy_id("nobody", &place(2)), "x-copy-1".to_owned()] {
                let error = release(scene.journal.as_ref(), &scene.world, &nobody, "cli").await.unwrap_err();
                assert!(matches!(error, ReleaseError::Unknown(_)), "{nobody}: {error}");
            }
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Any two mails that differ in sender, text or links are both delivered, in whatever order
    /// they come, and get the same names when they come again.
    #[test]
    fn two_mails_that_differ_are_both_delivered(
        senders in [0_usize..2, 0..2],
        texts in ["[a-c ]{0,3}", "[a-c ]{0,3}"],
        links in [0_usize..2, 0..2],
        at_once in any::<bool>(),
    ) {
        let sources: Vec<Bytes> = (0..2)
            .map(|n| {
                let from = ["camille@ex.com", "Camille <alex@ex.com>"][senders[n]];
                namesake(from, &format!("{}|https://fromsmash.com/{}", texts[n], links[n]))
            })
            .collect();
        let relaxed = |text: &str| {
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            let (start, end) = (text.starts_with(' '), text.ends_with(' '));
            (words.join(" "), start, end)
        };
        let same = (senders[0], links[0], relaxed(&texts[0])) == (senders[1], links[1], relaxed(&texts[1]));
        let names = || {
            let sources = sources.clone();
            let named = Arc::new(Mutex::new((Vec::new(), 0)));
            let result = Arc::clone(&named);
            play(
                |policy| policy.allowed_senders.push("alex@ex.com".to_owned()),
                |scene| async move {
                    let answers = if at_once {
                        let (one, other) = tokio::join!(biased; scene.admit(1, &sources[0]), scene.admit(2, &sources[1]));
                        [one, other]
                    } else {
                        [scene.admit(1, &sources[0]).await, scene.admit(2, &sources[1]).await]
                    };
                    let ids = answers.map(|answer| answer.unwrap().email_id).to_vec();
                    *result.lock().unwrap() = (ids, scene.counts().await[0]);
                },
            );
            let named = named.lock().unwrap();
            named.clone()
        };
        let (ids, deliveries) = names();
        prop_assert_eq!(deliveries, if same { 1 } else { 2 }, "{:?}", ids);
        prop_assert_eq!(ids[0] == ids[1], same);
        prop_assert_eq!(names().0, ids);
    }
}
