//! `/api/v1` of the running program: what takes more than one process or a real file.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::http::{self, Response};
use crate::support::place::{NOWHERE, Place};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Redis, until};

/// `PROCESS_API_TOKEN` of a [`Place`].
const TOKEN: &str = "Authorization: Bearer a-token-of-the-tests\r\nConnection: close\r\n";

async fn get(port: u16, path: &str) -> Response {
    let request = http::request("GET", path, TOKEN, "");
    http::exchange_within(port, &request, PATIENCE).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The body of an answer, byte for byte.
async fn bytes(port: u16, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.write_all(&http::request("GET", path, TOKEN, "")).await.expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..head]));
    answer.split_off(head)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_journal_is_sound_and_nothing_of_it_stays_behind() {
    let mut place = Place::new(NOWHERE);
    place.set("API_TOKEN_SCOPES", "read,access");
    let mut worker = place.worker("worker");
    worker.start().await;
    let copy = bytes(worker.port(), "/api/v1/journal/backup").await;
    std::fs::write(place.path("copy.db"), copy).expect("a file");
    let copied = place.path("copy.db").display().to_string();
    let verified = place.run(&["events", "verify", "--journal", &copied, "--json"]).await;
    assert_eq!(verified.code, 0, "{verified:?}");
    let report: Value = serde_json::from_str(&verified.out).expect("JSON");
    assert!(report["events"].as_u64() > Some(0), "{report}");
    let left = std::fs::read_dir(place.path("data")).expect("a folder").flatten();
    let left: Vec<_> = left.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert!(!left.iter().any(|name| name.starts_with("backup-")), "{left:?}");
    let status = get(worker.port(), "/api/v1/status").await;
    assert!(status.status == 200 && status.body.contains("\"code\":\"running\""), "{status:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_share_a_redis_see_each_other_until_they_stop() {
    let redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("REDIS_URL", &redis.url());
    place.set("API_TOKEN_SCOPES", "read");
    let (mut one, mut two) = (place.worker("one"), place.worker("two"));
    one.start().await;
    two.start().await;
    let alive = async |port| -> Vec<Value> {
        let told: Value = serde_json::from_str(&get(port, "/api/v1/workers").await.body).expect("JSON");
        told["alive"].as_array().expect("a list").clone()
    };
    until("both workers in the list of one", PATIENCE, async || {
        let listed = alive(one.port()).await;
        let polls = listed.iter().filter(|word| word["polls"] == true).count();
        ensure(listed.len() == 2 && polls == 1, || format!("{listed:?}"))
    })
    .await;
    two.stop().await;
    until("one worker in the list", PATIENCE, async || {
        let listed = alive(one.port()).await;
        ensure(listed.len() == 1, || format!("{listed:?}"))
    })
    .await;
    one.stop().await;
}
