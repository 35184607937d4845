//! What signals do: some stop in order, some re-read, none ends without a stop.

use nix::sys::signal::Signal;

use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::{PATIENCE, checks, child, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn sighup_re_reads_and_log_rotation_ends_nothing() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put("webhook_config", r#"{"webhook_sending_enabled": false}"#);
    let mut worker = place.worker("worker");
    worker.start().await;
    for (signal, words) in [
        (Signal::SIGUSR1, "SIGUSR1"),
        (Signal::SIGUSR2, "SIGUSR2"),
        (Signal::SIGHUP, "documents are read again"),
    ] {
        child::signal(worker.pid(), signal);
        worker.until_log(words).await;
    }
    // What was stored before the signal is in force after it.
    place.put("webhook_config", r#"{"webhook_sending_enabled": true}"#);
    child::signal(worker.pid(), Signal::SIGHUP);
    let mail = mails::recadrage();
    place.deliver(&mail);
    until("the webhook", PATIENCE, async || checks::all_accepted(&receiver, std::slice::from_ref(&mail)))
        .await;
    assert!(worker.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_that_come_while_it_starts_end_nothing_either() {
    let place = Place::new("http://127.0.0.1:9/");
    let mut worker = place.worker("worker");
    worker.launch();
    // From its first line on, it listens.
    until("the first line of the log", PATIENCE, async || {
        if worker.log().is_empty() { Err("nothing is said") } else { Ok(()) }
    })
    .await;
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
        child::signal(worker.pid(), signal);
    }
    worker.until_ready().await;
    assert!(worker.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigquit_stops_in_order() {
    let place = Place::new("http://127.0.0.1:9/");
    let mut worker = place.worker("worker");
    worker.start().await;
    child::signal(worker.pid(), Signal::SIGQUIT);
    assert!(worker.until_end().await.success());
    let log = worker.log();
    assert!(log.contains("SIGQUIT") && log.contains("stopped"), "{log}");
    worker.assert_journal_verifies().await;
}

/// The worker's log goes into a pipe of which nobody takes a byte.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_nothing() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 0}"#);
    let mut worker = place.worker("worker");
    worker.set("RUST_LOG", "trace");
    // `sh` keeps the reading end open and never reads; the program is a child of it.
    worker.wrap(&["sh", "-c", "{ \"$0\" \"$@\" 2>&1 >&3 & echo $! >pid; wait $!; } 3>&1 | sleep 3600"]);
    worker.start().await;
    let all = mails::mixed(60);
    for mail in &all {
        place.deliver(mail);
    }
    until("every webhook", PATIENCE * 2, async || checks::all_accepted(&receiver, &all)).await;
    // More than a pipe takes (64 KiB) and more than waits in memory: some lines are dropped.
    until("dropped lines", PATIENCE, async || {
        mails::mixed(20).iter().for_each(|mail| place.deliver(mail));
        let metrics = worker.get("/metrics").await.body;
        let line = metrics.lines().find(|line| line.starts_with("render_signal_log_lines_dropped_total "));
        line.map(str::to_owned).ok_or("none is counted")
    })
    .await;
    let pid: u32 =
        std::fs::read_to_string(place.path("pid")).expect("its id").trim().parse().expect("a number");
    child::signal(pid, Signal::SIGTERM);
    until("its end", PATIENCE, async || if child::is_alive(pid) { Err("it still runs") } else { Ok(()) })
        .await;
    for below in child::descendants(worker.pid()) {
        child::kill_all(&[below]);
    }
    worker.kill();
}
