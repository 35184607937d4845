//! The program at work: start-up, and a mailbox full of waiting mails.

use std::fmt;
use std::time::{Duration, Instant};

use crate::millis;
use crate::support::child::{cpu_time, peak_rss_kib};
use crate::support::worker::Mode;
use crate::support::{PATIENCE, Program, Site, Worker, mails, until};

/// A worker of the site as it is measured: plain IMAP (both the program and the bare
/// loop beside it), links through the Worker.
pub(crate) fn program(site: &Site, r2: &Worker) -> Program {
    let mut program = site.worker("worker");
    program.set("IMAP_SECURITY", "plain");
    program.set("IMAP_PORT", &site.dovecot.plain_port().to_string());
    for (name, value) in r2.environment() {
        program.set(&name, &value);
    }
    program
}

/// Waits in small steps, since it is the time that counts here.
async fn until_ready(program: &Program) {
    while !program.is_ready().await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Prints the time from the start of the process to the first 200 of `/readyz`.
pub(crate) async fn start_up() {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    let mut times = Vec::new();
    for life in 0..6 {
        let mut program = program(&site, &r2);
        let started = Instant::now();
        program.launch();
        tokio::time::timeout(PATIENCE, until_ready(&program)).await.expect("ready within a minute");
        // The first life also creates the journal.
        let took = started.elapsed();
        if life == 0 {
            println!("  first start, new journal: {}", millis(took));
        } else {
            times.push(took);
        }
        program.stop().await;
    }
    times.sort_unstable();
    println!("  median of {}: {}", times.len(), millis(times[times.len() / 2]));
}

/// What one run showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    mails: usize,
    /// From the launch of the process to the last webhook.
    to_last_webhook: Duration,
    /// From the launch to the last `\Seen`.
    to_last_mark: Duration,
    /// The program's own processor time for all of it, start-up included.
    cpu: Duration,
    peak_rss_kib: u64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = f64::from(u32::try_from(self.mails).unwrap_or(u32::MAX));
        write!(
            f,
            "{:>6.0} mails/s, {:.2} ms CPU per mail, all marked after {:.2} s, peak RSS {:.1} MiB",
            count / self.to_last_webhook.as_secs_f64(),
            self.cpu.as_secs_f64() * 1_000.0 / count,
            self.to_last_mark.as_secs_f64(),
            f64::from(u32::try_from(self.peak_rss_kib).unwrap_or(u32::MAX)) / 1_024.0,
        )
    }
}

/// The run in the middle, by rate.
pub(crate) fn median(mut results: Vec<Measured>) -> Measured {
    results.sort_unstable_by_key(|result| result.to_last_webhook);
    results[results.len() / 2]
}

/// Starts the program on a mailbox of waiting mails, and watches it empty.
pub(crate) async fn backlog(mails: usize) -> Measured {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    site.dovecot.deliver(&mails::mixed(mails));
    // As for the bare loop, the server has seen them before.
    assert_eq!(site.dovecot.seen().await.unseen, mails);

    let mut program = program(&site, &r2);
    let started = Instant::now();
    program.launch();
    until("every webhook", PATIENCE * 5, async || {
        let count = site.receiver.count();
        if count >= mails { Ok(()) } else { Err(format!("{count} of {mails}\n{}", program.tail())) }
    })
    .await;
    let deliveries = site.receiver.deliveries();
    let to_last_webhook = deliveries.last().map_or(Duration::ZERO, |last| last.at.duration_since(started));
    site.until_all_seen(mails).await;
    let to_last_mark = started.elapsed();
    let (cpu, peak_rss_kib) = (cpu_time(program.pid()), peak_rss_kib(program.pid()));

    assert_eq!(site.receiver.accepted().len(), mails, "each mail");
    assert_eq!(deliveries.len(), mails, "each once");
    assert_eq!(r2.requests().len(), mails, "each link through the Worker");
    program.stop().await;
    Measured { mails, to_last_webhook, to_last_mark, cpu, peak_rss_kib }
}
