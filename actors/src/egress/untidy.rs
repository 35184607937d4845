//! Answers that no careful server would give, byte by byte: the status is what counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_millis(300);

/// What follows the bytes of an answer.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// The connection is closed.
    Close,
    /// Nothing, for ever.
    Silence,
    /// One more byte every now and then.
    Drip,
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], then: Then) {
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    match then {
        Then::Close => {}
        Then::Silence => std::future::pending().await,
        Then::Drip => {
            while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// The answer to a post at a server that gives these bytes.
async fn post(bytes: Vec<u8>, then: Then) -> Result<Answer, SendError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        answer(&mut stream, &bytes, then).await;
    });
    let policy = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let client = GuardedClient::new(&policy, ClientOptions::default()).unwrap();
    let body = Bytes::from_static(b"{}");
    let answer = client.post_for_status(&url, HeaderMap::new(), body, LONG, (64 * 1024, PATIENCE)).await;
    server.abort();
    answer
}

fn with_headers(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 2\r\n\r\nok").into_bytes()
}

fn cookies(count: usize) -> String {
    (0..count).map(|n| format!("Set-Cookie: c{n}=v; path=/\r\n")).collect()
}

#[tokio::test]
async fn a_2xx_status_is_one_whatever_follows_it() {
    let bytes = |text: &str| text.as_bytes().to_vec();
    for (what, answer, then, body) in [
        ("plain", with_headers(""), Then::Silence, "ok"),
        ("ends early", bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"suc"), Then::Close, "{\"suc"),
        ("never comes", bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), Then::Silence, ""),
        (
            "comes never, chunked",
            bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Then::Silence,
            "",
        ),
        ("too long", bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more"), Then::Close, "ok"),
        ("no length, silence", bytes("HTTP/1.1 200 OK\r\n\r\nok"), Then::Silence, "ok"),
        ("no length, closed", bytes("HTTP/1.1 200 OK\r\n\r\nok"), Then::Close, "ok"),
        (
            "a chunk that is none",
            bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nZZ\r\n"),
            Then::Close,
            "ok",
        ),
        (
            "no chunks",
            bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<html>ok"),
            Then::Close,
            "",
        ),
        (
            "chunks that end early",
            bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n5\r\nab"),
            Then::Close,
            "okab",
        ),
        (
            "a length and chunks",
            bytes(
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            ),
            Then::Close,
            "ok",
        ),
        ("a blank before the colon", with_headers("X-Powered-By : PHP/8.2\r\n"), Then::Close, "ok"),
        (
            "a warning among the headers",
            with_headers(
                "<br />\r\n<b>Warning</b>:  foo() in <b>/a.php</b> on line <b>3</b><br />\r\nX-A: b\r\n",
            ),
            Then::Close,
            "ok",
        ),
        ("a line without a colon", with_headers("PHP Notice\r\nX-A: b\r\n"), Then::Close, "ok"),
        ("folded", with_headers("X-Long: one\r\n  two\r\n\tthree\r\n"), Then::Close, "ok"),
        (
            "Latin-1",
            [b"HTTP/1.1 200 OK\r\nX-A: \xe9t\xe9\r\n".to_vec(), bytes("\r\nok")].concat(),
            Then::Close,
            "ok",
        ),
        ("120 headers", with_headers(&cookies(120)), Then::Close, "ok"),
        ("900 headers", with_headers(&cookies(900)), Then::Close, "ok"),
        ("no reason", bytes("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"), Then::Close, "ok"),
        ("HTTP/1.0", bytes("HTTP/1.0 200 OK\r\n\r\nok"), Then::Close, "ok"),
        ("bare line feeds", bytes("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), Then::Close, "ok"),
        (
            "an interim answer",
            [bytes("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), with_headers("")].concat(),
            Then::Close,
            "ok",
        ),
        ("a body where there is none", bytes("HTTP/1.1 204 No Content\r\n\r\nok"), Then::Close, ""),
    ] {
        let got = post(answer, then).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!((200..=299).contains(&got.status), "{what}: {got:?}");
        assert_eq!(String::from_utf8_lossy(&got.body), body, "{what}");
    }
    let dripping =
        post(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000000\r\n\r\n".to_vec(), Then::Drip).await.unwrap();
    assert!(dripping.status == 202 && dripping.truncated && dripping.body.iter().all(|byte| *byte == b'x'));
}

#[tokio::test]
async fn what_has_no_status_is_no_answer() {
    for bytes in ["", "ok", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 2", "\0\0\0\0\r\n\r\n"] {
        let error = post(bytes.as_bytes().to_vec(), Then::Close).await.unwrap_err();
        assert!(matches!(error, SendError::Transport(_)), "{bytes:?}: {error:?}");
    }
    // The client cannot be told to overlook these: where the answer ends nobody knows.
    for length in ["abc", "-1", "2\r\nContent-Length: 3"] {
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nok").into_bytes();
        let error = post(bytes, Then::Close).await.unwrap_err();
        assert!(matches!(error, SendError::Transport(_)), "{length}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_without_a_word_of_tls_has_answered() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://localhost:{}/", listener.local_addr().unwrap().port())).unwrap();
    let server = tokio::spawn(async move {
        for bytes in ["HTTP/1.1 200 OK\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            answer(&mut stream, bytes.as_bytes(), Then::Close).await;
            // Dropped, without close_notify.
        }
    });
    let policy = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    let roots = vec![made.cert.der().clone()];
    let client =
        GuardedClient::new(&policy, ClientOptions { extra_roots: roots.into(), ..ClientOptions::default() })
            .unwrap();
    for _ in 0..2 {
        let body = Bytes::from_static(b"{}");
        let got =
            client.post_for_status(&url, HeaderMap::new(), body, LONG, (1_000, PATIENCE)).await.unwrap();
        assert_eq!((got.status, &got.body[..], got.truncated), (200, &b"ok"[..], true));
    }
    server.await.unwrap();
}

/// A name that leads to one loopback address after the other.
struct Moving(AtomicUsize);

#[async_trait]
impl Resolver for Moving {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![IpAddr::from([127, 0, 0, if self.0.load(Ordering::SeqCst) == 0 { 1 } else { 2 }])])
    }
}

/// Answers every request, and counts them.
async fn count(listener: TcpListener, requests: Arc<AtomicUsize>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let requests = Arc::clone(&requests);
        tokio::spawn(async move {
            while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                requests.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        });
    }
}

#[tokio::test]
async fn a_new_address_is_used_within_a_minute_of_steady_traffic() {
    let old = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = old.local_addr().unwrap().port();
    let new = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let requests = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    tokio::spawn(count(old, Arc::clone(&requests[0])));
    tokio::spawn(count(new, Arc::clone(&requests[1])));
    let policy = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let resolver = Arc::new(Moving(AtomicUsize::new(0)));
    let options = ClientOptions { resolver: resolver.clone(), ..ClientOptions::default() };
    let client = GuardedClient::new(&policy, options).unwrap();
    let url = Url::parse(&format!("http://moving.example:{port}/")).unwrap();
    for second in 0..60 {
        resolver.0.store(usize::from(second >= 2), Ordering::SeqCst);
        let answer = client.post(&url, HeaderMap::new(), Bytes::from_static(b"{}"), LONG, 100).await;
        assert_eq!(answer.unwrap().status, 204, "second {second}");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::time::resume();
    }
    let [old, new] = requests.map(|requests| requests.load(Ordering::SeqCst));
    assert_eq!(old + new, 60);
    assert!(old > 20 && new > 20, "{old} at the old address, {new} at the new one");
}
