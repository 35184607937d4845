use super::*;
use crate::config::store::Revision;

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
}

fn found(text: &str) -> Result<StoreReading, StoreError> {
    Ok(StoreReading::Found { text: text.to_owned(), revision: Revision(text.to_owned()) })
}

const KEY: Key = Key::WebhookConfig;

fn sending(active: &ActiveDocuments) -> bool {
    active.policy(&EnvDefaults::default(), 1).sending_enabled
}

fn state(active: &ActiveDocuments) -> String {
    active.status().into_iter().find(|status| status.key == KEY.as_str()).unwrap().state
}

#[test]
fn a_refused_document_leaves_the_last_good_one_in_force() {
    let env = EnvDefaults::default();
    let mut active = ActiveDocuments::default();
    assert_eq!(active.take(KEY, Ok(StoreReading::Absent), &env, at(0)), ReadOutcome::Unchanged);
    assert_eq!((state(&active).as_str(), sending(&active)), ("absent", true));
    let good = r#"{"webhook_sending_enabled": false, "mine": 1}"#;
    assert_eq!(active.take(KEY, found(good), &env, at(1)), ReadOutcome::Applied);
    assert_eq!((state(&active).as_str(), sending(&active)), ("ok", false));

    let bad = r#"{"webhook_sending_enabled": true, "webhook_time_start": "25h00"}"#;
    assert_eq!(active.take(KEY, found(bad), &env, at(2)), ReadOutcome::Refused);
    assert_eq!((state(&active).as_str(), sending(&active)), ("invalid", false));
    assert!(active.problems(KEY)[0].to_string().starts_with("webhook_time_start: Invalid time format"));
    assert_eq!(active.in_force(KEY).unwrap().text, good, "unknown fields are kept");
    assert_eq!(active.take(KEY, found(bad), &env, at(3)), ReadOutcome::Unchanged);

    assert_eq!(active.take(KEY, found("{}"), &env, at(4)), ReadOutcome::Applied, "empty is not absent");
    assert_eq!((state(&active).as_str(), sending(&active)), ("ok", true));
}

#[test]
fn a_half_written_or_vanished_document_is_believed_after_the_grace_only() {
    let env = EnvDefaults::default();
    let mut active = ActiveDocuments::default();
    active.take(KEY, found(r#"{"webhook_sending_enabled": false}"#), &env, at(0));
    for (reading, end) in
        [(found(r#"{"webhook_sen"#), ReadOutcome::Refused), (Ok(StoreReading::Absent), ReadOutcome::Vanished)]
    {
        assert_eq!(active.take(KEY, reading.clone(), &env, at(0)), ReadOutcome::Wait);
        assert_eq!(active.take(KEY, reading.clone(), &env, at(300)), ReadOutcome::Wait);
        assert!(!sending(&active));
        // It was an editor: the doubt is over, and starts anew the next time.
        let whole = found(r#"{"webhook_sending_enabled": false}"#);
        // In the second round it mends what was refused at the end of the first.
        let over = if end == ReadOutcome::Vanished { ReadOutcome::Applied } else { ReadOutcome::Unchanged };
        assert_eq!(active.take(KEY, whole, &env, at(350)), over);
        assert_eq!(active.take(KEY, reading.clone(), &env, at(500)), ReadOutcome::Wait);
        assert_eq!(active.take(KEY, reading.clone(), &env, at(900)), end);
    }
    assert!(!sending(&active), "what has vanished is in force");
    assert_eq!(state(&active), "missing");
    let back = found(r#"{"webhook_sending_enabled": false}"#);
    assert_eq!(active.take(KEY, back, &env, at(1_000)), ReadOutcome::Unchanged);
    assert_eq!(state(&active), "ok");
    active.remove(KEY, &env, at(2_000));
    assert!(sending(&active), "the removal is in force");
    assert_eq!(state(&active), "absent");
}

#[test]
fn at_start_the_journal_supplies_the_last_good_copy() {
    let env = EnvDefaults::default();
    let mut active = ActiveDocuments::default();
    active.take_final(KEY, found("{nonsense"), &env, at(0));
    assert_eq!(state(&active), "invalid");
    active.restore(KEY, r#"{"webhook_sending_enabled": false}"#.to_owned(), &env);
    assert_eq!((state(&active).as_str(), sending(&active)), ("invalid", false));
    let mut sound = ActiveDocuments::default();
    sound.take_final(KEY, found("{}"), &env, at(0));
    sound.restore(KEY, r#"{"webhook_sending_enabled": false}"#.to_owned(), &env);
    assert!(sending(&sound), "a good stored document is not replaced by a copy");
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let env = EnvDefaults::default();
    let mut active = ActiveDocuments::default();
    let marked = "\u{feff}{\"webhook_sending_enabled\": false}";
    assert_eq!(active.take(KEY, found(marked), &env, at(0)), ReadOutcome::Applied);
    assert!(!sending(&active));
    assert_eq!(active.take(KEY, found("\u{feff}\u{feff}{}"), &env, at(1)), ReadOutcome::Wait);
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
            let mut active = ActiveDocuments::default();
            active.take_final(key, found(unusable), &env, at(0));
            assert_eq!(active.withholds(key), key.governs(), "{key} {unusable}");
            let policy = active.policy(&env, 1);
            assert_eq!(!policy.withheld.polling.is_empty(), key.governs() == Some(Governs::Polling));
            assert_eq!(!policy.withheld.sending.is_empty(), key.governs() == Some(Governs::Sending));
            if let Some(why) = policy.withheld.why() {
                assert!(why.english.starts_with(&format!("{key}: ")), "{why}");
                assert!(why.french.starts_with(&format!("{key}\u{a0}: ")), "{why:?}");
            }
            // Neither another bad one nor one that cannot be read ends it.
            let unreadable = StoreError::Unreadable { what: "it".to_owned(), why: "no answer".to_owned() };
            active.take_final(key, Err(unreadable), &env, at(5_000));
            assert_eq!(active.withholds(key), key.governs(), "{key} {unusable}");
            assert_eq!(active.take(key, found(good), &env, at(10_000)), ReadOutcome::Applied);
            assert_eq!(active.withholds(key), None, "{key} {unusable}");
            assert_eq!(active.policy(&env, 2).withheld, Default::default());
            // Now there is a good one before it.
            active.take_final(key, found(unusable), &env, at(20_000));
            assert_eq!((active.is_refused(key), active.withholds(key)), (true, None), "{key} {unusable}");
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
        let acts = |active: &ActiveDocuments| match key {
            Key::PollingConfig => active.policy(&env, 1).schedule.enabled,
            _ => active.policy(&env, 1).sending_enabled,
        };
        for said in off {
            for earlier in [None, Some(format!("{{\"{switch}\": true}}"))] {
                let mut active = ActiveDocuments::default();
                if let Some(earlier) = &earlier {
                    assert_eq!(active.take(key, found(earlier), &env, at(0)), ReadOutcome::Applied);
                    assert!(acts(&active));
                }
                assert_eq!(active.take(key, found(&with(said)), &env, at(1)), ReadOutcome::Refused, "{said}");
                assert!(!acts(&active), "{key} {said} after {earlier:?}");
                if let Some(earlier) = &earlier {
                    // The very document of before ends it, too.
                    assert_eq!(active.take(key, found(earlier), &env, at(2)), ReadOutcome::Applied);
                    assert!(acts(&active));
                }
            }
        }
        for said in not_off {
            let mut active = ActiveDocuments::default();
            active.take(key, found(&with(said)), &env, at(0));
            assert!(!active.is_switched_off(key), "{key} {said}");
        }
    }
}
