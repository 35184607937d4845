//! Who is let in, and what becomes of a webhook that comes more than once.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::task::JoinSet;

use super::{
    MESSAGES, SENDER, assert_no_secret, deliver, entries, exchange, google, list, now, pair, parsed, post,
    prepared, running, signed_by, webhook, with_gmail,
};
use crate::support::php::Php;
use crate::support::standard_webhooks::secret;
use crate::support::{Answer, PATIENCE, until};

fn receipts(php: &Php) -> Vec<PathBuf> {
    let folders = fs::read_dir(php.path("data/webhook_receipts")).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).expect("a folder").flatten());
    files.map(|file| file.path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_lately_and_as_it_is_is_looked_at() {
    let php = running().await;
    let body = webhook(&json!([pair(1)])).to_string();
    let present = [secret("present")];
    let good = signed_by(&present, "msg_1", now(), &body);
    let without = |name: &str| -> String {
        let lines = good.lines().filter(|line| !line.starts_with(name));
        lines.map(|line| format!("{line}\r\n")).collect()
    };
    for (what, headers, sent) in [
        ("nothing", "Connection: close\r\n".to_owned(), body.clone()),
        ("no id", without("webhook-id"), body.clone()),
        ("no time", without("webhook-timestamp"), body.clone()),
        ("no signature", without("webhook-signature"), body.clone()),
        ("another body", good.clone(), body.replace("Lot 42", "Lot 43")),
        ("another id", good.replace("msg_1", "msg_2"), body.clone()),
        ("another secret", signed_by(&[secret("other")], "msg_1", now(), &body), body.clone()),
        ("an old request", signed_by(&present, "msg_1", now() - 310, &body), body.clone()),
        ("one of tomorrow", signed_by(&present, "msg_1", now() + 310, &body), body.clone()),
        ("a bare signature", good.replace("v1,", ""), body.clone()),
        (
            "five signatures",
            signed_by(&vec![secret("other"); 4], "msg_1", now(), &body)
                .replace("\r\nContent", " x\r\nContent"),
            body.clone(),
        ),
    ] {
        let answer = exchange(&php, "POST", "/", &headers, &sent).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        let said = parsed(&answer);
        assert_eq!(
            (&said["success"], &said["processed_urls"], &said["errors"]),
            (&json!(false), &json!([]), &json!([]))
        );
    }
    assert_eq!((entries(&list(&php)), receipts(&php)), (vec![], vec![]), "nothing was even looked at");
    let answer = exchange(&php, "POST", "/index.php", &good, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!php.log().contains(&secret("present")), "{}", php.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_are_good_while_one_is_replaced() {
    let mut php = prepared();
    php.set("WEBHOOK_SECRET", &format!("{} {}", secret("new"), secret("old").trim_start_matches("whsec_")));
    php.launch().await;
    let body = webhook(&json!([pair(1)])).to_string();
    let secrets = |names: &[&str]| names.iter().map(|name| secret(name)).collect::<Vec<_>>();
    for (id, names, status) in [
        ("old", vec!["old"], 200),
        ("new", vec!["new"], 200),
        ("both", vec!["newer", "new"], 200),
        ("neither", vec!["older", "newer"], 401),
    ] {
        let headers = signed_by(&secrets(&names), id, now(), &body);
        assert_eq!(exchange(&php, "POST", "/", &headers, &body).await.status, status, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_that_is_not_configured() {
    let good = secret("present");
    for (name, value, message) in [
        ("WEBHOOK_SECRET", "", "WEBHOOK_SECRET is not configured."),
        ("WEBHOOK_SECRET", "whsec_c2hvcnQ=", "WEBHOOK_SECRET: secret 1 is not base64 of 24 to 64 bytes."),
        (
            "WEBHOOK_SECRET",
            &format!("{good} geheim!"),
            "WEBHOOK_SECRET: secret 2 is not base64 of 24 to 64 bytes.",
        ),
        ("WEBHOOK_SECRET", &format!("{good} {good} {good}"), "WEBHOOK_SECRET holds more than two secrets."),
        ("AUTHORIZED_SENDERS", " ", "AUTHORIZED_SENDERS is not configured."),
        ("WEBHOOK_LINKS_FILE", "links.json", "WEBHOOK_LINKS_FILE must be an absolute path without \"..\"."),
        ("WEBHOOK_RECEIPTS_DAYS", "1", "WEBHOOK_RECEIPTS_DAYS is no number from 4 to 3650."),
        ("GMAIL_TOKEN_URL", "http://token.example", "GMAIL_TOKEN_URL is not https."),
    ] {
        let mut php = prepared();
        php.set(name, value);
        php.launch().await;
        let answer = post(&php, "msg_1", &webhook(&json!([pair(1)])).to_string()).await;
        assert_eq!((answer.status, &parsed(&answer)["message"]), (500, &json!(message)), "{name}");
        assert!(entries(&list(&php)).is_empty() && receipts(&php).is_empty(), "{name}");
        assert!(!php.log().contains("geheim"), "{}", php.log());
    }
    // What would be published is refused, however the setting is written.
    let mut php = prepared();
    let inside = php.path("public_html/data/webhook_links.json").display().to_string();
    php.set("WEBHOOK_LINKS_FILE", &inside);
    php.launch().await;
    assert_eq!(post(&php, "msg_1", &webhook(&json!([pair(1)])).to_string()).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_requests_find_an_empty_page_or_none() {
    let php = running().await;
    for (method, path, status) in [
        ("GET", "/", 200),
        ("PUT", "/", 405),
        ("OPTIONS", "/", 405),
        ("GET", "/nope", 404),
        ("POST", "/index.php/x", 404),
    ] {
        let answer = exchange(&php, method, path, "Connection: close\r\n", "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("allow"), (status == 405).then_some("GET, HEAD, POST"));
        assert_eq!((answer.header("x-powered-by"), answer.header("cache-control")), (None, Some("no-store")));
        assert!(status != 200 || answer.body.is_empty(), "{answer:?}");
    }
    let mut small = prepared();
    small.set("WEBHOOK_MAX_BODY_MB", "1");
    small.launch().await;
    let mut long = webhook(&json!([pair(1)]));
    long["email_content"] = json!("x".repeat(1 << 20));
    assert_eq!(post(&small, "msg_1", &long.to_string()).await.status, 413);
    assert_eq!(post(&php, "msg_1", &long.to_string()).await.status, 200);
    // PHP's own `post_max_size` does not cut it off.
    long["email_content"] = json!("x".repeat(9 << 20));
    assert_eq!(post(&php, "msg_2", &long.to_string()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_comes_again_is_answered_as_before_and_done_once() {
    let google = google().await;
    let mut php = prepared();
    php.set("RECADRAGE_TO", "studio@agence.example");
    with_gmail(&mut php, &google);
    php.launch().await;
    let mut body = webhook(&json!([pair(1), "https://fromsmash.com/abc"]));
    body["detector"] = json!("recadrage");
    let body = body.to_string();
    // All at once, and then one after the other.
    let mut posts = JoinSet::new();
    for _ in 0..12 {
        posts.spawn(deliver(php.port(), "msg_1".to_owned(), body.clone()));
    }
    let mut answers = posts.join_all().await;
    answers.push(post(&php, "msg_1", &body).await);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
    }
    let repeated = answers.iter().filter(|answer| answer.header("x-webhook-duplicate").is_some()).count();
    assert_eq!((repeated, answers.len()), (12, 13));
    assert_eq!(entries(&list(&php)).len(), 2);
    let sent = google.deliveries().iter().filter(|request| request.path == MESSAGES).count();
    assert_eq!(sent, 1, "one mail");
    // Another webhook is another one: the copy is known, and its other link is new.
    let other = body.replace("fromsmash.com/abc", "fromsmash.com/def");
    assert_eq!(post(&php, "msg_2", &other).await.status, 200);
    assert_eq!(entries(&list(&php)).len(), 3);
    assert_eq!(google.deliveries().iter().filter(|request| request.path == MESSAGES).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_webhooks_at_once_are_all_recorded() {
    let php = running().await;
    let mut posts = JoinSet::new();
    for number in 0..40 {
        let body = webhook(&json!([pair(number)])).to_string();
        posts.spawn(deliver(php.port(), format!("msg_{number}"), body));
    }
    for answer in posts.join_all().await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let mut found: Vec<String> = entries(&list(&php))
        .iter()
        .map(|entry| entry["r2_url"].as_str().expect("an address").to_owned())
        .collect();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 40);
}

/// Killed while Google is asked: the links are recorded already, and the next attempt sends the mail.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_goes_on_where_a_crash_stopped_it() {
    let google = google().await;
    let mut php = prepared();
    php.set("RECADRAGE_TO", "studio@agence.example");
    with_gmail(&mut php, &google);
    php.launch().await;
    let mut body = webhook(&json!([pair(1), "https://fromsmash.com/abc"]));
    body["detector"] = json!("recadrage");
    let body = body.to_string();
    google.next(MESSAGES, [Answer::Hang]);
    let headers = signed_by(&[secret("present")], "msg_1", now(), &body);
    let request = crate::support::http::request("POST", "/", &headers, &body);
    let port = php.port();
    let first =
        tokio::spawn(async move { crate::support::http::exchange_within(port, &request, PATIENCE).await });
    until("Google to be asked", PATIENCE, async || {
        let asked = google.deliveries().iter().any(|request| request.path == MESSAGES);
        if asked { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    php.kill();
    assert!(first.await.expect("a task").is_err(), "nobody answered");
    let recorded = entries(&list(&php));
    assert_eq!(recorded.len(), 2);
    php.launch().await;
    let answer = post(&php, "msg_1", &body).await;
    assert_eq!(
        (answer.status, &parsed(&answer)["message"]),
        (200, &json!("RECADRAGE email sent successfully; 2 delivery link(s) logged"))
    );
    assert_eq!(entries(&list(&php)), recorded, "the links are there once");

    // Killed between a step and its note, or in the middle of one: the step is done over, and no
    // link stands there twice.
    let receipt = receipts(&php).pop().expect("a receipt");
    let whole = fs::read_to_string(&receipt).expect("a receipt");
    let first_line = whole.lines().next().expect("a line");
    for left in [
        format!("{first_line}\n"),
        format!("{first_line}\n{{\"links\":{{\"r2"),
        format!("{first_line}\n{{\"li"),
    ] {
        fs::write(&receipt, &left).expect("a receipt");
        assert_eq!(post(&php, "msg_1", &body).await.status, 200, "{left}");
        assert_eq!(entries(&list(&php)), recorded, "{left}");
        assert_eq!(post(&php, "msg_1", &body).await.header("x-webhook-duplicate"), Some("true"), "{left}");
    }
    assert_no_secret(&php.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_was_refused_may_come_again() {
    let mut php = prepared();
    php.set("AUTHORIZED_SENDERS", "somebody@else.example");
    php.launch().await;
    let body = webhook(&json!([pair(1)])).to_string();
    assert_eq!(post(&php, "msg_1", &body).await.status, 422);
    php.kill();
    php.set("AUTHORIZED_SENDERS", &format!("somebody@else.example, {}", SENDER.to_uppercase()));
    php.launch().await;
    assert_eq!(post(&php, "msg_1", &body).await.status, 200);
    // Whoever the header names and whoever the program has read have both to be known.
    let mut other = webhook(&json!([pair(2)]));
    other["sender_email"] = json!("evil@evil.example");
    let answer = post(&php, "msg_2", &other.to_string()).await;
    assert_eq!(
        (answer.status, &parsed(&answer)["message"]),
        (422, &json!("Sender not authorized: evil@evil.example"))
    );
    php.kill();
    php.set("AUTHORIZED_SENDERS", "*");
    php.launch().await;
    assert_eq!(post(&php, "msg_2", &other.to_string()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_bounded_in_number_and_age() {
    let mut php = prepared();
    // Ten in each of 64 folders.
    php.set("WEBHOOK_RECEIPTS_MAX", "640");
    php.launch().await;
    let body = webhook(&json!([pair(1)])).to_string();
    assert_eq!(post(&php, "msg_1", &body).await.status, 200);
    let present = receipts(&php).pop().expect("a receipt");
    let folder = present.parent().expect("a folder").to_owned();
    let day = Duration::from_secs(86_400);
    #[expect(clippy::disallowed_methods, reason = "ages of files are of the real clock")]
    let today = SystemTime::now();
    let make = |name: &str, age: Duration| {
        let file = File::create(folder.join(format!("{name}.jsonl"))).expect("a file");
        file.set_modified(today - age).expect("a time");
    };
    for number in 0..20 {
        make(&format!("young-{number:02}"), Duration::from_secs(60 * number));
    }
    make("old", 31 * day);
    assert_eq!(post(&php, "msg_1", &body).await.header("x-webhook-duplicate"), Some("true"));
    let left = receipts(&php);
    assert_eq!(left.len(), 10, "{left:?}");
    assert!(left.contains(&present) && left.contains(&folder.join("young-00.jsonl")), "{left:?}");
    assert!(!left.contains(&folder.join("old.jsonl")) && !left.contains(&folder.join("young-19.jsonl")));
    // Age counts where there is room.
    make("old", 31 * day);
    fs::remove_file(folder.join("young-08.jsonl")).expect("a receipt");
    fs::remove_file(folder.join("young-07.jsonl")).expect("a receipt");
    assert_eq!(post(&php, "msg_1", &body).await.status, 200);
    assert_eq!(receipts(&php).len(), 8);
}
