//! How fast a file goes into R2, beside a bare stream copy to the same S3 server.
//!
//! `cargo bench -p render-signal-actors --bench offload`; `MIB=n` (default 512) and
//! `ROUNDS=n` (default 3) change the size of the run. File host, S3 server and client share
//! one process and two threads, and the server throws away what it receives: the ratio
//! tells, not the absolute values.
//!
//! *bare copy*: one GET whose body is the body of one unsigned PUT. *offload*: all that
//! the program does for a linked file, with equal parts, and what is asked of the bucket
//! before and after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking and reports on the terminal"
)]

#[path = "../../tests/direct/place.rs"]
#[allow(dead_code, reason = "the benchmark needs a part of it")]
mod place;

use std::time::{Duration, Instant};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use render_signal_actors::r2::LinkStore as _;
use render_signal_testkit::file_host::File;
use render_signal_testkit::s3::{ACCESS_KEY, BUCKET, Behaviour, SECRET_KEY};

use place::{HOST, Place, job};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first one");
    let (mib, rounds) = (number("MIB", 512), number("ROUNDS", 3).max(1));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut place = Place::start().await;
        place.settings.max_bytes = u64::MAX;
        place.settings.limit = Duration::from_secs(3_600);
        place.s3.behave(Behaviour { discard: true, ..Behaviour::default() });
        println!("{mib} MiB from a file host to an S3 server, both in this process:");
        let mut ratios = Vec::new();
        for round in 1..=rounds {
            let path = format!("/f/{round}.bin");
            place.host.serve(&path, File::honest(mib * 1024 * 1024));
            let bare = rate(mib, Box::pin(bare_copy(&place, &path))).await;
            let offload = rate(mib, offload(&place, &path)).await;
            println!(
                "  round {round}: bare copy {bare:7.1} MiB/s, offload {offload:7.1} MiB/s, {:3.0} %",
                100.0 * offload / bare
            );
            ratios.push(offload / bare);
        }
        ratios.sort_by(f64::total_cmp);
        println!("  median:  {:3.0} % of the bare copy", 100.0 * ratios[ratios.len() / 2]);
    });
}

/// MiB per second.
async fn rate(mib: u64, work: impl Future<Output = ()>) -> f64 {
    let started = Instant::now();
    work.await;
    mib as f64 / started.elapsed().as_secs_f64()
}

async fn offload(place: &Place, path: &str) {
    place.store().offload(job(&place.link(path), "fromsmash")).await.expect("a copy");
}

async fn bare_copy(place: &Place, path: &str) {
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("auto"))
        .endpoint_url(place.s3.url())
        .force_path_style(true)
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "benchmark"))
        .build();
    let valid = PresigningConfig::expires_in(Duration::from_secs(3_600)).expect("a valid time");
    let put = aws_sdk_s3::Client::from_conf(config).put_object().bucket(BUCKET).key("bare");
    let put = put.presigned(valid).await.expect("a signed address");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let link = format!("http://{HOST}:{}{path}", place.host.port());
    let source = client.get(link).send().await.expect("an answer");
    let length = source.content_length().expect("a length");
    let body = reqwest::Body::wrap_stream(source.bytes_stream());
    let request = client.put(put.uri()).header("content-length", length).body(body);
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
}
