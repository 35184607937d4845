//! The regular check, by the program and by the command, in the files of the reference system.

use serde_json::{Value, json};

use super::{Scene, assert_no_secret, codes};
use crate::support::until::ensure;
use crate::support::{PATIENCE, until};

const LAST: &str = "checks/gmail_oauth_last_check.json";
const HISTORY: &str = "checks/gmail_oauth_check_history.jsonl";

impl Scene {
    fn last_check(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.site.folder().join(LAST)).ok()?;
        assert_no_secret(&text);
        Some(serde_json::from_str(&text).expect("JSON"))
    }

    fn checks(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.site.folder().join(HISTORY)).unwrap_or_default();
        assert_no_secret(&text);
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    async fn until_found(&self, code: &str) -> Value {
        until(&format!("{code} at /readyz"), PATIENCE, async || {
            let (_, oauth) = self.readiness().await;
            let found = codes(&oauth).contains(&code);
            ensure(found, || oauth.to_string()).map(|()| oauth)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_polls_checks_when_it_is_due_and_a_check_that_fails_is_an_alert() {
    let mut scene = Scene::start().await;
    scene.worker.set("GMAIL_OAUTH_CHECK_INTERVAL_DAYS", "7");
    scene.worker.set("GMAIL_OAUTH_TEST_TO", "you@example.fr");
    scene.worker.start().await;
    let oauth = scene.until_found("oauth_check_well").await;
    let last = scene.last_check().expect("a check");
    assert_eq!(last["success"], true, "{last}");
    assert_eq!(last["message"], "Mail sent");
    assert_eq!(last["details"]["gmail_message_id"], "m1");
    assert_eq!(oauth["detail"]["last_check"]["last_run_ts"], last["last_run_ts"], "{oauth}");
    assert_eq!(scene.checks(), std::slice::from_ref(&last));
    let mails = scene.provider.mails();
    assert!(mails[0].contains("To: you@example.fr\r\n"), "{mails:?}");
    let metrics = scene.worker.get("/metrics").await.body;
    for line in [
        format!("render_signal_oauth_check_last_run_timestamp_seconds {}", last["last_run_ts"]),
        "render_signal_oauth_check_success 1".to_owned(),
        "render_signal_oauth_renewals_total{outcome=\"given\"}".to_owned(),
    ] {
        assert!(metrics.lines().any(|have| have.starts_with(&line)), "{line} is missing:\n{metrics}");
    }

    // None is due after a restart; the check of eight days ago, by whomever, asks for one.
    assert!(scene.worker.stop().await.success());
    scene.worker.start().await;
    scene.until_found("oauth_check_well").await;
    assert_eq!(scene.checks().len(), 1);
    assert!(scene.worker.stop().await.success());
    let seconds = last["last_run_ts"].as_i64().expect("seconds") - 8 * 86_400;
    let path = scene.site.folder().join(LAST);
    std::fs::write(&path, json!({"last_run_ts": seconds, "success": true}).to_string()).expect("a file");
    scene.provider.withdraw();
    scene.worker.launch();
    scene.worker.until_answer("/readyz", |answer| answer.body.contains("oauth_check_failed")).await;
    let failed = scene.last_check().expect("a check");
    assert_eq!(failed["success"], false, "{failed}");
    assert_eq!(failed["message"], "Token refused: HTTP 400 invalid_grant");
    assert_eq!(failed["details"]["http_status"], 400);
    assert_eq!(scene.checks(), [last, failed]);
    assert!(scene.worker.stop().await.success());
    scene.log();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_answers_as_the_reference_system_does() {
    let mut scene = Scene::start().await;
    let well = scene.worker.run(&["oauth", "check"]).await;
    let answer: Value =
        serde_json::from_str(&well.text).unwrap_or_else(|error| panic!("{error}: {}", well.text));
    assert_eq!(well.status.code(), Some(0));
    assert_eq!(
        answer,
        json!({
            "success": true,
            "message": "Access token obtained",
            "details": {
                "http_status": 200, "token_type": "Bearer", "expires_in": 3600, "scope": "https://mail.example.fr/",
            },
        })
    );
    assert!(scene.last_check().is_none(), "it records nothing unless it is told to");
    let sent = scene.worker.run(&["oauth", "check", "--to", "you@example.fr", "--record"]).await;
    assert!(sent.status.success() && sent.text.contains("\"gmail_thread_id\": \"t1\""), "{}", sent.text);
    assert_eq!(scene.last_check().map(|last| last["message"].clone()), Some(json!("Mail sent")));

    scene.provider.withdraw();
    let refused = scene.worker.run(&["oauth", "check", "--record"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.text);
    assert!(refused.text.contains("\"error\": \"invalid_grant\""), "{}", refused.text);
    assert_no_secret(&refused.text);
    assert_eq!(scene.checks().len(), 2);

    scene.worker.set("IMAP_OAUTH_CLIENT_SECRET", "another");
    let client = scene.worker.run(&["oauth", "check"]).await;
    assert!(client.text.contains("Token refused: HTTP 401 invalid_client"), "{}", client.text);
}
