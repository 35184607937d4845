//! The program delivers to the receiver in PHP, and both write one list.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{MESSAGES, diagnosed, entries, google, list, parsed, prepared, with_gmail};
use crate::support::worker::Mode;
use crate::support::{PATIENCE, Site, TestMail, Worker, mails, until};

/// Mails are delivered while the receiver is there, away and back: each is acted upon once, its
/// links are in the list once, and both sides count the same.
#[tokio::test(flavor = "multi_thread")]
async fn every_mail_reaches_the_receiver_and_is_acted_upon_once() {
    let site = Site::start().await;
    let google = google().await;
    let mut php = prepared();
    php.set("AUTHORIZED_SENDERS", "*");
    php.set("RECADRAGE_TO", "studio@agence.example");
    php.set("AUTOREPONDEUR_TO", "planning@agence.example");
    with_gmail(&mut php, &google);
    php.launch().await;

    let r2 = Worker::start(Mode::Copies).await;
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    worker.set("WEBHOOK_URL", &format!("http://127.0.0.1:{}/index.php", php.port()));
    worker.set("WEBHOOK_LINKS_FILE", &list(&php).display().to_string());
    worker.start().await;

    let mut all: Vec<TestMail> = mails::mixed(4);
    site.dovecot.deliver(&all);
    site.until_all_seen(all.len()).await;
    php.kill();
    let away = mails::mixed(4);
    site.dovecot.deliver(&away);
    worker.until_log("webhook not delivered").await;
    php.launch().await;
    all.extend(away);
    site.until_all_seen(all.len()).await;

    let subjects: BTreeSet<String> = google
        .deliveries()
        .iter()
        .filter(|request| request.path == MESSAGES)
        .map(|request| request.json()["raw"].as_str().expect("a mail").to_owned())
        .collect();
    let sent = google.deliveries().iter().filter(|request| request.path == MESSAGES).count();
    assert_eq!((sent, subjects.len()), (4, 4), "two recadrages and two désabonnements, each once");
    let report = parsed(&diagnosed(&php, "GET", "/test-direct.php", "").await);
    assert_eq!(report["receiver"]["receipts"], json!(8));

    // The program carries its copies over a moment after they were made.
    until("both sides to agree", PATIENCE, async || {
        let stats = worker.run(&["links", "stats", "--json"]).await;
        let stats: Value =
            serde_json::from_str(&stats.text).map_err(|error| format!("{error}: {}", stats.text))?;
        let links = parsed(&diagnosed(&php, "GET", "/test-direct.php", "").await)["links"].clone();
        let same = |name: &str| stats[name] == links[name];
        let all = ["entries", "r2", "legacy", "other", "providers", "archives"].into_iter().all(same);
        if all && stats["r2"] == json!(8) { Ok(()) } else { Err(format!("{stats} {links}")) }
    })
    .await;
    let addresses: BTreeSet<String> = entries(&list(&php))
        .iter()
        .map(|entry| {
            assert!(entry["email_id"].is_string() && entry["created_at"].is_string(), "{entry}");
            entry["r2_url"].as_str().expect("a copy").to_owned()
        })
        .collect();
    assert_eq!(
        (entries(&list(&php)).len(), addresses.len()),
        (8, 8),
        "one entry for each copy, whoever wrote it"
    );
    assert!(worker.stop().await.success());
}
