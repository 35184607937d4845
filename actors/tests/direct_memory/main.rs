//! A file of 2 GiB passes through a few megabytes of memory. A process of its own, because
//! that is what is measured.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
#![allow(clippy::cast_possible_truncation, reason = "a test")]

#[path = "../direct/place.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod place;

use std::time::Instant;

use render_signal_actors::r2::LinkStore as _;
use render_signal_testkit::file_host::File;
use render_signal_testkit::s3::Behaviour;

use crate::place::{PART, Place, job};

const LENGTH: u64 = 2 * 1024 * 1024 * 1024;
/// What the resident memory may grow by, file host and S3 server in the same process included.
const GROWTH: u64 = 32 * 1024 * 1024;
/// Files at once, more than there are places.
const MANY: u64 = 8;
/// For each of the four places two parts, and what both servers hold of them.
const GROWTH_OF_MANY: u64 = 4 * 3 * PART;

/// Bytes; `VmRSS` now, or `VmHWM` at most so far.
fn resident(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("a line");
    let kilobytes: u64 = line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").trim().parse().unwrap();
    kilobytes * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_pass_in_constant_memory() {
    let mut place = Place::start().await;
    place.settings.max_bytes = 4 * LENGTH;
    place.settings.limit = std::time::Duration::from_secs(1_000);
    place.s3.behave(Behaviour { discard: true, ..Behaviour::default() });
    let store = place.store();
    // Everything that is set up once.
    place.host.serve("/f/small.bin", File::honest(2 * PART));
    store.offload(job(&place.link("/f/small.bin"), "fromsmash")).await.unwrap();

    place.host.serve("/f/large.bin", File::honest(LENGTH));
    let before = resident("VmRSS");
    let started = Instant::now();
    store.offload(job(&place.link("/f/large.bin"), "fromsmash")).await.unwrap();
    let growth = resident("VmHWM").saturating_sub(before);
    eprintln!("2 GiB in {:.1?}, resident memory grew by {} KiB", started.elapsed(), growth / 1024);
    assert_eq!(place.s3.completed().last().unwrap(), &vec![PART; 256]);
    assert!(place.s3.parts_at_once() <= 2);
    assert!(growth < GROWTH, "resident memory grew by {growth} bytes");

    let started = Instant::now();
    let many = (0..MANY).map(|number| {
        let path = format!("/f/{number}.bin");
        place.host.serve(&path, File::honest(LENGTH / MANY));
        let (store, link) = (&store, place.link(&path));
        async move { store.offload(job(&link, "fromsmash")).await.unwrap() }
    });
    futures::future::join_all(many).await;
    let growth = resident("VmHWM").saturating_sub(before);
    eprintln!("2 GiB in {MANY} files in {:.1?}, grew by {} KiB", started.elapsed(), growth / 1024);
    assert!(place.s3.parts_at_once() <= 8, "{}", place.s3.parts_at_once());
    assert!(growth < GROWTH + GROWTH_OF_MANY, "resident memory grew by {growth} bytes");
}
