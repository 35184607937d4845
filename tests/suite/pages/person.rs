//! Somebody with a browser that runs no scripts: it keeps cookies, follows redirects, sends forms.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::support::http::{self, Response};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, until};

/// `TRIGGER_PAGE_PASSWORD` of a [`Place`](crate::support::place::Place).
pub(super) const PASSWORD: &str = "a-password-of-the-tests";

/// A person.
#[derive(Debug, Clone)]
pub(super) struct Person {
    port: u16,
    cookies: BTreeMap<String, String>,
    /// What the browser calls itself.
    pub(super) agent: String,
    /// Which language is wanted.
    pub(super) language: &'static str,
}

impl Person {
    /// Who has not signed in.
    pub(super) fn at(worker: &Program) -> Self {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0".to_owned();
        Self { port: worker.port(), cookies: BTreeMap::new(), agent, language: "fr" }
    }

    /// Who has.
    pub(super) async fn signed_in(worker: &Program) -> Self {
        let mut person = Self::at(worker);
        person.sign_in().await;
        person
    }

    /// Signs in.
    pub(super) async fn sign_in(&mut self) {
        let answer = self.send("/login", &[("username", "admin"), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
    }

    fn head(&self) -> String {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies =
            if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        format!(
            "Connection: close\r\nAccept: text/html\r\nAccept-Language: {}\r\nUser-Agent: {}\r\n{cookies}",
            self.language, self.agent
        )
    }

    async fn exchange(&mut self, method: &str, path: &str, extra: &str, body: &str) -> Response {
        let request = http::request(method, path, &format!("{}{extra}", self.head()), body);
        let answer = http::exchange_within(self.port, &request, PATIENCE).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        for (_, set) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = set.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The answer to a GET.
    pub(super) async fn get(&mut self, path: &str) -> Response {
        self.exchange("GET", path, "", "").await
    }

    /// The text of a page that is there.
    pub(super) async fn page(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// The answer to a form.
    pub(super) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.send_from(path, fields, "same-origin").await
    }

    /// The answer to a form of a page that is elsewhere, as `Sec-Fetch-Site` says.
    pub(super) async fn send_from(&mut self, path: &str, fields: &[(&str, &str)], site: &str) -> Response {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let extra = format!("Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: {site}\r\n");
        self.exchange("POST", path, &extra, &body).await
    }

    /// The page that follows a form.
    pub(super) async fn done(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.send(path, fields).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        let to = answer.header("location").expect("a way").to_owned();
        self.page(&to).await
    }

    /// The page once it says this.
    pub(super) async fn until_said(&mut self, path: &str, text: &str) -> String {
        let asking = Mutex::new((self.clone(), String::new()));
        until(text, PATIENCE, async || {
            let mut person = asking.lock().await;
            let page = person.0.page(path).await;
            let there = page.contains(text);
            person.1.clone_from(&page);
            ensure(there, || page)
        })
        .await;
        asking.into_inner().1
    }

    /// Whether somebody is signed in.
    pub(super) async fn is_in(&mut self) -> bool {
        match self.exchange("GET", "/api/v1/session", "", "").await.status {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }

    /// A file, to the last byte, and the head before it.
    pub(super) async fn download(&mut self, path: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        stream.write_all(&http::request("GET", path, &self.head(), "")).await.expect("a request");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("an answer");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        (head, bytes.split_off(end + 4))
    }
}

/// The value of an input of a page.
pub(super) fn value<'p>(page: &'p str, name: &str) -> &'p str {
    let mark = format!("name=\"{name}\" value=\"");
    let after = page.split(&mark).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    after.split('"').next().expect("an end")
}
