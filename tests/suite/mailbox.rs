//! What happens to mailboxes: the server dies, the folder is renumbered, mails are moved
//! away and back. Nothing is missed, nothing is sent again.

use crate::support::{PATIENCE, Seed, Site, checks, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_is_killed_and_comes_back() {
    let mut seed = Seed::announced();
    let mut site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.start().await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let before = mails::mixed(20);
        site.dovecot.deliver(&before);
        let enough = all.len() + usize::try_from(seed.number(1..20)).expect("small");
        until("some webhooks", PATIENCE, async || {
            let count = site.receiver.count();
            if count >= enough { Ok(()) } else { Err(format!("{count} of {enough}")) }
        })
        .await;
        site.dovecot.kill();
        let meanwhile = mails::mixed(10);
        site.dovecot.deliver(&meanwhile);
        site.dovecot.restart().await;
        all.extend(before);
        all.extend(meanwhile);
    }
    until("every webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renumbered_mailbox_gives_no_duplicate_and_hides_no_mail() {
    let mut site = Site::start().await;
    let worker = &mut site.worker("worker");
    worker.start().await;
    let mut all = mails::mixed(20);
    site.dovecot.deliver(&all);
    until("the webhooks before", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    // Once while the worker looks on, once while it is away; every mail unread again, as
    // a restored backup would have it.
    for away in [false, true] {
        if away {
            worker.kill();
        }
        site.dovecot.renumber().await;
        let mut admin = site.dovecot.admin().await;
        admin.mark_all_unseen().await;
        let meanwhile = mails::mixed(5);
        site.dovecot.deliver(&meanwhile);
        all.extend(meanwhile);
        if away {
            worker.start().await;
        }
        until("the new webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
        // The known ones were looked at, recognised, and marked again.
        site.until_all_seen(all.len()).await;
    }
    checks::assert_each_exactly_once(&site.receiver, &all);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_moved_away_and_back_are_not_sent_again() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.start().await;
    let mut all = mails::mixed(20);
    site.dovecot.deliver(&all);
    until("the webhooks before", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    let mut admin = site.dovecot.admin().await;
    admin.move_all("INBOX", "Archives").await;
    let meanwhile = mails::mixed(5);
    site.dovecot.deliver(&meanwhile);
    all.extend(meanwhile);
    admin.move_all("Archives", "INBOX").await;
    // And once more, unread this time.
    admin.mark_all_unseen().await;
    until("the new webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_moved_away_before_its_time_is_delivered_all_the_same() {
    let site = Site::start().await;
    let mails = mails::mixed(10);
    site.dovecot.deliver(&mails);
    let mut worker = site.worker("worker");
    worker.start().await;
    // Another client is faster than the marking of some, or of none: either way the
    // webhooks are sent and nothing gets stuck.
    site.dovecot.admin().await.move_all("INBOX", "Archives").await;
    site.dovecot.admin().await.move_all("Archives", "INBOX").await;
    until("every webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &mails)).await;
    site.until_all_seen(mails.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &mails);
    worker.stop().await;
}
