//! Several workers, one Redis: a change acts on all of them, and each says what it runs.

use std::collections::BTreeSet;

use crate::support::redis::Redis;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, Site, mails, until};

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
        let document = format!(r#"{{"webhook_url": "{}", "note": "rien"}}"#, site.receiver.url(path));
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
