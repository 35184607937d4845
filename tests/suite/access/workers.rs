//! Two workers, one Redis: what one has seen the other knows.

use futures::future::join_all;
use tokio::io::AsyncReadExt as _;

use super::{Browser, FORM, OURS, PASSWORD};
use crate::support::place::{NOWHERE, Place};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, Redis, until};

/// Two workers on a Redis of their own.
struct Pair {
    one: Program,
    two: Program,
    _redis: Redis,
    _place: Place,
}

impl Pair {
    async fn start(more: &[(&str, &str)]) -> Self {
        let redis = Redis::start().await;
        let mut place = Place::new(NOWHERE);
        place.set("REDIS_URL", &redis.url());
        place.set("PUBLIC_BASE_URL", "http://signal.example.fr");
        for (name, value) in more {
            place.set(name, value);
        }
        let (mut one, mut two) = (place.worker("one"), place.worker("two"));
        one.launch();
        two.launch();
        one.until_ready().await;
        two.until_ready().await;
        Self { one, two, _redis: redis, _place: place }
    }
}

#[tokio::test]
async fn a_session_is_known_to_both_and_over_on_both() {
    let pair = Pair::start(&[]).await;
    let mut here = Browser::at(&pair.one);
    here.login().await;
    let mut there = here.also_at(&pair.two);
    assert_eq!(there.name().await.as_deref(), Some("session:admin"), "the first request on the other");
    let mut thief = here.also_at(&pair.one);
    assert!(thief.name().await.is_some());

    // Ended on one, the stolen cookie opens nothing on the other; how soon is a test of its own.
    let ended = there.send("DELETE", "/api/v1/session", OURS, "").await;
    assert_eq!(ended.status, 204, "{}", ended.body);
    assert_eq!(there.name().await, None, "where it was ended, at once");
    until("the session to be over on the other worker", PATIENCE, async || {
        ensure(thief.name().await.is_none(), || "it is open".to_owned())
    })
    .await;

    // A stream that is open ends as well.
    let mut reader = Browser::at(&pair.one);
    reader.login().await;
    let mut stream = reader.follow("/api/v1/events/stream").await;
    let ended = reader.also_at(&pair.two).send("DELETE", "/api/v1/session", OURS, "").await;
    assert_eq!(ended.status, 204);
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    end.expect("the end of the stream").expect("a connection");

    // And all of them.
    let mut first = Browser::at(&pair.one);
    let mut second = Browser::at(&pair.two);
    first.login().await;
    second.login().await;
    assert!(first.also_at(&pair.two).name().await.is_some());
    let ended = second.send("DELETE", "/api/v1/sessions?keep_current=true", OURS, "").await;
    assert_eq!((ended.status, ended.body.as_str()), (200, r#"{"ended":1}"#));
    until("all others to be over", PATIENCE, async || {
        ensure(first.name().await.is_none(), || "one is open".to_owned())
    })
    .await;
    assert!(second.name().await.is_some());
}

#[tokio::test]
async fn a_link_that_is_used_on_both_at_the_same_instant_is_used_once() {
    let pair = Pair::start(&[]).await;
    let mut owner = Browser::at(&pair.one);
    owner.login().await;
    for _ in 0..3 {
        let path = format!("/login/magic/{}", owner.link().await);
        let tries = [&pair.one, &pair.two, &pair.one, &pair.two].map(|worker| {
            let (mut browser, path) = (Browser::at(worker), path.clone());
            async move { browser.send("POST", &path, OURS, "").await.status }
        });
        let mut statuses = join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 401, 401, 401], "one is let in");
    }
}

#[tokio::test]
async fn guesses_are_counted_by_both_whatever_address_they_claim() {
    let pair = Pair::start(&[]).await;
    let mut refused = None;
    for guess in 0..6 {
        let worker = if guess % 2 == 0 { &pair.one } else { &pair.two };
        // No proxy is trusted: this is what a stranger writes.
        let claims = format!("X-Forwarded-For: 198.51.100.{guess}\r\n");
        let answer = Browser::at(worker).try_login("wrong", &claims).await;
        if answer.status == 429 {
            assert_eq!(guess, 5, "five tries");
            refused = answer.header("retry-after").map(|seconds| seconds.parse::<u64>().unwrap());
        } else {
            assert_eq!(answer.status, 401);
        }
    }
    assert!(refused.is_some_and(|seconds| (1..=31).contains(&seconds)), "{refused:?}");
    for worker in [&pair.one, &pair.two] {
        let answer = Browser::at(worker).try_login(PASSWORD, "").await;
        assert_eq!(answer.status, 429, "the right one waits, too, at this address");
    }
}

#[tokio::test]
async fn many_addresses_guess_slowly_and_the_owner_comes_in() {
    let pair = Pair::start(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let mut looked_at = 0;
    for address in 0..30 {
        for guess in 0..5 {
            let worker = if (address + guess) % 2 == 0 { &pair.one } else { &pair.two };
            // What stands before the proxy's own word is the guesser's.
            let claims = format!("X-Forwarded-For: 203.0.113.{guess}, 198.51.100.{address}\r\n");
            let body = format!("username=admin&password=guess-{guess}");
            let answer = Browser::at(worker).send("POST", "/login", &format!("{FORM}{claims}"), &body).await;
            looked_at += u32::from(answer.status == 401);
        }
    }
    // 150 without the guard; 20 for the account, then two of each address. Some come back meanwhile.
    assert!((60..110).contains(&looked_at), "{looked_at}");
    let fresh = "X-Forwarded-For: 192.0.2.77\r\n";
    assert_eq!(Browser::at(&pair.two).try_login(PASSWORD, fresh).await.status, 303);
}
