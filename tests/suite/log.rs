//! What the log says of one mail, from its admission to the flag.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::worker::Mode;
use crate::support::{PATIENCE, Site, Worker, checks, mails, until};

/// The lines of a log in JSON that name a mail, by span.
fn lines_of(log: &str, email_id: &str) -> BTreeMap<String, Vec<Value>> {
    let mut lines: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if [&line["span"]["email_id"], &line["email_id"]].into_iter().any(|id| id == email_id) {
            lines.entry(line["span"]["name"].as_str().unwrap_or("none").to_owned()).or_default().push(line);
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mail_can_be_followed_in_the_log() {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    worker.set("LOG_FORMAT", "json");
    worker.set("RUST_LOG", "info,render_signal_actors::poller=debug");
    worker.start().await;
    let sent = vec![mails::recadrage(), mails::recadrage()];
    site.dovecot.deliver(&sent);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &sent)).await;
    site.until_all_seen(sent.len()).await;
    let delivery = site.receiver.deliveries().into_iter().find(|one| one.mark() == sent[0].mark);
    let id =
        delivery.expect("a webhook").json()["microsoft_graph_email_id"].as_str().expect("an id").to_owned();

    let said = until("the whole way of the mail", PATIENCE, async || {
        let lines = lines_of(&worker.log(), &id);
        let spans: Vec<_> = lines.keys().map(String::as_str).collect();
        if spans == ["admit", "deliver", "none", "offload"] { Ok(lines) } else { Err(format!("{spans:?}")) }
    })
    .await;
    let text = |span: &str, field: &str| said[span][0][field].clone();
    assert_eq!(
        (text("admit", "message"), text("admit", "decision")),
        ("a mail was taken in".into(), "routed".into())
    );
    assert_eq!(
        (text("offload", "message"), text("offload", "copied")),
        ("the links of a mail are settled".into(), 1.into())
    );
    assert_eq!(text("deliver", "message"), "webhook delivered");
    assert_eq!(said["deliver"][0]["span"]["target"], "default");
    assert_eq!(said["deliver"][0]["span"]["attempt"], 1);
    assert_eq!(text("none", "message"), "a mail is marked as read");
    assert!(said.values().flatten().count() < 8, "few lines are enough: {said:?}");
    // Neither who wrote nor what about.
    assert!(!worker.log().contains(&sent[0].mark), "no subject");
    worker.stop().await;
}
