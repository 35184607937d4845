//! In place of a store of documents: what a server that is not ours can make us take.

use crate::support::place::{NOWHERE, Place};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Redis, until};

const DOCUMENTS: &str = "r:ss:config:";

async fn on_redis() -> (Redis, Place) {
    let redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("REDIS_URL", &redis.url());
    place.set("JOURNAL_URL", "sqlite:data/render-signal.db");
    (redis, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_in_redis_is_no_larger_than_one_in_a_file() {
    let (redis, place) = on_redis().await;
    let mut worker = place.worker("worker");
    worker.start().await;
    let set = worker.run(&["config", "set", "webhook_config", "webhook_sending_enabled=false"]).await;
    assert!(set.status.success(), "{}", set.text);
    // 9 MiB at one stroke.
    let answer = redis.command(&format!("SETRANGE {DOCUMENTS}webhook_config 9437183 x")).await;
    assert_eq!(answer.expect("an answer"), ":9437184\r\n");
    until("the document to be refused", PATIENCE, async || {
        let shown = worker.run(&["config", "show", "webhook_config", "--json"]).await.text;
        ensure(shown.contains("9437184 bytes are more than a document has"), || shown.clone())
    })
    .await;
    let shown = place.json(&["config", "show", "webhook_config", "--json"]).await;
    assert_eq!(shown["stored"]["webhook_sending_enabled"], false, "the last good one: {shown}");
    // Nor is it copied into the list of changes.
    let listed =
        redis.command(&format!("MEMORY USAGE {DOCUMENTS}changes SAMPLES 0")).await.expect("an answer");
    let bytes: u64 = listed.trim_start_matches(':').trim().parse().expect("a number");
    assert!(bytes < 1_000_000, "{bytes}");
    // It can be replaced as any other.
    let set = worker.run(&["config", "set", "webhook_config", "--file", "/dev/null"]).await;
    assert!(!set.status.success(), "{}", set.text);
    redis.command(&format!("DEL {DOCUMENTS}webhook_config")).await.expect("an answer");
    assert!(worker.is_alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_changes_in_redis_has_no_old_sign_in_links() {
    let (redis, place) = on_redis().await;
    let mut worker = place.worker("worker");
    worker.start().await;
    for n in 1..=3 {
        let links = format!(r#"{{"sign-in-token-{n}":{{}}}}"#);
        let set = place.feed(&["config", "set", "magic_link_tokens", "--file", "-"], &links).await;
        assert_eq!(set.code, 0, "{set:?}");
    }
    let listed = redis.command(&format!("XRANGE {DOCUMENTS}changes - +")).await.expect("an answer");
    for (n, wanted) in [(1, false), (2, false), (3, true)] {
        assert_eq!(listed.contains(&format!("sign-in-token-{n}")), wanted, "{n}: {listed}");
    }
    let history = place.json(&["config", "history", "magic_link_tokens", "--json"]).await;
    assert_eq!(history.as_array().map(Vec::len), Some(3), "{history}");
}
