use serde_json::json;

use super::*;

/// Every name of a document, at every depth, with a document in which it stands misspelt.
fn misspelt(
    names: KnownNames,
    wrap: &dyn Fn(Value) -> Value,
    at: &str,
) -> Vec<(String, &'static str, Value)> {
    let mut found = Vec::new();
    for (name, shape) in names {
        let wrong = format!("{name}x");
        found.push((format!("{at}{wrong}"), *name, wrap(json!({wrong: 1}))));
        match shape {
            V => {}
            Object(inner) => {
                let wrap = |value: Value| wrap(json!({*name: value}));
                found.extend(misspelt(inner, &wrap, &format!("{at}{name}.")));
            }
            List(inner) => {
                let wrap = |value: Value| wrap(json!({*name: [value]}));
                found.extend(misspelt(inner, &wrap, &format!("{at}{name}[0].")));
            }
        }
    }
    found
}

#[test]
fn a_misspelt_name_of_any_document_is_found_with_the_name_that_was_meant() {
    let mut looked_at = 0;
    for key in Key::ALL {
        let Some(names) = names(key) else { continue };
        for (field, meant, document) in misspelt(names, &|value| value, "") {
            let found = unknown(key, &document);
            assert_eq!(found.len(), 1, "{key} {document}: {found:?}");
            assert_eq!((found[0].field.as_str(), found[0].nearest), (field.as_str(), Some(meant)), "{key}");
            assert!(found[0].problem().to_string().contains(meant), "{key} {field}");
            assert!(found[0].remark().english.contains(meant), "{key} {field}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 60, "{looked_at}");
}

/// The names that the reference system writes, and the examples of the documentation.
#[test]
fn what_the_reference_system_writes_is_known() {
    let url = "https://hook.example.com/x";
    for (key, document) in [
        (
            Key::PollingConfig,
            json!({"active_days": [0], "active_start_hour": 9, "active_end_hour": 23,
                "enable_subject_group_dedup": true, "sender_of_interest_for_polling": ["a@b.fr"],
                "vacation_start": "2026-08-01", "vacation_end": "2026-08-15", "enable_polling": true,
                "_updated_at": "2026-01-19T00:36:24+00:00"}),
        ),
        (
            Key::WebhookConfig,
            json!({"webhook_url": url, "webhook_ssl_verify": true, "webhook_sending_enabled": true,
                "webhook_time_start": "", "webhook_time_end": "", "absence_pause_enabled": false,
                "absence_pause_days": [], "global_time_start": null, "global_time_end": null,
                "polling_enabled": true, "recadrage_webhook_url": url, "autorepondeur_webhook_url": url,
                "webhook_delivery_mode": "json", "webhook_fallback_on_415": true}),
        ),
        (
            Key::ProcessingPrefs,
            json!({"exclude_keywords": [], "require_attachments": false, "max_email_size_mb": null,
                "sender_priority": {"a@b.fr": "high"}, "retry_count": 0, "retry_delay_sec": 2,
                "webhook_timeout_sec": 30, "rate_limit_per_hour": 5, "notify_on_failure": false,
                "mirror_media_to_custom": true, "exclude_keywords_recadrage": [],
                "exclude_keywords_autorepondeur": []}),
        ),
        (
            Key::RuntimeFlags,
            json!({"disable_email_id_dedup": false, "allow_custom_webhook_without_links": false,
                "gmail_ingress_enabled": true}),
        ),
        (
            Key::RoutingRules,
            json!({"rules": [{"id": "r", "name": "R", "conditions": [
                    {"field": "sender", "operator": "contains", "value": "a", "case_sensitive": false}],
                "actions": {"webhook_url": url, "priority": "normal", "stop_processing": false}}]}),
        ),
        (Key::MagicLinkTokens, json!({"3kZ": {"consumed": false}, "_updated_at": "x"})),
    ] {
        assert_eq!(unknown(key, &document), [], "{key}");
    }
}

/// Each name that the reader of a document asks for is entered here: a document in which it has
/// a value that nobody takes is refused by the reader, not by this module.
#[test]
fn names_that_act_are_known() {
    let table: Vec<Value> =
        serde_json::from_str(include_str!("../../../../../tests/golden/documents.json")).unwrap();
    for case in table.iter().filter(|case| case["unknown"].is_null()) {
        let key = Key::named(case["key"].as_str().unwrap()).unwrap();
        assert_eq!(unknown(key, &case["document"]), [], "{case}");
    }
}

#[test]
fn notes_are_free_and_what_is_no_object_is_left_to_the_checks() {
    assert_eq!(unknown(Key::WebhookConfig, &json!({"_why": "holidays", "time_window": 5})), []);
    assert_eq!(
        unknown(Key::RoutingRules, &json!({"rules": [5, {"_": 1, "actions": [], "conditions": 1}]})),
        []
    );
    assert_eq!(unknown(Key::WebhookConfig, &json!([1])), []);
}

#[test]
fn a_name_of_another_document_is_sent_there_and_an_odd_one_is_only_named() {
    let found = unknown(Key::WebhookConfig, &json!({"retry_count": 3, "zz\u{7}z": 1, "Webhook_URL": "x"}));
    let said: Vec<_> = found.iter().map(UnknownField::remark).collect();
    assert!(said[0].english.ends_with("it belongs to processing_prefs"), "{said:?}");
    assert_eq!(said[1].english, "zzz is no known field and has no effect");
    assert!(said[2].english.ends_with("webhook_url may be meant"), "{said:?}");
    let long = unknown(Key::WebhookConfig, &json!({"x".repeat(1_000_000): 1}));
    assert_eq!(long[0].field.len(), LONGEST);
}

#[test]
fn what_was_there_before_is_not_added_wherever_in_its_list_it_stands() {
    let rule = |more: &str| json!({"id": more, more: 1});
    let before = json!({"rules": [rule("mine")], "other": 1});
    let after = json!({"rules": [rule("id"), rule("mine"), rule("theirs")], "other": 2});
    let fields = |before: Option<&Value>| -> Vec<String> {
        added(Key::RoutingRules, before, &after).into_iter().map(|unknown| unknown.field).collect()
    };
    assert_eq!(fields(Some(&before)), ["rules[2].theirs"]);
    assert_eq!(fields(None), ["rules[1].mine", "rules[2].theirs", "other"]);
}
