//! The disk of the journal is full: mails stay where they are, and everything goes on
//! when there is space again.

use crate::support::{FullDisk, PATIENCE, Site, checks, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_holds_the_mails_and_says_so() {
    let site = Site::start().await;
    let disk = FullDisk::prepare(&site.folder().join("small-disk"));
    let mut worker = site.worker("worker");
    worker.set("DATA_DIR", "small-disk");
    disk.attach(&mut worker);
    worker.start().await;
    let mut all = mails::mixed(5);
    site.dovecot.deliver(&all);
    until("the webhooks before", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    disk.fill(&worker);
    let held = mails::mixed(30);
    site.dovecot.deliver(&held);
    let answer = worker.until_answer("/readyz", |answer| answer.status == 503).await;
    assert!(answer.body.to_lowercase().contains("journal"), "it says what is wrong: {}", answer.body);
    assert_eq!(worker.get("/livez").await.status, 200, "a restart would not help");
    // What is not in the journal is neither sent nor marked.
    let seen = site.dovecot.seen().await;
    assert!(seen.unseen > 0, "{seen:?}");
    assert!(!worker.is_ready().await, "it stays unready as long as the disk is full");

    disk.free(&worker);
    all.extend(held);
    until("the webhooks after", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    worker.until_ready().await;
    assert!(worker.is_alive());
    checks::assert_repeats_are_identical(&site.receiver);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}
