//! Many who look on while mails flow.

use std::time::Instant;

use crate::mebibytes;
use crate::support::api::EventStream;
use crate::support::child::{cpu_time, rss_kib};
use crate::support::worker::Mode;
use crate::support::{PATIENCE, Site, Worker, mails, until};

/// `mails` mails, with and without `streams` open streams.
pub(crate) async fn measure(streams: usize, mails: usize) {
    println!("\n{mails} mails that wait in the mailbox:");
    run(0, mails).await;
    run(streams, mails).await;
}

async fn run(streams: usize, count: usize) {
    let (site, r2) = (Site::start().await, Worker::start(Mode::Copies).await);
    let mut program = site.worker("worker");
    program.set("IMAP_SECURITY", "plain");
    program.set("IMAP_PORT", &site.dovecot.plain_port().to_string());
    program.set("API_TOKEN_SCOPES", "read");
    for (name, value) in r2.environment() {
        program.set(&name, &value);
    }
    program.start().await;
    let before = rss_kib(program.pid());
    let mut readers = Vec::new();
    for number in 0..streams {
        let path = ["/api/v1/live", "/api/v1/events/stream"][number % 2];
        let mut stream = EventStream::open(program.port(), path, "").await;
        readers.push(tokio::spawn(async move {
            let mut told = 0_usize;
            while stream.next().await.is_some() {
                told += 1;
            }
            told
        }));
    }
    let opened = rss_kib(program.pid());
    let (begun, cpu) = (Instant::now(), cpu_time(program.pid()));
    site.dovecot.deliver(&mails::mixed(count));
    until("every webhook", PATIENCE, async || {
        let arrived = site.receiver.count();
        if arrived >= count { Ok(()) } else { Err(format!("{arrived} of {count}")) }
    })
    .await;
    let took = begun.elapsed();
    let cpu = cpu_time(program.pid()).saturating_sub(cpu);
    let after = rss_kib(program.pid());
    program.stop().await;
    let mut told = 0;
    for reader in readers {
        told += reader.await.expect("a reader");
    }
    println!(
        "  {streams:>3} streams: {:.2} s to the last webhook, {:.2} ms CPU per mail, RSS {:.1} MiB, {:.1} with them open, {:.1} at the end; {told} messages",
        took.as_secs_f64(),
        cpu.as_secs_f64() * 1e3 / f64::from(u32::try_from(count).expect("a few")),
        mebibytes(before),
        mebibytes(opened),
        mebibytes(after),
    );
}
