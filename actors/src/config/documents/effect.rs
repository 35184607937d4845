//! Fields that change nothing, or less than their name says: known ones that documents of the
//! reference system hold, and those that nobody knows. They are kept, and whoever looks at the
//! configuration is told.

use serde_json::Value;

use super::Key;
use super::known::{self, UnknownField};
use crate::kernel::said::{Said, said};

/// A field, and where what it seems to promise is set: in French, and in English.
struct IdleField(Key, &'static str, &'static str, &'static str);

const RULE_NAMES_IT: (&str, &str) = (
    "une règle de routing_rules nomme une autre destination",
    "a rule of routing_rules names another target",
);

const WITHOUT: [IdleField; 4] = [
    IdleField(
        Key::WebhookConfig,
        "polling_enabled",
        "enable_polling de polling_config commande la relève",
        "enable_polling of polling_config switches polling",
    ),
    IdleField(Key::WebhookConfig, "recadrage_webhook_url", RULE_NAMES_IT.0, RULE_NAMES_IT.1),
    IdleField(Key::WebhookConfig, "autorepondeur_webhook_url", RULE_NAMES_IT.0, RULE_NAMES_IT.1),
    IdleField(
        Key::WebhookConfig,
        "webhook_fallback_on_415",
        "chaque tentative envoie les mêmes octets avec le même type de contenu\u{a0}: webhook_delivery_mode",
        "every attempt sends the same bytes with the same content type: webhook_delivery_mode",
    ),
];

/// Unknown fields that are named one by one.
const MAX_NAMED_FIELDS: usize = 10;

/// What is to be said of the fields of a document that nobody knows.
#[must_use]
pub fn unknown(key: Key, document: &Value) -> Vec<Said> {
    let found = known::unknown(key, document);
    let more = found.len().saturating_sub(MAX_NAMED_FIELDS);
    let named = found.iter().take(MAX_NAMED_FIELDS).map(UnknownField::remark);
    let rest = (more > 0).then(|| {
        said!(
            "{more} autres champs ne sont pas connus et n'ont aucun effet",
            "{more} more fields are not known and have no effect"
        )
    });
    named.chain(rest).collect()
}

/// What is to be remarked about a document that is in force.
#[must_use]
pub fn remarks(key: Key, document: &Value) -> Vec<Said> {
    let set = |name: &str| document.get(name).filter(|value| says_something(value));
    let mut remarks: Vec<Said> = WITHOUT
        .iter()
        .filter(|IdleField(of, name, ..)| *of == key && set(name).is_some())
        .map(|IdleField(_, name, french, english)| {
            said!("{name} n'a aucun effet\u{a0}: {french}", "{name} has no effect: {english}")
        })
        .collect();
    // True is what happens anyway, and stands in every document that the reference has saved.
    if key == Key::ProcessingPrefs && set("mirror_media_to_custom") == Some(&Value::Bool(false)) {
        remarks.push(said!(
            "mirror_media_to_custom n'a aucun effet\u{a0}: chaque mail va à la destination par défaut, avec ses liens",
            "mirror_media_to_custom has no effect: every mail goes to the default target, with its links"
        ));
    }
    remarks.extend(unknown(key, document));
    let global = set("global_time_start").or(set("global_time_end")).is_some();
    if key == Key::WebhookConfig
        && global
        && set("webhook_time_start").is_none()
        && set("webhook_time_end").is_none()
    {
        remarks.push(said!(
            "global_time_start et global_time_end ne retiennent aucun mail, ils ne sont que dits aux \
             destinations\u{a0}: webhook_time_start et webhook_time_end sont la fenêtre",
            "global_time_start and global_time_end hold no mail back, receivers are only told of them: \
             webhook_time_start and webhook_time_end are the window"
        ));
    }
    remarks
}

fn says_something(value: &Value) -> bool {
    !matches!(value, Value::Null) && value.as_str().is_none_or(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changes_nothing_is_said_and_what_is_empty_is_not() {
        for (key, document, words) in [
            (Key::WebhookConfig, json!({"polling_enabled": false}), &["enable_polling"][..]),
            (Key::WebhookConfig, json!({"recadrage_webhook_url": "https://a.example"}), &["routing_rules"]),
            (Key::WebhookConfig, json!({"recadrage_webhook_url": "", "polling_enabled": null}), &[]),
            (Key::WebhookConfig, json!({"global_time_start": "9h00"}), &["hold no mail back"]),
            (Key::WebhookConfig, json!({"global_time_start": "9h00", "webhook_time_start": "9h00"}), &[]),
            (Key::WebhookConfig, json!({"webhook_fallback_on_415": true}), &["webhook_delivery_mode"]),
            (Key::RuntimeFlags, json!({"gmail_ingress_enabled": false}), &[]),
            (Key::PollingConfig, json!({"polling_enabled": true}), &["it belongs to webhook_config"]),
            (Key::PollingConfig, json!({"enable_poling": true}), &["enable_polling may be meant"]),
            (Key::ProcessingPrefs, json!({"mirror_media_to_custom": true}), &[]),
            (Key::ProcessingPrefs, json!({"mirror_media_to_custom": false}), &["no effect"]),
        ] {
            let remarks = remarks(key, &document);
            assert_eq!(remarks.len(), words.len(), "{document}: {remarks:?}");
            for (remark, word) in remarks.iter().zip(words) {
                assert!(remark.english.contains(word), "{remark}");
                assert_ne!(remark.french, remark.english);
            }
        }
    }
}
