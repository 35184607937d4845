//! The hourly limit of a target holds for all workers together.

use std::time::Duration;

use serde_json::json;

use crate::support::until::ensure;
use crate::support::{Answer, PATIENCE, Program, Redis, Site, checks, mails, until};

/// Deliveries per hour.
const LIMIT: usize = 5;
const MAILS: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_send_no_more_than_one_would_and_the_rest_when_the_limit_is_lifted() {
    let (site, redis) = (Site::start().await, Redis::start().await);
    site.configure("processing_prefs", &json!({ "rate_limit_per_hour": LIMIT, "retry_delay_sec": 1 }));
    // While one is being answered, the others are free to send.
    site.receiver.always("/hook", Answer::Slow(Duration::from_millis(100)));
    let mut workers: Vec<Program> = (1..=3)
        .map(|number| {
            let mut worker = site.worker(&format!("worker-{number}"));
            worker.set("WORKER_NAME", &format!("worker-{number}"));
            worker.set("REDIS_URL", &redis.url());
            worker.launch();
            worker
        })
        .collect();
    for worker in &mut workers {
        worker.until_ready().await;
    }
    let mails = mails::mixed(MAILS);
    site.dovecot.deliver(&mails);
    until("all others to be held", PATIENCE, async || {
        let list = workers[0].run(&["deliveries", "list", "--json"]).await.text;
        let held = list.matches("\"rate_limited\"").count();
        ensure(held == MAILS - LIMIT, || format!("{held} are held"))
    })
    .await;
    assert_eq!(site.receiver.count(), LIMIT);
    let log = workers[0].run(&["events", "tail", "-n", "100000", "--json"]).await.text;
    assert_eq!(log.matches("\"delivery.counted\"").count(), LIMIT);

    let lifted = workers[1].run(&["config", "set", "processing_prefs", "rate_limit_per_hour=0"]).await;
    assert!(lifted.status.success(), "{}", lifted.text);
    until("every webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &mails)).await;
    checks::assert_each_exactly_once(&site.receiver, &mails);
    for worker in &mut workers {
        worker.stop().await;
    }
    workers[0].assert_journal_verifies().await;
}
