//! The receiver in PHP (`deployment/public_html/index.php`) and its pages.
//!
//! | module | what it tries |
//! |---|---|
//! | [`golden`] | what the reference answered, and where ours differs on purpose |
//! | [`receiving`] | signatures, webhooks that come again, at once, after a crash |
//! | [`mails`] | automatic mails through Gmail |
//! | [`lists`] | `webhook_links.json`, shared with the program while both write |
//! | [`check`] | the check of the Gmail account, as a page and as a command |
//! | [`diagnostics`] | the other pages, and that nothing else is public |
//! | [`delivered`] | the program posting to the receiver |

mod check;
mod delivered;
mod diagnostics;
mod golden;
mod lists;
mod mails;
mod receiving;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::http::{self, Response};
use crate::support::php::Php;
use crate::support::receiver::Receiver;
use crate::support::standard_webhooks::{secret, sign};
use crate::support::{Answer, PATIENCE};

/// Whose mails are acted upon.
const SENDER: &str = "camille@agence.example";
/// Opens the diagnostics pages.
const TOKEN: &str = "a-token-of-the-tests-for-diagnostics";
/// Opens the scheduled check.
const KEY: &str = "a-key-of-the-tests-for-the-check";
/// Secrets of the Gmail account, none of which is ever to be seen.
const GMAIL_SECRETS: [&str; 4] = ["geheim-id", "geheim-secret", "geheim-refresh", "geheim-access"];
/// Path of the token endpoint that stands in for Google's.
const TOKENS: &str = "/token";
/// Path of Gmail's API, as it is there.
const MESSAGES: &str = "/gmail/v1/users/me/messages/send";

/// A host whose receiver is configured, without Gmail.
fn prepared() -> Php {
    let mut php = Php::prepare();
    php.set("WEBHOOK_SECRET", &secret("present"));
    php.set("AUTHORIZED_SENDERS", SENDER);
    php.set("DIAGNOSTICS_TOKEN", TOKEN);
    php
}

/// The same, running.
async fn running() -> Php {
    let mut php = prepared();
    php.launch().await;
    php
}

/// What stands in for Google: tokens are given, mails are taken.
async fn google() -> Receiver {
    let google = Receiver::start().await;
    google.always(TOKENS, Answer::Page(200, GIVEN));
    google.always(MESSAGES, Answer::Page(200, r#"{"id":"m-1","threadId":"t-1"}"#));
    google
}

const GIVEN: &str = r#"{"access_token":"geheim-access","expires_in":3599,"token_type":"Bearer","scope":"https://www.googleapis.com/auth/gmail.send"}"#;

/// Sets the variables of a Gmail account whose services are these.
fn with_gmail(php: &mut Php, google: &Receiver) {
    for (name, value) in gmail(google) {
        php.set(name, &value);
    }
}

fn gmail(google: &Receiver) -> Vec<(&'static str, String)> {
    vec![
        ("GMAIL_CLIENT_ID", GMAIL_SECRETS[0].to_owned()),
        ("GMAIL_CLIENT_SECRET", GMAIL_SECRETS[1].to_owned()),
        ("GMAIL_REFRESH_TOKEN", GMAIL_SECRETS[2].to_owned()),
        ("GMAIL_FROM_EMAIL", "studio@agence.example".to_owned()),
        ("GMAIL_FROM_NAME", "Le Studio – Équipe".to_owned()),
        ("GMAIL_TOKEN_URL", google.url(TOKENS)),
        ("GMAIL_API_URL", google.url("")),
    ]
}

/// Seconds since 1970.
fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "PHP reads the real clock, so the test must, too")]
    let now = chrono::Utc::now();
    now.timestamp()
}

/// The headers of a signed request.
fn signed_by(secrets: &[String], id: &str, at: i64, body: &str) -> String {
    let at = at.to_string();
    let signatures: Vec<String> =
        secrets.iter().map(|secret| sign(secret, id, &at, body.as_bytes())).collect();
    format!(
        "webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {}\r\n\
         Content-Type: application/json\r\nConnection: close\r\n",
        signatures.join(" ")
    )
}

/// Posts a webhook, signed as the program signs.
async fn post(php: &Php, id: &str, body: &str) -> Response {
    let headers = signed_by(&[secret("present")], id, now(), body);
    exchange(php, "POST", "/", &headers, body).await
}

async fn exchange(php: &Php, method: &str, path: &str, headers: &str, body: &str) -> Response {
    let request = http::request(method, path, headers, body);
    http::exchange_within(php.port(), &request, PATIENCE).await.expect("an answer")
}

/// Posts a webhook as the program does, in a task of its own: what is answered 503, because
/// somebody else has a lock, is posted again.
async fn deliver(port: u16, id: String, body: String) -> Response {
    for _ in 0..20 {
        let headers = signed_by(&[secret("present")], &id, now(), &body);
        let request = http::request("POST", "/", &headers, &body);
        let answer = http::exchange_within(port, &request, PATIENCE).await.expect("an answer");
        if answer.status != 503 {
            return answer;
        }
    }
    panic!("webhook {id} is never taken");
}

/// A request of somebody who has the token.
async fn diagnosed(php: &Php, method: &str, path: &str, body: &str) -> Response {
    let headers = format!(
        "Authorization: Bearer {TOKEN}\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
    );
    exchange(php, method, path, &headers, body).await
}

fn parsed(answer: &Response) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// A webhook with these links.
fn webhook(links: &Value) -> Value {
    json!({
        "microsoft_graph_email_id": "e1", "subject": "Lot 42", "receivedDateTime": "Mon, 30 Nov 2026 10:00:00 +0100",
        "sender_address": format!("Camille <{SENDER}>"), "bodyPreview": "", "email_content": "Bonjour",
        "sender_email": SENDER, "delivery_links": links,
    })
}

/// A pair of a file and its copy.
fn pair(number: usize) -> Value {
    json!({
        "provider": "dropbox", "raw_url": format!("https://www.dropbox.com/s/a/{number}.zip?dl=0"),
        "direct_url": format!("https://www.dropbox.com/s/a/{number}.zip?dl=0"),
        "r2_url": format!("https://media.example/dropbox/{number}"), "original_filename": format!("{number} été.zip"),
    })
}

/// The entries of a list; none while there is no list.
fn entries(list: &Path) -> Vec<Value> {
    let text = fs::read(list).unwrap_or_default();
    if text.is_empty() { Vec::new() } else { serde_json::from_slice(&text).expect("a list") }
}

fn list(php: &Php) -> std::path::PathBuf {
    php.path("data/webhook_links.json")
}

/// Runs a script of PHP beside the deployment.
fn script(php: &Php, code: &str, words: &[&str]) -> Output {
    let mut command = Command::new("php");
    command.current_dir(php.path("..")).args(["-d", "display_errors=stderr", "-r", code, "--"]).args(words);
    command.output().expect("php")
}

fn assert_no_secret(text: &str) {
    for secret in GMAIL_SECRETS {
        assert!(!text.contains(secret), "{secret} is told: {text}");
    }
}

/// PHP had nothing to say about the code itself.
fn assert_no_warning(php: &Php) {
    let log = php.log();
    for word in ["PHP Warning", "PHP Notice", "PHP Deprecated", "PHP Fatal", "Error at "] {
        assert!(!log.contains(word), "{log}");
    }
}

/// Every file of PHP can be read by PHP, without a warning.
#[test]
fn every_file_is_php() {
    let php = Php::prepare();
    let mut folders = vec![php.path("")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).expect("a folder").flatten() {
            let path = file.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "php") {
                count += 1;
                let done = Command::new("php").args(["-d", "error_reporting=-1", "-l"]).arg(&path).output();
                let done = done.expect("php");
                let said = String::from_utf8_lossy(&done.stdout).trim().to_owned();
                assert!(done.status.success() && said.lines().count() == 1, "{said}");
                let text = fs::read_to_string(&path).expect("text");
                assert!(text.contains("declare(strict_types=1);"), "{}", path.display());
            }
        }
    }
    assert!(count > 40, "{count}");
}
