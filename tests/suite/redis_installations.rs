//! Two installations on one Redis, and a Redis that is not ready when a worker starts.

use crate::support::{PATIENCE, Program, Redis, Site, checks, mails, until};

/// A worker of the installation whose documents lie below this prefix.
fn of(site: &Site, redis: &Redis, documents: &str) -> Program {
    let mut worker = site.worker("worker");
    worker.set("REDIS_URL", &redis.url());
    worker.set("CONFIG_STORE_REDIS_PREFIX", documents);
    worker.set("POLLER_LOCK_TTL_SECONDS", "3");
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_on_one_redis_send_their_own_mails_only() {
    let redis = Redis::start().await;
    let sites = [Site::start().await, Site::start().await];
    let [mut one, mut two] = [of(&sites[0], &redis, "r:one:"), of(&sites[1], &redis, "r:two:")];
    one.start().await;

    // Before it has read a mail, or written anything.
    two.launch();
    let status = two.until_end().await;
    assert_eq!(status.code(), Some(4), "{status}\n{}", two.log());
    two.until_log("belongs to another installation: its documents have CONFIG_STORE_REDIS_PREFIX=r:one:")
        .await;

    let doctor = two.run(&["doctor"]).await;
    assert_eq!(doctor.status.code(), Some(4), "{}", doctor.text);
    assert!(doctor.text.contains("belongs to another installation"), "{}", doctor.text);

    two.set("JOURNAL_REDIS_PREFIX", "rs:two");
    two.start().await;
    let all = [mails::mixed(6), mails::mixed(6)];
    for (site, mails) in sites.iter().zip(&all) {
        site.dovecot.deliver(mails);
    }
    for (site, mails) in sites.iter().zip(&all) {
        until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, mails)).await;
        site.until_all_seen(mails.len()).await;
        checks::assert_each_exactly_once(&site.receiver, mails);
    }
    for worker in [&mut one, &mut two] {
        // Each holds a lease of its own.
        let polls = |body: &str| body.contains("this worker polls");
        worker.until_answer("/readyz", |answer| answer.status == 200 && polls(&answer.body)).await;
        worker.stop().await;
        worker.assert_journal_verifies().await;
    }

    // The same installation, whose documents moved: its operator says so.
    one.set("CONFIG_STORE_REDIS_PREFIX", "r:moved:");
    one.launch();
    assert_eq!(one.until_end().await.code(), Some(4));
    let adopted = one.run(&["events", "adopt"]).await;
    assert!(adopted.status.success() && adopted.text.contains("r:one:"), "{}", adopted.text);
    one.start().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_write_yet_is_waited_for_and_the_wait_can_be_stopped() {
    let (site, redis) = (Site::start().await, Redis::start().await);
    let say = async |words: &str| {
        let answer = redis.command(words).await.expect("an answer");
        assert!(answer.starts_with("+OK"), "{answer}");
    };
    say("CONFIG SET min-replicas-to-write 1").await;
    let mut worker = of(&site, &redis, "r:one:");
    worker.launch();
    worker.until_log("waiting for the server of the journal").await;
    worker.until_log("NOREPLICAS").await;
    let status = worker.stop().await;
    assert_eq!(status.code(), Some(0), "{status}\n{}", worker.log());

    worker.launch();
    say("CONFIG SET min-replicas-to-write 0").await;
    worker.until_ready().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_with_different_receivers_are_told_everywhere() {
    let (site, redis) = (Site::start().await, Redis::start().await);
    let [mut one, mut two] = ["one", "two"].map(|name| {
        let mut worker = site.worker(name);
        worker.set("WORKER_NAME", name);
        worker.set("REDIS_URL", &redis.url());
        worker
    });
    two.set("WEBHOOK_URL", &site.receiver.url("/s3cret-path"));
    one.start().await;
    two.start().await;
    for (worker, other) in [(&mut one, "two"), (&mut two, "one")] {
        let named =
            |body: &str| body.contains(&format!("{other}/")) && body.contains("has another WEBHOOK_URL");
        let ready =
            worker.until_answer("/readyz", |answer| answer.status == 200 && named(&answer.body)).await;
        assert!(!ready.body.contains("s3cret-path"), "{}", ready.body);
        worker.until_log("has another WEBHOOK_URL than this worker").await;
        assert!(!worker.log().contains("s3cret-path"), "{}", worker.log());
    }
    let doctor = one.run(&["doctor"]).await;
    assert!(doctor.text.contains("has another WEBHOOK_URL than this environment"), "{}", doctor.text);
    two.stop().await;
    one.until_answer("/readyz", |answer| !answer.body.contains("has another")).await;
    one.stop().await;
}
