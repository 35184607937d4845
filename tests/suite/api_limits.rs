//! What the API takes, and what it refuses before anybody has to look at it; and that a request
//! that is sent again is carried out once.

use serde_json::{Value, json};

use crate::support::api::{Api, TOKEN, json as body_of};
use crate::support::http::{self, Response};
use crate::support::place::{NOWHERE, Place};
use crate::support::{PATIENCE, Program, mails, until};

async fn start(place: &mut Place) -> (Program, Api) {
    place.set("API_TOKEN_SCOPES", "read,actions,config");
    place.put("webhook_config", r#"{"webhook_sending_enabled": false}"#);
    let mut worker = place.worker("worker");
    worker.start().await;
    let api = Api::new(worker.port());
    (worker, api)
}

/// The id of a mail that waits.
async fn held(place: &Place, api: &Api) -> String {
    place.deliver(&mails::mixed(1).remove(0));
    until("a mail that waits", PATIENCE, async || {
        let page = api.get("/api/v1/mails?state=held").await;
        let id = page["items"][0]["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| page.to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_with_its_key_is_carried_out_once() {
    let mut place = Place::new(NOWHERE);
    let (mut worker, api) = start(&mut place).await;
    let id = held(&place, &api).await;
    let path = format!("/api/v1/mails/{id}/ignore");
    let send = async |path: &str, key: &str, body: &str| {
        let key = format!("Idempotency-Key: {key}\r\nContent-Type: application/json\r\n");
        api.ask("POST", path, &key, body).await
    };
    let first = send(&path, "a-key-of-the-tests", "").await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None), "{}", first.body);
    // A repetition gets the first answer, after a restart, too; without the key it is a new request.
    for life in 0..2 {
        let again = send(&path, "a-key-of-the-tests", "").await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.header("content-type"), first.header("content-type"));
        let anew = api.ask("POST", &path, "", "").await;
        assert_eq!(anew.status, 409, "it is ignored already: {}", anew.body);
        if life == 0 {
            worker.stop().await;
            worker.start().await;
        }
    }
    let events = api.get("/api/v1/events?kind=mail.ignored").await;
    assert_eq!(events["items"].as_array().map(Vec::len), Some(1), "{events}");
    assert_eq!(events["items"][0]["payload"]["by"], "token:PROCESS_API_TOKEN");

    // The key belongs to one request; another address is another one.
    let retry = "/api/v1/deliveries/retry";
    let some = send(retry, "another-key", r#"{"dry_run": true}"#).await;
    assert_eq!(some.status, 200, "{}", some.body);
    let other = send(retry, "another-key", r#"{"dry_run": true, "target": "default"}"#).await;
    assert_eq!(
        (other.status, &body_of(&other)["type"]),
        (422, &json!("/docs/errors#idempotency-key-reused"))
    );
    for bad in ["", &"k".repeat(256)] {
        let answer = send(retry, bad, r#"{"dry_run": true}"#).await;
        assert_eq!(answer.status, 400, "{bad:?}: {}", answer.body);
    }
    // A change of a document: its ETag is part of the answer, and what it was conditioned on of the
    // request. One that came too late may be tried again with the same key.
    let change = async |key: &str, condition: &str| {
        let headers = format!("Idempotency-Key: {key}\r\nContent-Type: application/json\r\n{condition}");
        api.ask("PATCH", "/api/v1/config/processing_prefs", &headers, r#"{"retry_count": 4}"#).await
    };
    let first = change("fourth-key", "").await;
    let again = change("fourth-key", "").await;
    assert_eq!((first.status, again.status), (200, 200), "{} {}", first.body, again.body);
    assert_eq!((first.header("etag").is_some(), again.header("etag")), (true, first.header("etag")));
    let stale = change("fifth-key", "If-Match: \"of-nobody\"\r\n").await;
    assert_eq!(stale.status, 412, "{}", stale.body);
    let right = format!("If-Match: {}\r\n", first.header("etag").expect("an ETag"));
    let done = change("fifth-key", &right).await;
    assert_eq!(done.status, 200, "{}", done.body);
    // An answer that is too long to be kept arrives, and its repetition says that it was carried out.
    let words: Vec<String> = (0..12_000).map(|n| format!("mot-sans-suite-{n:08}-abcdefgh")).collect();
    let bundle =
        json!({"format": 1, "documents": {"processing_prefs": {"exclude_keywords": words}}}).to_string();
    let long = send("/api/v1/config/import", "sixth-key", &bundle).await;
    let again = send("/api/v1/config/import", "sixth-key", &bundle).await;
    assert_eq!((long.status, again.status), (200, 200), "{} {}", long.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    // What was refused is the answer, too.
    let gone = send("/api/v1/mails/nobody/ignore", "third-key", "").await;
    let again = send("/api/v1/mails/nobody/ignore", "third-key", "").await;
    assert_eq!((gone.status, again.status, &gone.body), (404, 404, &again.body));
}

async fn raw(port: u16, request: &str) -> Response {
    http::exchange_within(port, request.as_bytes(), PATIENCE).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_or_of_another_kind_is_refused_as_such() {
    let mut place = Place::new(NOWHERE);
    let (worker, _) = start(&mut place).await;
    let token = format!("Host: a\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n");
    let json = "Content-Type: application/json\r\n";
    for (request, status, kind) in [
        // Announced, and not sent: nobody waits for it.
        (
            format!("POST /api/ingress/gmail HTTP/1.1\r\n{token}{json}Content-Length: 104857600\r\n\r\n"),
            413,
            "",
        ),
        (
            format!("POST /api/v1/deliveries/retry HTTP/1.1\r\n{token}{json}Content-Length: 1048577\r\n\r\n"),
            413,
            "too-large",
        ),
        // Strangers may send forms, on as many connections as there are: small ones.
        (
            "POST /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 16385\r\n\r\n".to_owned(),
            413,
            "too-large",
        ),
        (
            format!(
                "POST /api/v1/deliveries/retry HTTP/1.1\r\n{token}{json}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
            ),
            411,
            "length-required",
        ),
        (
            format!(
                "POST /api/v1/deliveries/retry HTTP/1.1\r\n{token}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}"
            ),
            415,
            "unsupported-media-type",
        ),
        (
            format!("POST /api/v1/deliveries/retry HTTP/1.1\r\n{token}{json}Content-Length: 1\r\n\r\n{{"),
            400,
            "invalid-body",
        ),
        (
            format!("GET /health HTTP/1.1\r\n{token}X-Long: {}\r\n\r\n", "a".repeat(33_000)),
            431,
            "headers-too-large",
        ),
        (
            format!("GET /api/v1/mails HTTP/1.1\r\n{token}{}\r\n", "X-One: 1\r\n".repeat(97)),
            431,
            "headers-too-large",
        ),
        ("GET /api/v1/mails\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET  /api/v1/mails HTTP/1.1\r\n\r\n".to_owned(), 400, "malformed-request"),
        (format!("GET /api/v1/mails HTTP/1.1\r\n{token}Bad Name: 1\r\n\r\n"), 400, "malformed-request"),
        (format!("GET /api/v1/mails HTTP/1.1\r\n{token}X-Zero: a\0b\r\n\r\n"), 400, "malformed-request"),
        (
            format!("POST /api/v1/deliveries/retry HTTP/1.1\r\n{token}{json}Content-Length: two\r\n\r\n{{}}"),
            400,
            "malformed-request",
        ),
        (format!("BREW /api/v1/mails HTTP/1.1\r\n{token}\r\n"), 405, "method-not-allowed"),
        (format!("GET /nowhere HTTP/1.1\r\n{token}\r\n"), 404, "not-found"),
    ] {
        let answer = raw(worker.port(), &request).await;
        let start: String = request.chars().take(70).collect();
        assert_eq!(answer.status, status, "{start}: {}", answer.body);
        let body: Value =
            serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{start}: {}", answer.body));
        if !kind.is_empty() {
            assert_eq!(body["type"], format!("/docs/errors#{kind}"), "{start}");
            assert_eq!(body["status"], status, "{start}");
        }
    }
    // Sent whole, by a client that looks for the answer only then.
    let bytes = 25 * 1024 * 1024 + 1;
    let head = format!("POST /api/ingress/gmail HTTP/1.1\r\n{token}{json}Content-Length: {bytes}\r\n\r\n");
    let answer = raw(worker.port(), &format!("{head}{}", "x".repeat(bytes))).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    assert_eq!(worker.get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_and_no_value_becomes_a_header() {
    let mut place = Place::new(NOWHERE);
    let (worker, api) = start(&mut place).await;
    for path in [
        "/api/docs/../../../../etc/passwd",
        "/api/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/api/docs/%2e%2e/%2e%2e/etc/passwd",
        "/api/docs//etc/passwd",
        "/static/../Cargo.toml",
        "/..%5c..%5cwindows",
        "/api/v1/mails/..%2f..%2fsessions",
        "/api/v1/events/%2e%2e%2fstream",
        "/api/v1/config/..%2fwebhook_config",
        "//api/v1/mails",
        "/api/v1//mails",
        "/api/v1/mails/",
    ] {
        let answer = api.ask("GET", path, "", "").await;
        assert!([303, 400, 401, 404].contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        assert!(!answer.body.contains("root:") && !answer.body.contains("[package]"), "{path}");
    }
    for path in [
        "/login?next=%0d%0aX-Planted:%20yes",
        "/nowhere%0d%0aX-Planted:%20yes",
        "/api/docs?%0d%0aX-Planted:1",
    ] {
        let answer = api.ask("GET", path, "", "").await;
        assert!(answer.header("x-planted").is_none(), "{path}: {:?}", answer.headers);
    }
    // An origin that is not served is not let in by being written down.
    let answer = api.ask("GET", "/api/v1/mails", "Origin: https://evil.example\r\n", "").await;
    assert!(answer.header("access-control-allow-origin").is_none(), "{:?}", answer.headers);
    assert!(worker.is_alive());
}
