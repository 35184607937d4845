//! When this machine cannot connect, nobody is charged for it.

use std::process::Command;

use nix::unistd::geteuid;
use serde_json::{Value, json};

use super::crowds::events;
use crate::support::place::Place;
use crate::support::program::Program;
use crate::support::{PATIENCE, Site, checks, mails, until};

const KINDS: [&str; 3] = ["delivery.attempted", "delivery.deferred", "delivery.dead_lettered"];

/// Sets how many descriptors a running process may have, of which it may have more open.
fn limit_descriptors(worker: &Program, limit: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &worker.pid().to_string(), &format!("--nofile={limit}")])
        .status()
        .expect("prlimit, of the package util-linux");
    assert!(status.success());
}

/// Waits for deliveries that were put off, and returns what happened to all of them so far.
async fn put_off(worker: &Program, count: usize) -> Vec<Value> {
    until("deliveries that are put off", PATIENCE, async || {
        let seen = events(worker, &KINDS).await;
        let mails: std::collections::BTreeSet<_> =
            seen.iter().map(|event| event["stream"].to_string()).collect();
        if mails.len() >= count { Ok(seen) } else { Err(format!("{seen:?}\n{}", worker.tail())) }
    })
    .await
}

fn assert_nobody_is_charged(seen: &[Value]) {
    for event in seen {
        assert_eq!(
            (&event["kind"], &event["payload"]["why"]),
            (&json!("delivery.deferred"), &json!("local_fault"))
        );
        assert!(event["payload"]["detail"].is_string(), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_descriptors_charges_nobody() {
    let site = Site::start().await;
    site.configure(
        "processing_prefs",
        &json!({"rate_limit_per_hour": 0, "retry_count": 1, "retry_delay_sec": 1}),
    );
    let mut worker = site.worker("worker");
    worker.start().await;
    worker.until_answer("/readyz", |answer| answer.body.contains("watching")).await;
    // What is open stays open; nothing can be added.
    limit_descriptors(&worker, "8:1024");
    let mails = mails::mixed(6);
    site.dovecot.deliver(&mails);
    assert_nobody_is_charged(&put_off(&worker, mails.len()).await);
    assert_eq!(site.receiver.count(), 0);

    limit_descriptors(&worker, "1024:1024");
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &mails)).await;
    let seen = events(&worker, &["delivery.attempted"]).await;
    assert_eq!(seen.len(), mails.len(), "one attempt each: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_network_charges_nobody() {
    let mut place = Place::new("http://203.0.113.9/hook");
    place.set("EGRESS_ALLOW_CIDRS", "203.0.113.0/24");
    // In a network namespace of its own there is no address of the loopback interface.
    place.set("BIND", "0.0.0.0");
    place.put("processing_prefs", r#"{"retry_count": 1, "retry_delay_sec": 1}"#);
    let mut worker = place.worker("worker");
    worker.wrap(&["unshare", if geteuid().is_root() { "-n" } else { "-rn" }]);
    worker.launch();
    let mail = mails::recadrage();
    place.deliver(&mail);
    assert_nobody_is_charged(&put_off(&worker, 1).await);
    worker.stop().await;
}
