//! How fast the program is, on loopback, beside the limits it is up against.
//!
//! `cargo bench --bench throughput`; needs Dovecot (Debian package `dovecot-imapd`).
//! The mailbox, the Worker and the receiver run on the same machine and share its cores
//! with the program, as do the loops that measure the limits.
//! `MAILS=n` (default 2000) and `ROUNDS=n` (default 3) change the size of the run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark fails by panicking and reports on the terminal"
)]

mod latency;
mod limits;
mod run;

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the benchmark needs a part of it")]
mod support;

use std::time::Duration;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let mails = number("MAILS", 2_000);
    let rounds = number("ROUNDS", 3).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        println!("limits, each alone:");
        limits::measure(mails).await;

        println!("\nstart-up to ready, empty mailbox:");
        run::start_up().await;

        println!("\n{mails} mails that wait in the mailbox, Worker and receiver on loopback:");
        let mut results = Vec::new();
        for round in 1..=rounds {
            let result = run::backlog(mails).await;
            println!("  round {round}: {result}");
            results.push(result);
        }
        println!("  median:  {}", run::median(results));

        println!("\none mail at a time, the program waits in IDLE:");
        latency::measure(60).await;
    });
}

/// The value that `percent` of the sorted values do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

/// Milliseconds with one digit.
fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}
