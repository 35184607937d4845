//! The check of the Gmail account: as a command for cron, and as a page.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    GIVEN, KEY, MESSAGES, TOKENS, assert_no_secret, assert_no_warning, diagnosed, exchange, gmail, google,
    now, parsed, prepared, with_gmail,
};
use crate::support::http::Response;
use crate::support::php::Php;
use crate::support::receiver::Receiver;
use crate::support::{Answer, PATIENCE, http};

const REVOKED: &str = r#"{"error":"invalid_grant","error_description":"geheim-refresh has been expired or revoked by 1//0abcDEF"}"#;

fn form(key: Option<&str>) -> String {
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    format!("{key}Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n")
}

async fn checking() -> (Php, Receiver) {
    let google = google().await;
    let mut php = prepared();
    with_gmail(&mut php, &google);
    php.set("GMAIL_OAUTH_CHECK_KEY", KEY);
    php.launch().await;
    (php, google)
}

async fn scheduled(php: &Php, more: &str) -> Response {
    let body = format!("action=auto-check&key={KEY}{more}");
    exchange(php, "POST", "/GmailOAuthTest.php", &form(None), &body).await
}

fn history(php: &Php) -> Vec<Value> {
    let text = fs::read_to_string(php.path("data/gmail_oauth_check_history.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn last(php: &Php) -> Value {
    let text = fs::read(php.path("data/gmail_oauth_last_check.json")).expect("a last check");
    serde_json::from_slice(&text).expect("JSON")
}

/// Runs the command: what it prints, and whether it ends with 0.
fn command(php: &Php, google: Option<&Receiver>, words: &[&str]) -> (Value, bool) {
    let mut command = Command::new("php");
    command.arg(php.path("scripts/gmail_oauth_connection_test.php")).args(words).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(google.map(gmail).into_iter().flatten());
    let done = command.output().expect("php");
    let text = String::from_utf8(done.stdout).expect("text");
    assert_no_secret(&text);
    assert_no_secret(&String::from_utf8_lossy(&done.stderr));
    assert!(matches!(done.status.code(), Some(0 | 1)), "{}", done.status);
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), done.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_whether_a_token_is_given_and_a_mail_sent() {
    let (php, google) = (Php::prepare(), google().await);
    let google = &google;
    let (said, good) = tokio::task::block_in_place(|| command(&php, Some(google), &["--dry-run"]));
    let details = json!({"http_status": 200, "token_type": "Bearer", "expires_in": 3599, "scope": "https://www.googleapis.com/auth/gmail.send"});
    assert_eq!(said, json!({"success": true, "message": "Access token obtained", "details": details}));
    assert!(good && google.count() == 1);
    let run = |words: &[&str]| tokio::task::block_in_place(|| command(&php, Some(google), words));
    let (said, good) = run(&["--to", "me@agence.example"]);
    assert_eq!(
        said["details"],
        json!({"http_status": 200, "gmail_message_id": "m-1", "gmail_thread_id": "t-1"})
    );
    assert!(good && google.deliveries().last().is_some_and(|request| request.path == MESSAGES));
    google.next(TOKENS, [Answer::Page(400, REVOKED)]);
    let (said, good) = run(&["--dry-run"]);
    let details = json!({"http_status": 400, "error": "invalid_grant", "error_description": "*** has been expired or revoked by ***"});
    assert_eq!(
        (said, good),
        (
            json!({"success": false, "message": "Token refused: HTTP 400 invalid_grant", "details": details}),
            false
        )
    );
    for words in [
        &["--nonsense"][..],
        &["--dry-run", "--to", "a@b.example"],
        &["--dry-run", "more"],
        &["--to", "nobody"],
    ] {
        let (said, good) = run(words);
        assert!(!good && said["success"] == json!(false), "{words:?}: {said}");
    }
    let (said, good) = tokio::task::block_in_place(|| command(&php, None, &["--dry-run"]));
    let missing = json!({"missing": ["GMAIL_CLIENT_ID", "GMAIL_CLIENT_SECRET", "GMAIL_REFRESH_TOKEN", "GMAIL_FROM_EMAIL"]});
    assert_eq!(
        (said, good),
        (json!({"success": false, "message": "Gmail OAuth not configured", "details": missing}), false)
    );
    assert!(history(&php).is_empty(), "only what the schedule asks for is kept");
    let (said, good) = run(&["--auto-check"]);
    assert!(good && said["last_run_ts"].is_i64(), "{said}");
    assert_eq!(run(&["--auto-check"]).0["skipped"], json!(true));
    assert_eq!(run(&["--auto-check", "--force"]).0["skipped"], Value::Null);
    assert_eq!(history(&php).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_asks_once_in_the_interval_and_keeps_what_was_found() {
    let (php, google) = checking().await;
    let before = now();
    let first = scheduled(&php, "").await;
    assert_eq!(first.status, 200, "{first:?}");
    let kept = last(&php);
    assert!(kept["last_run_ts"].as_i64().is_some_and(|at| (before..=now()).contains(&at)), "{kept}");
    assert_eq!((&kept["success"], &kept["details"]["expires_in"]), (&json!(true), &json!(3599)));
    assert_eq!(history(&php), std::slice::from_ref(&kept));
    let again = scheduled(&php, "").await;
    assert_eq!((again.status, google.count(), parsed(&again)["skipped"].clone()), (200, 1, json!(true)));

    // Forced, and in vain: that is kept, too, and the next one that is not due says so.
    google.next(TOKENS, [Answer::Page(400, REVOKED)]);
    let failed = scheduled(&php, "&force=1").await;
    assert_eq!(
        (failed.status, &parsed(&failed)["message"]),
        (502, &json!("Token refused: HTTP 400 invalid_grant"))
    );
    let skipped = parsed(&scheduled(&php, "").await);
    assert_eq!((&skipped["success"], &skipped["skipped"]), (&json!(false), &json!(true)));
    assert_eq!(
        history(&php).iter().map(|one| one["success"].clone()).collect::<Vec<_>>(),
        [json!(true), json!(false)]
    );

    // Eight days ago is long enough; a time as text is a time; one of the future is none.
    for (at, due) in [
        (json!(now() - 8 * 86_400), true),
        (json!(now() - 6 * 86_400), false),
        (json!("2026-01-01T00:00:00+00:00"), true),
        (json!((now() - 60).to_string()), false),
        (json!(now() + 400 * 86_400), true),
        (json!(null), true),
    ] {
        let asked = google.count();
        fs::write(php.path("data/gmail_oauth_last_check.json"), json!({"last_run_ts": at}).to_string())
            .expect("a file");
        scheduled(&php, "").await;
        assert_eq!(google.count() - asked, usize::from(due), "{at}");
    }
    // Half a line of a crash stays a line of its own.
    let path = php.path("data/gmail_oauth_check_history.jsonl");
    let whole = fs::read_to_string(&path).expect("a history");
    fs::write(&path, format!("{whole}{{\"last_run")).expect("a history");
    assert_eq!(scheduled(&php, "&force=1").await.status, 200);
    let text = fs::read_to_string(&path).expect("a history");
    let line = text.strip_prefix(&format!("{whole}{{\"last_run\n")).expect("what was there is there");
    assert_eq!(serde_json::from_str::<Value>(line).expect("a line"), last(&php));
    assert_no_secret(&format!("{text}{}", php.log()));
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_at_once_are_one() {
    let (php, google) = checking().await;
    let mut checks = JoinSet::new();
    for _ in 0..6 {
        let request = http::request("POST", "/GmailOAuthTest.php", &form(Some(KEY)), "action=auto-check");
        let port = php.port();
        checks.spawn(async move {
            http::exchange_within(port, &request, PATIENCE).await.expect("an answer").status
        });
    }
    assert_eq!(checks.join_all().await, vec![200; 6]);
    assert_eq!((google.count(), history(&php).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_sent_to_whom_the_settings_name() {
    let google = google().await;
    let mut php = prepared();
    with_gmail(&mut php, &google);
    php.set("GMAIL_OAUTH_CHECK_KEY", KEY);
    php.set("GMAIL_OAUTH_TEST_TO", "me@agence.example");
    php.set("GMAIL_OAUTH_CHECK_INTERVAL_DAYS", "0");
    php.launch().await;
    assert_eq!(parsed(&scheduled(&php, "").await)["skipped"], json!(true), "0 days: never by itself");
    let said = parsed(&scheduled(&php, "&force=1").await);
    assert_eq!(said["details"]["gmail_message_id"], json!("m-1"));
    assert_eq!(last(&php)["details"], said["details"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_does_what_it_is_asked_by_those_who_may() {
    let (php, google) = checking().await;
    let page = "/GmailOAuthTest.php";
    // GET, by an old cron job, with the key in the address.
    let answer =
        exchange(&php, "GET", &format!("{page}?action=auto-check&key={KEY}&force=1"), &form(None), "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (headers, path, body, status) in [
        (form(None), page, "action=auto-check", 403),
        (form(None), page, "action=auto-check&key=no", 403),
        (form(None), page, "action=auto-check&key[]=no", 403),
        (form(Some("no")), page, "action=auto-check", 403),
        (form(None), page, "action=dry-run", 401),
        (form(Some(KEY)), page, "action=send", 401),
        (form(None), page, "action=nonsense", 400),
        (form(None), page, "action[]=send", 400),
    ] {
        let answer = exchange(&php, "POST", path, &headers, body).await;
        assert_eq!(
            (answer.status, &parsed(&answer)["success"]),
            (status, &json!(false)),
            "{body}: {answer:?}"
        );
    }
    assert_eq!(google.count(), 1);
    let answer = diagnosed(&php, "POST", page, "action=dry-run").await;
    assert_eq!((answer.status, &parsed(&answer)["details"]["http_status"]), (200, &json!(200)));
    let answer = diagnosed(&php, "POST", page, "action=send&to=me%40agence.example").await;
    assert_eq!((answer.status, &parsed(&answer)["details"]["gmail_thread_id"]), (200, &json!("t-1")));
    assert_eq!(diagnosed(&php, "POST", page, "action=send&to=nobody").await.status, 400);
    assert_eq!(diagnosed(&php, "GET", &format!("{page}?action=send"), "").await.status, 405);
    google.next(MESSAGES, [Answer::Status(503)]);
    assert_eq!(diagnosed(&php, "POST", page, "action=send").await.status, 502);
    google.next(TOKENS, [Answer::Reset, Answer::Page(200, GIVEN)]);
    assert_eq!(diagnosed(&php, "POST", page, "action=dry-run").await.status, 502);
    let shown = diagnosed(&php, "GET", &format!("{page}?lang=en"), "").await;
    assert!(
        shown.body.contains("The last check went well") && shown.body.contains("value=\"send\""),
        "{}",
        shown.body
    );

    assert_no_warning(&php);

    let mut bare = prepared();
    bare.set("GMAIL_OAUTH_CHECK_KEY", "short");
    bare.launch().await;
    assert_eq!(diagnosed(&bare, "POST", page, "action=dry-run").await.status, 422);
    let answer = exchange(&bare, "POST", page, &form(None), "action=auto-check&key=short").await;
    assert_eq!(answer.status, 403, "a key that could be guessed opens nothing");
}
