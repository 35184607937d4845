//! Scenarios at Make.com follow the settings and a person, and what Make says is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::http::{self, Reader};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, Site, until};

const TOKEN: &str = "a-token-of-the-tests";

/// Make's API, as far as it is used: scenarios that run or not, and a switch for its faults.
#[derive(Clone, Default)]
struct FakeMake {
    running: Arc<Mutex<BTreeMap<String, bool>>>,
    /// Status of every answer; 0 = as it should be.
    broken: Arc<Mutex<u16>>,
    /// `Authorization`, method and path of each request.
    asked: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl FakeMake {
    async fn start(running: bool) -> (Self, u16) {
        let make = Self::default();
        let scenarios = ["7448207", "6649843"].map(|id| (id.to_owned(), running));
        *make.running.lock().unwrap() = scenarios.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = make.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let make = served.clone();
                tokio::spawn(async move {
                    let (reading, mut writing) = stream.split();
                    let mut reader = Reader::new(reading);
                    while let Ok(Some(request)) = reader.request().await {
                        let (status, body) = make.answer(&request);
                        let body = body.to_string();
                        let answer =
                            format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        if writing.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (make, port)
    }

    fn answer(&self, request: &http::Request) -> (u16, Value) {
        let token = request.header("authorization").unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push((token, request.method.clone(), request.path.clone()));
        let broken = *self.broken.lock().unwrap();
        if broken != 0 {
            return (broken, json!({"message": "Internal error"}));
        }
        let path: Vec<&str> = request.path.trim_start_matches("/api/v2/scenarios/").split('/').collect();
        let mut running = self.running.lock().unwrap();
        let Some(stands) = running.get_mut(path[0]) else { return (404, json!({"message": "Not found"})) };
        match (request.method.as_str(), path.get(1)) {
            ("GET", None) => {}
            ("POST", Some(&"start")) if !*stands => *stands = true,
            ("POST", Some(&"stop")) if *stands => *stands = false,
            // As Make does with a scenario that is so already.
            _ => return (400, json!({"message": "Scenario is already so"})),
        }
        (200, json!({"scenario": {"id": path[0], "isActive": *stands}}))
    }

    fn all(&self, running: bool) -> bool {
        self.running.lock().unwrap().values().all(|stands| *stands == running)
    }
}

async fn call(port: u16, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let headers =
        format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    let body = if method == "GET" { String::new() } else { body.to_string() };
    let response = http::exchange_within(port, &http::request(method, path, &headers, &body), PATIENCE)
        .await
        .expect("an answer");
    (response.status, serde_json::from_str(&response.body).unwrap_or_default())
}

/// Waits until the stream of the scenarios has so many events of a kind.
async fn seen(worker: &Program, kind: &'static str, count: usize) {
    until(kind, PATIENCE, async || {
        let told = worker.run(&["events", "show", "scenarios-make"]).await;
        ensure(told.text.matches(kind).count() == count, || told.text)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scenarios_follow_the_settings_and_a_person_until_make_agrees() {
    let (make, make_port) = FakeMake::start(true).await;
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("MAKECOM_API_KEY", "mk-secret");
    worker.set("MAKE_API_HOST", &format!("http://127.0.0.1:{make_port}"));
    worker.set("PROCESS_API_TOKEN", TOKEN);
    worker.set("API_TOKEN_SCOPES", "read,actions,config");
    worker.start().await;
    seen(&worker, "scenarios.followed", 1).await;
    let (status, told) = call(worker.port(), "GET", "/api/make/status_all", &Value::Null).await;
    assert_eq!((status, &told["scenarios"]["recadrage"]["running"]), (200, &json!(true)), "{told}");

    // Make is down while somebody stops them: that is told, and done when it is back.
    *make.broken.lock().unwrap() = 500;
    let (status, told) = call(worker.port(), "POST", "/api/make/toggle_all", &json!({"enable": false})).await;
    assert_eq!((status, &told["success"], &told["enable"]), (200, &json!(false), &json!(false)), "{told}");
    let answer = &told["results"]["autorepondeur"];
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(false), &json!(500)), "{told}");
    assert!(make.all(true));
    *make.broken.lock().unwrap() = 0;
    seen(&worker, "scenarios.confirmed", 1).await;
    assert!(make.all(false));

    // A restart changes nothing, whatever the settings would have.
    assert!(worker.stop().await.success());
    worker.start().await;
    let asked = make.asked.lock().unwrap().len();
    let on = json!({"enable": true});
    // Until it holds the lease again nobody polls, and nothing is recorded.
    let told = until("a worker that polls", PATIENCE, async || {
        let (status, told) = call(worker.port(), "POST", "/api/make/toggle_all", &on).await;
        if status == 409 { Err(told.to_string()) } else { Ok(told) }
    })
    .await;
    assert_eq!(told["success"], json!(true), "{told}");
    assert!(make.all(true));
    let calls: Vec<_> = make.asked.lock().unwrap()[asked..].to_vec();
    assert!(calls.iter().all(|(token, ..)| token == "Token mk-secret"), "{calls:?}");
    let posts = calls.iter().filter(|(_, method, _)| method == "POST").count();
    assert_eq!(posts, 2, "each was started once, and nothing else was asked of them: {calls:?}");

    // The vacation begins.
    site.configure("polling_config", &json!({"vacation_start": "2020-01-01", "vacation_end": "2099-12-31"}));
    seen(&worker, "scenarios.confirmed", 3).await;
    assert!(make.all(false));
    let log = worker.log();
    assert!(!log.contains("mk-secret"), "{log}");
    worker.assert_journal_verifies().await;
}
