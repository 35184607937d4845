//! Two workers on one mailbox: the lease decides who polls, the fence keeps a worker
//! that slept through the end of its lease from writing.

use std::path::Path;
use std::time::Duration;

use crate::support::{Answer, PATIENCE, Program, Site, checks, mails, until};

/// `POLLER_LOCK_TTL_SECONDS` of these tests.
const TTL: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_from_a_frozen_worker_and_nothing_is_sent_anew() {
    let site = Site::start().await;
    let ttl = TTL.as_secs().to_string();
    let mut first = site.worker("first");
    first.set("POLLER_LOCK_TTL_SECONDS", &ttl);
    first.start().await;
    let mut second = site.worker("second");
    second.set("POLLER_LOCK_TTL_SECONDS", &ttl);
    second.launch();
    second.until_answer("/livez", |answer| answer.status == 200).await;

    let mut all = mails::mixed(20);
    site.dovecot.deliver(&all);
    until("the first webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    freeze_between_writes(&first, &site.journal());
    // A paused process keeps the lock of a file, so its lease has no end by itself: the
    // operator ends it by removing the file. It does not know that when it goes on.
    std::fs::remove_file(site.lease_file()).expect("the file of the lease");
    let meanwhile = mails::mixed(20);
    site.dovecot.deliver(&meanwhile);
    all.extend(meanwhile);
    until("the standby to deliver", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    first.thaw();
    let afterwards = mails::mixed(20);
    site.dovecot.deliver(&afterwards);
    all.extend(afterwards);
    until("the webhooks after the thaw", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    first.until_answer("/livez", |answer| answer.status == 200).await;

    first.stop().await;
    second.stop().await;
    second.assert_journal_verifies().await;
}

/// Freezes a worker at a moment when it is not writing. One that is frozen in the midst of
/// a transaction keeps SQLite's lock with it: then nobody can write until it goes on or is
/// killed, which loses nothing and is no takeover either.
fn freeze_between_writes(worker: &Program, journal: &Path) {
    loop {
        worker.freeze();
        let other = rusqlite::Connection::open(journal).expect("the journal");
        other.busy_timeout(Duration::from_millis(100)).expect("a time limit");
        if other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            return;
        }
        worker.thaw();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_amid_the_work_goes_on_without_a_loss() {
    let site = Site::start().await;
    site.receiver.always("/hook", Answer::Slow(Duration::from_millis(30)));
    let mut worker = site.worker("worker");
    worker.set("POLLER_LOCK_TTL_SECONDS", &TTL.as_secs().to_string());
    worker.start().await;
    let all = mails::mixed(60);
    site.dovecot.deliver(&all);
    until("some webhooks", PATIENCE, async || {
        let count = site.receiver.count();
        if count >= 10 { Ok(()) } else { Err(format!("{count} webhooks")) }
    })
    .await;
    worker.freeze();
    // Nothing else can be awaited: it is the passing of the lease that is tested.
    tokio::time::sleep(TTL + Duration::from_secs(1)).await;
    worker.thaw();
    until("every webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_repeats_are_identical(&site.receiver);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}
