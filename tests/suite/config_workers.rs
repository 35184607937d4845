//! Several workers, one Redis: a change acts on all of them, and each says what it runs.

use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::support::redis::Redis;
use crate::support::until::ensure;
use crate::support::{ChaosProxy, PATIENCE, Program, Seed, Site, checks, mails, redis, until};

const AGREED: &str = "workers run the stored documents";

/// Waits until a worker knows of so many, and all run what is stored.
async fn until_agreed(worker: &mut Program, workers: usize) {
    let wanted = format!("{workers} of {workers} {AGREED}");
    worker.until_answer("/readyz", |answer| answer.body.contains(&wanted)).await;
}

/// Waits until a worker has put so many changed documents into force since its start.
async fn until_applied(worker: &Program, times: usize) {
    until(&format!("{times} changes to be in force"), PATIENCE, async || {
        let found = worker.log().matches("document applied").count();
        ensure(found >= times, || format!("{found} are"))
    })
    .await;
}

/// Sends mails, and waits until all of them are at this path.
async fn until_sent_to(site: &Site, path: &str) {
    let mails = mails::mixed(4);
    site.dovecot.deliver(&mails);
    until(&format!("the webhooks at {path}"), PATIENCE, async || {
        let deliveries = site.receiver.deliveries();
        let here = deliveries.iter().filter(|delivery| delivery.path == path);
        let here: BTreeSet<String> = here.map(|delivery| delivery.mark()).collect();
        let missing = mails.iter().filter(|mail| !here.contains(&mail.mark)).count();
        ensure(missing == 0, || format!("{missing} missing"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_acts_on_every_worker_and_each_says_so() {
    let (site, redis) = (Site::start().await, Redis::start().await);
    // As the reference system writes it, before anybody runs, and later beside them.
    let write = async |path: &str| {
        let document = format!(r#"{{"webhook_url": "{}", "_note": "rien"}}"#, site.receiver.url(path));
        let answer = redis.command(&format!("SET r:ss:config:webhook_config '{document}'")).await;
        assert_eq!(answer.unwrap(), "+OK\r\n");
    };
    write("/first").await;
    let mut workers: Vec<Program> = (0..3).map(|number| site.worker(&format!("worker{number}"))).collect();
    for worker in &mut workers {
        worker.set("REDIS_URL", &redis.url());
        worker.set("JOURNAL_URL", &redis.url());
        worker.start().await;
    }
    for worker in &mut workers {
        until_agreed(worker, 3).await;
    }
    until_sent_to(&site, "/first").await;

    write("/second").await;
    for worker in &workers {
        until_applied(worker, 1).await;
    }
    until_sent_to(&site, "/second").await;

    let url = format!("webhook_url={}", site.receiver.url("/third"));
    let set = workers[2].run(&["config", "set", "webhook_config", &url]).await;
    assert!(set.status.success() && set.text.contains("redis"), "{}", set.text);
    for worker in &workers {
        until_applied(worker, 2).await;
    }
    until_agreed(&mut workers[1], 3).await;
    until_sent_to(&site, "/third").await;
    let history = workers[0].run(&["config", "history", "webhook_config"]).await;
    for origin in ["startup", "external", "cli"] {
        assert_eq!(history.text.matches(origin).count(), 1, "{origin} once: {}", history.text);
    }

    // One that says goodbye is gone at once, one that dies within seconds.
    workers[0].stop().await;
    until_agreed(&mut workers[1], 2).await;
    workers[2].kill();
    until_agreed(&mut workers[1], 1).await;
    workers[1].stop().await;
    workers[1].assert_journal_verifies().await;
}

/// Two workers at a mailbox, and how many changes each has been told of.
struct Pair {
    site: Site,
    /// Between the workers and the mailbox.
    wire: ChaosProxy,
    workers: Vec<Program>,
    changes: usize,
    _redis: Redis,
}

impl Pair {
    async fn start() -> Self {
        let (site, redis) = (Site::start().await, Redis::start().await);
        let wire = ChaosProxy::start(site.dovecot.tls_port()).await;
        let mut workers: Vec<Program> =
            (0..2).map(|number| site.worker(&format!("worker{number}"))).collect();
        for worker in &mut workers {
            worker.set("REDIS_URL", &redis.url());
            worker.set("IMAP_PORT", &wire.port().to_string());
            worker.start().await;
        }
        Self { site, wire, workers, changes: 0, _redis: redis }
    }

    /// Changes a document through the one worker or the other, and waits until it acts on both.
    async fn change(&mut self, key: &str, fields: &[String]) {
        let mut words = vec!["config", "set", key];
        words.extend(fields.iter().map(String::as_str));
        let set = self.workers[self.changes % 2].run(&words).await;
        assert!(set.status.success(), "{}", set.text);
        self.changes += 1;
        for worker in &self.workers {
            until_applied(worker, self.changes).await;
        }
    }

    async fn polling(&mut self, field: &str) {
        self.change("polling_config", &[field.to_owned()]).await;
    }

    /// Where the webhook of a new mail goes.
    async fn path_of_a_new_mail(&self) -> String {
        let mail = mails::recadrage();
        self.site.dovecot.deliver(std::slice::from_ref(&mail));
        self.path_of(&mail.mark).await
    }

    async fn path_of(&self, mark: &str) -> String {
        until("the webhook", PATIENCE, async || {
            let deliveries = self.site.receiver.deliveries();
            let found = deliveries.iter().find(|delivery| delivery.mark() == mark);
            found.map(|delivery| delivery.path.clone()).ok_or("it has not come")
        })
        .await
    }

    async fn until_live(&self, wanted: usize) {
        until(&format!("{wanted} connections to the mailbox"), PATIENCE, async || {
            let live = self.wire.live();
            ensure(live == wanted, || format!("{live} are open"))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_leaves_the_connection_to_the_mailbox_alone_unless_it_is_about_it() {
    let mut pair = Pair::start().await;
    assert_eq!(pair.path_of_a_new_mail().await, "/hook");
    pair.until_live(1).await;
    let opened = pair.wire.opened();

    for number in 0..3 {
        let path = format!("/target{number}");
        let url = format!("webhook_url={}", pair.site.receiver.url(&path));
        pair.change("webhook_config", &[url]).await;
        let prefs = ["rate_limit_per_hour=0".to_owned(), format!("retry_delay_sec={}", number + 2)];
        pair.change("processing_prefs", &prefs).await;
        assert_eq!(pair.path_of_a_new_mail().await, path);
    }
    let rule = json!([{
        "id": "studio", "name": "Studio",
        "conditions": [{"field": "sender", "operator": "contains", "value": "media-solution.fr"}],
        "actions": {"webhook_url": pair.site.receiver.url("/rule"), "stop_processing": true},
    }]);
    pair.change("routing_rules", &[format!("rules={rule}")]).await;
    assert_eq!(pair.path_of_a_new_mail().await, "/rule");

    // Whose mails are taken is looked up with each of them.
    pair.polling(r#"sender_of_interest_for_polling=["somebody@example.fr"]"#).await;
    let stranger = mails::recadrage();
    pair.site.dovecot.deliver(std::slice::from_ref(&stranger));
    until("the stranger's mail to be ignored", PATIENCE, async || {
        let log = pair.workers[0].run(&["events", "tail", "-n", "20"]).await;
        ensure(log.text.contains("mail.ignored"), || log.text)
    })
    .await;
    pair.polling(r#"sender_of_interest_for_polling=["amelie.durand@media-solution.fr"]"#).await;
    assert_eq!(pair.path_of_a_new_mail().await, "/rule");
    // It was kept, and is decided again now that its sender is in the list.
    until("the stranger's mail", PATIENCE, async || {
        checks::all_accepted(&pair.site.receiver, std::slice::from_ref(&stranger))
    })
    .await;
    assert_eq!((pair.wire.opened(), pair.wire.live()), (opened, 1), "the same connection all the time");
    eprintln!("{} changes, 2 workers: the connection to the mailbox stayed up", pair.changes);

    // What is about the mailbox acts on it at once, in the middle of a wait.
    for (off, on) in [
        ("enable_polling=false".to_owned(), "enable_polling=true"),
        (format!("active_days=[{}]", another_day()), "active_days=[0,1,2,3,4,5,6]"),
    ] {
        let before = pair.wire.opened();
        pair.polling(&off).await;
        pair.until_live(0).await;
        let mail = mails::recadrage();
        pair.site.dovecot.deliver(std::slice::from_ref(&mail));
        pair.polling(on).await;
        assert_eq!(pair.path_of(&mail.mark).await, "/rule");
        assert_eq!((pair.wire.opened(), pair.wire.live()), (before + 1, 1), "{off}");
    }
    for worker in &mut pair.workers {
        worker.stop().await;
    }
}

/// A day of the week that is neither today nor next to it (0 = Monday).
fn another_day() -> u32 {
    use chrono::Datelike as _;
    #[expect(clippy::disallowed_methods, reason = "the program reads the real clock, so the test must, too")]
    let today = chrono::Utc::now().weekday().num_days_from_monday();
    (today + 3) % 7
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_whose_connections_are_reset_at_random_end_on_the_same_version() {
    const CHANGES: u64 = 20;
    let mut seed = Seed::announced();
    let (site, server) = (Site::start().await, Redis::start().await);
    let wire = ChaosProxy::start(server.port()).await;
    let mut workers: Vec<Program> = (0..3).map(|number| site.worker(&format!("worker{number}"))).collect();
    for worker in &mut workers {
        worker.set("REDIS_URL", &redis::url_at(wire.port()));
        worker.set("JOURNAL_URL", &server.url());
        worker.start().await;
    }
    // By commands whose own connections are left alone: a change is either made or not.
    let mut command = site.worker("command");
    command.set("REDIS_URL", &server.url());
    let mut resets = seed.clone();
    let changes = async {
        for number in 0..CHANGES {
            tokio::time::sleep(seed.millis(0..200)).await;
            let url = format!("webhook_url={}", site.receiver.url(&format!("/{number}")));
            if number % 2 == 0 {
                let set = command.run(&["config", "set", "webhook_config", &url]).await;
                assert!(set.status.success(), "{}", set.text);
            } else {
                let document = json!({"webhook_url": site.receiver.url(&format!("/{number}"))});
                let answer = server.command(&format!("SET r:ss:config:webhook_config '{document}'")).await;
                assert_eq!(answer.unwrap(), "+OK\r\n");
            }
        }
    };
    let resetting = async {
        loop {
            tokio::time::sleep(resets.millis(20..400)).await;
            wire.reset();
        }
    };
    tokio::select! {
        () = changes => {}
        () = resetting => {}
    }
    let mut hashes = BTreeSet::new();
    until_sent_to(&site, &format!("/{}", CHANGES - 1)).await;
    for worker in &mut workers {
        until_agreed(worker, 3).await;
        let answer: Value = serde_json::from_str(&worker.get("/readyz").await.body).expect("JSON");
        let documents =
            answer["checks"]["config"]["detail"]["documents"].as_array().expect("documents").clone();
        let document = documents.iter().find(|document| document["key"] == "webhook_config").expect("it");
        hashes.insert(document["hash"].to_string());
    }
    assert_eq!(hashes.len(), 1, "{hashes:?}");
    for worker in &mut workers {
        worker.stop().await;
    }
    assert!(wire.opened() > 3, "connections were reset");
}
