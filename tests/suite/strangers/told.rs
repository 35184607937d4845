//! What strangers are told, and what guessing a token brings.

use crate::support::http;
use crate::support::place::{NOWHERE, Place};
use crate::support::{PATIENCE, Site};

const CONFIG: &str = "a-token-of-the-tests-for-a-host";
const SERVE: &str = "a-token-of-the-tests-to-serve";

async fn get(port: u16, path: &str, token: Option<&str>) -> http::Response {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = http::request("GET", path, &format!("Connection: close\r\n{token}"), "");
    http::exchange_within(port, &request, PATIENCE).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_states_and_nothing_that_names_the_operator() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("WORKER_NAME", "a-host-of-the-tests");
    worker.start().await;
    let known = worker.get("/readyz").await.body;
    let metrics = worker.get("/metrics").await.body;
    assert!(known.contains("a-host-of-the-tests") || known.contains("127.0.0.1"), "{known}");
    assert!(metrics.contains("render_signal_build_info"), "{metrics}");

    let told = get(worker.port(), "/readyz", None).await;
    let told_metrics = get(worker.port(), "/metrics", None).await;
    assert_eq!((told.status, told_metrics.status), (200, 401));
    let checks: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
    for (name, check) in checks["checks"].as_object().expect("checks") {
        let fields: Vec<_> = check.as_object().expect("a check").keys().collect();
        assert_eq!(fields, ["state"], "{name}: {check}");
    }
    assert!(!told_metrics.body.contains("render_signal_"), "{}", told_metrics.body);
    let secrets = [
        crate::support::dovecot::USER,
        "127.0.0.1",
        "INBOX",
        "a-host-of-the-tests",
        "default",
        "webhook_config",
        "position",
        "version",
        &worker.pid().to_string(),
    ];
    for body in [&told.body, &told_metrics.body] {
        for secret in secrets {
            assert!(!body.contains(secret), "{secret:?} in {body}");
        }
    }
    // A wrong token is no stranger's silence: whoever sends one should know that it is wrong.
    for path in ["/readyz", "/metrics"] {
        assert_eq!(get(worker.port(), path, Some("a-token-of-nobody-0123456789")).await.status, 401);
    }
    // Where nobody has the token, nobody is told more.
    worker.stop().await;
    worker.set("METRICS_TOKEN", "");
    worker.launch();
    let answer = worker.until_answer("/readyz", |answer| answer.status == 200).await;
    assert!(!answer.body.contains("message"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_opens_its_own_door_and_wrong_ones_wait() {
    let mut place = Place::new(NOWHERE);
    place.set("CONFIG_API_TOKEN", CONFIG);
    place.set("CONFIG_API_SERVE_TOKEN", SERVE);
    place.put("webhook_config", r#"{"webhook_sending_enabled":false}"#);
    let mut worker = place.worker("worker");
    worker.start().await;
    let path = "/config_api.php?key=webhook_config";
    assert_eq!(get(worker.port(), path, Some(CONFIG)).await.status, 401, "the one that is sent to a host");
    assert_eq!(get(worker.port(), path, Some(crate::support::program::METRICS_TOKEN)).await.status, 401);
    assert_eq!(get(worker.port(), "/readyz", Some(SERVE)).await.status, 401);
    assert_eq!(get(worker.port(), path, None).await.status, 401);

    // Side by side: some wait for their answer, the others are refused at once.
    let port = worker.port();
    let guesses = (0..40).map(|guess| {
        let token = format!("a-guess-of-somebody-{guess:08}");
        async move { get(port, path, Some(&token)).await.status }
    });
    let meanwhile = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        get(port, path, Some(SERVE)).await.status
    };
    let (mut statuses, operator) = futures::future::join(futures::future::join_all(guesses), meanwhile).await;
    assert_eq!(operator, 200, "whoever guesses keeps nobody out who has the token");
    statuses.sort_unstable();
    statuses.dedup();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    let right = get(worker.port(), path, Some(SERVE)).await;
    assert_ne!(right.status, 401, "{right:?}");
    let log = worker.log();
    assert!(!log.contains("a-guess-of") && !log.contains(SERVE) && !log.contains(CONFIG), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn short_tokens_are_refused_at_the_start_by_name() {
    for name in ["CONFIG_API_TOKEN", "CONFIG_API_SERVE_TOKEN", "METRICS_TOKEN"] {
        let mut place = Place::new(NOWHERE);
        place.set(name, "too-short-0123456789");
        let ran = place.run(&["serve"]).await;
        assert_ne!(ran.code, 0);
        let said = &ran.complaints;
        assert!(
            said.contains(name) && said.contains("24 at least") && said.contains("openssl rand"),
            "{ran:?}"
        );
        assert!(!said.contains("too-short"), "{ran:?}");
    }
}
