//! `webhook_config` as the seed document writes it, in its own example:
//!
//! ```json
//! {"webhook_enabled": true, "time_window": {"start_hour": 8, "end_hour": 20, "active_days": [1, 2, 3, 4, 5]}}
//! ```
//!
//! Each of these fields acts where the field that it stands for is absent: `webhook_enabled` for
//! `webhook_sending_enabled`, the hours for `webhook_time_start` and `webhook_time_end`, and the
//! days (ISO: 1 = Monday), on which the window is open, for those of "Absence Globale", the others.

use chrono::Weekday;
use serde_json::{Map, Value};

use super::coerce::{DocumentFields, boolean, integer, kind_of};
use super::webhook::WebhookConfig;
use crate::kernel::said::{Said, said};

/// Adds what these fields say to a document.
pub(super) fn fill(document: &mut WebhookConfig, fields: &mut DocumentFields<'_>) {
    let has = |fields: &DocumentFields<'_>, name: &str| fields.raw(name).is_some();
    if !has(fields, "webhook_sending_enabled")
        && let Some(on) = fields.read("webhook_enabled", boolean)
    {
        document.sending_enabled = Some(on);
        document.stand_ins.push(said!(
            "webhook_enabled tient lieu de webhook_sending_enabled",
            "webhook_enabled stands for webhook_sending_enabled"
        ));
    }
    let Some(Some(window)) = fields.read("time_window", window) else { return };
    let mut hour = |name: &str, last: u8| {
        let value = window.get(name)?;
        match integer(value).ok().and_then(|hour| u8::try_from(hour).ok()).filter(|hour| *hour <= last) {
            Some(hour) => Some(hour),
            None => {
                fields.wrong(
                    &format!("time_window.{name}"),
                    said!("doit être entre 0 et {last}.", "must be between 0 and {last}."),
                );
                None
            }
        }
    };
    let (start, end) = (hour("start_hour", 23), hour("end_hour", 24));
    let own_times = has(fields, "webhook_time_start") || has(fields, "webhook_time_end");
    // From 0 to 24 is always, which is said by no window at all.
    if !own_times && (start, end) != (Some(0), Some(24)) {
        let text = |hour: Option<u8>| hour.map(|hour| format!("{:02}h00", hour % 24)).unwrap_or_default();
        (document.time_start, document.time_end) = (text(start), text(end));
        if start.is_some() || end.is_some() {
            document.stand_ins.push(said!(
                "time_window tient lieu de webhook_time_start et webhook_time_end",
                "time_window stands for webhook_time_start and webhook_time_end"
            ));
        }
    }
    let own_days = has(fields, "absence_pause_enabled") || has(fields, "absence_pause_days");
    let Some(days) = window.get("active_days") else { return };
    match open_days(days) {
        Err(message) => fields.wrong("time_window.active_days", message),
        Ok(open) if !own_days && !open.is_empty() => {
            document.absence_days = WEEK.into_iter().filter(|day| !open.contains(day)).collect();
            document.absence_enabled = !document.absence_days.is_empty();
            document.stand_ins.push(said!(
                "time_window.active_days nomme les jours où les webhooks partent",
                "time_window.active_days names the days on which webhooks go out"
            ));
        }
        Ok(_) => {}
    }
}

/// In the order of ISO 8601: 1 = Monday.
const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn window(value: &Value) -> Result<Option<Map<String, Value>>, Said> {
    match value {
        Value::Object(window) => Ok(Some(window.clone())),
        Value::Null => Ok(None),
        other => {
            let (est, is) = kind_of(other);
            Err(said!("un objet est attendu, pas {est}", "an object is expected, not {is}"))
        }
    }
}

fn open_days(value: &Value) -> Result<Vec<Weekday>, Said> {
    let wrong = || {
        said!(
            "une liste de jours de 1 (lundi) à 7 est attendue",
            "a list of days from 1 (Monday) to 7 is expected"
        )
    };
    let Value::Array(members) = value else { return Err(wrong()) };
    members
        .iter()
        .map(|member| {
            let day = integer(member).ok().and_then(|day| usize::try_from(day).ok());
            day.and_then(|day| WEEK.get(day.checked_sub(1)?).copied()).ok_or_else(wrong)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::Weekday::{Mon, Sat, Sun};
    use serde_json::json;

    use super::*;
    use crate::config::policy::EnvDefaults;

    fn read(document: &Value) -> Result<WebhookConfig, Vec<String>> {
        WebhookConfig::parse(document, &EnvDefaults::default())
            .map_err(|problems| problems.into_iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn the_example_of_the_seed_document_acts() {
        let example = json!({
            "webhook_url": "https://exemple.com/webhook",
            "webhook_enabled": false,
            "time_window": {"start_hour": 8, "end_hour": 20, "active_days": [1, 2, 3, 4, 5]},
        });
        let document = read(&example).unwrap();
        assert_eq!(document.sending_enabled, Some(false));
        assert_eq!((document.time_start.as_str(), document.time_end.as_str()), ("08h00", "20h00"));
        assert_eq!((document.absence_enabled, document.absence_days), (true, vec![Sat, Sun]));
        assert_eq!(document.stand_ins.len(), 3);
    }

    #[test]
    fn a_field_acts_only_where_the_one_it_stands_for_is_absent() {
        let both = json!({
            "webhook_enabled": false, "webhook_sending_enabled": true,
            "webhook_time_start": "", "webhook_time_end": "",
            "absence_pause_enabled": true, "absence_pause_days": ["monday"],
            "time_window": {"start_hour": 8, "end_hour": 20, "active_days": [1]},
        });
        let document = read(&both).unwrap();
        assert_eq!(document.sending_enabled, Some(true));
        assert_eq!((document.time_start.as_str(), document.time_end.as_str()), ("", ""));
        assert_eq!(document.absence_days, [Mon]);
        assert!(document.stand_ins.is_empty());
    }

    #[test]
    fn always_and_until_midnight() {
        let hours = |start: u8, end: u8| {
            let document = read(&json!({"time_window": {"start_hour": start, "end_hour": end}})).unwrap();
            (document.time_start, document.time_end)
        };
        assert_eq!(hours(0, 24), (String::new(), String::new()));
        assert_eq!(hours(8, 24), ("08h00".to_owned(), "00h00".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (window, field) in [
            (json!({"start_hour": 24}), "time_window.start_hour"),
            (json!({"end_hour": "soon"}), "time_window.end_hour"),
            (json!({"active_days": [0]}), "time_window.active_days"),
            (json!({"active_days": "1"}), "time_window.active_days"),
            (json!(5), "time_window"),
        ] {
            assert_eq!(read(&json!({"time_window": window})).unwrap_err(), [field], "{window}");
        }
        let equal = read(&json!({"time_window": {"start_hour": 8, "end_hour": 8}})).unwrap_err();
        assert_eq!(equal, ["webhook_time_end"], "never, as with the other fields");
    }
}
