//! The main job: mails in a mailbox become webhooks, each once.

use crate::support::worker::{Mode, PUBLIC_BASE_URL};
use crate::support::{PATIENCE, Site, Worker, checks, mails, standard_webhooks, until};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_mails_become_two_hundred_webhooks_each_once() {
    let site = Site::start().await;
    let waiting = mails::mixed(150);
    site.dovecot.deliver(&waiting);
    let mut worker = site.worker("worker");
    worker.start().await;
    let arriving = mails::mixed(50);
    site.dovecot.deliver_at_once(&arriving).await;

    let all = [waiting, arriving].concat();
    until("every webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    let secret = standard_webhooks::secret("present");
    for delivery in site.receiver.deliveries() {
        assert!(standard_webhooks::is_signed_by(&delivery, &secret), "{:?}", delivery.headers);
    }

    let status = worker.stop().await;
    assert!(status.success(), "an orderly stop ends with {status}");
    worker.assert_journal_verifies().await;
    // A further life finds nothing to do.
    worker.start().await;
    site.dovecot.deliver(&mails::mixed(1));
    until("the webhook of the new mail", PATIENCE, async || {
        let count = site.receiver.count();
        if count > all.len() { Ok(()) } else { Err(format!("{count} webhooks")) }
    })
    .await;
    assert_eq!(site.receiver.count(), all.len() + 1, "nothing was sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_go_through_the_worker_and_fall_back_to_the_source() {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    worker.set("R2_RETRY_SECONDS", "12");
    worker.start().await;

    let copied = vec![mails::recadrage()];
    site.dovecot.deliver(&copied);
    until("the webhook with the copy", PATIENCE, async || checks::all_accepted(&site.receiver, &copied))
        .await;
    r2.behave(Mode::Fails);
    let kept = vec![mails::recadrage()];
    site.dovecot.deliver(&kept);
    until("the webhook without a copy", PATIENCE, async || checks::all_accepted(&site.receiver, &kept)).await;
    // Away for a moment only.
    let waiting = vec![mails::recadrage()];
    site.dovecot.deliver(&waiting);
    let says = worker.until_answer("/readyz", |answer| answer.body.contains("1 mails wait for copies")).await;
    assert_eq!(says.status, 200, "nothing that takes the worker out: {}", says.body);
    r2.behave(Mode::Copies);
    until("the late webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &waiting)).await;

    let deliveries = site.receiver.deliveries();
    let link = |mark: &str| {
        let delivery = deliveries.iter().find(|delivery| delivery.mark() == mark).expect("a webhook");
        delivery.json()["delivery_links"][0].clone()
    };
    let (with_copy, without) = (link(&copied[0].mark), link(&kept[0].mark));
    assert!(link(&waiting[0].mark)["r2_url"].is_string(), "{}", link(&waiting[0].mark));
    assert!(with_copy["r2_url"].as_str().is_some_and(|url| url.starts_with(PUBLIC_BASE_URL)), "{with_copy}");
    assert_eq!(with_copy["original_filename"], "Lot 42 – été.zip");
    assert!(without["r2_url"].is_null(), "{without}");
    assert_eq!(without["direct_url"], without["raw_url"]);
    assert!(without["raw_url"].as_str().is_some_and(|url| url.contains(&kept[0].mark)), "{without}");
    assert_eq!(r2.requests()[0]["provider"], "dropbox");
    site.until_all_seen(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_the_mailbox_works() {
    let site = Site::start().await;
    for (round, security) in [(1, "starttls"), (2, "plain")] {
        let mut worker = site.worker(security);
        worker.set("IMAP_SECURITY", security);
        worker.set("IMAP_PORT", &site.dovecot.plain_port().to_string());
        worker.start().await;
        let mails = mails::mixed(2);
        site.dovecot.deliver(&mails);
        until(security, PATIENCE, async || checks::all_accepted(&site.receiver, &mails)).await;
        site.until_all_seen(2 * round).await;
        worker.stop().await;
    }
    assert_eq!(site.receiver.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let site = Site::start().await;
    let mails = mails::mixed(2);
    site.dovecot.deliver(&mails);
    let mut worker = site.worker("worker");
    worker.unset("IMAP_CA_FILE");
    worker.launch();
    worker.until_answer("/livez", |answer| answer.status == 200).await;
    worker.until_log("certificate").await;
    assert_eq!(site.receiver.count(), 0);
}
