//! `/api/get_polling_config`, `/api/update_polling_config`, `/api/polling/toggle`.

use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::polling::PollingConfig;
use render_signal_actors::config::documents::time::parse_date;
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields, success};
use super::documents::{merge, read};
use crate::http::HttpState;
use crate::http::access::Caller;

/// The fields that may be changed here.
const FIELDS: &[&str] = &[
    "active_days",
    "active_start_hour",
    "active_end_hour",
    "enable_subject_group_dedup",
    "sender_of_interest_for_polling",
    "vacation_start",
    "vacation_end",
    "enable_polling",
];

const NOT_READ: &str = "Erreur lors de la récupération de la configuration polling.";
const NOT_SAVED: &str = "Erreur lors de la sauvegarde de la configuration polling.";
const SAVED: &str =
    "Configuration polling mise à jour. Un redémarrage peut être nécessaire pour prise en compte complète.";

/// What is in force; fields that cannot be read count as absent.
pub(super) fn effective(state: &HttpState, document: &Map<String, Value>) -> Map<String, Value> {
    let env = &state.reference.env;
    let config = PollingConfig::parse(&Value::Object(document.clone())).unwrap_or_else(|faults| {
        let mut sound = document.clone();
        for fault in faults {
            sound.shift_remove(&fault.field);
        }
        PollingConfig::parse(&Value::Object(sound)).unwrap_or_default()
    });
    let or_env = |own: &[u8], env: &[u8]| if own.is_empty() { env.to_vec() } else { own.to_vec() };
    let day = |name: &str| {
        let date = document.get(name).and_then(Value::as_str).and_then(parse_date);
        date.map_or(Value::Null, |date| json!(date.to_string()))
    };
    let senders = if config.senders.is_empty() { &env.senders } else { &config.senders };
    Map::from_iter([
        ("active_days".to_owned(), json!(or_env(&config.active_days, &env.active_days))),
        ("active_start_hour".to_owned(), json!(config.active_start_hour.unwrap_or(env.active_start_hour))),
        ("active_end_hour".to_owned(), json!(config.active_end_hour.unwrap_or(env.active_end_hour))),
        (
            "enable_subject_group_dedup".to_owned(),
            json!(config.enable_subject_group_dedup.unwrap_or(env.subject_group_dedup)),
        ),
        ("sender_of_interest_for_polling".to_owned(), json!(senders)),
        ("vacation_start".to_owned(), day("vacation_start")),
        ("vacation_end".to_owned(), day("vacation_end")),
        ("enable_polling".to_owned(), json!(config.enable_polling.unwrap_or(true))),
    ])
}

/// GET `/api/get_polling_config`.
pub(super) async fn show(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::PollingConfig, NOT_READ).await?;
    let mut config = effective(&state, &document);
    config.insert("timezone".to_owned(), json!(state.reference.env.zone.name()));
    Ok(success(json!({ "config": config })))
}

/// POST `/api/update_polling_config`.
pub(super) async fn change(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let wanted = fields
        .known(FIELDS)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Some(as_the_reference(name, value))))
        .collect();
    merge(&state, &caller, Key::PollingConfig, wanted, NOT_SAVED).await?;
    let document = read(&state, Key::PollingConfig, NOT_READ).await?;
    let body = json!({ "config": effective(&state, &document), "message": SAVED });
    Ok(success(fields.noting(body, FIELDS)))
}

/// A value in the form in which the reference stores it, where it takes several.
fn as_the_reference(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("active_days", value) => days(value),
        ("active_start_hour" | "active_end_hour", Value::Bool(one)) => json!(i64::from(*one)),
        ("active_start_hour" | "active_end_hour", Value::Number(number)) => {
            // Towards zero, and out of every range where it does not fit.
            number
                .as_i64()
                .or_else(|| number.as_f64().map(|n| n.trunc() as i64))
                .map_or(Value::Null, Value::from)
        }
        ("vacation_start" | "vacation_end", Value::String(text)) => match parse_date(text) {
            Some(date) => json!(date.to_string()),
            None if text.trim().is_empty() => Value::Null,
            None => value.clone(),
        },
        ("sender_of_interest_for_polling", value) => senders(value),
        _ => value.clone(),
    }
}

/// Days 0 to 6, each once, in their order; members that are none are dropped, and when there is
/// none left, Monday to Friday.
fn days(value: &Value) -> Value {
    let member = |member: &Value| match member {
        Value::Number(number) => number.as_f64().map(|n| n.trunc() as i64),
        Value::Bool(one) => Some(i64::from(*one)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let members: Vec<i64> = match value {
        Value::Array(members) => members.iter().filter_map(member).collect(),
        Value::String(text) => text.split(',').filter_map(|part| part.trim().parse().ok()).collect(),
        _ => Vec::new(),
    };
    let mut days: Vec<i64> = members.into_iter().filter(|day| (0..=6).contains(day)).collect();
    days.sort_unstable();
    days.dedup();
    if days.is_empty() { json!([0, 1, 2, 3, 4]) } else { json!(days) }
}

/// Addresses in small letters, each once; what is none is dropped.
fn senders(value: &Value) -> Value {
    let members: Vec<&str> = match value {
        Value::Array(members) => members.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => text.split(',').collect(),
        _ => Vec::new(),
    };
    let mut senders: Vec<String> = Vec::new();
    for member in members {
        let address = member.trim().to_lowercase();
        if render_signal_actors::config::documents::polling::is_address(&address)
            && !senders.contains(&address)
        {
            senders.push(address);
        }
    }
    json!(senders)
}

/// POST `/api/polling/toggle`: switches polling, and nothing else.
pub(super) async fn toggle(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let Some(enable) = fields.get("enable") else {
        return Err(CompatRefusal::bad("enable manquant (true ou false)"));
    };
    let wanted = vec![("enable_polling".to_owned(), Some(enable.clone()))];
    merge(&state, &caller, Key::PollingConfig, wanted, NOT_SAVED).await?;
    let document = read(&state, Key::PollingConfig, NOT_READ).await?;
    let enabled = effective(&state, &document).get("enable_polling").cloned();
    Ok(success(json!({
        "polling_enabled": enabled,
        "message": "Configuration polling mise à jour. Un redémarrage peut être nécessaire.",
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_stored_as_the_reference_stores_them() {
        for (name, value, stored) in [
            ("active_days", json!("0,1,9"), json!([0, 1])),
            ("active_days", json!([6, 0, "3", 9, null]), json!([0, 3, 6])),
            ("active_days", json!([]), json!([0, 1, 2, 3, 4])),
            ("active_days", json!(5), json!([0, 1, 2, 3, 4])),
            ("active_start_hour", json!(9.7), json!(9)),
            ("active_start_hour", json!(true), json!(1)),
            ("active_start_hour", json!("x"), json!("x")),
            ("vacation_start", json!("2026-03-02T10:00:00"), json!("2026-03-02")),
            ("vacation_end", json!("20260301"), json!("2026-03-01")),
            ("vacation_end", json!(" "), Value::Null),
            ("vacation_end", json!("2026-02-30"), json!("2026-02-30")),
            ("sender_of_interest_for_polling", json!("A@b.fr, bad, a@B.fr"), json!(["a@b.fr"])),
            ("sender_of_interest_for_polling", json!({}), json!([])),
            ("enable_polling", json!("off"), json!("off")),
        ] {
            assert_eq!(as_the_reference(name, &value), stored, "{name} {value}");
        }
    }
}
