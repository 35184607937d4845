//! Wall clocks that are wrong, and that are set while a worker runs.

use std::time::Duration;

use crate::support::site::HOOK;
use crate::support::until::ensure;
use crate::support::{Answer, PATIENCE, Redis, Site, TestMail, WallClock, checks, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn with_one_worker_an_hour_ahead_forty_mails_are_forty_posts() {
    let (site, redis) = (Site::start().await, Redis::start().await);
    let mut workers = ["right", "ahead"].map(|name| {
        let mut worker = site.worker(name);
        worker.set("WORKER_NAME", name);
        worker.set("REDIS_URL", &redis.url());
        worker
    });
    let clock = WallClock::of(&mut workers[1], site.folder(), "ahead");
    clock.set("+1h");
    for worker in &mut workers {
        worker.start().await;
    }
    workers[1].until_log("the clock of the journal's server is ahead of this machine's").await;
    // Long enough for the other worker to look at what the first one has claimed.
    site.receiver.always(HOOK, Answer::Slow(Duration::from_millis(700)));
    let all = mails::mixed(40);
    site.dovecot.deliver(&all);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    for worker in &mut workers {
        worker.stop().await;
    }
    assert_eq!(site.receiver.count(), all.len(), "nothing was posted twice");
    checks::assert_each_exactly_once(&site.receiver, &all);
}

/// How often the webhook of a mail was sent.
fn sent(site: &Site, mail: &TestMail) -> usize {
    site.receiver.deliveries().iter().filter(|delivery| delivery.mark() == mail.mark).count()
}

async fn until_sent(site: &Site, mail: &TestMail, times: usize) {
    until("the webhook", PATIENCE, async || {
        let sent = sent(site, mail);
        ensure(sent >= times, || format!("sent {sent} times"))
    })
    .await;
}

/// One delivery waits for an hour and one for three seconds when the clock is set; a third begins to wait
/// afterwards. The short ones come again, the long one does not.
async fn waits_stay_as_they_are(redis: Option<&Redis>, jump: &str) {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    if let Some(redis) = redis {
        worker.set("REDIS_URL", &redis.url());
        // One server is enough for several sites.
        let prefix = format!("rs{}", site.receiver.port());
        worker.set("JOURNAL_REDIS_PREFIX", &prefix);
        worker.set("CONFIG_STORE_REDIS_PREFIX", &format!("{prefix}:config:"));
    }
    let clock = WallClock::of(&mut worker, site.folder(), "worker");
    worker.start().await;
    let [long, short, later] = [(); 3].map(|()| mails::recadrage());
    for (mail, seconds) in [(&long, 3_600), (&short, 3), (&later, 1)] {
        site.receiver.for_mail(&mail.mark, Answer::RetryAfter(429, seconds));
    }
    site.dovecot.deliver(&[long.clone(), short.clone()]);
    until("both to wait", PATIENCE, async || {
        // Not what the receiver has seen: when an attempt is due again is known once it is told.
        let told =
            |line: &&str| line.contains("attempt=1}") && line.contains("why=\"HTTP 429\" outcome=\"retry\"");
        let failed = worker.log().lines().filter(told).count();
        ensure(failed == 2, || format!("{failed} have failed"))
    })
    .await;

    clock.set(jump);
    until_sent(&site, &short, 2).await;
    site.dovecot.deliver(std::slice::from_ref(&later));
    until_sent(&site, &later, 2).await;
    assert_eq!(sent(&site, &long), 1, "its hour is not over");
    if redis.is_none() {
        worker.until_log("the clock of this machine was set by so much").await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_ahead_hastens_no_retry_of_a_journal_in_a_file() {
    waits_stay_as_they_are(None, "+3h").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_delays_no_retry_of_a_journal_in_a_file() {
    waits_stay_as_they_are(None, "-3h").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_changes_no_wait_in_redis() {
    let redis = Redis::start().await;
    tokio::join!(waits_stay_as_they_are(Some(&redis), "+3h"), waits_stay_as_they_are(Some(&redis), "-3h"));
}
