//! One delivery: what is sent, what is repeated with the same bytes, what is given up.

use super::*;

#[test]
fn a_delivery_is_one_signed_post_and_one_commit() {
    play(|mut scene| async move {
        scene.keys = Some(SigningKeys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        scene.crash().await;
        scene.start();
        scene.mail("m1", &["default"], None).await;
        wait(1).await;
        let posts = std::mem::take(&mut *scene.receivers.posts.lock().unwrap());
        let [post] = &posts[..] else { panic!("{} posts", posts.len()) };
        assert_eq!(post.request.url.as_str(), "https://default.example/secret");
        assert_eq!(&post.request.body[..], br#"{"id":"m1"}"#);
        let header = |name: &str| post.request.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("webhook-id"), "msg_m1_default");
        assert_eq!(header("content-type"), "application/json");
        assert!(header("user-agent").starts_with("render-signal/"));
        let timestamp: i64 = header("webhook-timestamp").parse().unwrap();
        let signature =
            scene.keys.as_ref().unwrap().signature("msg_m1_default", timestamp, br#"{"id":"m1"}"#);
        assert_eq!(header("webhook-signature"), signature);
        assert_eq!(
            scene.events(delivery_stream("m1", "default")).await,
            ["delivery.attempted", "delivery.succeeded"]
        );
        assert_eq!(scene.events(mail_stream("m1")).await, ["mail.received", "mail.routed", "mail.settled"]);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
    });
}

#[test]
fn without_a_secret_there_is_an_id_and_no_signature() {
    play(|scene| async move {
        scene.mail("é m", &["default"], None).await;
        wait(1).await;
        let posts = scene.receivers.posts.lock().unwrap();
        assert_eq!(posts[0].id, "msg_%C3%A9%20m_default");
        assert!(!posts[0].request.headers.contains_key("webhook-signature"));
    });
}

#[test]
fn a_failed_delivery_is_repeated_with_the_same_bytes() {
    play(|scene| async move {
        scene.receivers.script("default.example", [500, 503, 429, 408].map(Does::Answers));
        scene.mail("m1", &["default"], None).await;
        wait(60).await;
        let posts = std::mem::take(&mut *scene.receivers.posts.lock().unwrap());
        assert_eq!(posts.len(), 5);
        for (n, pair) in posts.windows(2).enumerate() {
            assert_eq!(pair[0].id, pair[1].id);
            assert_eq!(pair[0].request.body, pair[1].request.body);
            // 2, 4, 8, 16 seconds, ±20 %, and at most a tick late.
            let pause = pair[1].at.duration_since(pair[0].at).as_secs_f64();
            let base = f64::from(2 << n);
            assert!((base * 0.8..base * 1.2 + 1.1).contains(&pause), "{n}: {pause}");
        }
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
    });
}

#[test]
fn a_dead_letter_is_kept_and_can_be_sent_again() {
    play(|scene| async move {
        scene.set(|policy| policy.retry.retries = Some(2)).await;
        scene.receivers.script("default.example", [Does::Answers(500); 3]);
        scene.mail("m1", &["default"], None).await;
        let retry = || async {
            let undelivered = Undelivered::read(&*scene.journal).await?;
            undelivered.retry(&*scene.journal, &scene.world, "m1", "default", "cli").await
        };
        wait(1).await;
        assert!(matches!(retry().await, Err(RetryError::NotDead { .. })));
        wait(60).await;
        assert_eq!(scene.receivers.count(), 3);
        let dead = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert_eq!((dead[0].due, &dead[0].meta["attempts"]), (Due::Parked, &json!(3)));
        assert_eq!(scene.marked().await, 0);

        retry().await.unwrap();
        assert!(matches!(retry().await, Err(RetryError::NotDead { .. })));
        wait(2).await;
        assert_eq!(scene.receivers.ids(), ["msg_m1_default"; 4]);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
        assert!(matches!(retry().await, Err(RetryError::Unknown { .. })));
    });
}

#[test]
fn what_can_never_succeed_is_a_dead_letter_at_once() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::Refused]);
        scene.mail("m1", &["default"], None).await;
        wait(2).await;
        scene.set(|policy| policy.default_target.url = "nonsense".to_owned()).await;
        scene.mail("m2", &["default"], None).await;
        wait(2).await;
        assert_eq!(scene.receivers.count(), 1);
        assert_eq!(scene.events(delivery_stream("m2", "default")).await, ["delivery.dead_lettered"]);
        let dead = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(dead.iter().all(|row| row.due == Due::Parked) && dead.len() == 2);
        assert_eq!(scene.breaker("default").await, "closed");
    });
}

#[test]
fn a_mail_is_marked_when_its_last_delivery_is_through() {
    play(|scene| async move {
        scene.receivers.script("slow.example", [Does::Answers(500), Does::Answers(500)]);
        scene.mail("m1", &["default", "slow"], None).await;
        // A further copy, seen after the routing.
        let duplicated = MailEvent::Duplicated(MailDuplicated { location: location("copy") });
        let events = vec![duplicated.to_new(scene.world.ids.next()).unwrap()];
        let write = StreamWrite { stream: mail_stream("m1"), expected: Expected::Exact(2), events };
        let commit = Commit { at: scene.world.now(), writes: vec![write], ..Commit::default() };
        scene.journal.append(commit).await.unwrap();
        wait(2).await;
        assert_eq!((scene.left().await, scene.marked().await), (1, 0));
        wait(10).await;
        assert_eq!((scene.left().await, scene.marked().await), (0, 2));
    });
}

#[test]
fn a_delivery_without_its_body_is_a_dead_letter() {
    play(|scene| async move {
        let meta = serde_json::json!({ "email_id": "m1", "target": "default", "url": "https://a.example/",
            "mail_version": 1, "siblings": 1, "locations": [] });
        let add = |key: &str, meta| OutboxAdd {
            queue: Queue::Deliver,
            key: key.to_owned(),
            partition: "default".to_owned(),
            order_key: None,
            due: Due::At(scene.world.now()),
            meta,
            body_key: None,
        };
        let add = vec![add("m1/default", meta), add("m2/default", serde_json::json!("broken"))];
        scene.journal.append(Commit { at: scene.world.now(), add, ..Commit::default() }).await.unwrap();
        wait(5).await;
        assert_eq!(scene.receivers.count(), 0);
        assert_eq!(scene.events(delivery_stream("m1", "default")).await, ["delivery.dead_lettered"]);
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows.iter().all(|row| row.due == Due::Parked) && rows.len() == 2);
    });
}
