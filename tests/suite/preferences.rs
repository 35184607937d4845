//! Preferences act beside a running server, and an operator has the last word.

use serde_json::{Value, json};

use crate::support::until::ensure;
use crate::support::{PATIENCE, Site, checks, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_mail_is_listed_with_its_keyword_and_goes_when_it_is_released() {
    let site = Site::start().await;
    let prefs = json!({
        "rate_limit_per_hour": 0, "retry_delay_sec": 1,
        "exclude_keywords": [" ", "n'existe pas"], "exclude_keywords_autorepondeur": ["DESABONNER  pour"],
    });
    site.configure("processing_prefs", &prefs);
    let mut worker = site.worker("worker");
    worker.start().await;
    // One of every kind; the fourth asks to be taken from a list.
    let all = mails::mixed(4);
    site.dovecot.deliver(&all);
    let listed = until("the excluded mail", PATIENCE, async || {
        let list = worker.run(&["mails", "list", "--state", "ignored", "--json"]).await;
        let rows: Value =
            serde_json::from_str(&list.text).map_err(|error| format!("{error}: {}", list.text))?;
        match rows.as_array().map(Vec::as_slice) {
            Some([row]) => Ok(row.clone()),
            _ => Err(rows.to_string()),
        }
    })
    .await;
    assert_eq!(
        (&listed["reason"], &listed["detail"]),
        (&json!("excluded_keyword"), &json!("DESABONNER  pour"))
    );
    until("the other webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all[..3])).await;
    assert_eq!(site.receiver.count(), 3);

    let id = listed["email_id"].as_str().expect("an id");
    let story = worker.run(&["mails", "show", id]).await;
    assert!(story.text.contains("excluded keyword: DESABONNER  pour"), "{}", story.text);
    assert!(story.text.contains("under processing_prefs version 1\n"), "{}", story.text);
    let decided = worker.run(&["config", "show", "processing_prefs", "--version", "1"]).await;
    assert_eq!(serde_json::from_str::<Value>(&decided.text).expect("the document"), prefs);
    let released = worker.run(&["mails", "release", id]).await;
    assert!(released.status.success(), "{}", released.text);
    until("its webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(4).await;
    let again = worker.run(&["mails", "release", id, "nonsense"]).await;
    assert_eq!(again.status.code(), Some(1), "{}", again.text);
    assert!(again.text.contains("was routed already") && again.text.contains("there is no mail nonsense"));
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_switched_on_and_off_in_the_document() {
    let site = Site::start().await;
    let switch = |on: bool| site.configure("polling_config", &json!({ "enable_subject_group_dedup": on }));
    switch(true);
    let mut worker = site.worker("worker");
    worker.start().await;
    let first = mails::recadrage();
    let copy = || vec![mails::again(&first)];
    site.dovecot.deliver(std::slice::from_ref(&first));
    until("the first webhook", PATIENCE, async || {
        checks::all_accepted(&site.receiver, std::slice::from_ref(&first))
    })
    .await;
    site.dovecot.deliver(&copy());
    until("the duplicate", PATIENCE, async || {
        let list = worker.run(&["mails", "list", "--state", "ignored"]).await;
        ensure(list.text.contains("is the first of the group"), || list.text)
    })
    .await;
    // A duplicate is marked like a mail that was delivered.
    site.until_all_seen(2).await;
    assert_eq!(site.receiver.count(), 1);

    switch(false);
    until("the switch to act", PATIENCE, async || {
        let history = worker.run(&["events", "show", "config-polling_config"]).await;
        ensure(history.text.matches("config.changed").count() >= 2, || history.text)
    })
    .await;
    site.dovecot.deliver(&copy());
    until("the webhook of the second copy", PATIENCE, async || {
        ensure(site.receiver.count() == 2, || format!("{} webhooks", site.receiver.count()))
    })
    .await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_service_is_added_without_a_restart() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.start().await;
    // One that a gateway has rewritten, and one that another gateway hides.
    let wrapped = "https://gate.example/url?a=https%3A%2F%2Fwe.tl%2Ft-AbC123&c=1";
    let hidden = "https://protect-eu.mimecast.com/s/AbCdEfGhIj?domain=we.tl";
    site.dovecot.deliver(&[mails::linking_to(&format!("{wrapped} {hidden}"))]);
    until("the mail without a known link", PATIENCE, async || {
        let list = worker.run(&["mails", "list", "--state", "ignored"]).await;
        ensure(list.text.contains("protect-eu.mimecast.com hides where its link leads"), || list.text)
    })
    .await;
    assert_eq!(site.receiver.count(), 0);

    let provider = json!({"name": "wetransfer", "hosts": ["we.tl"], "paths": ["/t-*"]});
    site.configure("providers", &json!({ "providers": [provider] }));
    until("the document to act", PATIENCE, async || {
        let history = worker.run(&["events", "show", "config-providers"]).await;
        ensure(history.text.contains("config.changed"), || history.text)
    })
    .await;
    let mail = mails::linking_to(wrapped);
    site.dovecot.deliver(std::slice::from_ref(&mail));
    until("the webhook", PATIENCE, async || {
        checks::all_accepted(&site.receiver, std::slice::from_ref(&mail))
    })
    .await;
    let links = site.receiver.deliveries()[0].json()["delivery_links"].clone();
    assert_eq!(
        (&links[0]["provider"], &links[0]["raw_url"]),
        (&json!("wetransfer"), &json!("https://we.tl/t-AbC123"))
    );
    worker.assert_journal_verifies().await;
}
