//! The client against real sockets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// A server that reads one request per round and answers with the fixed bytes.
struct Server {
    url: Url,
    connections: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Behaviour {
    Answer(&'static str),
    Hang,
    Reset,
    Huge,
    HalfAnswer,
}

async fn server(behaviour: Behaviour) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/hook", listener.local_addr().unwrap())).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, behaviour));
        }
    });
    Server { url, connections }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour) {
    while read_request(&mut stream).await {
        match behaviour {
            Behaviour::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Behaviour::HalfAnswer => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"suc").await.unwrap();
                return;
            }
            Behaviour::Huge => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
                let block = vec![b'x'; 64 * 1024];
                // The client hangs up when it has enough.
                while stream.write_all(&block).await.is_ok() {}
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> bool {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(n) => text.extend_from_slice(&buffer[..n]),
        }
        let head = String::from_utf8_lossy(&text).to_lowercase();
        let Some(end) = head.find("\r\n\r\n") else { continue };
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |value| value.parse().unwrap());
        if text.len() >= end + 4 + length {
            return true;
        }
    }
}

fn loopback() -> EgressPolicy {
    EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])
}

async fn post(
    policy: &EgressPolicy,
    options: ClientOptions,
    url: &Url,
    timeout: Duration,
) -> Result<Answer, SendError> {
    GuardedClient::new(policy, options)
        .unwrap()
        .post(url, HeaderMap::new(), Bytes::from_static(b"{}"), timeout, 1_000)
        .await
}

#[derive(Default)]
struct Names(HashMap<&'static str, Vec<IpAddr>>);

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        self.0.get(host).cloned().ok_or_else(|| std::io::Error::other("no such name"))
    }
}

fn names(name: &'static str, addresses: &[&str]) -> ClientOptions {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    ClientOptions {
        resolver: Arc::new(Names(HashMap::from([(name, addresses)]))),
        ..ClientOptions::default()
    }
}

#[tokio::test]
async fn an_answer_is_read_and_the_connection_used_again() {
    let server =
        server(Behaviour::Answer("HTTP/1.1 500 Oops\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\noops"))
            .await;
    let client = GuardedClient::new(&loopback(), ClientOptions::default()).unwrap();
    for _ in 0..20 {
        let answer =
            client.post(&server.url, HeaderMap::new(), Bytes::from_static(b"{}"), LONG, 1_000).await.unwrap();
        assert_eq!((answer.status, &answer.body[..], answer.truncated), (500, &b"oops"[..], false));
        assert_eq!(answer.headers["retry-after"], "7");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let elsewhere = server(Behaviour::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let text = format!("HTTP/1.1 307 Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url);
    let server = server(Behaviour::Answer(text.leak())).await;
    let answer = post(&loopback(), ClientOptions::default(), &server.url, LONG).await.unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(elsewhere.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_huge_answer_is_capped() {
    let server = server(Behaviour::Huge).await;
    let answer = post(&loopback(), ClientOptions::default(), &server.url, LONG).await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.truncated), (200, 1_000, true));
}

#[tokio::test]
async fn a_receiver_that_hangs_resets_or_stops_half_way() {
    let hanging = server(Behaviour::Hang).await;
    let error = post(&loopback(), ClientOptions::default(), &hanging.url, Duration::from_millis(100)).await;
    assert_eq!(error.unwrap_err(), SendError::Timeout);
    for behaviour in [Behaviour::Reset, Behaviour::HalfAnswer] {
        let server = server(behaviour).await;
        let error = post(&loopback(), ClientOptions::default(), &server.url, LONG).await.unwrap_err();
        assert!(matches!(error, SendError::Transport(_)), "{error:?}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/secret-path", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = post(&loopback(), ClientOptions::default(), &url, LONG).await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error:?}");
    assert!(!error.to_string().contains("secret-path"));
}

#[tokio::test]
async fn loopback_is_refused_unless_allowed() {
    let server = server(Behaviour::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let error =
        post(&EgressPolicy::default(), ClientOptions::default(), &server.url, LONG).await.unwrap_err();
    assert!(matches!(error, SendError::Refused(_)), "{error:?}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
    assert_eq!(post(&loopback(), ClientOptions::default(), &server.url, LONG).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_name_is_judged_by_all_its_addresses() {
    let server = server(Behaviour::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let port = server.url.port().unwrap();
    let plain = Url::parse(&format!("http://receiver.test:{port}/")).unwrap();
    let secure = Url::parse(&format!("https://receiver.test:{port}/")).unwrap();

    // Allowed: goes to the address that the resolver gave.
    let answer = post(&loopback(), names("receiver.test", &["127.0.0.1"]), &plain, LONG).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);

    for (policy, addresses, url) in [
        // A public name that resolves into the private network (DNS rebinding).
        (EgressPolicy::default(), &["127.0.0.1"][..], &secure),
        (EgressPolicy::default(), &["8.8.8.8", "169.254.169.254"][..], &secure),
        (EgressPolicy::default(), &["::ffff:10.0.0.1"][..], &secure),
        (EgressPolicy::default(), &["::1", "fd00::1"][..], &secure),
        // A refused IPv4 address is not made good by an allowed IPv6 one.
        (EgressPolicy::default(), &["10.0.0.1", "2606:4700::1"][..], &secure),
        // Plain http to the public internet, even beside an allowed address.
        (loopback(), &["127.0.0.1", "8.8.8.8"][..], &plain),
    ] {
        let error = post(&policy, names("receiver.test", addresses), url, LONG).await.unwrap_err();
        assert!(matches!(error, SendError::RefusedNow(_)), "{addresses:?}: {error:?}");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);

    // A router's own IPv6 address beside a good IPv4 one.
    for mixed in [&["::1", "127.0.0.1"][..], &["127.0.0.1", "fe80::1"], &["fd00::9", "127.0.0.1", "::1"]] {
        let answer = post(&loopback(), names("receiver.test", mixed), &plain, LONG).await.unwrap();
        assert_eq!(answer.status, 200, "{mixed:?}");
    }

    let error = post(&loopback(), names("other.test", &["127.0.0.1"]), &plain, LONG).await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error:?}");
}

/// A TLS server with a certificate that no authority has signed.
async fn tls_server() -> (Url, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["receiver.test".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url =
        Url::parse(&format!("https://receiver.test:{}/", listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    (url, certificate)
}

#[tokio::test]
async fn certificates_are_checked_unless_switched_off() {
    let (url, certificate) = tls_server().await;
    let resolving = || names("receiver.test", &["127.0.0.1"]);
    let error = post(&loopback(), resolving(), &url, LONG).await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error:?}");
    let unchecked = ClientOptions { verify_certificates: false, ..resolving() };
    assert_eq!(post(&loopback(), unchecked, &url, LONG).await.unwrap().status, 204);
    let known = ClientOptions { extra_roots: vec![certificate].into(), ..resolving() };
    assert_eq!(post(&loopback(), known, &url, LONG).await.unwrap().status, 204);
    let broken =
        ClientOptions { extra_roots: vec![CertificateDer::from(vec![1, 2, 3])].into(), ..resolving() };
    assert!(GuardedClient::new(&loopback(), broken).is_err());
}
