//! The Apps Script (`deployment/google/pushLabelled.gs`): by itself, in a world that `tests/google`
//! makes for it, and handing mails over to the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Site, checks, standard_webhooks, until};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/google")
}

#[test]
fn the_script_takes_the_label_from_what_was_taken_and_from_nothing_else() {
    let mut node = Command::new("node");
    let done = node.arg("--test").arg(folder().join("pushLabelled.test.mjs")).output().expect("node");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    // A file without tests passes, too.
    assert!(said.contains("# pass 15") && said.contains("# fail 0"), "{said}");
}

/// What became of the messages when they were handed over to this port.
fn push(port: u16, secret: &str, messages: &Value) -> Value {
    let mut node = Command::new("node");
    node.arg(folder().join("end_to_end.mjs")).arg(port.to_string()).args(["a-token-of-the-tests", secret]);
    let done = node.arg(messages.to_string()).output().expect("node");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_of_the_script_are_in_the_journal_before_they_lose_their_label() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("INGRESS_HMAC_SECRET", &standard_webhooks::secret("ingress"));
    worker.start().await;
    let message = |number: usize| {
        let mark = format!("m-gmail-{number}");
        let body = format!("<p>Voilà : <a href=\"https://fromsmash.com/{mark}\">ici</a> \u{1f4e6}</p>");
        json!({"id": format!("18c0ffee{number:04}"), "subject": format!("Transfert [{mark}]"), "body": body})
    };
    let messages: Value = (0..3).map(message).collect();
    let none: Value = json!([]);
    let secret = standard_webhooks::secret("ingress");

    let pushed = tokio::task::block_in_place(|| push(worker.port(), &secret, &messages));
    assert_eq!(pushed, json!({"waiting": none, "refused": none, "requests": 3, "error": null}));
    let one: Value = json!([messages[0]]);
    // Once more, as after a run that was cut off behind the answers.
    let pushed = tokio::task::block_in_place(|| push(worker.port(), &secret, &one));
    assert_eq!(pushed["waiting"], none);
    until("the webhooks", PATIENCE, async || {
        let marks: Vec<String> = site.receiver.accepted().into_keys().collect();
        if marks == ["m-gmail-0", "m-gmail-1", "m-gmail-2"] { Ok(()) } else { Err(format!("{marks:?}")) }
    })
    .await;
    checks::assert_repeats_are_identical(&site.receiver);
    assert!(site.receiver.accepted().values().all(|count| *count == 1), "{:?}", site.receiver.accepted());

    // Another secret: nothing is taken, and the run says so.
    let other = standard_webhooks::secret("other");
    let pushed = tokio::task::block_in_place(|| push(worker.port(), &other, &messages));
    assert_eq!(
        (&pushed["requests"], &pushed["waiting"]),
        (&json!(1), &json!(["18c0ffee0000", "18c0ffee0001", "18c0ffee0002"]))
    );
    assert_eq!(pushed["error"], json!("render-signal refuses everything: HTTP 401"));
    // Nobody there: everything waits.
    worker.kill();
    let pushed = tokio::task::block_in_place(|| push(worker.port(), &secret, &one));
    assert_eq!((&pushed["requests"], pushed["waiting"].as_array().map(Vec::len)), (&json!(3), Some(1)));
}
