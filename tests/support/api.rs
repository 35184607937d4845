//! A client of the API: requests with a token, answers as JSON, and streams of events.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::{self, Response};
use super::until::PATIENCE;

/// `PROCESS_API_TOKEN` of every worker of the tests.
pub(crate) const TOKEN: &str = "a-token-of-the-tests";

/// A worker's API, asked with [`TOKEN`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    port: u16,
}

impl Api {
    /// Of the worker that listens there. Its `API_TOKEN_SCOPES` say what may be asked.
    pub(crate) const fn new(port: u16) -> Self {
        Self { port }
    }

    /// A request; `headers` are whole lines.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let headers = format!("Connection: close\r\nAuthorization: Bearer {TOKEN}\r\n{headers}");
        let request = http::request(method, path, &headers, body);
        let answer = http::exchange_within(self.port, &request, PATIENCE).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// What a GET answers, which has to be 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "", "").await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        json(&answer)
    }

    /// What a POST of JSON answers.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.ask("POST", path, "Content-Type: application/json\r\n", &body.to_string()).await
    }
}

/// The body of an answer.
pub(crate) fn json(answer: &Response) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// A message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: Option<u64>,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// An open stream of events.
#[derive(Debug)]
pub(crate) struct EventStream {
    stream: TcpStream,
    buffer: BytesMut,
    /// What is left of the chunk that is being read.
    text: String,
}

impl EventStream {
    /// Opens one; `headers` are whole lines.
    pub(crate) async fn open(port: u16, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        let headers = format!("Authorization: Bearer {TOKEN}\r\n{headers}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut opened = Self { stream, buffer: BytesMut::new(), text: String::new() };
        let head = loop {
            if let Some(at) = opened.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break opened.buffer.split_to(at + 4);
            }
            assert!(opened.more().await, "the server closed before it answered");
        };
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        opened
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        read.expect("something within the patience").expect("a readable connection") > 0
    }

    /// The next message; comments are passed over. `None` = the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(message) = message(&block) {
                    return Some(message);
                }
                continue;
            }
            if !self.chunk().await {
                return None;
            }
        }
    }

    /// The next message, if one comes within this time.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Option<Message> {
        tokio::time::timeout(time, self.next()).await.ok().flatten()
    }

    /// Reads a chunk; false at the end.
    async fn chunk(&mut self) -> bool {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let size = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                let size = usize::from_str_radix(size.trim(), 16).expect("a size");
                if size == 0 {
                    return false;
                }
                if self.buffer.len() >= at + 2 + size + 2 {
                    let chunk = self.buffer.split_to(at + 2 + size + 2);
                    self.text.push_str(&String::from_utf8_lossy(&chunk[at + 2..at + 2 + size]));
                    return true;
                }
            }
            if !self.more().await {
                return false;
            }
        }
    }
}

fn message(block: &str) -> Option<Message> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.map(str::to_owned).reduce(|all, line| format!("{all}\n{line}"))
    };
    let data = field("data")?;
    let id = field("id").map(|id| id.parse().expect("a position"));
    Some(Message { id, event: field("event").unwrap_or_default(), data })
}
