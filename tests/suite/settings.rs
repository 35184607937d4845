//! Settings as an operator meets them: each acts, is refused by name, or is told as without
//! effect.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::place::Place;
use crate::support::program::{BINARY, Program};
use crate::support::receiver::{Answer, Receiver};
use crate::support::until::ensure;
use crate::support::{PATIENCE, mails, standard_webhooks, until};

/// What the program of July 2026 has to have, and nothing else.
const JULY: [(&str, &str); 4] = [
    ("FLASK_SECRET_KEY", "a-secret-of-the-tests-0123456789"),
    ("TRIGGER_PAGE_PASSWORD", "a-password-of-the-tests"),
    ("PROCESS_API_TOKEN", "a-token-of-the-tests"),
    ("WEBHOOK_URL", "https://hook.example.org/a-capability"),
];

fn serve(folder: &std::path::Path, more: &[(&str, &str)]) -> Output {
    Command::new(BINARY)
        .arg("serve")
        .current_dir(folder)
        .env_clear()
        .envs(JULY.into_iter().chain([("MAIL_SOURCE", "none")]))
        .envs(more.iter().copied())
        .output()
        .expect("the compiled program")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_july_installation_starts_and_says_that_nothing_is_polled() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let more = [
        ("BIND", "127.0.0.1"),
        ("GMAIL_SENDER_ALLOWLIST", "a@b.fr"),
        ("WEBHOOK_FALLBACK_ON_415", "true"),
        ("REDIS_LOCK_TTL_SECONDS", "300"),
    ];
    let set = JULY.iter().chain(&more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut worker = Program::new(folder.path(), "worker", set.collect());
    worker.start().await;
    let ready: Value = serde_json::from_str(&worker.get("/readyz").await.body).expect("JSON");
    let mailbox = &ready["checks"]["mailbox"];
    assert_eq!(mailbox["state"], "warn", "{ready}");
    assert!(mailbox["message"].as_str().is_some_and(|said| said.contains("nothing is polled")), "{mailbox}");
    let log = worker.log();
    for said in [
        "there is no mailbox, so nothing is polled",
        "WEBHOOK_FALLBACK_ON_415 is set but has no effect",
        "REDIS_LOCK_TTL_SECONDS is set but has no effect (POLLER_LOCK_TTL_SECONDS",
    ] {
        assert!(log.contains(said), "{said:?} is missing:\n{log}");
    }
    let doctor = worker.run(&["doctor", "--json"]).await;
    let report: Value =
        serde_json::from_str(&doctor.text).unwrap_or_else(|error| panic!("{error}: {}", doctor.text));
    let checks = report["checks"].as_array().expect("checks");
    let of = |name: &str| -> Vec<&Value> { checks.iter().filter(|check| check["name"] == name).collect() };
    assert_eq!(of("mailbox").first().map(|check| &check["state"]), Some(&json!("warn")), "{report}");
    assert!(
        of("environment").iter().any(|check| check["message"]
            .as_str()
            .is_some_and(|said| said.starts_with("WEBHOOK_FALLBACK_ON_415 is set but has no effect"))),
        "{report}"
    );
    assert!(worker.stop().await.success());
}

#[test]
fn a_value_that_means_something_else_is_refused_by_name_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad = [
        ("WEBHOOK_SSL_VERIFY", "\"true\"", "in quotation marks"),
        ("WEBHOOK_SENDING_ENABLED", "oui", "neither on"),
        ("SENDER_OF_INTEREST_FOR_POLLING", "\"a@b.fr\"", "in quotation marks"),
        ("DATA_DIR", "'data'", "in quotation marks"),
        ("POLLING_TIMEZONE", "Europe/Pari", "Europe/Paris is the nearest"),
        ("ENABLE_BACKGROUND_TASKS", "enabled", "neither on"),
        ("WEBHOOK_DELIVERY_MODE", "xml", "json|form"),
        ("CONFIG_STORE_MODE", "php-first", "php_first"),
    ];
    let all: Vec<(&str, &str)> = bad.iter().map(|(name, value, _)| (*name, *value)).collect();
    let served = serve(folder.path(), &all);
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert_eq!(served.status.code(), Some(3), "{said}");
    for (name, _, why) in bad {
        let line = said.lines().find(|line| line.trim_start().starts_with(&format!("{name}:")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {why:?} is missing:\n{said}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert!(left.is_empty(), "a refused start has created something: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_content_type_is_fixed_with_the_body_and_signed_with_it() {
    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";
    let receiver = Receiver::start().await;
    let mut place = Place::new(&receiver.url("/hook"));
    let secret = standard_webhooks::secret("present");
    place.set("WEBHOOK_SECRET", &secret);
    place.set("WEBHOOK_DELIVERY_MODE", "form");
    place.put("processing_prefs", r#"{"retry_count": 10, "retry_delay_sec": 1, "rate_limit_per_hour": 0}"#);
    receiver.next("/hook", [Answer::Status(500)]);
    let mut worker = place.worker("worker");
    worker.start().await;
    let first = mails::recadrage();
    place.deliver(&first);
    until("the first attempt", PATIENCE, async || ensure(receiver.count() > 0, || "none".to_owned())).await;
    let set = place.run(&["config", "set", "webhook_config", "webhook_delivery_mode=json"]).await;
    assert_eq!(set.code, 0, "{set:?}");
    let refused = place.run(&["config", "set", "webhook_config", "webhook_delivery_mode=xml"]).await;
    assert_ne!(refused.code, 0, "{refused:?}");
    let asked = || async {
        let deliveries = receiver.deliveries();
        ensure(deliveries.len() > 1, || format!("{} attempts", deliveries.len())).map(|()| deliveries)
    };
    let attempts = until("the second attempt", PATIENCE, asked).await;
    for attempt in &attempts {
        assert_eq!(attempt.header("content-type"), Some(FORM), "the one that was fixed when it came due");
        assert_eq!(attempt.body, attempts[0].body);
        assert!(standard_webhooks::is_signed_by(attempt, &secret));
        // As in the reference system: the JSON text, under another name.
        assert_eq!(attempt.mark(), first.mark);
    }
    until("the document in force", PATIENCE, async || {
        let before = receiver.count();
        place.deliver(&mails::recadrage());
        until("its webhook", PATIENCE, async || ensure(receiver.count() > before, || "none".to_owned()))
            .await;
        let last = receiver.deliveries().pop().expect("a webhook");
        ensure(last.header("content-type") == Some(JSON), || "still the mode before".to_owned())
    })
    .await;
    assert!(worker.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_document_says_without_effect_is_told_and_the_second_window_is_only_announced() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put(
        "webhook_config",
        r#"{"polling_enabled": false, "recadrage_webhook_url": "https://a.example.org/x"}"#,
    );
    std::fs::write(place.path("debug/webhook_time_window.json"), r#"{"start": "9h00", "end": "9h01"}"#)
        .expect("a file");
    let mut worker = place.worker("worker");
    worker.start().await;
    place.deliver(&mails::recadrage());
    until("its webhook, whatever the time", PATIENCE, async || {
        ensure(receiver.count() > 0, || "none".to_owned())
    })
    .await;
    let payload = receiver.deliveries()[0].json();
    assert_eq!(
        (&payload["webhooks_time_start"], &payload["webhooks_time_end"]),
        (&json!("maintenant"), &json!("9h01"))
    );
    assert!(worker.log().contains("webhook_time_window.json holds no mail back"), "{}", worker.tail());

    let ready: Value = serde_json::from_str(&worker.get("/readyz").await.body).expect("JSON");
    let told = ready["checks"]["config"]["message"].as_str().unwrap_or_default().to_owned();
    let shown = place.run(&["config", "show", "webhook_config"]).await.out;
    let doctor = place.run(&["doctor"]).await.out;
    for (place, said) in [("readyz", &told), ("config show", &shown), ("doctor", &doctor)] {
        for field in ["polling_enabled has no effect", "recadrage_webhook_url has no effect"] {
            assert!(said.contains(field), "{place}: {said}");
        }
    }
    assert!(worker.stop().await.success());
}
