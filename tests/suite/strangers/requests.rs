//! Requests over raw sockets: malformed ones, ones that hide another in their body, ones that
//! do not end. One request has one answer, and what lies behind a body that nobody reads is
//! neither answered nor handled.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::PATIENCE;
use crate::support::php::TOKEN;
use crate::support::place::{NOWHERE, Place};
use crate::support::program::Program;

/// What lies behind each request; its answer would name its path.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// A worker that serves its documents, and nothing else worth speaking of.
async fn started() -> (Place, Program) {
    let mut place = Place::new(NOWHERE);
    place.set("CONFIG_API_SERVE_TOKEN", TOKEN);
    let mut worker = place.worker("worker");
    worker.start().await;
    (place, worker)
}

/// Everything that comes back for these pieces, each written by itself, until the other side
/// closes. The other side must close.
async fn answers_to(port: u16, pieces: &[&[u8]]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        for piece in pieces {
            // It may have been closed already.
            drop(stream.write_all(piece).await);
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            // What was still on its way to it when it closed; the answer has come before.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            read => drop(read?),
        }
        Ok::<_, io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answered = tokio::time::timeout(PATIENCE, exchange).await;
    answered.expect("the connection to be closed").expect("an answer")
}

/// How many answers these are; that a body may come is none.
fn count(answers: &str) -> usize {
    answers.matches("HTTP/1.1 ").count() - answers.matches("HTTP/1.1 100 Continue").count()
}

/// Requests, each with its body if it has one, of which exactly one answer may come.
fn shapes() -> Vec<String> {
    let mut shapes = Vec::new();
    // However the end of a chunked body is written, and whatever a parser makes of it.
    for body in [
        "0\r\n\r\n",
        "0\r\n\n",
        "0\n\n",
        "0\n\r\n",
        "0;a=b\r\n\r\n",
        "0;\n\r\n",
        "00000000000000000\r\n\r\n",
        "0\r\nX: y\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n\r",
        "5\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "-1\r\n\r\n",
        "ffffffffffffffff\r\n",
        "",
    ] {
        for (method, path) in [("GET", "/health"), ("POST", "/livez"), ("POST", "/nowhere")] {
            shapes.push(format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
            ));
        }
        // Even for those who have the token, where a body is welcome.
        shapes.push(format!(
            "POST /config_api.php HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}"
        ));
    }
    // Two lengths, no length, half a length.
    for headers in [
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 0\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding :chunked\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "A: b\r\n Content-Length: 5\r\n",
        "A: b\rContent-Length: 5\r\n",
        "Content-Length: 5\n",
        "Transfer-Encoding: chunked\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
        "Connection: close\r\n",
        "Connection: close\r\nContent-Length: 5\r\n",
        "Expect: 100-continue\r\nContent-Length: 5\r\n",
    ] {
        for start in ["GET /health", "POST /health", "POST /nowhere", "POST /config_api.php"] {
            shapes.push(format!("{start} HTTP/1.1\r\nHost: a\r\n{headers}\r\n0\r\n\r\n"));
        }
    }
    // A body where none is taken, and one whose announced length is that of what is hidden.
    for start in ["GET /health", "HEAD /health", "POST /readyz", "DELETE /metrics", "PUT /nowhere"] {
        for length in [1, 5, HIDDEN.len(), HIDDEN.len() + 5] {
            shapes.push(format!("{start} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello"));
        }
    }
    shapes.push("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned());
    shapes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_in_json_and_what_came_before_it_is_answered() {
    let (_place, worker) = started().await;
    let good = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    let bad = "GET /health HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n";
    for pieces in [vec![bad], vec![good, bad], vec![good, good, bad]] {
        let whole = pieces.concat();
        let apart: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        for pieces in [&[whole.as_bytes()][..], &apart] {
            let told = answers_to(worker.port(), pieces).await;
            assert_eq!((count(&told), told.matches(" 200 OK\r\n").count()), (apart.len(), apart.len() - 1));
            let last = told.rsplit("HTTP/1.1 ").next().unwrap_or_default();
            let (head, body) = last.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("400 Bad Request\r\n"), "{told}");
            assert!(head.contains("content-type: application/problem+json\r\n"), "{told}");
            assert!(head.contains(&format!("content-length: {}", body.len())), "{told}");
            let body: Value = serde_json::from_str(body).expect("a problem document");
            assert_eq!(body["type"], "/docs/errors#malformed-request", "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_behind_a_body_is_never_answered_and_no_error_of_ours() {
    let (_place, worker) = started().await;
    for shape in shapes() {
        let whole = format!("{shape}{HIDDEN}{HIDDEN}");
        let at_once = answers_to(worker.port(), &[whole.as_bytes()]).await;
        assert_eq!((count(&at_once), at_once.contains("smuggled")), (1, false), "{shape:?}: {at_once}");
        // What is hidden comes in a packet of its own.
        let later = answers_to(worker.port(), &[shape.as_bytes(), HIDDEN.as_bytes()]).await;
        assert_eq!((count(&later), later.contains("smuggled")), (1, false), "{shape:?}: {later}");
    }
    assert_eq!(worker.get("/livez").await.status, 200);
    let log = worker.log();
    assert!(!log.contains("ERROR"), "strangers write our log: {log}");
    assert!(!log.contains("smuggled"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_at_once_are_all_answered_in_order_when_nothing_is_hidden() {
    let (_place, worker) = started().await;
    let plain = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let body = r#"{"key": "webhook_config", "config": {"mine": 1}}"#;
    let write = format!(
        "POST /config_api.php HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let whole =
        [plain("/one"), write, plain("/two"), "\r\n".to_owned(), plain("/three"), last.to_owned()].concat();
    for size in [1, 2, 7, 4096] {
        let pieces: Vec<&[u8]> = whole.as_bytes().chunks(size).collect();
        let answers = answers_to(worker.port(), &pieces).await;
        assert_eq!(count(&answers), 5, "by {size}: {answers}");
        let at = |what: &str| answers.find(what).unwrap_or_else(|| panic!("no {what} by {size}: {answers}"));
        let places = [at("/one"), at("\"mine\""), at("/two"), at("/three"), at("/last")];
        assert!(places.is_sorted(), "{answers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_trickles_in_is_given_up() {
    let (_place, worker) = started().await;
    let head = format!(
        "POST /config_api.php HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 1000\r\n\r\n"
    );
    let trickle = async |begin: &str, drip: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", worker.port())).await.expect("a connection");
        stream.write_all(begin.as_bytes()).await.expect("a connection");
        let (mut read, mut write) = stream.into_split();
        let dripping = tokio::spawn({
            let drip = drip.to_vec();
            async move {
                while write.write_all(&drip).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        });
        let mut answer = Vec::new();
        // However it ends, it must end.
        let ended = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await;
        dripping.abort();
        drop(ended.expect("an end"));
        String::from_utf8_lossy(&answer).into_owned()
    };
    let first = "GET /health HTTP/1.1\r\nHost: a\r\n";
    let second = "GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n";
    let (body, first, second) =
        tokio::join!(trickle(&head, b" "), trickle(first, b"A: b\r\n"), trickle(second, b"A: b\r\n"),);
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert!(count(&first) <= 1 && !first.contains("200 OK"), "{first}");
    assert_eq!((count(&second), second.matches("200 OK").count()), (1, 1), "{second}");
    assert!(!worker.log().contains("ERROR"), "{}", worker.log());
}
