//! Many who look on while mails flow.

use std::time::{Duration, Instant};

use crate::mebibytes;
use crate::support::api::EventStream;
use crate::support::child::{cpu_time, rss_kib};
use crate::support::worker::Mode;
use crate::support::{PATIENCE, Site, Worker, mails, until};

/// What a page keeps open: the state, whenever it changes.
const LIVE: &str = "/api/v1/live";
/// What a program may keep open: every event.
const EVENTS: &str = "/api/v1/events/stream";

/// `mails` mails while nobody looks on, while `streams` pages do, and while half of them are
/// programs that are told of every event.
pub(crate) async fn measure(streams: usize, mails: usize) {
    println!("\n{mails} mails that wait in the mailbox:");
    run("nobody looks on", &[], mails).await;
    run(&format!("{streams} pages"), &vec![LIVE; streams], mails).await;
    let mixed: Vec<_> = [LIVE, EVENTS].into_iter().cycle().take(streams).collect();
    run(&format!("{0} pages, {0} programs", streams / 2), &mixed, mails).await;
}

async fn run(who: &str, paths: &[&'static str], count: usize) {
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
    for path in paths {
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
    // The poller waits in IDLE by then, and hears of the mails as late in every case.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let own = std::process::id();
    let (begun, cpu, readers_cpu) = (Instant::now(), cpu_time(program.pid()), cpu_time(own));
    site.dovecot.deliver(&mails::mixed(count));
    // How soon Dovecot tells of them is its own affair.
    until(
        "the first webhook",
        PATIENCE,
        async || {
            if site.receiver.count() > 0 { Ok(()) } else { Err("none") }
        },
    )
    .await;
    let first = Instant::now();
    until("every webhook", PATIENCE, async || {
        let arrived = site.receiver.count();
        if arrived >= count { Ok(()) } else { Err(format!("{arrived} of {count}")) }
    })
    .await;
    let (took, flow) = (begun.elapsed(), first.elapsed());
    let cpu = cpu_time(program.pid()).saturating_sub(cpu);
    // Receiver and Worker run here, too.
    let here = cpu_time(own).saturating_sub(readers_cpu);
    let after = rss_kib(program.pid());
    program.stop().await;
    let mut told = 0;
    for reader in readers {
        told += reader.await.expect("a reader");
    }
    let per_mail =
        |time: Duration| time.as_secs_f64() * 1e3 / f64::from(u32::try_from(count).expect("a few"));
    println!(
        "  {who:<24} {:.2} s from the first webhook to the last, {:.2} s from the arrival on; CPU per mail: program {:.2} ms, readers and servers of the measurement {:.2} ms; RSS {:.1} MiB, {:.1} with the streams open, {:.1} at the end; {told} messages",
        flow.as_secs_f64(),
        took.as_secs_f64(),
        per_mail(cpu),
        per_mail(here),
        mebibytes(before),
        mebibytes(opened),
        mebibytes(after),
    );
}
