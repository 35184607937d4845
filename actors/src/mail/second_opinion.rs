//! What Python's email library writes and reads, beside what we read: a second implementation,
//! written by others, of the same standards (RFC 5322, 2045–2047, 2231).

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::samples::policy;
use super::{decide, encoding, parse};

/// Mails that are written by the other one.
const WRITTEN: usize = 400;
/// Given mails that the other one reads otherwise, and why we do not.
const OTHERWISE: [(&str, &str); 2] = [
    ("whole-from-encoded.eml", "a From that is one encoded word is decoded, as mail programs show it"),
    ("zwsp-address.eml", "an invisible character is no part of an address"),
];

fn script() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/differential/mails.py"))
}

fn python(arguments: &[String]) -> Vec<Value> {
    let ran = Command::new("python3").arg(script()).args(arguments).output().expect("python3");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_another_library_writes_is_read_as_it_was_meant() {
    // Another one with SEED=n.
    let seed = std::env::var("SEED").unwrap_or_else(|_| "1".to_owned());
    let now: DateTime<Utc> = "2026-01-26T09:00:00Z".parse().expect("a time");
    let policy = policy();
    let written = python(&["write".to_owned(), seed.clone(), WRITTEN.to_string()]);
    assert_eq!(written.len(), WRITTEN);
    for (number, expected) in written.iter().enumerate() {
        let raw = STANDARD.decode(expected["raw"].as_str().expect("a mail")).expect("base64");
        let mail = parse::parse(&raw).expect("a mail");
        let verdict = decide::decide(&mail, &policy, now);
        let links: Vec<&str> = verdict.links.iter().map(|link| link.raw_url.as_str()).collect();
        let wanted: Vec<&str> =
            expected["links"].as_array().expect("links").iter().filter_map(Value::as_str).collect();
        let found = (encoding::words(&mail.subject).0, mail.sender.as_str(), links);
        let wanted = (
            expected["subject"].as_str().expect("a subject").to_owned(),
            expected["sender"].as_str().expect("a sender"),
            wanted,
        );
        assert_eq!(found, wanted, "mail {number} of SEED={seed}:\n{}", String::from_utf8_lossy(&raw));
    }
}

#[test]
fn subjects_and_senders_of_odd_mails_are_read_alike() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/mails"));
    let files = std::fs::read_dir(&folder).expect("a folder").filter_map(Result::ok);
    let mut paths: Vec<String> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
        .map(|path| path.display().to_string())
        .collect();
    paths.sort();
    let read = python(&[&["read".to_owned()], paths.as_slice()].concat());
    assert_eq!(read.len(), paths.len());
    let mut otherwise = Vec::new();
    for (path, theirs) in paths.iter().zip(&read) {
        let mail = parse::parse(&std::fs::read(path).expect("a mail")).expect("a mail");
        let ours = (encoding::words(&mail.subject).0, mail.sender);
        let text = |field: &str| theirs[field].as_str().unwrap_or_default().to_owned();
        if ours != (text("subject"), text("sender")) {
            otherwise.push(text("name"));
        }
    }
    let known: Vec<&str> = OTHERWISE.iter().map(|(name, _)| *name).collect();
    assert_eq!(otherwise, known);
}
