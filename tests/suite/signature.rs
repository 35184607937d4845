//! Real deliveries are verified by the published Standard Webhooks libraries of npm and
//! PyPI. `tests/signature/install` gets them once; the test calls it, so that it is never
//! skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::receiver::Delivery;
use crate::support::{PATIENCE, Site, checks, mails, standard_webhooks, until};

#[derive(Clone, Copy, Debug)]
enum Library {
    Npm,
    PyPi,
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signature")
}

/// Where the libraries are installed; kept from run to run.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("standard-webhooks")
}

fn install() {
    let done =
        Command::new(scripts().join("install")).arg(installed()).output().expect("tests/signature/install");
    assert!(done.status.success(), "tests/signature/install: {}", String::from_utf8_lossy(&done.stderr));
}

impl Library {
    /// What the library says about each delivery under `secret`: true = verified.
    fn verify(self, secret: &str, deliveries: &[Delivery]) -> Vec<bool> {
        let lines = deliveries.iter().map(|delivery| {
            let header = |name| delivery.header(name).unwrap_or_default();
            let line = json!({
                "id": header("webhook-id"),
                "timestamp": header("webhook-timestamp"),
                "signature": header("webhook-signature"),
                "body": STANDARD.encode(&delivery.body),
            });
            format!("{line}\n")
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("deliveries");
        std::fs::write(&file, lines.collect::<String>()).expect("writing the deliveries");
        let mut command = match self {
            Self::Npm => {
                let mut command = Command::new("node");
                command.arg(installed().join("npm/verify.mjs"));
                command
            }
            Self::PyPi => {
                let mut command = Command::new("python3");
                command.arg(scripts().join("verify.py")).env("PYTHONPATH", installed().join("pypi"));
                command
            }
        };
        let done = command.arg(secret).arg(&file).output().expect("node and python3");
        assert!(done.status.success(), "{self:?}: {}", String::from_utf8_lossy(&done.stderr));
        let answers = String::from_utf8(done.stdout).expect("text");
        answers.lines().map(|line| line == "verified").collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_libraries_verify_real_deliveries() {
    install();
    let site = Site::start().await;
    let (old, new) = (standard_webhooks::secret("old"), standard_webhooks::secret("new"));
    let mut all = Vec::new();
    let mut worker = site.worker("worker");
    // Before, during and after a rotation.
    for secrets in [old.clone(), format!("{new} {old}"), new.clone()] {
        worker.set("WEBHOOK_SECRET", &secrets);
        worker.start().await;
        let mails = mails::mixed(4);
        site.dovecot.deliver(&mails);
        until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &mails)).await;
        site.until_all_seen(all.len() + mails.len()).await;
        all.extend(mails);
        worker.stop().await;
    }

    let deliveries = site.receiver.deliveries();
    assert_eq!(deliveries.len(), 12);
    let tampered: Vec<_> = deliveries
        .iter()
        .cloned()
        .map(|mut delivery| {
            // One character of the text, so that it still is JSON.
            let at = delivery.body.iter().position(u8::is_ascii_lowercase).expect("a letter");
            delivery.body[at] = if delivery.body[at] == b'a' { b'b' } else { b'a' };
            delivery
        })
        .collect();
    for library in [Library::Npm, Library::PyPi] {
        let expected = |rounds: [bool; 3]| rounds.into_iter().flat_map(|ok| [ok; 4]).collect::<Vec<_>>();
        assert_eq!(
            library.verify(&old, &deliveries),
            expected([true, true, false]),
            "{library:?}, old secret"
        );
        assert_eq!(
            library.verify(&new, &deliveries),
            expected([false, true, true]),
            "{library:?}, new secret"
        );
        assert_eq!(library.verify(&old, &tampered), [false; 12], "{library:?}, tampered");
        assert_eq!(library.verify(&new, &tampered), [false; 12], "{library:?}, tampered");
    }
}

/// The libraries themselves work, and say no when they should.
#[tokio::test]
async fn the_libraries_agree_with_the_specification() {
    install();
    let secret = standard_webhooks::secret("present");
    #[expect(clippy::disallowed_methods, reason = "the libraries refuse deliveries of another time")]
    let timestamp = chrono::Utc::now().timestamp().to_string();
    let body = r#"{"subject":"Été [m-1-1]"}"#.as_bytes().to_vec();
    let signature = standard_webhooks::sign(&secret, "msg_1", &timestamp, &body);
    let headers =
        [("webhook-id", "msg_1"), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    let delivery = Delivery {
        path: "/hook".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body,
        at: std::time::Instant::now(),
        answer: crate::support::Answer::Ok,
    };
    let stranger = standard_webhooks::secret("stranger");
    for library in [Library::Npm, Library::PyPi] {
        assert_eq!(library.verify(&secret, std::slice::from_ref(&delivery)), [true], "{library:?}");
        assert_eq!(library.verify(&stranger, std::slice::from_ref(&delivery)), [false], "{library:?}");
    }
}
