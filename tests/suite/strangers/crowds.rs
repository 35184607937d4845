//! Many connections at once: descriptors belong to the work, and an honest question is
//! answered whoever else is there.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::checks::all_accepted;
use crate::support::program::Program;
use crate::support::{PATIENCE, Site, mails, until};

/// Descriptors of the process under test.
const LIMIT: usize = 256;
/// Half-sent requests: more than there are descriptors.
const CROWD: usize = 320;

/// A worker of `site` with that many descriptors, and no more to be had.
fn short_of_descriptors(site: &Site) -> Program {
    let mut worker = site.worker("worker");
    let script = format!("ulimit -n {LIMIT} && exec \"$0\" \"$@\"");
    worker.wrap(&["sh", "-c", &script]);
    worker
}

/// How many it has open.
fn descriptors(worker: &Program) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", worker.pid())).expect("its descriptors").count()
}

/// Keeps a half-sent request open, and comes back when it is turned out, until it is aborted.
async fn linger(port: u16) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await {
            drop(stream.write_all(b"GET /readyz HTTP/1.1\r\nHost:").await);
            let mut nothing = [0];
            drop(stream.read(&mut nothing).await);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The events of these kinds, oldest first.
pub(super) async fn events(worker: &Program, kinds: &[&str]) -> Vec<Value> {
    let log = worker.run(&["events", "tail", "-n", "100000", "--json"]).await;
    let events = log.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| kinds.contains(&event["kind"].as_str().unwrap_or_default())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_half_sent_requests_takes_no_descriptor_from_the_deliveries() {
    let site = Site::start().await;
    let mut worker = short_of_descriptors(&site);
    worker.start().await;
    worker.until_log("only 256 files may be open").await;
    let before = descriptors(&worker);
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        crowd.spawn(linger(worker.port()));
    }
    // Every place is taken.
    until("the crowd to be there", PATIENCE, async || {
        let open = descriptors(&worker);
        if open > before + 40 { Ok(()) } else { Err(format!("{open} descriptors, {before} before")) }
    })
    .await;
    let mails = mails::mixed(30);
    site.dovecot.deliver(&mails);
    until("the webhooks", PATIENCE, async || all_accepted(&site.receiver, &mails)).await;
    assert_eq!(worker.get("/livez").await.status, 200, "an honest question finds a place");
    let open = descriptors(&worker);
    assert!(open < LIMIT * 3 / 4, "{open} of {LIMIT} descriptors are open");
    crowd.shutdown().await;

    let attempts =
        events(&worker, &["delivery.attempted", "delivery.deferred", "delivery.dead_lettered"]).await;
    let failed: Vec<_> = attempts.iter().filter(|event| event["payload"]["status"] != 200).collect();
    assert!(failed.is_empty(), "charged to the receiver: {failed:?}");
    assert_eq!(attempts.len(), mails.len());
    assert!(!worker.log().contains("ERROR"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_soft_limit_of_descriptors_is_raised_at_the_start() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let place = crate::support::place::Place::new(crate::support::place::NOWHERE);
    let mut worker = place.worker("worker");
    worker.wrap(&["sh", "-c", "ulimit -S -n 200 && exec \"$0\" \"$@\""]);
    worker.start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", worker.pid())).expect("its limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let soft: u64 = line.split_whitespace().nth(3).expect("a number").parse().expect("a number");
    assert_eq!(soft, hard, "{line}");
    assert_eq!(worker.log().contains("files may be open at once"), hard < 4_096);
}
