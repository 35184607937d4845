//! The journal in Redis: the same promises without a file.

use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, Redis, Site, checks, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn mails_become_webhooks_over_a_killed_worker_and_a_killed_server() {
    let mut redis = Redis::start().await;
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("REDIS_URL", &redis.url());
    worker.start().await;
    let mut all = mails::mixed(20);
    site.dovecot.deliver(&all);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    assert!(!site.journal().exists() && !site.lease_file().exists(), "there is no file");

    worker.kill();
    worker.start().await;
    let more = mails::mixed(10);
    site.dovecot.deliver(&more);
    all.extend(more);
    until("the webhooks after the kill", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    redis.kill();
    worker.until_answer("/readyz", |answer| answer.status == 503).await;
    let more = mails::mixed(10);
    site.dovecot.deliver(&more);
    all.extend(more);
    redis.restart().await;
    until("the webhooks after the server's return", PATIENCE, async || {
        checks::all_accepted(&site.receiver, &all)
    })
    .await;
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);

    worker.stop().await;
    worker.assert_journal_verifies().await;
    let doctor = worker.run(&["doctor"]).await;
    assert!(doctor.text.contains(&format!("{} holds", redis.url())), "{}", doctor.text);
    assert!(doctor.text.contains("an acknowledged mail is on the disk"), "{}", doctor.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_ends_the_start_with_its_exit_code() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("JOURNAL_URL", "redis://user:s3cret@127.0.0.1:1/");
    worker.launch();
    let status = worker.until_end().await;
    assert_eq!(status.code(), Some(4), "{status}\n{}", worker.log());
    assert!(!worker.log().contains("s3cret"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_moves_to_redis_and_back_and_nothing_is_sent_twice() {
    let redis = Redis::start().await;
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.start().await;
    let mut all = mails::mixed(8);
    site.dovecot.deliver(&all);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    let mut lying = all.len();

    for (name, journal) in [("to-redis", redis.url()), ("back", "sqlite:data/second.db".to_owned())] {
        assert!(worker.stop().await.success());
        let copy = format!("{name}.jsonl");
        let exported = worker.run(&["events", "export", &copy]).await;
        assert!(exported.status.success(), "{exported:?}");
        let again = worker.run(&["events", "export", &copy]).await;
        assert_eq!(again.status.code(), Some(1), "a copy is never overwritten: {again:?}");
        worker.set("JOURNAL_URL", &journal);
        let imported = worker.run(&["events", "import", &copy]).await;
        assert!(imported.status.success(), "{imported:?}");
        let counts = |text: &str| text.rsplit(": ").next().map(str::to_owned);
        assert_eq!(counts(&exported.text), counts(&imported.text));
        let twice = worker.run(&["events", "import", &copy]).await;
        assert_eq!(twice.status.code(), Some(1), "{twice:?}");
        assert!(twice.text.contains("not empty"), "{twice:?}");

        worker.start().await;
        let more = mails::mixed(4);
        site.dovecot.deliver(&more);
        // The same mails under new numbers: only a journal that remembers them keeps quiet.
        site.dovecot.deliver(&all);
        lying += more.len() + all.len();
        all.extend(more);
        until("the webhooks after the move", PATIENCE, async || checks::all_accepted(&site.receiver, &all))
            .await;
        site.until_all_seen(lying).await;
        checks::assert_each_exactly_once(&site.receiver, &all);
        worker.assert_journal_verifies().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_a_server_whose_authority_is_known_is_believed() {
    let redis = Redis::start_encrypted().await;
    let site = Site::start().await;
    let mut stranger = site.worker("stranger");
    stranger.set("REDIS_URL", &redis.encrypted_url());
    stranger.launch();
    let status = stranger.until_end().await;
    assert_eq!(status.code(), Some(4), "{status}");
    let log = stranger.log();
    assert!(log.contains("invalid peer certificate") && log.contains("REDIS_CA_FILE"), "{log}");
    let other = Redis::start_encrypted().await;
    stranger.set("REDIS_CA_FILE", &other.ca_file().display().to_string());
    stranger.launch();
    assert_eq!(stranger.until_end().await.code(), Some(4), "another authority is not this one's");
    stranger.set("REDIS_CA_FILE", "no-such-file.pem");
    stranger.launch();
    assert_eq!(stranger.until_end().await.code(), Some(4));
    assert!(stranger.log().contains("REDIS_CA_FILE no-such-file.pem cannot be used"), "{}", stranger.log());

    let mut workers: Vec<Program> = (0..2).map(|number| site.worker(&format!("worker-{number}"))).collect();
    // Its authority, or the certificate that it shows itself.
    for (worker, believed) in workers.iter_mut().zip([redis.ca_file(), redis.certificate_file()]) {
        worker.set("REDIS_URL", &redis.encrypted_url());
        worker.set("REDIS_CA_FILE", &believed.display().to_string());
        worker.start().await;
    }
    let mut all = mails::mixed(10);
    site.dovecot.deliver(&all);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    // Journal, documents and lease: each worker listens on two channels.
    until("four subscriptions", PATIENCE, async || {
        let listeners = redis.command("CLIENT LIST TYPE pubsub").await.expect("an answer");
        ensure(listeners.matches("cmd=subscribe").count() == 4, || listeners)
    })
    .await;
    let url = format!("webhook_url={}", site.receiver.url("/second"));
    let set = workers[0].run(&["config", "set", "webhook_config", &url]).await;
    assert!(set.status.success(), "{}", set.text);
    let agreed = "2 of 2 workers run the stored documents";
    for worker in &mut workers {
        worker.until_answer("/readyz", |answer| answer.body.contains(agreed)).await;
        worker.until_log("document applied").await;
    }
    let more = mails::mixed(4);
    site.dovecot.deliver(&more);
    all.extend(more);
    until("the webhooks after the change", PATIENCE, async || checks::all_accepted(&site.receiver, &all))
        .await;
    assert_eq!(site.receiver.deliveries().iter().filter(|delivery| delivery.path == "/second").count(), 4);
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    for worker in &mut workers {
        worker.stop().await;
    }
    workers[0].assert_journal_verifies().await;
}
