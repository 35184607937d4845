use std::sync::Mutex;

use chrono::DateTime;
use serde_json::json;

use super::*;
use crate::egress::{ClientOptions, EgressPolicy};
use crate::mail::providers;

/// Answers from a list and remembers what was posted.
#[derive(Default)]
struct FakeHttp {
    answers: Mutex<Vec<Result<Answer, SendError>>>,
    posted: Mutex<Vec<(String, HeaderMap, Value)>>,
}

#[async_trait]
impl Http for FakeHttp {
    async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        _cap: usize,
    ) -> Result<Answer, SendError> {
        let body = serde_json::from_slice(&body).expect("the request is JSON");
        self.posted.lock().expect("lock").push((url.to_string(), headers, body));
        let answer = self.answers.lock().expect("lock").pop();
        match answer {
            Some(answer) => answer,
            None => {
                tokio::time::sleep(timeout).await;
                Err(SendError::Timeout)
            }
        }
    }

    fn allows_plain_http(&self, url: &Url) -> bool {
        url.host_str() == Some("127.0.0.1")
    }

    fn permits(&self, url: &Url) -> bool {
        url.host_str() != Some("10.0.0.1")
    }
}

fn reply(status: u16, body: &Value) -> Result<Answer, SendError> {
    let body = body.to_string().into();
    Ok(Answer { status, headers: HeaderMap::new(), body, truncated: false })
}

fn job(raw_url: &str, provider: &str, email_id: &str) -> Job {
    let source = SourceLink::of(raw_url, provider).expect("a short link");
    // The built-in providers, and one that an operator has added.
    let mut document: Value = serde_json::from_str(providers::DEFAULT_DOCUMENT).expect("JSON");
    let added = json!({"name": "wetransfer", "hosts": ["wetransfer.com"], "paths": ["/"]});
    document["providers"].as_array_mut().expect("a list").push(added);
    let known = providers::providers(&document).expect("a good document");
    let reach = known.named(provider).map(|known| Arc::clone(&known.reach));
    Job { source, email_id: email_id.to_owned(), reach }
}

fn file() -> Job {
    job("https://www.dropbox.com/s/abc/file.zip?dl=0", "dropbox", "e1")
}

/// A client whose Worker gives `answers`, first one first.
fn client(mut answers: Vec<Result<Answer, SendError>>, base: Option<&str>) -> (WorkerClient, Arc<FakeHttp>) {
    answers.reverse();
    let http = Arc::new(FakeHttp { answers: Mutex::new(answers), ..FakeHttp::default() });
    let settings = WorkerSettings {
        endpoint: Url::parse("https://r2.example.workers.dev").expect("url"),
        token: "r2tok".to_owned().into(),
        bucket: "bkt".to_owned(),
        public_base_url: base.map(|base| Url::parse(base).expect("url")),
    };
    let world = World::seeded(DateTime::UNIX_EPOCH, 1);
    (WorkerClient::new(settings, http.clone(), world), http)
}

#[tokio::test(start_paused = true)]
async fn talks_to_the_worker_as_recorded() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/golden/r2.json")).expect("golden file");
    let cases: Vec<&Value> = cases.iter().filter(|case| case["area"] == "r2_fetch").collect();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let id = &case["id"];
        let (input, output) = (&case["input"], &case["output"]);
        let answer = &input["worker_response"];
        let answers = match answer["status"].as_u64() {
            Some(status) => vec![reply(u16::try_from(status).expect("status"), &answer["json"])],
            None => Vec::new(),
        };
        let (client, http) = client(answers, None);
        let text = |field: &str| input[field].as_str().unwrap_or_default();
        let copied = client.offload(job(text("source_url"), text("provider"), text("email_id"))).await;

        let want_url = output["result"][0].as_str();
        assert_eq!(copied.as_ref().ok().map(|copied| copied.r2_url.as_str()), want_url, "{id}");
        let name = copied.ok().and_then(|copied| copied.original_filename);
        assert_eq!(name.as_deref(), output["result"][1].as_str(), "{id}");

        let posted = http.posted.lock().expect("lock");
        let want = &output["http_request"];
        assert_eq!(posted.len(), usize::from(!want.is_null()), "{id}");
        for (url, headers, body) in posted.iter() {
            assert_eq!(url.trim_end_matches('/'), want["url"], "{id}");
            assert_eq!(body.to_string(), want["json"].to_string(), "{id}");
            for (name, value) in want["headers"].as_object().expect("headers") {
                let sent = headers.get(name.as_str()).and_then(|value| value.to_str().ok());
                assert_eq!(sent, value.as_str(), "{id} {name}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_is_believed_only_where_copies_lie() {
    let base = Some("https://media.example.com/r2/");
    for (r2_url, base, good) in [
        ("https://media.example.com/r2/dropbox/a/b/file", base, true),
        ("https://media.example.com/r2x/file", base, false),
        ("https://media.example.com/r2/", base, false),
        ("https://media.example.com.evil.example/r2/file", base, false),
        ("https://media.example.com@evil.example/r2/file", base, false),
        ("http://media.example.com/r2/file", base, false),
        ("https://anywhere.example/file", None, true),
        ("http://127.0.0.1:8080/file", None, true),
        ("http://10.0.0.1/file", None, false),
        ("https://10.0.0.1/file", None, false),
        ("http://media.local/r2/file", Some("http://media.local/r2"), true),
        ("javascript:alert(1)", None, false),
        ("file", None, false),
        (" ", None, false),
    ] {
        let (client, _) = client(vec![reply(200, &json!({"success": true, "r2_url": r2_url}))], base);
        assert_eq!(client.offload(file()).await.is_ok(), good, "{r2_url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_worker_is_asked_again_a_little() {
    let down = || Err(SendError::Connect("connection refused".to_owned()));
    let broken = || reply(502, &json!({"success": false, "error": "bad gateway"}));
    let good = || reply(200, &json!({"success": 1, "r2_url": "https://m/x", "original_filename": " a.zip "}));

    let (worker, http) = client(vec![down(), broken(), good()], None);
    let copied = worker.offload(file()).await.expect("the third try goes well");
    assert_eq!(copied.original_filename.as_deref(), Some("a.zip"));
    assert_eq!(http.posted.lock().expect("lock").len(), 3);

    let (worker, http) = client(vec![broken(), broken(), broken(), good()], None);
    let why = worker.offload(file()).await.expect_err("three tries are enough");
    assert_eq!(why, NoCopy::passing("the Worker answered 502: bad gateway", None));
    assert_eq!(http.posted.lock().expect("lock").len(), 3);

    let ours = || Err(SendError::Local("too many open files".to_owned()));
    let mut answers: Vec<_> = (0..6).map(|_| ours()).collect();
    answers.extend([broken(), broken(), good()]);
    let (worker, http) = client(answers, None);
    worker.offload(file()).await.expect("a fault of this machine costs no try");
    assert_eq!(http.posted.lock().expect("lock").len(), 9);

    let (worker, http) = client(vec![Err(SendError::Refused("private".to_owned())), good()], None);
    worker.offload(file()).await.expect_err("the guard does not change its mind");
    assert_eq!(http.posted.lock().expect("lock").len(), 1);

    let (worker, http) = client(vec![reply(401, &json!({"error": "Unauthorized"})), good()], None);
    let why = worker.offload(file()).await.expect_err("a refusal is an answer");
    assert_eq!(why, NoCopy::lasting("the Worker answered 401: Unauthorized"));
    assert_eq!(http.posted.lock().expect("lock").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_too_much_to_do_is_not_pressed() {
    for (status, asked, tries) in
        [(429, Some("120"), 1), (429, None, 1), (503, Some("120"), 1), (503, None, 3)]
    {
        let busy = || {
            let mut answer = reply(status, &json!({"error": "slow down"})).expect("an answer");
            if let Some(seconds) = asked {
                answer.headers.insert(reqwest::header::RETRY_AFTER, HeaderValue::from_static(seconds));
            }
            Ok(answer)
        };
        let (worker, http) = client((0..tries + 1).map(|_| busy()).collect(), None);
        let failure = worker.offload(file()).await.expect_err("not now");
        let wait = failure.not_before.map(|at| (at - worker.world.now()).num_seconds());
        assert_eq!((failure.passing, wait), (true, asked.map(|_| 120)), "{status} {asked:?}");
        assert_eq!(http.posted.lock().expect("lock").len(), tries, "{status} {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_worker_costs_its_time_limit_and_no_more() {
    for (url, limit) in [("https://www.dropbox.com/s/a", 15), ("https://www.dropbox.com/scl/fo/a/b", 120)] {
        let (client, _) = client(Vec::new(), None);
        let started = Instant::now();
        client.offload(job(url, "dropbox", "e1")).await.expect_err("no answer");
        assert_eq!(started.elapsed().as_secs(), limit, "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_sent() {
    let (mut client, http) = client(Vec::new(), None);
    client.settings.token = String::new().into();
    client.offload(file()).await.expect_err("not enabled");
    assert!(http.posted.lock().expect("lock").is_empty());
}

/// What a Worker that means no good sends back, after the request has been read.
#[derive(Clone, Copy)]
enum Bad {
    /// These bytes, and then nothing more.
    Says(&'static str),
    /// These bytes, and then this one again and again.
    Endless(&'static str, u8),
    /// A piece of an answer, and silence.
    Hangs(&'static str),
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";

/// A Worker on a real socket. Its second answer is the number of bytes that it could send.
async fn bad_worker(bad: Bad) -> (WorkerClient, tokio::task::JoinHandle<usize>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = Url::parse(&format!("http://{}/", listener.local_addr().expect("address"))).expect("url");
    let server = tokio::spawn(async move {
        let mut sent = 0;
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut buffer = [0; 4096];
        let mut read = Vec::new();
        while !read.ends_with(b"}") {
            let count = stream.read(&mut buffer).await.expect("a request");
            read.extend_from_slice(&buffer[..count]);
        }
        match bad {
            Bad::Says(text) => stream.write_all(text.as_bytes()).await.expect("written"),
            Bad::Hangs(text) => {
                stream.write_all(text.as_bytes()).await.expect("written");
                std::future::pending().await
            }
            Bad::Endless(text, byte) => {
                stream.write_all(text.as_bytes()).await.expect("written");
                let block = vec![byte; 16 * 1024];
                while stream.write_all(&block).await.is_ok() {
                    sent += block.len();
                    assert!(sent < 256 * 1024 * 1024, "it is read for ever");
                }
            }
        }
        sent
    });
    let egress = EgressPolicy::new(vec!["127.0.0.0/8".parse().expect("net")]);
    let http = Arc::new(GuardedClient::new(&egress, ClientOptions::default()).expect("a client"));
    let (fake, _) = client(Vec::new(), None);
    let settings = WorkerSettings { endpoint, ..fake.settings };
    (WorkerClient::new(settings, http, World::real()), server)
}

#[tokio::test]
async fn a_bad_answer_is_no_copy() {
    let huge: &'static str =
        format!("{OK}{{\"success\": true, \"r2_url\": \"https://m/x\", \"x\": \"{}\"}}", "x".repeat(1 << 20))
            .leak();
    let deep: &'static str = format!("{OK}{}", "[".repeat(60_000)).leak();
    for (bad, want) in [
        (
            Bad::Says("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>"),
            "not JSON",
        ),
        (Bad::Says("HTTP/1.1 204 No Content\r\n\r\n"), "204"),
        (
            Bad::Says(
                "HTTP/1.1 307 Elsewhere\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
            ),
            "307",
        ),
        (Bad::Says("HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n"), "302"),
        (Bad::Says(huge), "not JSON"),
        (Bad::Says(deep), "not JSON"),
        (Bad::Endless(OK, b' '), "not JSON"),
        (Bad::Endless("HTTP/1.1 200 OK\r\n\r\n{\"success\": true, \"r2_url\": \"", b'x'), "not JSON"),
        (Bad::Endless("HTTP/1.1 404 Not Found\r\n\r\n", b'x'), "404"),
    ] {
        let (worker, server) = bad_worker(bad).await;
        let why = worker.offload(file()).await.expect_err("no copy").why;
        assert!(why.contains(want) && why.len() < 400, "{want}: {why}");
        assert!(server.await.expect("the Worker ends") < 64 * 1024 * 1024, "{want}: it was read for long");
    }
    // What it says about itself does not matter, only what it says.
    let plain = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n{\"success\": true, \"r2_url\": \"https://m/x\", \"original_filename\": \" a\\u0000\\n.zip \"}";
    let (worker, _server) = bad_worker(Bad::Says(plain)).await;
    let copied = worker.offload(file()).await.expect("a copy");
    assert_eq!((copied.r2_url.as_str(), copied.original_filename.as_deref()), ("https://m/x", Some("a.zip")));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_end_in_time_is_no_copy() {
    for begun in ["", "HTTP/1.1 200 OK\r\n", OK, "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"] {
        let (worker, _server) = bad_worker(Bad::Hangs(begun)).await;
        let started = Instant::now();
        worker.offload(file()).await.expect_err("no copy");
        assert!(started.elapsed() <= Duration::from_secs(16), "{begun:?}: {:?}", started.elapsed());
    }
}
