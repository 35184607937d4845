//! Arbitrary bytes as the body of a request that hands a mail over: no panic, and what is taken of
//! it is decided like any other mail.
#![no_main]
#![allow(clippy::expect_used, reason = "a fuzz target fails by panicking")]

#[path = "../../actors/benches/mail/policies.rs"]
mod policies;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use render_signal_actors::ingress::body;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::{Outcome, decide};

static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| [policies::plain(), policies::rich()]);

fuzz_target!(init: seeds(), |input: &[u8]| {
    let Ok(pushed) = body::read(input) else { return };
    assert!(!pushed.sender.trim().is_empty() && !pushed.body.trim().is_empty(), "both are wanted");
    assert_eq!(pushed.email_id().len(), 32, "an identity is an md5");
    assert_eq!(pushed.email_id(), pushed.email_id());
    let now: DateTime<Utc> = DateTime::from_timestamp(1_769_421_600, 0).unwrap_or_default();
    for policy in POLICIES.iter() {
        let mail = pushed.read(&policy.providers);
        assert_eq!(mail.email_id, pushed.email_id());
        // One that is too long for an address is none.
        assert!(mail.sender.is_empty() || mail.sender == pushed.address(), "{:?}", mail.sender);
        let verdict = decide::decide(&mail, policy, now);
        assert_eq!(decide::decide(&mail, policy, now), verdict, "a mail is decided the same way twice");
        if let Outcome::Deliver { deliveries } = &verdict.outcome {
            assert!(!deliveries.is_empty(), "what is delivered goes somewhere");
        }
    }
});

/// Bodies as Gmail's script sends them, into the directory that `fuzz/run` names.
fn seeds() {
    let Some(directory) = std::env::var_os("FUZZ_SEEDS") else { return };
    let bodies = [
        r#"{"sender":"Camille <camille@exemple.fr>","subject":"Lot 42","date":"2026-01-26T10:00:00.000Z","body":"<p>https://www.dropbox.com/scl/fo/a/b?rlkey=c&dl=0 pour 11h51</p>"}"#,
        r#"{"sender":"a@b","body":"x","message_id":"18f","has_attachment":true,"headers":{"In-Reply-To":["<a@b>"]}}"#,
        r#"{"sender":"a@b","body":" "}"#,
        "[]",
    ];
    for (number, body) in bodies.iter().enumerate() {
        let path = std::path::Path::new(&directory).join(format!("pushed-{number}"));
        std::fs::write(path, body).expect("the directory of the seeds can be written to");
    }
}
