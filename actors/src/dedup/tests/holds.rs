//! Held mails: when they go, and that nobody forgets one.

use super::*;

#[test]
fn a_held_mail_goes_when_the_switch_is_turned_on() {
    play(
        |policy| policy.sending_enabled = false,
        |scene| async move {
            let source = mail(1);
            let email_id = id(&source);
            scene.admit(1, &source).await.unwrap();
            assert_eq!(scene.admit(2, &source).await, known(&email_id));
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held", "mail.duplicated"]);
            // For a day and longer: it is looked at again, and there is nothing to say.
            wait(30 * 3_600).await;
            scene.set(|policy| policy.rate_limit_per_hour = 9).await;
            wait(5).await;
            assert_eq!(scene.kinds().await.len(), 3);
            assert_eq!(scene.counts().await, [0, 0, 1, 0]);

            scene.set(|policy| policy.sending_enabled = true).await;
            wait(5).await;
            assert_eq!(scene.kinds().await.last().map(String::as_str), Some("mail.routed"));
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
            // The copy that was seen meanwhile is to be marked, too.
            let meta: DeliverMeta =
                serde_json::from_value(scene.rows(Queue::Deliver).await.remove(0).meta).unwrap();
            assert_eq!((meta.mail_version, meta.locations), (4, vec![place(1), place(2)]));
        },
    );
}

#[test]
fn a_held_mail_goes_at_its_time() {
    play(
        |policy| policy.window = Some(afternoon()),
        |scene| async move {
            scene.admit(1, &mail(1)).await.unwrap();
            let opens = epoch() + chrono::TimeDelta::hours(5);
            assert_eq!(scene.rows(Queue::Hold).await[0].due, Due::At(opens));
            scene.set(|policy| policy.rate_limit_per_hour = 9).await;
            wait(5 * 3_600 - 60).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held"]);
            assert_eq!(scene.rows(Queue::Hold).await[0].due, Due::At(opens), "a look does not put it off");
            wait(62).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held", "mail.routed"]);
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
            let at = scene.log().await[2].at;
            assert!(at >= opens && at <= opens + chrono::TimeDelta::seconds(2), "{at}");
        },
    );
}

#[test]
fn a_held_mail_that_is_held_for_another_reason_says_so_once() {
    play(
        |policy| policy.sending_enabled = false,
        |scene| async move {
            scene.admit(1, &mail(1)).await.unwrap();
            for _ in 0..2 {
                scene
                    .set(|policy| {
                        policy.sending_enabled = true;
                        policy.window = Some(afternoon());
                    })
                    .await;
                wait(5).await;
                assert_eq!(scene.kinds().await, ["mail.received", "mail.held", "mail.held"]);
            }
            assert_eq!(scene.log().await[2].payload["reason"], "outside_window");
            scene.set(|policy| policy.allowed_senders = vec!["somebody@else.example".to_owned()]).await;
            wait(5).await;
            assert_eq!(scene.kinds().await.last().map(String::as_str), Some("mail.ignored"));
            let rows = scene.rows(Queue::Hold).await;
            let kept: Vec<_> = rows.iter().map(|row| (row.key.starts_with("stranger/"), row.due)).collect();
            assert_eq!(kept, [(true, Due::Parked)], "it waits for the list");
        },
    );
}

#[test]
fn held_mails_go_in_the_order_in_which_they_came() {
    play(
        |policy| policy.sending_enabled = false,
        |scene| async move {
            let mails: Vec<_> = (0..150).map(mail).collect();
            join_all(mails.iter().enumerate().map(|(item, source)| scene.admit(item, source))).await;
            scene.set(|policy| policy.sending_enabled = true).await;
            wait(10).await;
            let routed: Vec<_> = scene
                .log()
                .await
                .into_iter()
                .filter(|event| event.kind == "mail.routed")
                .map(|event| event.stream)
                .collect();
            let wanted: Vec<_> = mails.iter().map(|source| mail_stream(&id(source))).collect();
            assert!(routed == wanted, "150 mails in order, got {}", routed.len());
        },
    );
}

#[test]
fn a_held_mail_whose_facts_are_gone_is_put_aside() {
    play(
        |policy| {
            policy.sending_enabled = false;
            policy.retention = Duration::ZERO;
        },
        |scene| async move {
            scene.admit(1, &mail(1)).await.unwrap();
            // A body to which a row refers is kept, however old.
            scene.journal.purge(epoch() + chrono::TimeDelta::days(99)).await.unwrap();
            scene.set(|policy| policy.sending_enabled = true).await;
            wait(5).await;
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
            // One that refers to nothing is not tried for ever.
            let row = crate::kernel::journal::OutboxAdd {
                queue: Queue::Hold,
                key: "lost".to_owned(),
                partition: "mail".to_owned(),
                order_key: None,
                due: Due::At(epoch()),
                meta: serde_json::json!({"email_id": "lost", "mail_version": 2, "locations": []}),
                body_key: None,
            };
            scene.journal.append(Commit { at: epoch(), add: vec![row], ..Commit::default() }).await.unwrap();
            wait(5).await;
            assert_eq!(scene.rows(Queue::Hold).await[0].due, Due::Parked);
        },
    );
}

/// The configuration changes while a decision under the old one is on its way into the journal.
#[test]
fn a_mail_that_is_being_read_while_the_switch_is_turned_on_goes_at_once() {
    play(
        |policy| policy.sending_enabled = false,
        |scene| async move {
            *scene.next_append.0.lock().unwrap() = Some(Fault::Delay(Duration::from_secs(5)));
            let mail = mail(1);
            tokio::join!(scene.admit(1, &mail), async {
                wait(1).await;
                scene.set(|policy| policy.sending_enabled = true).await;
            })
            .0
            .unwrap();
            wait(5).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held", "mail.routed"]);
        },
    );
}

#[test]
fn a_held_mail_that_is_being_decided_while_the_switch_is_turned_on_goes_at_once() {
    play(
        |policy| policy.sending_enabled = false,
        |scene| async move {
            scene.admit(1, &mail(1)).await.unwrap();
            *scene.next_append.0.lock().unwrap() = Some(Fault::Delay(Duration::from_secs(5)));
            scene
                .set(|policy| {
                    policy.sending_enabled = true;
                    policy.window = Some(afternoon());
                })
                .await;
            wait(2).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held"], "its decision is on its way");
            scene.set(|policy| policy.window = None).await;
            wait(10).await;
            assert_eq!(
                scene.kinds().await,
                ["mail.received", "mail.held", "mail.held", "mail.routed"],
                "held for the window, which was gone by then"
            );
        },
    );
}

#[test]
fn a_journal_that_is_away_when_the_switch_is_turned_on_is_asked_again() {
    play(
        |policy| policy.sending_enabled = false,
        |scene| async move {
            scene.admit(1, &mail(1)).await.unwrap();
            wait(5).await;
            scene.next_append.1.store(true, Relaxed);
            scene.set(|policy| policy.sending_enabled = true).await;
            wait(60).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held"]);
            scene.next_append.1.store(false, Relaxed);
            wait(5).await;
            assert_eq!(scene.kinds().await, ["mail.received", "mail.held", "mail.routed"]);
        },
    );
}

#[test]
fn a_held_mail_that_cannot_be_read_any_more_is_put_aside() {
    play(
        |_| {},
        |scene| async move {
            let row = |key: &str, meta: serde_json::Value, body_key: Option<&str>| {
                crate::kernel::journal::OutboxAdd {
                    queue: Queue::Hold,
                    key: key.to_owned(),
                    partition: "mail".to_owned(),
                    order_key: None,
                    due: Due::At(epoch()),
                    meta,
                    body_key: body_key.map(str::to_owned),
                }
            };
            let meta = serde_json::json!({"email_id": "b", "mail_version": 2, "locations": []});
            let add = vec![row("a", "no meta".into(), None), row("b", meta, Some("draft/b"))];
            let bodies = vec![crate::kernel::journal::Body {
                key: "draft/b".to_owned(),
                bytes: Bytes::from_static(b"no draft"),
                keep_until: epoch() + chrono::TimeDelta::days(1),
            }];
            scene.journal.append(Commit { at: epoch(), add, bodies, ..Commit::default() }).await.unwrap();
            wait(5).await;
            let rows = scene.rows(Queue::Hold).await;
            assert!(rows.iter().all(|row| row.due == Due::Parked && !row.claimed), "{rows:?}");
        },
    );
}

#[test]
fn held_mails_keep_the_order_that_a_target_wants() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        let mut policy = policy();
        policy.sending_enabled = false;
        policy.default_target.ordering = Ordering::Mailbox;
        let scene = scene(policy).await;
        // Every other one takes a thread of its own, and so a while longer.
        let text = |n: usize| if n.is_multiple_of(2) { "word ".repeat(20_000) } else { String::new() };
        let link = "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0";
        let mails: Vec<_> = (0..60)
            .map(|n| source(n, "camille@ex.com", &format!("Lot {n}"), &format!("{link}\r\n{}", text(n))))
            .collect();
        for (item, source) in mails.iter().enumerate() {
            scene.admit(item, source).await.unwrap();
        }
        scene.set(|policy| policy.sending_enabled = true).await;
        while scene.counts().await[0] < mails.len() {
            wait(1).await;
        }
        let routed: Vec<_> =
            scene.log().await.into_iter().filter(|event| event.kind == "mail.routed").collect();
        let routed: Vec<_> = routed.into_iter().map(|event| event.stream).collect();
        let wanted: Vec<_> = mails.iter().map(|source| mail_stream(&id(source))).collect();
        assert!(routed == wanted, "{routed:?}");
    });
}
