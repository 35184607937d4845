//! Mails as real mailers, gateways and lists make them, with what is to be read from each:
//! `tests/cases/mails`. Each was a mission that was missed, or a mail that was taken for one.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::samples::{at, policy};
use super::{Outcome, Verdict, decide, encoding, parse};
use crate::mail::policy::Policy;

/// What of `expected` is not so, in words.
fn differences(raw: &[u8], expected: &Value, zone: &str) -> Vec<String> {
    let mail = parse::parse(raw).expect("a mail");
    let policy = Policy { zone: zone.parse().expect("a zone"), allowed_senders: Vec::new(), ..policy() };
    let verdict = decide::decide(&mail, &policy, at(expected["at"].as_str().expect("a time")));
    let detection = verdict.detection.as_ref();
    let links: Vec<&str> = verdict.links.iter().map(|link| link.raw_url.as_str()).collect();
    let (decision, reason) = outcome(&verdict);
    let found = json!({
        "sender": mail.sender,
        "subject": encoding::words(&mail.subject).0,
        "links": links,
        "detector": detection.map(|detection| &detection.detector),
        "delivery_time": detection.and_then(|detection| detection.delivery_time.as_ref()),
        "decision": decision,
        "reason": reason,
    });
    let fields = expected.as_object().expect("an object").iter();
    fields
        .filter(|(name, _)| !["at", "about"].contains(&name.as_str()))
        .filter(|(name, wanted)| match (name.as_str(), wanted) {
            ("decision", Value::Array(any)) => !any.contains(&found["decision"]),
            (name, wanted) => found[name] != **wanted,
        })
        .map(|(name, wanted)| format!("{name}: expected {wanted}, found {}", found[name.as_str()]))
        .collect()
}

fn outcome(verdict: &Verdict) -> (&'static str, Option<&'static str>) {
    match &verdict.outcome {
        Outcome::Deliver { .. } => ("deliver", None),
        Outcome::Hold { reason, .. } => ("hold", Some(reason.as_str())),
        Outcome::Skip { reason, .. } => ("skip", Some(reason.as_str())),
        Outcome::Ignore { reason, .. } => ("ignore", Some(reason.as_str())),
    }
}

#[test]
fn mails_of_the_world_are_read_as_they_are_meant() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/mails"));
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let zone = expected["zone"].as_str().expect("a zone");
    let cases = expected["cases"].as_object().expect("cases");
    let files = std::fs::read_dir(&folder).expect("a folder").filter_map(Result::ok);
    let mails = files.filter(|file| file.path().extension().is_some_and(|ending| ending == "eml")).count();
    assert_eq!(mails, cases.len(), "a mail without a case, or the reverse");
    let mut wrong = Vec::new();
    for (name, expected) in cases {
        let raw = std::fs::read(folder.join(name)).expect("a mail");
        for difference in differences(&raw, expected, zone) {
            wrong.push(format!("{name} ({}): {difference}", expected["about"]));
        }
    }
    assert!(wrong.is_empty(), "{} differences in {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
