//! `/api/v1/events`: what has happened, page by page and as it happens.

use serde_json::{Value, json};

use crate::support::api::{Api, EventStream};
use crate::support::place::{NOWHERE, Place};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, Redis, Site, mails, until};

async fn place() -> (Place, Program, Api) {
    let mut place = Place::new(NOWHERE);
    place.set("API_TOKEN_SCOPES", "read,actions");
    let mut worker = place.worker("worker");
    worker.start().await;
    let api = Api::new(worker.port());
    (place, worker, api)
}

async fn until_received(api: Api, wanted: usize) {
    until("the mails in the journal", PATIENCE, async || {
        let page = api.get("/api/v1/events?kind=mail.received&limit=200").await;
        let found = page["items"].as_array().map_or(0, Vec::len);
        ensure(found == wanted, || format!("{found} of {wanted}"))
    })
    .await;
}

fn positions(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|event| event["position"].as_u64().expect("a position")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_in_both_directions_by_stream_category_and_kind() {
    let (place, _worker, api) = place().await;
    for mail in mails::mixed(5) {
        place.deliver(&mail);
    }
    until_received(api, 5).await;
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/v1/events?order=oldest&limit=3{cursor}")).await;
        all.extend(positions(&page));
        let Some(next) = page["next_cursor"].as_u64() else { break };
        cursor = format!("&cursor={next}");
    }
    let in_order: Vec<u64> = (1..=all.len() as u64).collect();
    assert_eq!(all, in_order, "nothing is missing and nothing comes twice");
    let newest = positions(&api.get("/api/v1/events?limit=3").await);
    assert!(newest.len() == 3 && newest.is_sorted_by(|one, next| one > next), "{newest:?}");

    let received = api.get("/api/v1/events?kind=mail.received&order=oldest").await;
    let stream = received["items"][0]["stream"].as_str().expect("a stream");
    let story = api.get(&format!("/api/v1/events?stream={stream}&order=oldest")).await;
    let versions: Vec<_> = story["items"].as_array().unwrap().iter().map(|event| &event["version"]).collect();
    assert_eq!(versions[0], &json!(1), "{story}");
    for event in api.get("/api/v1/events?category=worker").await["items"].as_array().unwrap() {
        assert!(event["stream"].as_str().unwrap().starts_with("worker-"), "{event}");
    }
    let one = api.get("/api/v1/events/1").await;
    let first = api.get("/api/v1/events?order=oldest&limit=1").await;
    assert_eq!(one, first["items"][0]);

    for (path, status, field) in [
        ("/api/v1/events?limit=0", 400, Some("limit")),
        ("/api/v1/events?limit=201", 400, Some("limit")),
        ("/api/v1/events?kind=mail.eaten", 400, Some("kind")),
        ("/api/v1/events?order=sideways", 400, Some("order")),
        ("/api/v1/events?sort=asc", 400, Some("sort")),
        ("/api/v1/events?cursor=-1", 400, Some("cursor")),
        ("/api/v1/events/0", 404, None),
        ("/api/v1/events/999999", 404, None),
        ("/api/v1/events/first", 404, None),
    ] {
        let answer = api.ask("GET", path, "", "").await;
        let problem = crate::support::api::json(&answer);
        assert_eq!(answer.status, status, "{path}: {problem}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(problem["errors"][0]["field"].as_str(), field, "{path}: {problem}");
    }
}

/// Reads until a message of this kind has come; notes the positions.
async fn follow_to(stream: &mut EventStream, kind: &str, seen: &mut Vec<u64>) {
    loop {
        let message = stream.next().await.expect("a message");
        if message.event == "opened" {
            continue;
        }
        seen.push(message.id.expect("an id"));
        let event: Value = serde_json::from_str(&message.data).expect("an event");
        assert_eq!((&event["position"], &event["kind"]), (&json!(message.id), &json!(message.event)));
        if message.event == kind {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_with_the_last_id_misses_nothing() {
    let (place, worker, api) = place().await;
    let (all, mut seen) = (mails::mixed(8), Vec::new());
    for pair in all.chunks(2) {
        let last = format!("Last-Event-ID: {}\r\n", seen.last().unwrap_or(&0));
        let mut stream = EventStream::open(worker.port(), "/api/v1/events/stream", &last).await;
        place.deliver(&pair[0]);
        follow_to(&mut stream, "mail.received", &mut seen).await;
        drop(stream);
        // While nobody follows.
        place.deliver(&pair[1]);
    }
    until_received(api, all.len()).await;
    let head = api.get("/api/v1/events?limit=1").await["head"].as_u64().expect("a head");
    let last = format!("Last-Event-ID: {}\r\n", seen.last().expect("something"));
    let mut stream = EventStream::open(worker.port(), "/api/v1/events/stream?after=0", &last).await;
    while *seen.last().expect("something") < head {
        seen.push(stream.next().await.expect("a message").id.expect("an id"));
    }
    let expected: Vec<u64> = (1..=seen.len() as u64).collect();
    assert_eq!(seen, expected, "nothing is missing and nothing comes twice");

    // Whoever begins now has a position to come back to.
    let mut stream = EventStream::open(worker.port(), "/api/v1/events/stream", "").await;
    let opened = stream.next().await.expect("a message");
    assert_eq!((opened.event.as_str(), opened.id >= Some(head)), ("opened", true), "{opened:?}");

    // A position that this log never had: everything from before means nothing.
    let mut stream = EventStream::open(worker.port(), "/api/v1/events/stream?after=1000000", "").await;
    let reset = stream.next().await.expect("a message");
    assert_eq!((reset.event.as_str(), reset.id < Some(1_000_000)), ("reset", true), "{reset:?}");
    let answer = api.ask("GET", "/api/v1/events/stream", "Last-Event-ID: mail-1\r\n", "").await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_said_and_readers_that_go_are_noticed() {
    let (place, mut worker, api) = place().await;
    let open = |count: usize| {
        let paths = ["/api/v1/events/stream", "/api/v1/live"];
        let port = worker.port();
        futures::future::join_all((0..count).map(move |n| EventStream::open(port, paths[n % 2], "")))
    };
    let metric = async |wanted: usize| {
        until("the number of open streams", PATIENCE, async || {
            let text = worker.get("/metrics").await.body;
            let line = format!("render_signal_http_streams {wanted}\n");
            ensure(text.contains(&line), || {
                text.lines().find(|l| l.contains("http_streams")).unwrap_or("").into()
            })
        })
        .await;
    };
    let crowd = open(40).await;
    metric(40).await;
    drop(crowd);
    metric(0).await;

    let mut streams = open(2).await;
    let state = streams[1].next().await.expect("a state");
    let overview: Value = serde_json::from_str(&state.data).expect("JSON");
    assert_eq!((state.event.as_str(), &overview["mails"]), ("state", &json!({})), "{overview}");
    place.deliver(&mails::mixed(1).remove(0));
    until_received(api, 1).await;
    loop {
        let state = streams[1].next().await.expect("a state");
        let overview: Value = serde_json::from_str(&state.data).expect("JSON");
        if overview["mails"].as_object().is_some_and(|mails| !mails.is_empty()) {
            break;
        }
    }
    let ends = futures::future::join_all(streams.iter_mut().map(async |stream| {
        let mut last = None;
        while let Some(message) = stream.next().await {
            last = Some(message.event);
        }
        last
    }));
    let (ends, status) = futures::future::join(ends, worker.stop()).await;
    assert_eq!(ends, [Some("bye".to_owned()), Some("bye".to_owned())]);
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_one_worker_shows_what_another_does() {
    let (redis, site) = (Redis::start().await, Site::start().await);
    let mut workers = [site.worker("first"), site.worker("second")];
    for worker in &mut workers {
        worker.set("REDIS_URL", &redis.url());
        worker.set("API_TOKEN_SCOPES", "read");
        worker.start().await;
    }
    let path = "/api/v1/events/stream?kind=mail.received,delivery.succeeded";
    let mut streams = [
        EventStream::open(workers[0].port(), path, "").await,
        EventStream::open(workers[1].port(), path, "").await,
    ];
    site.dovecot.deliver(&mails::mixed(1));
    let mut told = [Vec::new(), Vec::new()];
    for (stream, told) in streams.iter_mut().zip(&mut told) {
        follow_to(stream, "delivery.succeeded", told).await;
    }
    assert_eq!(told[0], told[1], "one polls, both tell");
}
