//! What the built-in detector understands of French times: the table of
//! `tests/cases/french_times.tsv`.

use crate::mail::samples::{at, policy};
use crate::mail::{detect, links, parse, providers};

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/french_times.tsv"));

/// The delivery time of a mission with this text, which arrived on 26 January 2026 at 11h00 in
/// Paris and is decided a day later: its day is counted from when it arrived.
fn delivery_time(text: &str) -> Option<String> {
    let raw = format!(
        "From: a@b.fr\nDate: Mon, 26 Jan 2026 11:00:00 +0100\nContent-Type: text/plain; charset=utf-8\n\
         Subject: Media Solution - Missions Recadrage - Lot 42\n\nhttps://fromsmash.com/AbC12\n\n{text}\n"
    );
    let mail = parse::parse(raw.as_bytes()).expect("a mail");
    let links = links::of_mail(&mail, &providers::defaults()).links;
    let found = detect::detect(&mail, &links, &policy(), at("2026-01-27T08:00:00Z"))?;
    found.detection.delivery_time
}

#[test]
fn a_time_is_understood_whole_or_not_at_all() {
    let rows: Vec<(&str, &str)> = TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').expect("a text, a tab, a time"))
        .collect();
    assert!(rows.len() >= 120, "{} rows", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(written, expected)| {
            let found = delivery_time(&written.replace("\\n", "\n"));
            let found = found.as_deref().unwrap_or("-");
            (found != *expected).then(|| format!("{written:?}: expected {expected}, found {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// A line end within an expression, a no-break space, a decomposed accent and capitals change
/// nothing.
#[test]
fn the_form_of_the_letters_does_not_count() {
    for text in [
        "À FAIRE POUR DEMAIN 9H30",
        "a\u{300} faire pour demain 9h30",
        "à\u{a0}faire\u{a0}pour\u{a0}demain\u{a0}9\u{202f}h\u{202f}30",
        "à faire\npour demain\n9h30",
    ] {
        assert_eq!(delivery_time(text).as_deref(), Some("le 27/01/2026 à 09h30"), "{text:?}");
    }
}

/// Winter in the configured zone is one hour ahead of UTC: a mail of 23:30 UTC came the day
/// after.
#[test]
fn days_are_those_of_the_configured_zone() {
    let raw = "From: a@b.fr\nDate: Mon, 26 Jan 2026 23:30:00 +0000\nSubject: Media Solution missions recadrage lot\n\n\
               https://fromsmash.com/a\na faire pour demain 9h30\n";
    let mail = parse::parse(raw.as_bytes()).expect("a mail");
    let links = links::of_mail(&mail, &providers::defaults()).links;
    let found = detect::detect(&mail, &links, &policy(), at("2026-01-28T08:00:00Z")).expect("a mission");
    assert_eq!(found.detection.delivery_time.as_deref(), Some("le 28/01/2026 à 09h30"));
}
