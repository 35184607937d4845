//! The list of copied files, and copies that are used again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::worker::{Mode, PUBLIC_BASE_URL};
use crate::support::{PATIENCE, Program, Site, TestMail, Worker, checks, mails, until};

const LIST: &str = "deployment/data/webhook_links.json";
const SHARED: &str = "https://www.dropbox.com/scl/fo/partage/AHb9xq?rlkey=k3&dl=0";

async fn site() -> (Site, Worker, Program) {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    (site, r2, worker)
}

async fn deliver(site: &Site, link: &str) -> TestMail {
    let mail = mails::linking_to(link);
    site.dovecot.deliver(std::slice::from_ref(&mail));
    until("the webhook", PATIENCE, async || {
        checks::all_accepted(&site.receiver, std::slice::from_ref(&mail))
    })
    .await;
    mail
}

/// The entries; none while it is no list, as the tests make it.
fn list(folder: &Path) -> Vec<Value> {
    let text = fs::read(folder.join(LIST)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

async fn until_listed(site: &Site, count: usize) -> Vec<Value> {
    until("the list", PATIENCE, async || {
        let entries = list(site.folder());
        if entries.len() == count { Ok(entries) } else { Err(format!("{entries:?}")) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_copied_once_listed_and_listed_again_after_every_mishap() {
    let (site, r2, mut worker) = site().await;
    worker.start().await;
    deliver(&site, SHARED).await;
    let again = deliver(&site, "https://www.dropbox.com/scl/fo/partage/AHb9xq/?dl=0&rlkey=k3").await;
    deliver(&site, "https://www.dropbox.com/scl/fi/autre/a.zip?rlkey=k&dl=0").await;
    assert_eq!(r2.requests().len(), 2, "the second mail's file lies there already");
    let deliveries = site.receiver.deliveries();
    let webhook = deliveries.iter().find(|delivery| delivery.mark() == again.mark).expect("a webhook").json();
    let link = &webhook["delivery_links"][0];
    assert!(link["r2_url"].as_str().is_some_and(|url| url.starts_with(PUBLIC_BASE_URL)), "{link}");

    let entries = until_listed(&site, 2).await;
    assert_eq!(entries[0]["source_url"], "https://www.dropbox.com/scl/fo/partage/AHb9xq?dl=1&rlkey=k3");
    assert_eq!(entries[0]["r2_url"], link["r2_url"]);
    assert_eq!(entries[0]["provider"], "dropbox");
    assert_eq!(entries[0]["original_filename"], "Lot 42 – été.zip");
    let fields: Vec<_> = entries[0].as_object().expect("an object").keys().cloned().collect();
    let known = ["source_url", "r2_url", "provider", "created_at", "email_id", "original_filename"];
    assert_eq!(fields, known);
    let found = worker.run(&["doctor", "--json"]).await.text;
    assert!(found.contains("list of copies") && found.contains("can be read and written"), "{found}");

    // Killed, and the list damaged meanwhile.
    worker.kill();
    fs::write(site.folder().join(LIST), "[{\"source_url\": \"https://www.dr").expect("written");
    worker.start().await;
    deliver(&site, "https://www.dropbox.com/scl/fi/encore/b.zip?rlkey=k&dl=0").await;
    let restored = until_listed(&site, 3).await;
    assert_eq!(restored[..2], entries[..]);
    let aside = fs::read_dir(site.folder().join("deployment/data")).expect("the folder");
    let aside = aside.filter(|file| {
        file.as_ref().expect("a file").file_name().to_string_lossy().contains("webhook_links-corrupt-")
    });
    assert_eq!(aside.count(), 1);

    // Gone, with nothing new in the journal: by command, while the worker runs.
    fs::remove_file(site.folder().join(LIST)).expect("removed");
    let rebuilt = worker.run(&["links", "rebuild"]).await;
    assert!(rebuilt.status.success() && rebuilt.text.contains("3 entries"), "{}", rebuilt.text);
    assert_eq!(list(site.folder()), restored);
    let elsewhere = worker.run(&["links", "rebuild", "--file", "elsewhere.json"]).await;
    assert!(elsewhere.status.success(), "{}", elsewhere.text);
    let copied = fs::read(site.folder().join("elsewhere.json")).expect("a list");
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&copied).expect("a list"), restored);
    let listed = worker.run(&["links", "list", "--json", "-n", "2"]).await;
    let listed: Vec<Value> = serde_json::from_str(&listed.text).expect("JSON");
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["r2_url"], restored[2]["r2_url"], "newest first");

    let stats = worker.run(&["links", "stats", "--json"]).await;
    let stats: Value = serde_json::from_str(&stats.text).expect("JSON");
    assert_eq!(
        (&stats["r2"], &stats["legacy"], &stats["archives"]),
        (&json!(3), &json!(0), &json!(1)),
        "{stats}"
    );
    assert_eq!(stats["providers"], json!({"dropbox": 3}));
    let stats = worker.run(&["links", "stats"]).await.text;
    assert!(
        stats.contains("3 entries") && stats.contains("r2 3, legacy 0") && stats.contains("dropbox 3"),
        "{stats}"
    );

    let status = worker.stop().await;
    assert!(status.success(), "{status}");
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_written_is_warned_of_and_stops_nothing() {
    let (site, _r2, mut worker) = site().await;
    fs::write(site.folder().join("deployment"), "a file where a folder should be").expect("written");
    worker.start().await;
    deliver(&site, SHARED).await;
    worker.until_log("the list of copied files is not up to date").await;
    let found = worker.run(&["doctor", "--json"]).await.text;
    let report: Value = serde_json::from_str(&found).expect("JSON");
    let check =
        report["checks"].as_array().expect("checks").iter().find(|check| check["name"] == "list of copies");
    assert_eq!(check.expect("the check")["state"], "warn", "{found}");
    fs::remove_file(site.folder().join("deployment")).expect("removed");
    deliver(&site, "https://www.dropbox.com/scl/fi/autre/a.zip?rlkey=k&dl=0").await;
    until_listed(&site, 2).await;
}
