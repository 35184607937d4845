//! Milliseconds (thread CPU time) per hostile mail of 1 MiB, worst first.
//!
//! `cargo bench -p render-signal-actors --bench mail`; `-- WORD` measures the mails whose
//! name contains it, `BYTES=n` changes their size. *work* is all that is done with a mail until
//! its webhooks are posted: read, decide, keep, plan the copies, record them, list them, make and
//! sign the webhooks' bodies (see `whole`).
//! *explain* is `render-signal explain`. Each is the fastest of three runs. It fails when one of
//! them takes longer than is promised.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark fails by panicking and reports on the terminal"
)]

mod hostile;
mod policies;
mod whole;

use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nix::time::{ClockId, clock_gettime};
use render_signal_actors::mail::explain;

/// What the work takes at the longest.
const LIMIT: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let size = std::env::var("BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(1 << 20);
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let now: DateTime<Utc> = "2026-01-26T10:00:00Z".parse().expect("an instant");
    let policies = [policies::plain(), policies::rich()];
    let mut measured = Vec::new();
    for hostile in hostile::mails() {
        if !hostile.name.contains(&wanted) {
            continue;
        }
        let raw = hostile::grow(&hostile.head, &hostile.piece, &hostile.tail, size);
        let work = policies.each_ref().map(|policy| fastest(|| whole::work(&raw, policy, now)));
        let explain = policies.each_ref().map(|policy| fastest(|| drop(explain::explain(&raw, policy, now))));
        measured.push((work, explain, hostile.name));
    }
    measured.sort_by_key(|(work, explain, _)| std::cmp::Reverse(work.iter().chain(explain).max().copied()));
    println!("ms for {size} bytes     work           explain");
    println!("             plain    rich   plain    rich");
    for (work, explain, name) in &measured {
        let [work, explain] = [work, explain].map(|times| times.map(|time| time.as_secs_f64() * 1e3));
        println!("          {:8.1}{:8.1}{:8.1}{:8.1}  {name}", work[0], work[1], explain[0], explain[1]);
    }
    let late =
        measured.iter().filter(|(work, explain, _)| work.iter().chain(explain).any(|time| *time > LIMIT));
    let late = late.count();
    println!("{late} of {} take more than {} ms", measured.len(), LIMIT.as_millis());
    if late == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// CPU time of the fastest of three runs, on this thread.
fn fastest(run: impl Fn()) -> Duration {
    let cpu = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock"));
    let once = || {
        let started = cpu();
        run();
        cpu() - started
    };
    let first = once();
    // What is hopeless is not measured again.
    if first > 20 * LIMIT { first } else { first.min(once()).min(once()) }
}
