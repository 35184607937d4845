//! Receivers that fail in every way: each webhook arrives in the end, each mail is
//! marked as read only then.

use std::time::Duration;

use serde_json::json;

use crate::support::dovecot::Seen;
use crate::support::site::HOOK;
use crate::support::{Answer, PATIENCE, Program, Site, TestMail, checks, mails, standard_webhooks, until};

async fn until_count(site: &Site, at_least: usize) {
    until("more requests", PATIENCE, async || {
        let count = site.receiver.count();
        if count >= at_least { Ok(()) } else { Err(format!("{count} of {at_least}")) }
    })
    .await;
}

/// A worker that gives up waiting for an answer after a while, which is long enough for a
/// receiver on a busy machine.
async fn impatient_worker(site: &Site) -> Program {
    site.configure(
        "processing_prefs",
        &json!({ "rate_limit_per_hour": 0, "retry_delay_sec": 1, "webhook_timeout_sec": 5 }),
    );
    let mut worker = site.worker("worker");
    worker.start().await;
    worker
}

async fn until_delivered_once(site: &Site, mails: &[TestMail]) {
    // A target that was found dead twice is left alone for longer than a minute.
    until("every webhook", PATIENCE * 3, async || checks::all_accepted(&site.receiver, mails)).await;
    site.until_all_seen(mails.len()).await;
    checks::assert_each_exactly_once(&site.receiver, mails);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_resets_and_hangs_are_repeated_until_all_is_delivered() {
    let site = Site::start().await;
    let failures = [
        Answer::Status(500),
        Answer::Hang,
        Answer::Html(502),
        Answer::Reset,
        Answer::Status(408),
        Answer::Status(503),
        Answer::RetryAfter(429, 1),
    ];
    // Never so many in a row that the target is spared for a while.
    site.receiver.next(HOOK, failures.into_iter().flat_map(|failure| [failure, Answer::Ok]));
    let _worker = impatient_worker(&site).await;
    let mails = mails::mixed(12);
    site.dovecot.deliver(&mails);
    until_delivered_once(&site, &mails).await;
    assert_eq!(site.receiver.count(), mails.len() + failures.len(), "one repeat per failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_for_a_while_gets_everything_afterwards() {
    let mut site = Site::start().await;
    let worker = impatient_worker(&site).await;
    let before = mails::mixed(5);
    site.dovecot.deliver(&before);
    until_delivered_once(&site, &before).await;

    site.receiver.close().await;
    let during = mails::mixed(10);
    site.dovecot.deliver(&during);
    until("the deliveries to wait", PATIENCE, async || {
        let list = worker.run(&["deliveries", "list"]).await.text;
        if list.lines().count() >= during.len() { Ok(()) } else { Err(list) }
    })
    .await;
    assert_eq!(site.dovecot.seen().await, Seen { seen: before.len(), unseen: during.len() });

    site.receiver.reopen().await;
    until_delivered_once(&site, &[before, during].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_kept_and_every_attempt_is_the_same_webhook() {
    let site = Site::start().await;
    site.receiver.next(HOOK, [Answer::RetryAfter(503, 3), Answer::RetryAfter(429, 2)]);
    let _worker = impatient_worker(&site).await;
    let mails = mails::mixed(1);
    site.dovecot.deliver(&mails);
    until_delivered_once(&site, &mails).await;

    let attempts = site.receiver.deliveries();
    assert_eq!(attempts.len(), 3);
    // Never earlier; a little is left for clocks that are read at different moments.
    for (pair, pause) in attempts.windows(2).zip([3_000, 2_000]) {
        let waited = pair[1].at.duration_since(pair[0].at);
        assert!(waited >= Duration::from_millis(pause - 100), "{waited:?} instead of {pause} ms");
    }
    let timestamp = |n: usize| attempts[n].header("webhook-timestamp").expect("a timestamp");
    assert_ne!(timestamp(0), timestamp(2), "the time is that of the attempt");
    for attempt in &attempts {
        assert!(standard_webhooks::is_signed_by(attempt, &standard_webhooks::secret("present")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_html_is_taken_by_its_status() {
    let site = Site::start().await;
    site.receiver.always(HOOK, Answer::Html(200));
    let _worker = impatient_worker(&site).await;
    let mails = mails::mixed(3);
    site.dovecot.deliver(&mails);
    until_delivered_once(&site, &mails).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_no_is_no_success() {
    let site = Site::start().await;
    site.receiver.always(HOOK, Answer::Refuse);
    let worker = impatient_worker(&site).await;
    let mails = mails::mixed(2);
    site.dovecot.deliver(&mails);
    until_count(&site, mails.len()).await;
    assert_eq!(site.dovecot.seen().await, Seen { seen: 0, unseen: mails.len() });

    // Whether it was given up or waits for its next attempt, it can be sent again.
    site.receiver.always(HOOK, Answer::Ok);
    until("every webhook", PATIENCE, async || {
        worker.run(&["deliveries", "retry", "--all-dead"]).await;
        checks::all_accepted(&site.receiver, &mails)
    })
    .await;
    site.until_all_seen(mails.len()).await;
    checks::assert_repeats_are_identical(&site.receiver);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_is_left_alone_until_it_has_another_address() {
    let site = Site::start().await;
    site.receiver.always(HOOK, Answer::Status(410));
    let _worker = impatient_worker(&site).await;
    let mut all = mails::mixed(1);
    site.dovecot.deliver(&all);
    until_count(&site, 1).await;
    let more = mails::mixed(3);
    site.dovecot.deliver(&more);
    all.extend(more);

    // Heard of within a second, without a restart.
    site.configure("webhook_config", &json!({ "webhook_url": site.receiver.url("/new-hook") }));
    until("every webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    let (gone, new): (Vec<_>, Vec<_>) =
        site.receiver.deliveries().into_iter().partition(|delivery| delivery.path == HOOK);
    assert_eq!(gone.len(), 1, "nothing more is sent to a target that is gone");
    assert_eq!(new.len(), all.len());
}

/// Ids of what waits, as `deliveries list` prints them.
async fn waiting(worker: &Program) -> Vec<String> {
    let listed = worker.run(&["deliveries", "list", "--json"]).await.text;
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).expect("a list of deliveries");
    listed.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn six_mails_that_are_never_taken_stop_none_of_45_others() {
    let site = Site::start().await;
    let (stubborn, good) = (mails::mixed(6), mails::mixed(45));
    for mail in &stubborn {
        site.receiver.for_mail(&mail.mark, Answer::Status(500));
    }
    let worker = impatient_worker(&site).await;
    site.dovecot.deliver(&stubborn);
    // Some are tried before the others are there: the target has failed, and nothing else is known.
    until_count(&site, 1).await;
    site.dovecot.deliver(&good);
    until("every webhook that is taken", PATIENCE * 3, async || checks::all_accepted(&site.receiver, &good))
        .await;
    checks::assert_each_exactly_once(&site.receiver, &good);
    until("the six to wait", PATIENCE, async || {
        let waiting = waiting(&worker).await;
        if waiting.len() == stubborn.len() { Ok(()) } else { Err(format!("{waiting:?}")) }
    })
    .await;
    // Beside them, whatever comes later.
    let later = mails::mixed(5);
    site.dovecot.deliver(&later);
    until("what came later", PATIENCE * 3, async || checks::all_accepted(&site.receiver, &later)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_answered_but_a_success_is_tried_again_and_shown() {
    let site = Site::start().await;
    site.receiver.next(HOOK, [Answer::Html(400), Answer::Redirect(302), Answer::Status(404)]);
    let worker = impatient_worker(&site).await;
    let mails = mails::mixed(1);
    site.dovecot.deliver(&mails);
    until_delivered_once(&site, &mails).await;
    assert_eq!(site.receiver.count(), 4);

    let listed = worker.run(&["deliveries", "list", "--state", "delivered", "--json"]).await.text;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("a list of deliveries");
    let id = listed[0]["id"].as_str().expect("an id");
    let shown = worker.run(&["deliveries", "show", id]).await.text;
    for told in [
        "HTTP 400",
        "| <!doctype html><h1>Erreur</h1>",
        "HTTP 302 to https://elsewhere.example/***: redirects are not followed",
        "HTTP 404",
        "delivered",
    ] {
        assert!(shown.contains(told), "{told} is missing in {shown}");
    }
    let events = worker.run(&["events", "tail", "-n", "1000", "--json"]).await.text;
    assert!(!events.contains("Erreur"), "what was answered is in no event");
    for text in [shown, events] {
        assert!(!text.contains("geheim") && !text.contains("very-secret-path"), "{text}");
    }
}
