//! Mails with flaws are processed as far as they can be read, and never stop the others.

use crate::support::dovecot::Seen;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Site, TestMail, checks, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn flawed_mails_are_delivered_and_the_unreadable_one_is_shown() {
    let site = Site::start().await;
    let (names, flawed): (Vec<_>, Vec<_>) = mails::flawed().into_iter().unzip();
    let good = mails::mixed(6);
    // The unreadable one lies amid the others.
    site.dovecot.deliver(&good[..3]);
    site.dovecot.deliver(&[mails::unreadable()]);
    site.dovecot.deliver(&flawed);
    site.dovecot.deliver(&good[3..]);
    let mut worker = site.worker("worker");
    // Where the link could not be read, the mail still counts.
    worker.set("ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS", "true");
    worker.start().await;

    until("the good ones", PATIENCE, async || checks::all_accepted(&site.receiver, &good)).await;
    for (name, mail) in names.iter().zip(&flawed) {
        let mail = std::slice::from_ref(mail);
        until(name, PATIENCE, async || checks::all_accepted(&site.receiver, mail)).await;
    }
    let readable = [good, flawed].concat();
    until("every mail but one to be marked", PATIENCE, async || {
        let seen = site.dovecot.seen().await;
        ensure(seen == Seen { seen: readable.len(), unseen: 1 }, || format!("{seen:?}"))
    })
    .await;
    checks::assert_each_exactly_once(&site.receiver, &readable);
    until_event(&worker, "mail.quarantined").await;
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_of_a_flawed_mail_is_right() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS", "true");
    worker.start().await;
    let flawed = mails::flawed();
    let find =
        |name: &str| flawed.iter().find(|(have, _)| *have == name).expect("a flaw of this name").1.clone();
    let raw_utf8 = find("raw UTF-8 in the headers");
    let klingon = find("a charset nobody knows");
    let anonymous = find("no Message-ID");
    let mails = vec![raw_utf8.clone(), klingon.clone(), anonymous.clone()];
    site.dovecot.deliver(&mails);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &mails)).await;

    let deliveries = site.receiver.deliveries();
    let body = |mail: &TestMail| {
        deliveries.iter().find(|delivery| delivery.mark() == mail.mark).expect("a webhook").json()
    };
    let link = |mail: &TestMail| body(mail)["delivery_links"][0]["raw_url"].as_str().map(str::to_owned);
    assert_eq!(body(&raw_utf8)["subject"], format!("Livraison d'été – reçue [{}]", raw_utf8.mark));
    assert_eq!(body(&raw_utf8)["sender_email"], "zoe@example.fr");
    for mail in &mails {
        assert!(link(mail).is_some_and(|url| url.contains(&mail.mark)), "{:?}", body(mail));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_over_the_limit_is_recorded_and_stops_nothing() {
    let site = Site::start().await;
    site.configure(
        "processing_prefs",
        &serde_json::json!({ "rate_limit_per_hour": 0, "max_email_size_mb": 1 }),
    );
    let mut large = mails::recadrage();
    large.raw.extend(b"Une ligne de plus.\r\n".repeat(100_000));
    let good = mails::mixed(4);
    site.dovecot.deliver(&good[..2]);
    site.dovecot.deliver(&[large]);
    site.dovecot.deliver(&good[2..]);
    let mut worker = site.worker("worker");
    worker.start().await;
    until("the others", PATIENCE, async || checks::all_accepted(&site.receiver, &good)).await;
    until_event(&worker, "too_large").await;
    until("the large one to stay as the only unread", PATIENCE, async || {
        let seen = site.dovecot.seen().await;
        ensure(seen == Seen { seen: good.len(), unseen: 1 }, || format!("{seen:?}"))
    })
    .await;
    checks::assert_each_exactly_once(&site.receiver, &good);
}

/// Waits until the journal shows an event with this text.
async fn until_event(worker: &crate::support::Program, text: &str) {
    until(&format!("{text} in the journal"), PATIENCE, async || {
        let tail = worker.run(&["events", "tail", "-n", "1000", "--json"]).await.text;
        ensure(tail.contains(text), || tail.clone())
    })
    .await;
}
