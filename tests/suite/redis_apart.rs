//! Documents and the lease in Redis, the journal in a file: what the server does to them is
//! said, and stops nothing.

use serde_json::Value;

use crate::support::program::Program;
use crate::support::{PATIENCE, Redis, Site, checks, mails, until};

/// A check of `/readyz`.
fn part<'v>(answer: &'v Value, name: &str) -> (&'v str, &'v str) {
    let text = |field: &str| answer["checks"][name][field].as_str().unwrap_or_default();
    (text("state"), text("message"))
}

/// Waits until a check of `/readyz` is as wanted; the answer as a whole stays 200.
async fn until_part(worker: &mut Program, name: &str, wanted: impl Fn(&str, &str) -> bool) {
    worker
        .until_answer("/readyz", |answer| {
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let (state, message) = part(&body, name);
            answer.status == 200 && wanted(state, message)
        })
        .await;
}

fn apart(site: &Site, redis: &Redis, name: &str) -> Program {
    let mut worker = site.worker(name);
    worker.set("REDIS_URL", &redis.url());
    worker.set("JOURNAL_URL", "sqlite:data/render-signal.db");
    worker.set("POLLER_LOCK_TTL_SECONDS", "3");
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_of_the_lease_is_frozen_everybody_says_that_nobody_may_poll() {
    let (site, redis) = (Site::start().await, Redis::start().await);
    let mut workers = ["one", "two"].map(|name| apart(&site, &redis, name));
    for worker in &mut workers {
        worker.start().await;
    }
    let [one, two] = &mut workers;
    until_part(one, "lease", |state, message| state == "ok" && message == "this worker polls").await;
    until_part(two, "lease", |state, message| state == "ok" && message.ends_with(" polls")).await;

    redis.freeze();
    for worker in &mut workers {
        until_part(worker, "lease", |state, message| {
            state == "warn"
                && message.contains("nobody is known to poll, a holder was last seen")
                && message.contains("the lease cannot be taken since")
        })
        .await;
    }
    redis.thaw();
    let all = mails::mixed(4);
    site.dovecot.deliver(&all);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    for worker in &mut workers {
        until_part(worker, "lease", |state, message| state == "ok" && message.ends_with(" polls")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_delete_documents_or_the_lease_is_remarked_on_everywhere() {
    let (site, redis) = (Site::start().await, Redis::start().await);
    for (policy, remark) in [
        ("allkeys-lru", "it deletes the configuration documents, the polling lease"),
        ("volatile-lru", "it may delete the polling lease"),
    ] {
        redis.command(&format!("CONFIG SET maxmemory-policy {policy}")).await.expect("an answer");
        let mut worker = apart(&site, &redis, policy);
        worker.start().await;
        until_part(&mut worker, "redis", |state, message| state == "warn" && message.contains(remark)).await;
        worker.until_log(remark).await;
        let doctor = worker.run(&["doctor"]).await;
        assert!(doctor.text.contains(remark), "{}", doctor.text);
        worker.stop().await;
    }
    redis.command("CONFIG SET maxmemory-policy noeviction").await.expect("an answer");
    let mut worker = apart(&site, &redis, "well");
    worker.start().await;
    until_part(&mut worker, "redis", |state, message| state == "ok" && message.contains("nothing of ours"))
        .await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_journal_keeps_is_in_the_log_in_plain_words() {
    let site = Site::start().await;
    for (name, redis, level, words) in [
        ("durable", Redis::start().await, "INFO", "an acknowledged mail is on the disk"),
        (
            "forgetful",
            Redis::start_forgetful().await,
            "WARN",
            "the server keeps acknowledged mails in memory only: its restart loses them",
        ),
    ] {
        let mut worker = site.worker(name);
        worker.set("REDIS_URL", &redis.url());
        worker.start().await;
        let log = worker.log();
        let line = log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {log}"));
        assert!(line.contains(level), "{line}");
        until_part(&mut worker, "journal", |_, message| message == words).await;
        worker.stop().await;
    }
}
