//! The policies under which hostile mails are decided.

use render_signal_actors::config::documents::{DocumentSet, Key};
use render_signal_actors::config::policy::{EnvDefaults, build};
use render_signal_actors::mail::policy::Policy;
use serde_json::{Value, json};

/// What an installation has that configures nothing but its target.
pub fn plain() -> Policy {
    build(&DocumentSet::default(), &environment(), 1)
}

/// Everything is switched on: detectors of its own beside the built-in ones, rules,
/// keywords, groups, a window.
pub fn rich() -> Policy {
    let mut built_in: Value =
        serde_json::from_str(render_signal_actors::mail::detectors::DEFAULT_DOCUMENT).expect("JSON");
    let own = json!({
        "id": "order", "conditions": {"all": [
            {"field": "body", "operator": "regex", "form": "seen", "value": "commande\\s+n°\\s*\\d{4,8}"},
            {"none": [{"field": "links", "operator": "host", "value": ["*.evil.example", "evil.example"]},
                      {"field": "body", "operator": "word", "value": ["annulé", "test"]}]},
            {"any": [{"field": "links", "operator": "regex", "value": "/(?:s|d)/[a-z0-9]+"},
                     {"field": "sender", "operator": "regex", "value": "^[\\w.+-]+@[\\w-]+\\.\\w+$"}]},
        ]},
        "extract": {
            "delivery_time": {"patterns": [{"regex": "pour\\s{1,20}(?<hour>\\d{1,2})h(?<minute>\\d{0,2})"}]},
            "values": {
                "order": {"field": "body", "regex": "n°\\s*(\\d{4,8})"},
                "contact": {"field": "body", "regex": "([\\w.+-]+@[\\w-]+\\.\\w+)"},
            },
        },
        "outside_window": "send",
    });
    built_in.get_mut("detectors").and_then(Value::as_array_mut).expect("a list").insert(1, own);
    let rule = |id: &str, field: &str, operator: &str, value: &str| {
        json!({"id": id, "conditions": [{"field": field, "operator": operator, "value": value}],
               "actions": {"webhook_url": "https://r.example/1"}})
    };
    let mut documents = DocumentSet::default();
    let mut put = |key: Key, value: &Value| {
        let disabled = documents.put(key, Some(value), &environment()).expect("a good document");
        assert!(disabled.is_empty(), "{disabled:?}");
    };
    put(Key::Detectors, &built_in);
    put(
        Key::RoutingRules,
        &json!({"rules": [
            rule("invoice", "body", "regex", "facture\\s+n°\\s*\\d{4,8}"),
            rule("nested", "body", "regex", "(?:[a-z]+\\s?)+!$"),
            rule("urgent", "subject", "regex", "^(lot|lots)\\b.*urgen(t|ce)"),
            rule("word", "body", "contains", "ÉTALONNAGE"),
            rule("all", "sender", "contains", "@"),
        ]}),
    );
    put(
        Key::ProcessingPrefs,
        &json!({"exclude_keywords": ["ne pas traiter", "réservé aux abonnés"],
                "exclude_keywords_recadrage": ["annulé par le client"], "max_email_size_mb": 25}),
    );
    put(Key::PollingConfig, &json!({"enable_subject_group_dedup": true}));
    put(Key::RuntimeFlags, &json!({"allow_custom_webhook_without_links": true}));
    put(Key::WebhookConfig, &json!({"webhook_time_start": "00h10", "webhook_time_end": "23h50"}));
    build(&documents, &environment(), 2)
}

fn environment() -> EnvDefaults {
    EnvDefaults { webhook_url: "https://hook.example/1".to_owned(), ..EnvDefaults::default() }
}
