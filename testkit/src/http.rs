//! As much HTTP/1.1 as the scripted peers need, written by hand: the peers share two
//! cores with the program, and a general server would cost more than what is measured.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request as received.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// In order, names lower-cased.
    pub headers: Vec<(String, String)>,
    /// Exactly as sent.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// An answer as received.
#[derive(Debug, Clone)]
pub struct Response {
    /// `200`.
    pub status: u16,
    /// In order, names lower-cased.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

impl Response {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}

fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Reads messages from a connection that is kept alive.
#[derive(Debug)]
pub struct Reader<R> {
    stream: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(16 * 1024) }
    }

    /// The next request; `None` when the peer has closed the connection.
    pub async fn request(&mut self) -> io::Result<Option<Request>> {
        let Some((first, headers)) = self.head().await? else { return Ok(None) };
        let mut words = first.split(' ');
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(bad(format!("request line {first:?}")));
        };
        let (method, path) = (method.to_owned(), path.to_owned());
        let body = self.body(&headers).await?;
        Ok(Some(Request { method, path, headers, body }))
    }

    /// The next answer, to a request that has one with a known length.
    pub async fn response(&mut self) -> io::Result<Response> {
        let Some((first, headers)) = self.head().await? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| bad(format!("status line {first:?}")))?;
        let body = String::from_utf8_lossy(&self.body(&headers).await?).into_owned();
        Ok(Response { status, headers, body })
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }

    async fn head(&mut self) -> io::Result<Option<(String, Vec<(String, String)>)>> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        };
        let text = String::from_utf8_lossy(&self.buffer.split_to(end)).into_owned();
        self.buffer.advance(4);
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Some((first, headers)))
    }

    async fn body(&mut self, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
        if header(headers, "transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) {
            return self.chunks().await;
        }
        let length = header(headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        self.exactly(length).await
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.split_to(length).to_vec())
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
                .map_err(|error| bad(format!("chunk size {size:?}: {error}")))?;
            body.extend(self.exactly(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer.split_to(end)).into_owned();
                self.buffer.advance(2);
                return Ok(line);
            }
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The bytes of an answer; `extra` holds whole header lines with their CR LF.
pub fn answer(status: u16, content_type: &str, extra: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} x\r\nContent-Type: {content_type}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The bytes of a request; `extra` holds whole header lines with their CR LF.
pub fn request(method: &str, path: &str, extra: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{extra}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// How long a question may take that will be asked again.
pub const QUICKLY: Duration = Duration::from_secs(2);

/// One request and its answer on a connection of its own, within [`QUICKLY`].
pub async fn exchange(port: u16, request: &[u8]) -> io::Result<Response> {
    exchange_within(port, request, QUICKLY).await
}

/// The same, with another patience.
pub async fn exchange_within(port: u16, request: &[u8], patience: Duration) -> io::Result<Response> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(request).await?;
        Reader::new(stream).response().await
    };
    match tokio::time::timeout(patience, exchange).await {
        Ok(answered) => answered,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// `GET`s a path of a loopback server.
pub async fn get(port: u16, path: &str) -> io::Result<Response> {
    exchange(port, &request("GET", path, "Connection: close\r\n", "")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_two_requests_of_one_connection() {
        let wire: &[u8] = b"POST /a?b HTTP/1.1\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc\
            POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x\r\nf\r\n0\r\n\r\n";
        let mut reader = Reader::new(wire);
        let first = reader.request().await.expect("readable").expect("one");
        assert_eq!(
            (first.method.as_str(), first.path.as_str(), first.body.as_slice()),
            ("POST", "/a?b", &b"abc"[..])
        );
        assert_eq!(first.header("x-one"), Some("1"));
        let second = reader.request().await.expect("readable").expect("two");
        assert_eq!(second.body, b"def");
        assert!(reader.request().await.expect("the end is no error").is_none());
    }
}
