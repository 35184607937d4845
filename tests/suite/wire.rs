//! Faults of the wire between the program and its servers.

use std::time::Duration;

use crate::support::{ChaosProxy, PATIENCE, Program, Site, checks, mails, until};

/// A worker that reaches the mailbox over the proxy, and looks often whether it is still there.
async fn worker_behind(site: &Site, proxy: &ChaosProxy) -> Program {
    let mut worker = site.worker("worker");
    worker.set("IMAP_PORT", &proxy.port().to_string());
    worker.set("IMAP_IDLE_REFRESH_SECONDS", "2");
    worker.start().await;
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_drops_without_a_word_is_noticed_and_healed() {
    let site = Site::start().await;
    let proxy = ChaosProxy::start(site.dovecot.tls_port()).await;
    let mut worker = worker_behind(&site, &proxy).await;
    let mut all = mails::mixed(5);
    site.dovecot.deliver(&all);
    until("the webhooks before", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;

    proxy.stall();
    let before = proxy.opened();
    let meanwhile = mails::mixed(5);
    site.dovecot.deliver(&meanwhile);
    all.extend(meanwhile);
    until("the worker to try another connection", PATIENCE * 2, async || {
        let opened = proxy.opened();
        if opened > before { Ok(()) } else { Err(format!("{opened} connections, as before")) }
    })
    .await;
    proxy.heal();
    until("every webhook", PATIENCE * 2, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_reset_and_slow_connections_cost_nothing_but_time() {
    let site = Site::start().await;
    let proxy = ChaosProxy::start(site.dovecot.tls_port()).await;
    let mut worker = worker_behind(&site, &proxy).await;
    let mut all = Vec::new();
    let faults: [(&str, &dyn Fn()); 3] = [
        ("cut", &|| proxy.cut()),
        ("reset", &|| proxy.reset()),
        ("slow", &|| proxy.delay(Duration::from_millis(50))),
    ];
    for (name, fault) in faults {
        let mails = mails::mixed(20);
        let before = site.receiver.count();
        site.dovecot.deliver(&mails);
        all.extend(mails);
        // Amid the work: some have arrived, most have not.
        until("the first webhooks", PATIENCE, async || {
            if site.receiver.count() > before { Ok(()) } else { Err("none") }
        })
        .await;
        fault();
        until(name, PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    }
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wire_that_breaks_before_the_answer_repeats_the_same_webhook() {
    let site = Site::start().await;
    let port = site.receiver.port();
    let proxy = ChaosProxy::start(port).await;
    let mut worker = site.worker("worker");
    worker.set("WEBHOOK_URL", &format!("http://127.0.0.1:{}/hook", proxy.port()));
    worker.start().await;
    site.receiver.always("/hook", crate::support::Answer::Slow(Duration::from_millis(60)));
    let all = mails::mixed(30);
    site.dovecot.deliver(&all);
    for round in 1..=3 {
        until("requests under way", PATIENCE, async || {
            let count = site.receiver.count();
            if count >= round * 6 { Ok(()) } else { Err(format!("{count} requests")) }
        })
        .await;
        // The receiver took them; the answers never reach the sender.
        proxy.reset();
    }
    // A reset may hit the one attempt that finds out whether the target is back; then it is
    // left alone for longer than a minute.
    until("every webhook", PATIENCE * 3, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_repeats_are_identical(&site.receiver);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}
