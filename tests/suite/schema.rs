//! The API does what its description says: schemathesis of PyPI makes requests from it, good
//! and bad, and judges each answer. `tests/schema/install` gets it once; the test calls it, so
//! that it is never passed over.
//!
//! `SCHEMA_EXAMPLES=n` changes how many requests of each kind are made for an operation.

use std::path::PathBuf;
use std::process::Command;

use crate::support::api::{Api, TOKEN};
use crate::support::place::{NOWHERE, Place};
use crate::support::until::ensure;
use crate::support::{PATIENCE, mails, until};

/// Streams have no end that could be waited for; they have tests of their own. A test webhook
/// would go to whatever address is made up, and no mail can be made of a description.
const LEFT_OUT: [&str; 4] =
    ["/api/v1/events/stream", "/api/v1/live", "/api/v1/webhooks/test", "/api/v1/mails/explain"];

fn installed() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema/install");
    let done = Command::new(script).arg(&folder).output().expect("tests/schema/install");
    assert!(done.status.success(), "tests/schema/install: {}", String::from_utf8_lossy(&done.stderr));
    folder.join("pypi")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_described_whatever_is_asked() {
    let library = installed();
    let mut place = Place::new(NOWHERE);
    place.set("API_TOKEN_SCOPES", "read,actions,config,access");
    place.set("PUBLIC_BASE_URL", "https://signal.example.fr");
    let mut worker = place.worker("worker");
    worker.start().await;
    let api = Api::new(worker.port());
    let all = mails::mixed(6);
    for mail in &all {
        place.deliver(mail);
    }
    until("the mails in the journal", PATIENCE, async || {
        let page = api.get("/api/v1/events?kind=mail.received").await;
        let found = page["items"].as_array().map_or(0, Vec::len);
        ensure(found == all.len(), || format!("{found} of {}", all.len()))
    })
    .await;

    let examples = std::env::var("SCHEMA_EXAMPLES").unwrap_or_else(|_| "12".to_owned());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("python3");
    command
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema/schemathesis.toml"))
        .arg("run")
        .arg(format!("http://127.0.0.1:{}/api/v1/openapi.json", worker.port()))
        .args(["--checks", "all", "--seed", "1", "--max-examples", &examples, "--continue-on-failure"])
        .args(["--suppress-health-check", "all", "--request-timeout", "30", "--no-color"])
        .arg(format!("--header=Authorization: Bearer {TOKEN}"))
        .env("PYTHONPATH", library)
        .current_dir(folder.path());
    for path in LEFT_OUT {
        command.args(["--exclude-path", path]);
    }
    let done = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread");
    let done = done.expect("schemathesis");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    println!("{said}");
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(worker.is_alive() && worker.get("/health").await.status == 200);
}
