use serde_json::json;

use super::*;
use crate::config::store::Stamp;

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
}

fn found(text: &str) -> Result<Read, StoreError> {
    Ok(Read::Found { text: text.to_owned(), stamp: Stamp(text.to_owned()) })
}

const KEY: Key = Key::WebhookConfig;

fn sending(book: &Book) -> bool {
    book.policy(&EnvDefaults::default(), 1).sending_enabled
}

fn state(book: &Book) -> String {
    book.status().into_iter().find(|status| status.key == KEY.as_str()).unwrap().state
}

#[test]
fn a_refused_document_leaves_the_last_good_one_in_force() {
    let env = EnvDefaults::default();
    let mut book = Book::default();
    assert_eq!(book.take(KEY, Ok(Read::Absent), &env, at(0)), Taken::Unchanged);
    assert_eq!((state(&book).as_str(), sending(&book)), ("absent", true));
    let good = r#"{"webhook_sending_enabled": false, "mine": 1}"#;
    assert_eq!(book.take(KEY, found(good), &env, at(1)), Taken::Applied);
    assert_eq!((state(&book).as_str(), sending(&book)), ("ok", false));

    let bad = r#"{"webhook_sending_enabled": true, "webhook_time_start": "25h00"}"#;
    assert_eq!(book.take(KEY, found(bad), &env, at(2)), Taken::Refused);
    assert_eq!((state(&book).as_str(), sending(&book)), ("invalid", false));
    assert!(book.problems(KEY)[0].to_string().starts_with("webhook_time_start: Invalid time format"));
    assert_eq!(book.in_force(KEY).unwrap().text, good, "unknown fields are kept");
    assert_eq!(book.take(KEY, found(bad), &env, at(3)), Taken::Unchanged);

    assert_eq!(book.take(KEY, found("{}"), &env, at(4)), Taken::Applied, "empty is not absent");
    assert_eq!((state(&book).as_str(), sending(&book)), ("ok", true));
}

#[test]
fn a_half_written_or_vanished_document_is_believed_after_the_grace_only() {
    let env = EnvDefaults::default();
    let mut book = Book::default();
    book.take(KEY, found(r#"{"webhook_sending_enabled": false}"#), &env, at(0));
    for (reading, end) in [(found(r#"{"webhook_sen"#), Taken::Refused), (Ok(Read::Absent), Taken::Vanished)] {
        assert_eq!(book.take(KEY, reading.clone(), &env, at(0)), Taken::Wait);
        assert_eq!(book.take(KEY, reading.clone(), &env, at(300)), Taken::Wait);
        assert!(!sending(&book));
        // It was an editor: the doubt is over, and starts anew the next time.
        let whole = found(r#"{"webhook_sending_enabled": false}"#);
        // In the second round it mends what was refused at the end of the first.
        let over = if end == Taken::Vanished { Taken::Applied } else { Taken::Unchanged };
        assert_eq!(book.take(KEY, whole, &env, at(350)), over);
        assert_eq!(book.take(KEY, reading.clone(), &env, at(500)), Taken::Wait);
        assert_eq!(book.take(KEY, reading.clone(), &env, at(900)), end);
    }
    assert!(!sending(&book), "what has vanished is in force");
    assert_eq!(state(&book), "missing");
    let back = found(r#"{"webhook_sending_enabled": false}"#);
    assert_eq!(book.take(KEY, back, &env, at(1_000)), Taken::Unchanged);
    assert_eq!(state(&book), "ok");
    book.remove(KEY, &env, at(2_000));
    assert!(sending(&book), "the removal is in force");
    assert_eq!(state(&book), "absent");
}

#[test]
fn at_start_the_journal_supplies_the_last_good_copy() {
    let env = EnvDefaults::default();
    let mut book = Book::default();
    book.insist(KEY, found("{nonsense"), &env, at(0));
    assert_eq!(state(&book), "invalid");
    book.restore(KEY, r#"{"webhook_sending_enabled": false}"#.to_owned(), &env);
    assert_eq!((state(&book).as_str(), sending(&book)), ("invalid", false));
    let mut sound = Book::default();
    sound.insist(KEY, found("{}"), &env, at(0));
    sound.restore(KEY, r#"{"webhook_sending_enabled": false}"#.to_owned(), &env);
    assert!(sending(&sound), "a good stored document is not replaced by a copy");
}

#[test]
fn the_hash_does_not_depend_on_order_or_blanks() {
    let one: Value = serde_json::from_str(r#"{"b": [1, {"y": null, "x": "é\n"}], "a": 1.0}"#).unwrap();
    let two: Value = serde_json::from_str(r#"{"a":1.0,"b":[1,{"x":"é\n","y":null}]}"#).unwrap();
    assert_eq!(canonical_hash(&one), canonical_hash(&two));
    assert_ne!(canonical_hash(&one), canonical_hash(&json!({"a": 1.0, "b": [1]})));
    let mut text = String::new();
    write_canonical(&one, &mut text);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), one);
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let env = EnvDefaults::default();
    let mut book = Book::default();
    let marked = "\u{feff}{\"webhook_sending_enabled\": false}";
    assert_eq!(book.take(KEY, found(marked), &env, at(0)), Taken::Applied);
    assert!(!sending(&book));
    assert_eq!(book.take(KEY, found("\u{feff}\u{feff}{}"), &env, at(1)), Taken::Wait);
}

/// A document of `key` that is refused, and one that is good.
fn bad_and_good(key: Key) -> (&'static str, &'static str) {
    match key {
        Key::PollingConfig => (r#"{"vacation_start": "soon"}"#, r#"{"vacation_start": null}"#),
        Key::WebhookConfig => (r#"{"webhook_time_start": "25h00"}"#, r#"{"webhook_time_start": ""}"#),
        Key::ProcessingPrefs => (r#"{"retry_count": 99}"#, r#"{"retry_count": 9}"#),
        Key::RuntimeFlags => (r#"{"disable_email_id_dedup": [1]}"#, r#"{"disable_email_id_dedup": true}"#),
        Key::RoutingRules => (r#"{"rules": "none"}"#, r#"{"rules": []}"#),
        Key::Detectors => (r#"{"detectors": "none"}"#, r#"{"detectors": []}"#),
        Key::Providers => (r#"{"providers": "none"}"#, r#"{"providers": []}"#),
        Key::MagicLinkTokens => ("[]", "{}"),
    }
}

#[test]
fn what_a_refused_document_governs_stands_still_until_it_is_mended() {
    let env = EnvDefaults::default();
    for key in Key::ALL {
        let (bad, good) = bad_and_good(key);
        for unusable in [bad, "{half-writ", "[1]"] {
            let mut book = Book::default();
            book.insist(key, found(unusable), &env, at(0));
            assert_eq!(book.withholds(key), key.governs(), "{key} {unusable}");
            let policy = book.policy(&env, 1);
            assert_eq!(!policy.withheld.polling.is_empty(), key.governs() == Some(Governs::Polling));
            assert_eq!(!policy.withheld.sending.is_empty(), key.governs() == Some(Governs::Sending));
            if let Some(why) = policy.withheld.why() {
                assert!(why.english.starts_with(&format!("{key}: ")), "{why}");
                assert!(why.french.starts_with(&format!("{key}\u{a0}: ")), "{why:?}");
            }
            // Neither another bad one nor one that cannot be read ends it.
            let unreadable = StoreError::Unreadable { what: "it".to_owned(), why: "no answer".to_owned() };
            book.insist(key, Err(unreadable), &env, at(5_000));
            assert_eq!(book.withholds(key), key.governs(), "{key} {unusable}");
            assert_eq!(book.take(key, found(good), &env, at(10_000)), Taken::Applied);
            assert_eq!(book.withholds(key), None, "{key} {unusable}");
            assert_eq!(book.policy(&env, 2).withheld, Default::default());
            // Now there is a good one before it.
            book.insist(key, found(unusable), &env, at(20_000));
            assert_eq!((book.is_refused(key), book.withholds(key)), (true, None), "{key} {unusable}");
        }
    }
}

#[test]
fn a_switch_that_is_off_is_obeyed_whatever_else_is_wrong() {
    let env = EnvDefaults::default();
    let off = ["false", "null", "0", "0.0", "\"\"", "\"off\"", "\" No \"", "\"0\"", "[]", "{}"];
    let not_off = ["true", "1", "\"yes\"", "\"perhaps\"", "[0]", "{\"a\":1}"];
    for (key, switch) in
        [(Key::WebhookConfig, "webhook_sending_enabled"), (Key::PollingConfig, "enable_polling")]
    {
        let (wrong, _) = bad_and_good(key);
        let with = |value: &str| wrong.replacen('{', &format!("{{\"{switch}\": {value}, "), 1);
        let acts = |book: &Book| match key {
            Key::PollingConfig => book.policy(&env, 1).schedule.enabled,
            _ => book.policy(&env, 1).sending_enabled,
        };
        for said in off {
            for earlier in [None, Some(format!("{{\"{switch}\": true}}"))] {
                let mut book = Book::default();
                if let Some(earlier) = &earlier {
                    assert_eq!(book.take(key, found(earlier), &env, at(0)), Taken::Applied);
                    assert!(acts(&book));
                }
                assert_eq!(book.take(key, found(&with(said)), &env, at(1)), Taken::Refused, "{said}");
                assert!(!acts(&book), "{key} {said} after {earlier:?}");
                if let Some(earlier) = &earlier {
                    // The very document of before ends it, too.
                    assert_eq!(book.take(key, found(earlier), &env, at(2)), Taken::Applied);
                    assert!(acts(&book));
                }
            }
        }
        for said in not_off {
            let mut book = Book::default();
            book.take(key, found(&with(said)), &env, at(0));
            assert!(!book.is_switched_off(key), "{key} {said}");
        }
    }
}
