//! What is written through us is stored in the form that every program reads alike: switches as
//! booleans, numbers as numbers, lists as lists, addresses in small letters. What another
//! program wrote is not touched: to it, it may mean something else.

use serde_json::{Map, Value, json};

use super::Key;
use super::coerce::{python_int, word};
use super::polling::{read_days, senders};

/// How a field is written.
#[derive(Clone, Copy)]
enum NormalForm {
    Switch,
    Whole,
    Days,
    Addresses,
}

/// The fields that have one form, with their document.
const FORMS: [(Key, &str, NormalForm); 21] = [
    (Key::PollingConfig, "active_days", NormalForm::Days),
    (Key::PollingConfig, "active_start_hour", NormalForm::Whole),
    (Key::PollingConfig, "active_end_hour", NormalForm::Whole),
    (Key::PollingConfig, "enable_subject_group_dedup", NormalForm::Switch),
    (Key::PollingConfig, "sender_of_interest_for_polling", NormalForm::Addresses),
    (Key::PollingConfig, "enable_polling", NormalForm::Switch),
    (Key::WebhookConfig, "webhook_ssl_verify", NormalForm::Switch),
    (Key::WebhookConfig, "webhook_sending_enabled", NormalForm::Switch),
    (Key::WebhookConfig, "absence_pause_enabled", NormalForm::Switch),
    (Key::ProcessingPrefs, "require_attachments", NormalForm::Switch),
    (Key::ProcessingPrefs, "notify_on_failure", NormalForm::Switch),
    (Key::ProcessingPrefs, "mirror_media_to_custom", NormalForm::Switch),
    (Key::ProcessingPrefs, "max_email_size_mb", NormalForm::Whole),
    (Key::ProcessingPrefs, "retry_count", NormalForm::Whole),
    (Key::ProcessingPrefs, "retry_delay_sec", NormalForm::Whole),
    (Key::ProcessingPrefs, "webhook_timeout_sec", NormalForm::Whole),
    (Key::ProcessingPrefs, "rate_limit_per_hour", NormalForm::Whole),
    (Key::RuntimeFlags, "disable_email_id_dedup", NormalForm::Switch),
    (Key::RuntimeFlags, "allow_custom_webhook_without_links", NormalForm::Switch),
    (Key::RuntimeFlags, "gmail_ingress_enabled", NormalForm::Switch),
    (Key::WebhookConfig, "webhook_fallback_on_415", NormalForm::Switch),
];

/// Brings the fields of a document that `written` names into their form. What cannot be read is
/// left for the checks to refuse.
pub fn normalise(key: Key, document: &mut Map<String, Value>, written: impl Fn(&str) -> bool) {
    for (_, name, form) in FORMS.iter().filter(|(of, name, _)| *of == key && written(name)) {
        if let Some(value) = document.get_mut(*name)
            && let Some(normal) = normal(*form, value)
        {
            *value = normal;
        }
    }
}

fn normal(form: NormalForm, value: &Value) -> Option<Value> {
    match (form, value) {
        // The empty text is off to everybody.
        (NormalForm::Switch, Value::String(text)) if !text.is_empty() => word(value).ok().map(Value::from),
        (NormalForm::Whole, Value::String(text)) => python_int(text).map(Value::from),
        (NormalForm::Days, Value::String(_) | Value::Array(_)) => {
            read_days(value).ok().map(|days| json!(days))
        }
        (NormalForm::Addresses, Value::String(_) | Value::Array(_)) => {
            senders(value).ok().map(|senders| json!(senders))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::documents::DocumentSet;

    #[test]
    fn written_values_get_the_form_that_all_read_alike() {
        for (key, name, written, stored) in [
            (Key::PollingConfig, "active_days", json!("5,6"), json!([5, 6])),
            (Key::PollingConfig, "active_days", json!(["6", 5, 5]), json!([5, 6])),
            (Key::PollingConfig, "active_start_hour", json!(" 9 "), json!(9)),
            (
                Key::PollingConfig,
                "sender_of_interest_for_polling",
                json!("A@B.fr, c@d.fr"),
                json!(["a@b.fr", "c@d.fr"]),
            ),
            (Key::PollingConfig, "enable_polling", json!("off"), json!(false)),
            (Key::WebhookConfig, "webhook_sending_enabled", json!("false"), json!(false)),
            (Key::WebhookConfig, "webhook_ssl_verify", json!("Yes"), json!(true)),
            (Key::ProcessingPrefs, "retry_count", json!("3"), json!(3)),
            // What is no value of the field is left to the checks.
            (Key::PollingConfig, "active_days", json!("lundi"), json!("lundi")),
            (Key::WebhookConfig, "webhook_sending_enabled", json!("perhaps"), json!("perhaps")),
            (Key::WebhookConfig, "webhook_time_start", json!("9h00"), json!("9h00")),
        ] {
            let mut document = Map::from_iter([(name.to_owned(), written.clone())]);
            normalise(key, &mut document, |_| false);
            assert_eq!(document[name], written, "only what is written");
            normalise(key, &mut document, |_| true);
            assert_eq!(document[name], stored, "{key}.{name} {written}");
        }
    }

    /// What the reference system takes for on, and what it does not read, is not in force here
    /// as something else.
    #[test]
    fn what_the_two_systems_read_differently_is_refused() {
        let env = crate::config::policy::EnvDefaults::default();
        for (key, name, form) in FORMS {
            let texts: &[&str] = match form {
                NormalForm::Switch if name == "enable_polling" => &[],
                NormalForm::Switch => &["false", "0", "no", "Off", " "],
                NormalForm::Days => &["5,6"],
                NormalForm::Whole | NormalForm::Addresses => &[],
            };
            // Not read here.
            let is_read = name != "webhook_fallback_on_415";
            for text in texts.iter().filter(|_| is_read) {
                let put = DocumentSet::default().put(key, Some(&json!({name: text})), &env);
                assert!(put.is_err(), "{key}.{name} = {text:?}");
            }
        }
    }
}
