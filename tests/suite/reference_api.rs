//! The endpoints of the reference, called by a plain HTTP client: its recorded scenario, in its
//! order, against the compiled program. What differs on purpose is listed in
//! `tests/golden/http_deviations.json`, each with the weakness that it avoids.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::support::http::{self, Response};
use crate::support::place::Place;
use crate::support::program::Program;
use crate::support::standard_webhooks;
use crate::support::{Answer, PATIENCE, Site, mails, until};

const CASES: &str = include_str!("../golden/http.json");
const DEVIATIONS: &str = include_str!("../golden/http_deviations.json");
const JUL: &str = include_str!("../golden/jul.json");

const TOKEN: &str = "a-token-of-the-tests";
const KEY: &str = "tk";

/// A request as whoever asks makes it.
struct Call<'c> {
    method: &'c str,
    path: &'c str,
    headers: Vec<(String, String)>,
    body: String,
}

impl<'c> Call<'c> {
    fn new(method: &'c str, path: &'c str) -> Self {
        Self { method, path, headers: Vec::new(), body: String::new() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With the token that opens what a session opens.
    fn known(self) -> Self {
        self.with("Authorization", &format!("Bearer {TOKEN}"))
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.with("Content-Type", "application/json")
    }

    async fn send(self, port: u16) -> Response {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let headers = format!("Connection: close\r\n{}", headers.collect::<String>());
        let request = http::request(self.method, self.path, &headers, &self.body);
        if self.method == "HEAD" {
            return head(port, &request).await;
        }
        http::exchange_within(port, &request, PATIENCE)
            .await
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }
}

/// The answer to a HEAD, which says how long a body would be, and has none.
async fn head(port: u16, request: &[u8]) -> Response {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.write_all(request).await.expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    assert!(text.ends_with("\r\n\r\n"), "a body after HEAD: {text}");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Response { status, headers: Vec::new(), body: String::new() }
}

fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_default()
}

/// A place like that of the recorded scenario.
fn scenario() -> Place {
    let mut place = Place::new("https://hook.example.com/recv");
    for (name, value) in [
        ("POLLING_TIMEZONE", "Europe/Paris"),
        ("POLLING_ACTIVE_DAYS", "0,1,2,3,4"),
        ("POLLING_ACTIVE_START_HOUR", "9"),
        ("POLLING_ACTIVE_END_HOUR", "23"),
        ("EMAIL_POLLING_INTERVAL_SECONDS", "30"),
        ("ENABLE_SUBJECT_GROUP_DEDUP", "true"),
        ("ENABLE_BACKGROUND_TASKS", "false"),
        ("EGRESS_ALLOW_CIDRS", ""),
        ("MAKECOM_API_KEY", "mk"),
        ("TEST_API_KEY", KEY),
        ("API_TOKEN_SCOPES", "read,actions,config"),
    ] {
        place.set(name, value);
    }
    place
}

/// The recorded scenario: each call has the recorded answer, or the one that is listed.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_scenario_has_the_answers_of_the_reference() {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
    let listed: Value = serde_json::from_str(DEVIATIONS).expect("deviations");
    let added: Vec<&str> =
        listed["added"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let mut elsewhere: Vec<&str> = Vec::new();
    for group in listed["elsewhere"].as_array().expect("a list") {
        assert!(!group["why"].as_str().unwrap_or_default().is_empty(), "{group} says why");
        elsewhere.extend(group["ids"].as_array().expect("ids").iter().filter_map(Value::as_str));
    }
    let mut deviations: BTreeMap<&str, &Value> = BTreeMap::new();
    for deviation in listed["deviations"].as_array().expect("a list") {
        let id = deviation["id"].as_str().expect("an id");
        assert!(
            deviation["weakness"].as_str().is_some_and(|name| name.starts_with("W-")),
            "{id} names its weakness"
        );
        assert!(deviations.insert(id, deviation).is_none(), "{id} is listed twice");
    }
    let place = scenario();
    let worker = started(&place).await;
    let cookie = login(worker.port()).await;
    let mut wrong = Vec::new();
    for case in &cases {
        let id = case["id"].as_str().expect("an id");
        if let Some(at) = elsewhere.iter().position(|known| *known == id) {
            elsewhere.remove(at);
            continue;
        }
        let recorded = json!({ "status": case["output"]["status"], "json": case["output"]["json"] });
        let expected = match deviations.remove(id) {
            Some(deviation) => {
                let expected = deviating(&recorded, deviation);
                assert_ne!(expected, recorded, "{id} does not deviate");
                expected
            }
            None => recorded,
        };
        let response = play(&case["input"], &cookie, worker.port()).await;
        let ours = json!({ "status": response.status, "json": body(&response) });
        let mut differences = Vec::new();
        if ours["status"] != expected["status"] {
            differences.push(format!("status {} instead of {}", ours["status"], expected["status"]));
        }
        if !expected["json"].is_null() {
            differ(&expected["json"], &ours["json"], "", &added, &mut differences);
        }
        if !differences.is_empty() {
            wrong.push(format!("{id} {}: {}\n    {}", case["input"], differences.join("; "), ours));
        }
    }
    assert!(wrong.is_empty(), "{} of {} calls differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(deviations.is_empty() && elsewhere.is_empty(), "unknown cases: {deviations:?} {elsewhere:?}");
}

/// A recorded answer with what is listed instead.
fn deviating(recorded: &Value, deviation: &Value) -> Value {
    let mut expected = recorded.clone();
    if let Some(status) = deviation.get("status") {
        expected["status"] = status.clone();
    }
    if let Some(json) = deviation.get("json") {
        expected["json"] = json.clone();
    }
    for (pointer, value) in deviation["at"].as_object().into_iter().flatten() {
        *expected["json"].pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {recorded}")) =
            value.clone();
    }
    for pointer in deviation["without"].as_array().into_iter().flatten() {
        expected["json"].as_object_mut().expect("an object").remove(pointer.as_str().expect("a name"));
    }
    expected
}

/// In what an answer differs: what was recorded is there and equal; what is there besides is `added`.
fn differ(expected: &Value, ours: &Value, at: &str, added: &[&str], differences: &mut Vec<String>) {
    match (expected, ours) {
        (Value::Object(expected), Value::Object(ours)) => {
            for (name, value) in expected {
                match ours.get(name) {
                    Some(own) => differ(value, own, &format!("{at}/{name}"), added, differences),
                    None => differences.push(format!("{at}/{name} is missing")),
                }
            }
            for name in ours.keys().filter(|name| !expected.contains_key(*name)) {
                if !added.contains(&name.as_str()) {
                    differences.push(format!("{at}/{name} is new"));
                }
            }
        }
        (Value::Array(expected), Value::Array(ours)) if expected.len() == ours.len() => {
            for (index, (expected, ours)) in expected.iter().zip(ours).enumerate() {
                differ(expected, ours, &format!("{at}/{index}"), added, differences);
            }
        }
        (Value::String(text), Value::String(own)) if text == "<ISO8601>" => {
            if chrono::DateTime::parse_from_rfc3339(own).is_err() {
                differences.push(format!("{at} is no instant: {own}"));
            }
        }
        (expected, ours) if expected == ours => {}
        (expected, ours) => differences.push(format!("{at} is {ours} instead of {expected}")),
    }
}

/// Logs in as a person does, and returns the cookie.
async fn login(port: u16) -> String {
    let mut call = Call::new("POST", "/login").with("Content-Type", "application/x-www-form-urlencoded");
    call.body = "username=admin&password=a-password-of-the-tests".to_owned();
    let answer = call.send(port).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    cookie.expect("a cookie").to_owned()
}

/// A call of the scenario, as the dashboard makes it in a browser: with the cookie.
async fn play(input: &Value, cookie: &str, port: u16) -> Response {
    let text = |name: &str| input[name].as_str().unwrap_or_default();
    let mut call = Call::new(text("method"), text("path"));
    if text("session") == "admin" {
        call = call.with("Cookie", cookie).with("Sec-Fetch-Site", "same-origin");
    }
    for (name, value) in input["headers"].as_object().into_iter().flatten() {
        call = call.with(name, value.as_str().expect("a header"));
    }
    if let Some(json) = input.get("json") {
        call = call.json(json);
    } else if let Some(raw) = input["raw_body"].as_str() {
        call.body = raw.to_owned();
        call = call.with("Content-Type", "application/json");
    }
    call.send(port).await
}

async fn started(place: &Place) -> Program {
    let mut worker = place.worker("worker");
    worker.start().await;
    worker
}

/// W-04, W-96: the reference tells nothing of what could not be reached.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_cannot_be_reached_is_in_the_log() {
    let mut site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("PROCESS_API_TOKEN", TOKEN);
    worker.set("API_TOKEN_SCOPES", "read");
    worker.start().await;
    site.receiver.close().await;
    let mails = vec![mails::recadrage()];
    site.dovecot.deliver(&mails);
    let logs = async || {
        body(&Call::new("GET", "/api/webhook_logs?days=1&limit=50").known().send(worker.port()).await)
    };
    let told = until("the attempt in the log", PATIENCE, async || {
        let logs = logs().await;
        if logs["count"].as_u64().is_some_and(|count| count > 0) { Ok(logs) } else { Err(logs) }
    })
    .await;
    let first = &told["logs"][0];
    assert_eq!((&first["status"], &first["status_code"]), (&json!("error"), &Value::Null), "{first}");
    assert!(first["error"].as_str().is_some_and(|why| !why.is_empty()), "{first}");
    assert!(first["subject"].as_str().is_some_and(|subject| subject.contains(&mails[0].mark)), "{first}");

    site.receiver.reopen().await;
    until("the webhook", PATIENCE, async || crate::support::checks::all_accepted(&site.receiver, &mails))
        .await;
    until("its success in the log", PATIENCE, async || {
        let logs = logs().await;
        if logs["logs"][0]["status"] == "success" { Ok(()) } else { Err(logs) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_is_seen_by_looking_and_taken_once() {
    let place = scenario();
    let worker = started(&place).await;
    let port = worker.port();
    let look = async || body(&Call::new("GET", "/api/check_trigger").known().send(port).await);
    let nothing = json!({ "command_pending": false, "payload": null });
    assert_eq!(look().await, nothing);
    let folder = place.path("signal_data_app_render");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("local_workflow_trigger_signal.json"), r#"{"cmd":"x"}"#).expect("a command");
    let waiting = json!({ "command_pending": true, "payload": { "cmd": "x" } });
    assert_eq!(
        (look().await, look().await),
        (waiting.clone(), waiting.clone()),
        "nothing is taken by looking"
    );
    assert_eq!(Call::new("POST", "/api/check_trigger").send(port).await.status, 401);
    let take = async || body(&Call::new("POST", "/api/check_trigger").known().send(port).await);
    let both = futures::future::join(take(), take()).await;
    assert!([(waiting.clone(), nothing.clone()), (nothing.clone(), waiting)].contains(&both), "{both:?}");
    assert_eq!(look().await, nothing);
    let left: Vec<_> = std::fs::read_dir(folder).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_restart_it_stops_in_order_with_a_code_of_its_own() {
    let place = scenario();
    let mut worker = started(&place).await;
    let answer = Call::new("POST", "/api/restart_server").known().json(&json!({})).send(worker.port()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let message = "Redémarrage planifié. L'application sera indisponible quelques secondes.";
    assert_eq!(body(&answer), json!({ "success": true, "message": message }));
    let status = worker.until_end().await;
    assert_eq!(status.code(), Some(75), "{}", worker.tail());
    worker.assert_journal_verifies().await;
    worker.start().await;
}

/// W-37: the reference answers, and looks at nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_sweeps_the_mailbox_now_and_the_log_tells_what_was_sent() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    for (name, value) in
        [("API_TOKEN_SCOPES", "read,actions,config"), ("PROCESS_API_TOKEN", TOKEN), ("TEST_API_KEY", KEY)]
    {
        worker.set(name, value);
    }
    worker.start().await;
    let port = worker.port();
    // Polling is switched off: nothing comes by itself.
    let off = Call::new("POST", "/api/polling/toggle").known().json(&json!({ "enable": false }));
    assert_eq!(off.send(port).await.status, 200);
    worker.until_answer("/readyz", |answer| answer.body.contains("inactive")).await;
    site.receiver.next("/hook", [Answer::Status(503)]);
    let mails = vec![mails::recadrage()];
    site.dovecot.deliver(&mails);
    let checked =
        Call::new("POST", "/api/check_emails_and_download").known().json(&json!({})).send(port).await;
    assert_eq!(checked.status, 202, "{checked:?}");
    assert_eq!(
        body(&checked),
        json!({ "status": "success", "message": "Vérification en arrière-plan lancée." })
    );
    until("the webhook of the mail", PATIENCE, async || {
        crate::support::checks::all_accepted(&site.receiver, &mails)
    })
    .await;
    let logs = until("the log", PATIENCE, async || {
        let logs = body(&Call::new("GET", "/api/webhook_logs?days=99&limit=0").known().send(port).await);
        if logs["count"] == 2 { Ok(logs) } else { Err(logs) }
    })
    .await;
    assert_eq!(logs["days_filter"], 30);
    let (newest, first) = (&logs["logs"][0], &logs["logs"][1]);
    assert_eq!((&newest["status"], &newest["status_code"]), (&json!("success"), &json!(200)));
    assert_eq!(
        (&first["status"], &first["failure_reason"]),
        (&json!("error"), &json!("upstream_server_error"))
    );
    assert!(first["subject"].as_str().is_some_and(|subject| subject.contains(&mails[0].mark)), "{first}");
    let target = first["target_url"].as_str().expect("an address");
    assert!(target.ends_with("/***"), "{target}");
    let same = Call::new("GET", "/api/test/webhook_logs").with("X-API-Key", KEY).send(port).await;
    assert_eq!(body(&same)["logs"], logs["logs"]);
    assert_eq!(
        Call::new("GET", "/api/test/webhook_logs?days=x").with("X-API-Key", KEY).send(port).await.status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_webhook_is_what_the_dry_run_shows() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    for (name, value) in
        [("TEST_API_KEY", KEY), ("PROCESS_API_TOKEN", TOKEN), ("API_TOKEN_SCOPES", "actions")]
    {
        worker.set(name, value);
    }
    worker.start().await;
    let port = worker.port();
    let send = async |wish: Value| {
        Call::new("POST", "/api/test/send_test_webhook").with("X-API-Key", KEY).json(&wish).send(port).await
    };
    let shown = body(&send(json!({ "subject": "Essai", "payload": { "detector": "recadrage" } })).await);
    assert_eq!((&shown["success"], &shown["dry_run"]), (&json!(true), &json!(true)), "{shown}");
    assert_eq!(shown["message"], "Dry-run: aucun envoi effectué.");
    assert_eq!(site.receiver.count(), 0);
    let sent = body(
        &send(json!({ "subject": "Essai", "payload": { "detector": "recadrage" }, "dry_run": false })).await,
    );
    assert_eq!((&sent["success"], &sent["message"]), (&json!(true), &json!("Webhook envoyé.")), "{sent}");
    let delivery = site.receiver.deliveries().pop().expect("a webhook");
    assert_eq!(
        String::from_utf8_lossy(&delivery.body),
        shown["serialized_payload"].as_str().expect("a text")
    );
    assert_eq!(delivery.json()["test"], true);
    assert_eq!(delivery.header("webhook-test"), Some("1"));
    assert!(standard_webhooks::is_signed_by(&delivery, &standard_webhooks::secret("present")));
    for (wish, message) in [
        (json!({ "delivery_links": "x" }), "delivery_links doit être une liste."),
        (json!({ "payload": [] }), "payload doit être un objet JSON."),
    ] {
        let refused = send(wish).await;
        assert_eq!((refused.status, &body(&refused)["message"]), (400, &json!(message)));
    }
    assert_eq!(send(json!({ "webhook_url": "http://10.0.0.1/x", "dry_run": false })).await.status, 400);

    // The same by the new API.
    let test =
        async |wish: Value| Call::new("POST", "/api/v1/webhooks/test").known().json(&wish).send(port).await;
    let shown = body(&test(json!({ "target": "default", "delivery_mode": "form", "dry_run": true })).await);
    assert_eq!(shown["headers"]["content-type"], "application/x-www-form-urlencoded");
    assert!(
        shown["result"].is_null()
            && shown["body"].as_str().is_some_and(|body| body.contains("\"test\":true"))
    );
    site.receiver.next("/hook", [Answer::Status(418)]);
    let told = body(&test(json!({ "dry_run": false })).await);
    assert_eq!((&told["result"]["delivered"], &told["result"]["status"]), (&json!(false), &json!(418)));
    let unsaid = test(json!({ "target": "default" })).await;
    assert_eq!((unsaid.status, &body(&unsaid)["errors"][0]["field"]), (400, &json!("dry_run")));
    for wish in [
        json!({ "target": "nobody", "dry_run": true }),
        json!({ "target": "default", "url": "https://x", "dry_run": true }),
    ] {
        assert_eq!(test(wish).await.status, 422);
    }
    assert_eq!(test(json!({ "unknown": 1 })).await.status, 400);
}

fn push(mail: &Value) -> Call<'static> {
    Call::new("POST", "/api/ingress/gmail").known().json(mail)
}

/// The recorded pushes (`jul_ingress`) against the program, in a mailbox-less installation.
#[tokio::test(flavor = "multi_thread")]
async fn mails_that_are_pushed_are_answered_as_the_reference_does_and_sent() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    for (name, value) in
        [("MAIL_SOURCE", "none"), ("PROCESS_API_TOKEN", TOKEN), ("API_TOKEN_SCOPES", "config")]
    {
        worker.set(name, value);
    }
    for name in ["EMAIL_ADDRESS", "EMAIL_PASSWORD", "IMAP_SERVER"] {
        worker.unset(name);
    }
    worker.start().await;
    let port = worker.port();
    let cases: Vec<Value> = serde_json::from_str(JUL).expect("cases");
    let recorded = |id: &str| cases.iter().find(|case| case["id"] == id).expect("a case");
    let told = |response: &Response| {
        let body = body(response);
        let mut told = Map::new();
        for name in ["success", "status", "email_id", "message"] {
            if let Some(value) = body.get(name) {
                told.insert(name.to_owned(), value.clone());
            }
        }
        (response.status, Value::Object(told))
    };
    let answer = |answer: &Value| {
        (u16::try_from(answer["status"].as_u64().expect("a status")).expect("small"), answer["json"].clone())
    };

    // Twice: taken, then known.
    let case = recorded("jul_ingress-002");
    let mail = &case["input"]["body"];
    let first = push(mail).send(port).await;
    assert_eq!(told(&first), answer(&case["output"]["http"][0]));
    assert_eq!(body(&first)["decision"], "routed");
    assert_eq!(told(&push(mail).send(port).await), answer(&case["output"]["http"][1]));
    until("its webhook", PATIENCE, async || {
        if site.receiver.count() == 1 { Ok(()) } else { Err(site.receiver.count()) }
    })
    .await;
    let sent = site.receiver.deliveries().pop().expect("a webhook").json();
    let theirs: Value =
        serde_json::from_str(case["output"]["outbound"][0]["data"].as_str().expect("a body")).expect("JSON");
    assert_eq!(sent, theirs, "the webhook is the reference's");

    // What is refused.
    for id in ["jul_ingress-008", "jul_ingress-009", "jul_ingress-010", "jul_ingress-011", "jul_ingress-012"]
    {
        let case = recorded(id);
        let call = match &case["input"]["body"] {
            Value::String(raw) => {
                let mut call =
                    Call::new("POST", "/api/ingress/gmail").known().with("Content-Type", "application/json");
                call.body = raw.clone();
                call
            }
            body => push(body),
        };
        assert_eq!(told(&call.send(port).await), answer(&case["output"]["http"]), "{id}");
    }
    let subjectless = recorded("jul_ingress-013");
    assert_eq!(
        told(&push(&subjectless["input"]["body"]).send(port).await),
        answer(&subjectless["output"]["http"])
    );
    for header in [None, Some("a-token-of-the-tests"), Some("Bearer another-token")] {
        let mut call = Call::new("POST", "/api/ingress/gmail").json(mail);
        if let Some(header) = header {
            call = call.with("Authorization", header);
        }
        // W-91: the bare token is refused, too.
        let refused = call.send(port).await;
        assert_eq!((refused.status, &body(&refused)["success"]), (401, &json!(false)), "{header:?}");
    }

    // W-89: what holds for a mailbox holds here; W-84: what cannot go now waits.
    let reply = recorded("jul_ingress-023");
    let ignored = push(&reply["input"]["body"]).send(port).await;
    assert_eq!(
        (ignored.status, &body(&ignored)["decision"], &body(&ignored)["reason"]),
        (200, &json!("ignored"), &json!("reply"))
    );
    let change = async |path: &'static str, fields: Value| {
        assert_eq!(Call::new("POST", path).known().json(&fields).send(port).await.status, 200);
    };
    let another =
        json!({ "subject": "Lot 7", "sender": "a@b.fr", "body": "https://fromsmash.com/a7", "date": "d" });
    change("/api/webhooks/config", json!({ "webhook_sending_enabled": false })).await;
    until("the switch", PATIENCE, async || {
        let mut mail = another.clone();
        mail["date"] = json!(format!("{:?}", std::time::Instant::now()));
        let held = body(&push(&mail).send(port).await);
        if held["reason"] == "sending_disabled" && held["status"] == "queued" { Ok(()) } else { Err(held) }
    })
    .await;
    change("/api/update_polling_config", json!({ "sender_of_interest_for_polling": ["somebody@else.fr"] }))
        .await;
    let stranger = recorded("jul_ingress-016");
    until("the list of senders", PATIENCE, async || {
        let mut mail = stranger["input"]["body"].clone();
        mail["date"] = json!(format!("{:?}", std::time::Instant::now()));
        let told = body(&push(&mail).send(port).await);
        if told["status"] == "skipped_sender_not_allowed" { Ok(()) } else { Err(told) }
    })
    .await;
    change("/api/update_runtime_flags", json!({ "gmail_ingress_enabled": false })).await;
    let off = recorded("jul_ingress-015");
    until("the flag", PATIENCE, async || {
        let refused = push(&off["input"]["body"]).send(port).await;
        if told(&refused) == answer(&off["output"]["http"]) { Ok(()) } else { Err(refused.body) }
    })
    .await;
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_only_signed_mails_are_taken() {
    let mut place = scenario();
    place.set("INGRESS_HMAC_SECRET", &standard_webhooks::secret("ingress"));
    let worker = started(&place).await;
    let mail =
        json!({ "subject": "Lot 7", "sender": "a@b.fr", "body": "https://fromsmash.com/a7" }).to_string();
    let now = render_signal_actors::kernel::clock::World::real().now().timestamp().unsigned_abs();
    let push = async |at: u64, secret: &str, body: &str| {
        let signature = standard_webhooks::sign(
            &standard_webhooks::secret(secret),
            "id-1",
            &at.to_string(),
            mail.as_bytes(),
        );
        let mut call = Call::new("POST", "/api/ingress/gmail")
            .known()
            .with("Content-Type", "application/json")
            .with("webhook-id", "id-1")
            .with("webhook-timestamp", &at.to_string())
            .with("webhook-signature", &signature);
        call.body = body.to_owned();
        call.send(worker.port()).await.status
    };
    let mut unsigned =
        Call::new("POST", "/api/ingress/gmail").known().with("Content-Type", "application/json");
    unsigned.body = mail.clone();
    assert_eq!(unsigned.send(worker.port()).await.status, 401);
    assert_eq!(push(now, "another", &mail).await, 401);
    assert_eq!(push(now - 600, "ingress", &mail).await, 401);
    assert_eq!(push(now, "ingress", &mail.replace("a7", "a8")).await, 401);
    assert_eq!(push(now, "ingress", &mail).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_named_origins_may_use_the_test_api() {
    let mut place = scenario();
    place.set("CORS_ALLOWED_ORIGINS", "https://a.example, https://b.example");
    let worker = started(&place).await;
    let ask = async |method: &'static str, path: &'static str, origin: &str| {
        let call = Call::new(method, path).with("Origin", origin);
        call.with("Access-Control-Request-Method", "GET").send(worker.port()).await
    };
    let allowed = |response: &Response| response.header("access-control-allow-origin").map(str::to_owned);
    let preflight = ask("OPTIONS", "/api/test/webhook_logs", "https://a.example").await;
    assert_eq!((preflight.status, allowed(&preflight).as_deref()), (204, Some("https://a.example")));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("Content-Type, X-API-Key"));
    assert_eq!(preflight.header("access-control-max-age"), Some("600"));
    let refused = ask("GET", "/api/test/webhook_logs", "https://b.example").await;
    assert_eq!((refused.status, allowed(&refused).as_deref()), (401, Some("https://b.example")));
    for (path, origin) in
        [("/api/test/webhook_logs", "https://c.example"), ("/api/webhook_logs", "https://a.example")]
    {
        assert_eq!(allowed(&ask("GET", path, origin).await), None, "{path} {origin}");
    }
}
