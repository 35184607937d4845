//! What holds for every input.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::policy::Policy;
use super::samples::{self, at, policy, window};
use super::{Outcome, decide, encoding, explain, identity, links, parse, payload, providers, windows};

const SAMPLES: [&str; 3] = [
    "Message-ID: <a@x>\r\nFrom: =?utf-8?q?=C3=89lodie?= <e@ex.com>\r\nSubject: =?utf-8?b?TcOpZGlhIFNvbHV0aW9u?= -\r\n \
     Missions Recadrage - Lot 42 URGENCE\r\nDate: Mon, 26 Jan 2026 10:59:00 +0100\r\nMIME-Version: 1.0\r\n\
     Content-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
     Content-Transfer-Encoding: quoted-printable\r\n\r\n=E0 faire pour 11h51 https://www.dropbox.com/scl/fo/a/b?rlkey=3Dk\r\n\
     --b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+JmFncmF2ZTsgZmFpcmUgcG91ciA5OjE2PC9wPg==\r\n--b--\r\n",
    "From: a@b.fr\nSubject: Dispo\n\nd\u{e9}sabonner journ\u{e9}e tarifs habituels &quot;https://www.dropbox.com/request/a&quot;\n> \u{e0} faire pour le 3/9/2026 \u{e0} 9:05\n",
    "From: a@b.fr\nContent-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: y\nContent-Type: message/rfc822\n\nSubject: z\n\nhttps://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Ffromsmash.com%2Fa&amp;data=1 <p>https://www.google.com/url?q=https://swisstransfer.com/d/1</p>\n--x--\n",
];

/// A sample mail with pieces of it cut, copied, swapped for noise.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        prop::collection::vec(any::<u8>(), 0..6),
        0..4_u8,
    );
    (0..SAMPLES.len(), prop::collection::vec(edit, 0..6)).prop_map(|(sample, edits)| {
        let mut raw = SAMPLES[sample].as_bytes().to_vec();
        for (first, second, noise, kind) in edits {
            if raw.is_empty() {
                break;
            }
            let (from, to) = (first.index(raw.len()), second.index(raw.len()));
            let (from, to) = (from.min(to), from.max(to));
            match kind {
                0 => drop(raw.drain(from..to)),
                1 => drop(raw.splice(from..from, noise)),
                2 => {
                    let copy = raw[from..to].to_vec();
                    raw.splice(to..to, copy);
                }
                _ => raw.truncate(to),
            }
        }
        raw
    })
}

/// Text made of the pieces that matter to links and times.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "https://",
        "http://",
        "HTTPS://",
        "www.",
        "dropbox.com",
        "fromsmash.com",
        "swisstransfer.com",
        "evil.example",
        "@",
        ":",
        "/",
        "\\",
        "?",
        "#",
        "&",
        "&amp;",
        "&#46;",
        "&#9;",
        "&#47;",
        ".",
        "%2F",
        "<",
        ">",
        "\"",
        " ",
        "\n",
        "\u{a0}",
        "\u{200b}",
        "é",
        "a",
        "safelinks.protection.outlook.com/?url=",
        "https%3A%2F%2F",
        "urldefense.com/v3/__",
        "__;",
        "!!",
        "*",
        "**",
        "google.com/url?q=",
        "à faire pour ",
        "le 3/9/2026 à ",
        "9h",
        "25h99",
        "9:16",
        "urgence",
        ")",
        "(",
        "]",
        "scl/fi/x/ms.png?raw=1",
        "/s/a",
        "/d/1",
        "dl.dropboxusercontent.com",
        "<a href=\"",
        "\">",
        "</a>",
        "<img src=",
        "<base href=https://www.dropbox.com>",
        "<!--",
        "-->",
        "<wbr>",
        "___",
        "aHR0cHM6Ly93d3cuZHJvcGJveC5jb20vcy9h",
        "%253A%252F%252F",
        "https-3A__",
        "…",
        "_",
        "|",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn strict_policy() -> Policy {
    let rules = json!([{"conditions": [{"field": "body", "operator": "regex", "value": "a.*b"},
                                       {"field": "subject", "operator": "contains", "value": "é"}],
                        "actions": {"webhook_url": "https://r.example/1"}}]);
    let mut policy = policy();
    policy.rules = samples::rules(&rules);
    policy.window = Some(window("22h30", "02h30"));
    policy.allow_without_links = true;
    policy
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    // Both changes of the clock of 2026 and the days around them.
    prop_oneof![
        (0..400_000_i64).prop_map(|s| at("2026-03-27T00:00:00Z") + TimeDelta::seconds(s)),
        (0..400_000_i64).prop_map(|s| at("2026-10-23T00:00:00Z") + TimeDelta::seconds(s))
    ]
}

/// Everything that is done with a mail; panics are failures.
fn process(raw: &[u8], policy: &Policy, now: DateTime<Utc>) {
    let explanation = explain::explain(raw, policy, now);
    let Ok(mail) = parse::parse(raw) else {
        assert_eq!(explanation.decision, "quarantine");
        return;
    };
    assert_eq!(parse::parse(raw).as_ref(), Ok(&mail), "reading is deterministic");
    assert_eq!(mail.email_id.len(), 32);
    let verdict = decide::decide(&mail, policy, now);
    match &verdict.outcome {
        Outcome::Deliver { deliveries } => {
            assert!(!deliveries.is_empty());
            let targets: HashSet<_> = deliveries.iter().map(|planned| &planned.target).collect();
            assert_eq!(targets.len(), deliveries.len());
            for planned in deliveries {
                let body = payload::body(&mail, verdict.detection.as_ref(), &verdict.links, planned);
                assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
            }
        }
        Outcome::Hold { until, .. } => assert!(until.is_none_or(|until| until > now)),
        Outcome::Skip { .. } | Outcome::Ignore { .. } => {}
    }
    assert_eq!(explanation.decision == "deliver", matches!(verdict.outcome, Outcome::Deliver { .. }));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(raw in prop::collection::vec(any::<u8>(), 0..512), now in instant()) {
        process(&raw, &policy(), now);
        let with_header = [b"Subject: ".as_slice(), &raw].concat();
        process(&with_header, &strict_policy(), now);
    }

    #[test]
    fn damaged_mails_are_read_or_refused(raw in mutated(), now in instant()) {
        process(&raw, &policy(), now);
        process(&raw, &strict_policy(), now);
    }

    #[test]
    fn any_character_set_can_be_named(charset in prop::sample::select(vec![
        "utf-8", "utf-7", "utf-16", "utf-16le", "iso-2022-jp", "iso-2022-kr", "gb18030", "big5", "euc-jp", "euc-kr", "shift_jis",
        "hz-gb-2312", "koi8-r", "windows-1252", "x-user-defined", "macintosh", "nonsense", "",
    ]), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = encoding::charset(&bytes, Some(charset));
        let _ = encoding::words(&format!("=?{charset}?q?{}?=", String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn no_link_leads_to_a_foreign_host(text in pieces()) {
        let providers = providers::defaults();
        let found = [links::find(&text, "", &providers), links::find("", &text, &providers), links::find(&text, &text, &providers)];
        for link in found.into_iter().flat_map(|found| found.links) {
            let url = url::Url::parse(&link.raw_url);
            let host = url.as_ref().ok().and_then(url::Url::host_str).unwrap_or_default();
            let host = host.strip_prefix("www.").unwrap_or(host);
            let known = ["dropbox.com", "dl.dropboxusercontent.com", "fromsmash.com", "swisstransfer.com"].contains(&host);
            prop_assert!(known || host.ends_with(".fromsmash.com"), "{} from {text:?}", link.raw_url);
            prop_assert!(url.is_ok_and(|url| url.username().is_empty()));
        }
    }

    #[test]
    fn a_body_of_these_pieces_is_decided(text in pieces(), now in instant()) {
        let subject = "Média Solution - Missions Recadrage - Lot 42";
        process(format!("From: a@b.fr\nSubject: {subject}\nContent-Type: text/html\n\n{text}").as_bytes(), &strict_policy(), now);
    }

    #[test]
    fn texts_are_compared_by_the_definition(text in "(?:.|[\\sA-ZÀ-ÿΣİǅ가-힣\u{300}-\u{328}\u{1c}-\u{1f}]){0,30}") {
        use unicode_normalization::UnicodeNormalization as _;
        prop_assert_eq!(identity::lowercase(&text), text.to_lowercase());
        let hidden = |letter: char| unicode_normalization::char::is_combining_mark(letter) || identity::is_invisible(letter);
        let bare: String = text.nfd().filter(|letter| !hidden(*letter)).collect();
        let words: Vec<String> = bare
            .split(identity::is_space)
            .filter(|word| !word.is_empty())
            // Letter by letter: no sigma knows that it ends a word.
            .map(|word| word.chars().flat_map(char::to_lowercase).collect())
            .collect();
        prop_assert_eq!(identity::normalize(&text), words.join(" "));
    }

    #[test]
    fn folding_does_not_change_the_identity(words in prop::collection::vec("[a-zé]{1,8}", 1..6), crlf in any::<bool>()) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mail = |subject: &str| {
            let raw = format!("Message-ID: <a@x>{end}Subject: {subject}{end}Date: d{end}{end}x");
            parse::parse(raw.as_bytes()).expect("a mail").email_id
        };
        let plain = words.join(" ");
        prop_assert_eq!(mail(&plain), identity::email_id("<a@x>", &plain, "d"));
        prop_assert_eq!(mail(&plain), mail(&words.join(&format!("{end} "))));
    }

    #[test]
    fn a_window_opens_at_its_first_open_instant(start in 0..96_u32, end in 0..96_u32, now in instant()) {
        let zone = chrono_tz::Europe::Paris;
        let clock = |quarter: u32| format!("{:02}h{:02}", quarter / 4, quarter % 4 * 15);
        let window = window(&clock(start), &clock(end));
        // By hand: every minute of the next three days.
        let first = std::iter::once(now)
            .chain((1..3 * 1440).map(|minute| {
                let whole = DateTime::from_timestamp(now.timestamp().div_euclid(60) * 60, 0).expect("an instant");
                whole + TimeDelta::minutes(minute)
            }))
            .find(|at| windows::within(&window, zone, *at));
        prop_assert_eq!(windows::next_opening(&window, zone, now), first);
    }
}
