//! How fast the HTTP API is, on loopback.
//!
//! `cargo bench --bench http`; needs Dovecot (Debian package `dovecot-imapd`). Whoever asks runs
//! on the same machine and shares its cores with the program. `STORED=n` (default 100000) mails
//! are in the journal, `ASKED=n` (default 40000) requests are made of each kind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark fails by panicking and reports on the terminal"
)]

mod fill;
mod load;
mod streams;

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the benchmark needs a part of it")]
mod support;

use support::Program;
use support::api::{Api, TOKEN};
use support::child::peak_rss_kib;
use support::place::{NOWHERE, Place};

/// What is in a quarter of the mails and more.
const COMMON: [&str; 16] = [
    "lot",
    "recadrage",
    "media",
    "missions",
    "solution",
    "tarifs",
    "juin",
    "desabonnement",
    "facture",
    "camille",
    "exemple",
    "atelier+photo",
    "noreply",
    "service",
    "recadrage+lot",
    "tarifs+lot",
];

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let (stored, asked) = (number("STORED", 100_000), number("ASKED", 40_000));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        requests(stored, asked).await;
        streams::measure(200, 500).await;
    });
}

/// Requests one after the other on some connections.
async fn requests(stored: usize, asked: usize) {
    let mut place = Place::new(NOWHERE);
    place.set("API_TOKEN_SCOPES", "read");
    let id = fill::journal(&place.path("data"), stored).await;
    println!("{stored} mails are in the journal");
    let mut worker = place.worker("worker");
    worker.start().await;
    let session = log_in(&worker).await;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let cookie = format!("Cookie: {session}\r\n");
    until_found(&worker, stored).await;

    println!("{:<40} {:>9} {:>9} {:>9} {:>13}", "", "asked/s", "p50", "p99", "CPU each");
    let ask = async |name: &str, path: &str, headers: &str, count: usize| {
        let asked = load::ask(&worker, &[path.to_owned()], headers, count).await;
        println!("{name:<40} {asked}");
    };
    ask("/health", "/health", "", asked).await;
    ask("/api/get_polling_config, session", "/api/get_polling_config", &cookie, asked).await;
    ask("one mail's story", &format!("/api/v1/mails/{id}"), &token, asked / 10).await;
    ask("the newest 50 mails", "/api/v1/mails", &token, asked / 10).await;
    let search = |words: &str| format!("/api/v1/mails?text={words}");
    for words in ["lot", "recadrage", "m%C3%A9dia", "recadrage+lot", "42117", "camille", "zanzibar"] {
        ask(&format!("search {words}"), &search(words), &token, asked / 40).await;
    }
    ask("search lot, ignored ones", &format!("{}&state=ignored", search("lot")), &token, asked / 40).await;
    let all: Vec<String> = COMMON.iter().map(|words| search(words)).collect();
    println!(
        "{:<40} {}",
        "search, 16 common ones in turn",
        load::ask(&worker, &all, &token, asked / 10).await
    );
    println!("peak RSS {:.1} MiB", mebibytes(peak_rss_kib(worker.pid())));
    worker.stop().await;
}

/// Signs in as a browser does; the cookie.
async fn log_in(worker: &Program) -> String {
    let body = "username=admin&password=a-password-of-the-tests";
    let headers = "Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let request = support::http::request("POST", "/login", headers, body);
    let answer = support::http::exchange(worker.port(), &request).await.expect("an answer");
    let cookie = answer.header("set-cookie").unwrap_or_else(|| panic!("{} {}", answer.status, answer.body));
    cookie.split(';').next().expect("a pair").to_owned()
}

/// Waits until the search knows all mails.
async fn until_found(worker: &Program, stored: usize) {
    let api = Api::new(worker.port());
    let begun = std::time::Instant::now();
    loop {
        let page = api.get("/api/v1/mails?text=lot&limit=1").await;
        if page["complete"] == true {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    println!("the search knows {stored} mails after {:.1} s", begun.elapsed().as_secs_f64());
}

fn mebibytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1_024.0
}
