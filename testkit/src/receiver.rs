//! A receiver of webhooks inside the test process. What it answers is scripted per
//! path; what it was sent is kept, exactly.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::http::{Reader, Request, answer};

/// What the receiver does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200 and `{"success": true}`, as the PHP receiver of the reference.
    Ok,
    /// The same, after a while.
    Slow(Duration),
    /// An empty answer with this status.
    Status(u16),
    /// This status and `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// This status and a page of HTML, as a proxy in trouble sends it.
    Html(u16),
    /// This status and a page of somebody's own.
    Page(u16, &'static str),
    /// 200 and `{"success": false}`.
    Refuse,
    /// No answer until [`Receiver::release`].
    Hang,
    /// The connection is reset after the request was read.
    Reset,
    /// This status, and a `Location` with a secret: [`ELSEWHERE`].
    Redirect(u16),
}

/// Where [`Answer::Redirect`] leads.
pub const ELSEWHERE: &str = "https://elsewhere.example/very-secret-path?token=geheim";

impl Answer {
    /// Whether the sender may take it for a success.
    pub const fn accepts(self) -> bool {
        matches!(
            self,
            Self::Ok
                | Self::Slow(_)
                | Self::Status(200..=299)
                | Self::Html(200..=299)
                | Self::Page(200..=299, _)
        )
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where to, such as `/hook`.
    pub path: String,
    /// Names lower-cased.
    pub headers: Vec<(String, String)>,
    /// Exactly as sent.
    pub body: Vec<u8>,
    /// When it had been read to its end.
    pub at: Instant,
    /// What it was answered.
    pub answer: Answer,
}

impl Delivery {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The delivery's identity, the same for every attempt.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id").unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("a webhook that is no JSON ({error}): {:?}", self.body))
    }

    /// The mark of the mail it is about (see [`super::mails`]).
    pub fn mark(&self) -> String {
        let json = self.json();
        let subject = json["subject"].as_str().unwrap_or_default();
        super::mails::mark_of(subject)
            .unwrap_or_else(|| panic!("no mark in the subject {subject:?}"))
            .to_owned()
    }
}

#[derive(Debug, Default)]
struct Script {
    next: VecDeque<Answer>,
    then: Option<Answer>,
}

#[derive(Debug, Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    /// By mark of the mail: its webhook is always answered like this.
    mails: Mutex<HashMap<String, Answer>>,
    log: Mutex<Vec<Delivery>>,
    released: watch::Sender<u64>,
}

impl Shared {
    fn answer_for(&self, path: &str) -> Answer {
        let mut scripts = self.scripts.lock().unwrap();
        let Some(script) = scripts.get_mut(path) else { return Answer::Ok };
        script.next.pop_front().or(script.then).unwrap_or(Answer::Ok)
    }

    fn record(&self, request: Request) -> Answer {
        let Request { path, headers, body, .. } = request;
        let mut delivery = Delivery { path, headers, body, at: Instant::now(), answer: Answer::Ok };
        let mails = self.mails.lock().unwrap();
        let of_mail = if mails.is_empty() { None } else { mails.get(&delivery.mark()).copied() };
        let answer = of_mail.unwrap_or_else(|| self.answer_for(&delivery.path));
        delivery.answer = answer;
        self.log.lock().unwrap().push(delivery);
        answer
    }
}

/// The receiver. Dropping it closes it.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts one on a free port; every path answers [`Answer::Ok`].
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let shared = Arc::new(Shared::default());
        let server = Some(tokio::spawn(serve(listener, Arc::clone(&shared))));
        Self { port, shared, server }
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next requests to `path` are answered like this, in order, whatever they
    /// carry; after that as before.
    pub fn next(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.shared.scripts.lock().unwrap().entry(path.to_owned()).or_default().next.extend(answers);
    }

    /// From now on every request to `path` is answered like this.
    pub fn always(&self, path: &str, answer: Answer) {
        let mut scripts = self.shared.scripts.lock().unwrap();
        let script = scripts.entry(path.to_owned()).or_default();
        script.next.clear();
        script.then = Some(answer);
    }

    /// From now on the webhook of the mail with this mark is answered like this, whatever the
    /// others are.
    pub fn for_mail(&self, mark: &str, answer: Answer) {
        self.shared.mails.lock().unwrap().insert(mark.to_owned(), answer);
    }

    /// Drops the connections of every request that hangs now.
    pub fn release(&self) {
        self.shared.released.send_modify(|count| *count += 1);
    }

    /// Goes down: connections are cut, new ones are refused.
    pub async fn close(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            // The sockets are closed once the task is gone.
            server.await.expect_err("an aborted task");
        }
    }

    /// Comes back on the same port.
    pub async fn reopen(&mut self) {
        self.close().await;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port it had before");
        self.server = Some(tokio::spawn(serve(listener, Arc::clone(&self.shared))));
    }

    /// Every request so far, in order of arrival.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.log.lock().unwrap().clone()
    }

    /// How many requests arrived so far.
    pub fn count(&self) -> usize {
        self.shared.log.lock().unwrap().len()
    }

    /// How often each mail's webhook was accepted, by the mail's mark.
    pub fn accepted(&self) -> BTreeMap<String, usize> {
        let mut accepted = BTreeMap::new();
        for delivery in self.shared.log.lock().unwrap().iter().filter(|one| one.answer.accepts()) {
            *accepted.entry(delivery.mark()).or_default() += 1;
        }
        accepted
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Owned here, so that ending this task ends every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move { connection(stream, &shared).await });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    let mut reader = Reader::new(read);
    let mut released = shared.released.subscribe();
    while let Some(request) = reader.request().await? {
        let bytes = match shared.record(request) {
            Answer::Ok => ok(),
            Answer::Slow(pause) => {
                tokio::time::sleep(pause).await;
                ok()
            }
            Answer::Status(status) => answer(status, "text/plain", "", ""),
            Answer::RetryAfter(status, seconds) => {
                answer(status, "text/plain", &format!("Retry-After: {seconds}\r\n"), "")
            }
            Answer::Html(status) => answer(status, "text/html", "", "<!doctype html><h1>Erreur</h1>"),
            Answer::Page(status, page) => answer(status, "text/html", "", page),
            Answer::Refuse => {
                answer(200, "application/json", "", r#"{"success":false,"message":"Expéditeur refusé"}"#)
            }
            Answer::Redirect(status) => {
                answer(status, "text/plain", &format!("Location: {ELSEWHERE}\r\n"), "")
            }
            Answer::Hang => {
                let _ = released.changed().await;
                return Ok(());
            }
            Answer::Reset => {
                write.as_ref().set_zero_linger()?;
                return Ok(());
            }
        };
        write.write_all(&bytes).await?;
    }
    Ok(())
}

fn ok() -> Vec<u8> {
    answer(200, "application/json", "", r#"{"success":true}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    async fn post(receiver: &Receiver, path: &str) -> io::Result<(u16, String)> {
        let body = r#"{"subject":"Essai [m-1-0]"}"#;
        let request = http::request("POST", path, "Webhook-Id: one\r\n", body);
        http::exchange(receiver.port, &request).await.map(|answer| (answer.status, answer.body))
    }

    #[tokio::test]
    async fn answers_as_scripted_and_keeps_what_it_was_sent() {
        let receiver = Receiver::start().await;
        receiver.next("/a", [Answer::Status(500), Answer::Html(502), Answer::Refuse]);
        receiver.always("/b", Answer::RetryAfter(429, 7));
        assert_eq!(post(&receiver, "/a").await.expect("an answer").0, 500);
        let (status, page) = post(&receiver, "/a").await.expect("an answer");
        assert!(status == 502 && page.contains("<h1>"), "{status} {page}");
        assert!(post(&receiver, "/a").await.expect("an answer").1.contains("false"));
        assert!(post(&receiver, "/a").await.expect("an answer").1.contains("true"));
        assert_eq!(post(&receiver, "/b").await.expect("an answer").0, 429);

        let kept = receiver.deliveries();
        assert_eq!(kept.len(), 5);
        assert_eq!(kept[0].webhook_id(), "one");
        assert_eq!(kept[0].mark(), "m-1-0");
        assert_eq!(receiver.accepted(), BTreeMap::from([("m-1-0".to_owned(), 1)]));
    }

    #[tokio::test]
    async fn hangs_resets_goes_down_and_comes_back() {
        let mut receiver = Receiver::start().await;
        receiver.next("/a", [Answer::Hang, Answer::Reset]);
        assert!(post(&receiver, "/a").await.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
        assert!(
            post(&receiver, "/a").await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
        );
        receiver.close().await;
        assert!(
            post(&receiver, "/a").await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        );
        receiver.reopen().await;
        assert_eq!(post(&receiver, "/a").await.expect("an answer").0, 200);
        assert_eq!(receiver.count(), 3);
    }
}
