use chrono::{NaiveDate, Weekday};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::prefs::ProcessingPrefs;
use super::*;
use crate::mail::policy::Ordering;

fn env() -> EnvDefaults {
    EnvDefaults::default()
}

#[test]
fn golden_prefs_validation() {
    for case in crate::config::golden("prefs_validation") {
        let expected = case["differs"].get("output").unwrap_or(&case["output"]);
        match ProcessingPrefs::parse(&case["input"]["payload"]) {
            Ok(prefs) => {
                assert_eq!(expected[0], true, "{case}");
                let actual = json!({
                    "exclude_keywords": prefs.exclude_keywords,
                    "retry_count": prefs.retry_count,
                    "sender_priority": prefs.sender_priority,
                    "webhook_timeout_sec": prefs.webhook_timeout_sec,
                    "notify_on_failure": prefs.notify_on_failure,
                });
                for (field, value) in expected[2].as_object().unwrap() {
                    assert_eq!(&actual[field], value, "{case}");
                }
            }
            Err(problems) => assert_eq!(json!([false, problems[0].message.french, {}]), *expected, "{case}"),
        }
    }
}

/// `(document, value of the field, field and message of the only problem)`.
#[test]
fn every_field_is_checked_and_named() {
    use Key::{PollingConfig as P, ProcessingPrefs as R, RuntimeFlags as F, WebhookConfig as W};
    let bad = [
        (P, "active_days", json!([0, 7]), "active_days: jour invalide 7"),
        (P, "active_days", json!("lundi"), "active_days: liste attendue"),
        (P, "active_days", json!("5,6"), "active_days: liste attendue"),
        (P, "active_days", json!(["lundi"]), "active_days: jour invalide"),
        (P, "active_days", json!({}), "active_days: liste attendue"),
        (P, "active_start_hour", json!(24), "active_start_hour doit être entre 0 et 23."),
        (P, "active_end_hour", json!("x"), "active_end_hour invalide (entier attendu)."),
        (P, "active_end_hour", json!(25), "active_end_hour doit être entre 0 et 24."),
        (P, "active_end_hour", json!(-1), "active_end_hour doit être entre 0 et 24."),
        (P, "enable_subject_group_dedup", json!("maybe"), "enable_subject_group_dedup: booléen attendu"),
        (
            P,
            "sender_of_interest_for_polling",
            json!(["a@b"]),
            "sender_of_interest_for_polling: adresse invalide",
        ),
        (P, "sender_of_interest_for_polling", json!([5]), "sender_of_interest_for_polling: adresse invalide"),
        (P, "vacation_start", json!("2026-W10-1"), "vacation_start invalide (format YYYY-MM-DD)."),
        (P, "vacation_end", json!(20260302), "vacation_end invalide (format YYYY-MM-DD)."),
        (P, "enable_polling", json!([]), "enable_polling: booléen attendu"),
        (W, "webhook_url", json!("http://x.fr"), "webhook_url doit être une URL HTTPS valide."),
        (W, "webhook_url", json!("abc@hook.eu2.make.com"), "webhook_url doit être une URL HTTPS valide."),
        (W, "webhook_url", json!(5), "webhook_url doit être une URL HTTPS valide."),
        (W, "webhook_url", json!("https://localhost"), "webhook_url doit être une URL HTTPS valide."),
        (W, "webhook_ssl_verify", json!("?"), "webhook_ssl_verify: booléen attendu"),
        (W, "webhook_sending_enabled", json!("?"), "webhook_sending_enabled: booléen attendu"),
        (W, "webhook_time_start", json!("9h"), "webhook_time_start: Invalid time format."),
        (W, "webhook_time_end", json!(9), "webhook_time_end: Invalid time format."),
        (W, "absence_pause_enabled", json!(true), "absence_pause_days: Au moins un jour"),
        (W, "absence_pause_days", json!("monday"), "absence_pause_days doit être une liste."),
        (W, "absence_pause_days", json!(["lundi", "Monday"]), "absence_pause_days: Jours invalides: lundi"),
        (W, "ordering", json!("date"), "ordering invalide (none|sender|mailbox)."),
        (R, "exclude_keywords", json!("a"), "exclude_keywords doit être une liste de chaînes"),
        (R, "exclude_keywords", json!([1]), "exclude_keywords doit être une liste de chaînes"),
        (R, "exclude_keywords_recadrage", json!(1), "exclude_keywords_recadrage doit être une liste"),
        (R, "exclude_keywords_autorepondeur", json!(1), "exclude_keywords_autorepondeur doit être une liste"),
        (R, "require_attachments", json!("?"), "require_attachments: booléen attendu"),
        (R, "max_email_size_mb", json!(0), "max_email_size_mb doit être > 0 ou null"),
        (
            R,
            "max_email_size_mb",
            json!("x"),
            "max_email_size_mb: Validation error: invalid literal for int()",
        ),
        (R, "sender_priority", json!([1]), "sender_priority doit être un objet {email: niveau}"),
        (R, "sender_priority", json!({"a": 1}), "sender_priority: clés et valeurs doivent être des chaînes"),
        (R, "sender_priority", json!({"a": "x"}), "sender_priority: niveau invalide (high|medium|low)"),
        (R, "retry_count", json!(11), "retry_count hors limites (0..10)"),
        (R, "retry_delay_sec", json!(601), "retry_delay_sec hors limites (0..600)"),
        (R, "webhook_timeout_sec", json!(0), "webhook_timeout_sec hors limites (1..300)"),
        (R, "rate_limit_per_hour", json!(100_001), "rate_limit_per_hour hors limites (0..100000)"),
        (R, "notify_on_failure", json!("?"), "notify_on_failure: booléen attendu"),
        (R, "mirror_media_to_custom", json!("?"), "mirror_media_to_custom: booléen attendu"),
        (F, "disable_email_id_dedup", json!("?"), "disable_email_id_dedup: booléen attendu"),
        (F, "allow_custom_webhook_without_links", json!("?"), "allow_custom_webhook_without_links: booléen"),
    ];
    for (key, field, value, message) in bad {
        let document = json!({ field: value, "unknown": {"kept": true} });
        let problems = DocumentSet::default().put(key, Some(&document), &env()).unwrap_err();
        assert_eq!(problems.len(), 1, "{key} {document}: {problems:?}");
        assert!(problems[0].in_french().starts_with(message), "{key} {document}: {}", problems[0]);
    }
    for key in Key::ALL {
        let problems = DocumentSet::default().put(key, Some(&json!([])), &env()).unwrap_err();
        assert!(problems[0].in_french().starts_with("document: un objet JSON est attendu"), "{key}");
    }
}

/// The same table is run against the PHP host: there is one judge.
#[test]
fn the_table_of_documents_is_judged_as_it_says() {
    let table: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/golden/documents.json")).unwrap();
    for case in table {
        let key = Key::named(case["key"].as_str().unwrap()).unwrap();
        let mut problems = super::problems(key, &case["document"], &env());
        problems.extend(known::unknown(key, &case["document"]).iter().map(known::UnknownField::problem));
        let found = problems.first().map(FieldProblem::in_french);
        match case["field"].as_str() {
            None => assert_eq!(found, None, "{case}: {problems:?}"),
            Some(field) => {
                assert!(found.is_some_and(|found| found.starts_with(field)), "{case}: {problems:?}");
            }
        }
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let document = json!({"retry_count": 99, "webhook_timeout_sec": 0, "sender_priority": 1});
    let problems = DocumentSet::default().put(Key::ProcessingPrefs, Some(&document), &env()).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn polling_config_as_the_reference_writes_it_and_as_people_do() {
    let mut documents = DocumentSet::default();
    let written = json!({
        "active_days": ["4", 0, 0], "active_start_hour": "8", "active_end_hour": 24.0,
        "enable_subject_group_dedup": 1, "sender_of_interest_for_polling": " A@B.fr, c@d.org ,a@b.fr",
        "vacation_start": "20260801", "vacation_end": "2026-08-15", "enable_polling": "off",
        "_updated_at": "2026-01-19T00:36:24+00:00",
    });
    documents.put(Key::PollingConfig, Some(&written), &env()).unwrap();
    let policy = policy_of(&documents);
    assert_eq!(policy.schedule.active_days, [0, 4]);
    assert_eq!((policy.schedule.start_hour, policy.schedule.end_hour), (8, 24));
    assert_eq!(policy.allowed_senders, ["a@b.fr", "c@d.org"]);
    assert_eq!(
        policy.schedule.vacation,
        NaiveDate::from_ymd_opt(2026, 8, 1).zip(NaiveDate::from_ymd_opt(2026, 8, 15))
    );
    assert!(!policy.schedule.enabled);

    let half = json!({"vacation_start": "2026-08-01", "vacation_end": "", "active_days": []});
    documents.put(Key::PollingConfig, Some(&half), &env()).unwrap();
    let policy = policy_of(&documents);
    assert_eq!((policy.schedule.vacation, policy.schedule.enabled), (None, true));
    assert_eq!(policy.schedule.active_days, env().active_days, "an empty list leaves it to the environment");

    let reversed = json!({"vacation_start": "2026-08-15", "vacation_end": "2026-08-01"});
    let problems = documents.put(Key::PollingConfig, Some(&reversed), &env()).unwrap_err();
    assert_eq!(problems[0].in_french(), "vacation_start doit être <= vacation_end.");
}

fn policy_of(documents: &DocumentSet) -> crate::mail::policy::Policy {
    crate::config::policy::build(documents, &env(), 1)
}

#[test]
fn the_window_is_completed_from_the_environment_and_never_always_shut() {
    let env = EnvDefaults { time_start: "09h00".to_owned(), time_end: "18h00".to_owned(), ..env() };
    let window = |document: Value| {
        let mut documents = DocumentSet::default();
        documents.put(Key::WebhookConfig, Some(&document), &env).map(|_| {
            let window = crate::config::policy::build(&documents, &env, 1).window.unwrap();
            (window.start_text, window.end_text)
        })
    };
    let pair = |start: &str, end: &str| Ok((start.to_owned(), end.to_owned()));
    assert_eq!(window(json!({})), pair("09h00", "18h00"));
    assert_eq!(window(json!({"webhook_time_start": "", "webhook_time_end": null})), pair("09h00", "18h00"));
    assert_eq!(window(json!({"webhook_time_start": "7h5".replace("5", "05")})), pair("7h05", "18h00"));
    assert_eq!(
        window(json!({"webhook_time_start": "22:00", "webhook_time_end": "2h00"})),
        pair("22:00", "2h00")
    );
    for equal in [
        json!({"webhook_time_start": "9h00", "webhook_time_end": "09:00"}),
        json!({"webhook_time_start": "18:00"}),
    ] {
        assert!(window(equal).unwrap_err()[0].message.french.contains("identiques"));
    }
    assert!(policy_of(&DocumentSet::default()).window.is_none());
}

#[test]
fn webhook_config_and_flags_act() {
    let mut documents = DocumentSet::default();
    let env = EnvDefaults {
        webhook_url: "https://env.example/x".to_owned(),
        egress_allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..env()
    };
    let build = |documents: &DocumentSet| crate::config::policy::build(documents, &env, 7);
    assert_eq!(build(&documents).default_target.url, "https://env.example/x");
    let webhook = json!({
        "webhook_url": "http://127.0.0.1:9/x", "webhook_ssl_verify": false, "webhook_sending_enabled": null,
        "absence_pause_enabled": true, "absence_pause_days": ["Monday ", "monday", "friday"],
        "ordering": "Sender", "polling_enabled": false,
    });
    documents.put(Key::WebhookConfig, Some(&webhook), &env).unwrap();
    let flags = json!({"disable_email_id_dedup": "yes", "allow_custom_webhook_without_links": true});
    documents.put(Key::RuntimeFlags, Some(&flags), &env).unwrap();
    let policy = build(&documents);
    assert_eq!(policy.version, 7);
    assert_eq!(policy.default_target.url, "http://127.0.0.1:9/x");
    assert_eq!(policy.default_target.ordering, Ordering::Sender);
    assert_eq!(policy.absence_days, [Weekday::Mon, Weekday::Fri]);
    assert!(!policy.ssl_verify && !policy.sending_enabled);
    assert!(policy.disable_email_id_dedup && policy.allow_without_links);

    let off = json!({"absence_pause_days": ["monday"], "webhook_url": ""});
    documents.put(Key::WebhookConfig, Some(&off), &env).unwrap();
    let policy = build(&documents);
    assert!(policy.absence_days.is_empty() && policy.sending_enabled);
    assert_eq!(policy.default_target.url, "https://env.example/x");
}

#[test]
fn prefs_act_and_absent_is_not_zero() {
    let mut documents = DocumentSet::default();
    let absent = policy_of(&documents);
    assert_eq!((absent.rate_limit_per_hour, absent.retry.retries), (0, None));
    assert_eq!(absent.retry.base.as_secs(), 2);
    let prefs = json!({"retry_count": "3", "retry_delay_sec": 0, "webhook_timeout_sec": 10,
        "rate_limit_per_hour": 0, "max_email_size_mb": 2, "sender_priority": []});
    documents.put(Key::ProcessingPrefs, Some(&prefs), &env()).unwrap();
    let policy = policy_of(&documents);
    assert_eq!((policy.rate_limit_per_hour, policy.retry.retries), (0, Some(3)));
    assert_eq!(policy.retry.base.as_secs(), 0);
    assert_eq!(policy.max_email_bytes, Some(2 * 1024 * 1024));
    assert_eq!(policy.webhook_timeout.as_secs(), 10);
    let zero = json!({"retry_count": 0, "retry_delay_sec": 0});
    documents.put(Key::ProcessingPrefs, Some(&zero), &env()).unwrap();
    assert_eq!(policy_of(&documents).retry.base.as_secs(), 1, "a back-off must be able to grow");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2_i64..30).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "9h00",
            "18:00",
            "true",
            "no",
            "monday",
            "a@b.fr",
            "https://h",
            "high",
            "2026-08-01",
            "regex",
            "body",
            "(",
            "2",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let name = prop::sample::select(vec![
            "field",
            "operator",
            "value",
            "conditions",
            "actions",
            "webhook_url",
            "id",
            "name",
            "priority",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

fn any_document() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec![
        "active_days",
        "active_start_hour",
        "active_end_hour",
        "sender_of_interest_for_polling",
        "vacation_start",
        "vacation_end",
        "enable_polling",
        "webhook_url",
        "webhook_ssl_verify",
        "webhook_sending_enabled",
        "webhook_time_start",
        "webhook_time_end",
        "absence_pause_enabled",
        "absence_pause_days",
        "ordering",
        "exclude_keywords",
        "max_email_size_mb",
        "sender_priority",
        "retry_count",
        "retry_delay_sec",
        "webhook_timeout_sec",
        "rate_limit_per_hour",
        "rules",
        "disable_email_id_dedup",
        "other",
    ]);
    prop::collection::vec((field, any_json()), 0..6).prop_map(|fields| {
        let fields: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Value::Object(fields)
    })
}

proptest! {
    #[test]
    fn a_refused_document_changes_nothing_and_nothing_panics(
        key in prop::sample::select(Key::ALL.to_vec()),
        good in any_document(),
        next in prop_oneof![any_json(), any_document()],
    ) {
        let mut documents = DocumentSet::default();
        drop(documents.put(key, Some(&good), &env()));
        let before = format!("{documents:?}");
        let refused = documents.put(key, Some(&next), &env());
        if let Err(problems) = refused {
            prop_assert!(!problems.is_empty());
            prop_assert_eq!(before, format!("{documents:?}"));
        }
        let policy = policy_of(&documents);
        prop_assert!(policy.schedule.active_days.iter().all(|day| *day <= 6));
        prop_assert!(policy.schedule.start_hour <= 23 && policy.schedule.end_hour <= 24);
        if let Some(window) = policy.window {
            prop_assert!(window.start.is_some() || window.end.is_some());
            prop_assert!(window.start != window.end);
        }
        let mut targets: Vec<_> = policy.rules.iter().map(|rule| rule.target.id.clone()).collect();
        prop_assert!(targets.iter().all(|id| id != "default" && !id.is_empty() && id.is_ascii()));
        targets.sort();
        targets.dedup();
        prop_assert_eq!(targets.len(), policy.rules.len());
    }
}

#[test]
fn absent_detectors_are_the_built_in_ones_and_an_empty_list_is_none() {
    let ids = |documents: &DocumentSet| {
        let policy = policy_of(documents);
        policy.detectors.into_iter().map(|detector| detector.id).collect::<Vec<_>>().join(" ")
    };
    let mut documents = DocumentSet::default();
    assert_eq!(ids(&documents), "recadrage desabo");
    documents.put(Key::Detectors, Some(&json!({"detectors": []})), &env()).unwrap();
    assert_eq!(ids(&documents), "");
    for refused in [json!({}), json!({"detectors": null}), json!({"detectors": {}})] {
        let problems = documents.put(Key::Detectors, Some(&refused), &env()).unwrap_err();
        assert_eq!(problems[0].in_french(), "detectors doit être une liste.");
        assert_eq!(problems[0].to_string(), "detectors must be a list.");
    }
    let built_in: Value = serde_json::from_str(crate::mail::detectors::DEFAULT_DOCUMENT).unwrap();
    assert_eq!(documents.put(Key::Detectors, Some(&built_in), &env()), Ok(Vec::new()));
    assert_eq!(ids(&documents), "recadrage desabo");
    documents.put(Key::Detectors, None, &env()).unwrap();
    assert_eq!(ids(&documents), "recadrage desabo");
}

#[test]
fn one_bad_detector_disables_itself_only() {
    let good = |id: &str| json!({"id": id, "conditions": {"field": "body", "operator": "present"}});
    let mut bad = good("bad");
    bad["conditions"]["operator"] = json!("is");
    let mut off = good("off");
    off["enabled"] = json!(false);
    let document = json!({"detectors": [good("a"), bad, good("a"), off, good("b"), 5]});
    let mut documents = DocumentSet::default();
    let disabled = documents.put(Key::Detectors, Some(&document), &env()).unwrap();
    let fields: Vec<&str> = disabled.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["detectors[1].conditions.operator", "detectors[2].id", "detectors[5]"]);
    let ids: Vec<String> = policy_of(&documents).detectors.into_iter().map(|detector| detector.id).collect();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn each_target_is_given_as_much_of_the_text_as_its_document_says() {
    let raw = "Message-ID: <a@x>\nFrom: b@ex.com\nSubject: s\nDate: d\nContent-Type: text/html\n\n\
               <p>rich https://www.dropbox.com/s/a</p>";
    let now = "2026-02-03T09:00:00Z".parse().unwrap();
    let contents = |default: Value, rule: Value| -> Vec<String> {
        let mut documents = DocumentSet::default();
        let webhook = json!({"webhook_url": "https://hook.example.com/default", "webhook_body": default});
        documents.put(Key::WebhookConfig, Some(&webhook), &env()).unwrap();
        let actions = json!({"webhook_url": "https://hook.example.com/rule", "body": rule});
        let rules = json!({"rules": [{"id": "r", "actions": actions,
            "conditions": [{"field": "subject", "operator": "contains", "value": "s"}]}]});
        assert_eq!(documents.put(Key::RoutingRules, Some(&rules), &env()), Ok(Vec::new()));
        let explained = crate::mail::explain::explain(raw.as_bytes(), &policy_of(&documents), now);
        let content = |payload: &Value| payload["email_content"].as_str().unwrap().trim().to_owned();
        explained.deliveries.iter().map(|delivery| content(&delivery.payload)).collect()
    };
    let (all, text) =
        ("<p>rich https://www.dropbox.com/s/a</p>".to_owned(), "rich https://www.dropbox.com/s/a".to_owned());
    assert_eq!(contents(json!(null), json!("")), [all.clone(), all.clone()], "the default");
    assert_eq!(contents(json!("all"), json!("TEXT")), [text.clone(), all]);
    assert_eq!(contents(json!("text"), json!("none")), [String::new(), text]);
}

#[test]
fn preferences_about_single_mails_act() {
    use crate::mail::filters::Keywords;
    use crate::mail::policy::Priority;
    let words =
        |written: &[&str]| Keywords::new(&written.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let mut documents = DocumentSet::default();
    let quiet = policy_of(&documents).prefs;
    assert!(!quiet.filters.has_keywords() && !quiet.filters.require_attachments);
    assert!(quiet.subject_groups.is_none() && quiet.notify().is_none() && quiet.remarks().is_empty());
    let prefs = json!({
        "exclude_keywords": [" a ", " "], "exclude_keywords_recadrage": ["b"],
        "exclude_keywords_autorepondeur": ["c"], "require_attachments": 1, "notify_on_failure": true,
        "sender_priority": {" A@B.fr": "HIGH", "c@d.fr": "low"},
    });
    documents.put(Key::ProcessingPrefs, Some(&prefs), &env()).unwrap();
    let policy = policy_of(&documents).prefs;
    assert_eq!(policy.filters.everywhere, words(&["a"]));
    assert_eq!(policy.filters.by_detector["recadrage"], words(&["b"]));
    assert_eq!(policy.filters.by_detector["desabonnement_journee_tarifs"], words(&["c"]));
    let mut own = documents.clone();
    let detectors = json!({"detectors": [
        {"id": "r", "detector": "recadrage", "conditions": {"field": "subject", "operator": "present"},
         "exclude_keywords": ["d"]},
        {"id": "invoice", "conditions": {"field": "subject", "operator": "present"}, "exclude_keywords": ["e"]},
    ]});
    own.put(Key::Detectors, Some(&detectors), &env()).unwrap();
    let filters = policy_of(&own).prefs.filters;
    assert_eq!(filters.by_detector["recadrage"], words(&["b", "d"]));
    assert_eq!(filters.by_detector["invoice"], words(&["e"]));
    assert!(policy.filters.require_attachments);
    let levels = ["a@b.fr", "c@d.fr", "e@f.fr"].map(|sender| policy.priority_of(sender));
    assert_eq!(levels, [Priority::High, Priority::Low, Priority::Medium]);
    assert_eq!((policy.notify(), policy.remarks().len()), (None, 1), "nobody to tell, and it says so");
    let env = EnvDefaults { notify_url: "https://alerts.example/x".to_owned(), ..env() };
    let policy = crate::config::policy::build(&documents, &env, 1).prefs;
    assert_eq!((policy.notify(), policy.remarks().len()), (Some("https://alerts.example/x"), 0));
}

#[test]
fn the_document_has_the_last_word_about_subject_groups() {
    let ttl = Some(std::time::Duration::from_secs(60));
    for (document, by_env, expected) in [
        (json!({}), false, false),
        (json!({}), true, true),
        (json!({"enable_subject_group_dedup": false}), true, false),
        (json!({"enable_subject_group_dedup": "yes"}), false, true),
    ] {
        let env = EnvDefaults { subject_group_dedup: by_env, subject_group_ttl: ttl, ..env() };
        let mut documents = DocumentSet::default();
        documents.put(Key::PollingConfig, Some(&document), &env).unwrap();
        let groups = crate::config::policy::build(&documents, &env, 1).prefs.subject_groups;
        assert_eq!(groups.map(|rule| rule.ttl), expected.then_some(ttl), "{document}");
    }
}
