//! Who comes in, and what keeps others out: sessions, sign-in links, tries.

mod crossing;
mod entering;
mod workers;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::http::{self, QUICKLY, Response};
use crate::support::{PATIENCE, Program};

/// `TRIGGER_PAGE_PASSWORD` of a [`Place`](crate::support::place::Place).
const PASSWORD: &str = "a-password-of-the-tests";

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
/// What a browser says of a request that a page of ours has sent.
const OURS: &str = "Sec-Fetch-Site: same-origin\r\n";

/// A browser, as far as it matters: it keeps one cookie.
struct Browser {
    port: u16,
    cookie: Option<String>,
}

impl Browser {
    fn at(worker: &Program) -> Self {
        Self { port: worker.port(), cookie: None }
    }

    /// The same cookie, at another worker.
    fn also_at(&self, worker: &Program) -> Self {
        Self { port: worker.port(), cookie: self.cookie.clone() }
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let request = http::request(method, path, &format!("Connection: close\r\n{cookie}{headers}"), body);
        let answer = http::exchange_within(self.port, &request, PATIENCE).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        if let Some(set) = answer.header("set-cookie") {
            let (pair, _) = set.split_once(';').expect("attributes");
            self.cookie = Some(pair.to_owned()).filter(|pair| !pair.ends_with('='));
        }
        answer
    }

    /// Opens a stream, and reads its head.
    async fn follow(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        let cookie = self.cookie.as_deref().expect("a cookie");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        stream
    }

    async fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, "Accept: text/html\r\n", "").await
    }

    async fn try_login(&mut self, password: &str, headers: &str) -> Response {
        let body = format!("username=admin&password={password}");
        self.send("POST", "/login", &format!("{FORM}{headers}"), &body).await
    }

    async fn login(&mut self) {
        let answer = self.try_login(PASSWORD, "").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert!(self.cookie.is_some());
    }

    /// Who it is, to the server; `None` = nobody.
    async fn name(&mut self) -> Option<String> {
        let answer = self.send("GET", "/api/v1/session", "", "").await;
        let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        match answer.status {
            200 => Some(body["by"].as_str().expect("a name").to_owned()),
            401 => None,
            other => panic!("{other}: {body}"),
        }
    }

    /// The text of a new sign-in link.
    async fn link(&mut self) -> String {
        let answer = self.send("POST", "/api/v1/magic-links", &format!("{JSON}{OURS}"), "{}").await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        let url = body["url"].as_str().expect("an address").to_owned();
        url.split_once("/login/magic/").expect("a link").1.to_owned()
    }
}

/// One request without a browser.
async fn plain(worker: &Program, method: &str, path: &str, headers: &str) -> Response {
    let request = http::request(method, path, &format!("Connection: close\r\n{headers}"), "");
    http::exchange_within(worker.port(), &request, QUICKLY).await.expect("an answer")
}
