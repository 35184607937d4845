//! Values of documents in words.

use chrono::{NaiveDate, NaiveTime, TimeZone as _};
use render_signal_actors::config::documents::time::parse_date;
use serde_json::Value;

use super::names::field;
use crate::http::pages::clock::PageClock;
use crate::lang::Lang;

/// Days of the week from Monday on, with the name that documents have.
const DAYS: [(&str, [&str; 2]); 7] = [
    ("monday", ["lundi", "Monday"]),
    ("tuesday", ["mardi", "Tuesday"]),
    ("wednesday", ["mercredi", "Wednesday"]),
    ("thursday", ["jeudi", "Thursday"]),
    ("friday", ["vendredi", "Friday"]),
    ("saturday", ["samedi", "Saturday"]),
    ("sunday", ["dimanche", "Sunday"]),
];

/// The days from Monday on: what documents call them, and what people do.
pub(in crate::http::pages) fn days(lang: Lang) -> [(&'static str, &'static str); 7] {
    DAYS.map(|(name, [french, english])| (name, lang.pick(french, english)))
}

/// A value of a field, in words; `path` names the field, and may lead through others.
pub(in crate::http::pages) fn in_words(clock: PageClock, path: &str, value: &Value) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    let name = name.split('[').next().unwrap_or(name);
    one(clock, name, value)
}

fn one(clock: PageClock, name: &str, value: &Value) -> String {
    let lang = clock.lang;
    match value {
        Value::Null => lang.pick("rien", "nothing").to_owned(),
        Value::Bool(true) => lang.pick("oui", "yes").to_owned(),
        Value::Bool(false) => lang.pick("non", "no").to_owned(),
        Value::Number(number) => with_unit(clock, name, number.as_u64(), &number.to_string()),
        Value::String(text) if text.is_empty() => lang.pick("vide", "empty").to_owned(),
        Value::String(text) => word(clock, name, text),
        Value::Array(members) if members.is_empty() => lang.pick("aucun", "none").to_owned(),
        Value::Array(members) => list(clock, name, members),
        Value::Object(fields) => {
            let said = fields.iter().map(|(name, value)| {
                format!("{}{}{}", field(lang, name), lang.colon(), one(clock, name, value))
            });
            said.collect::<Vec<_>>().join(lang.pick(" ; ", "; "))
        }
    }
}

fn list(clock: PageClock, name: &str, members: &[Value]) -> String {
    let members = members.iter().map(|member| match member {
        Value::Object(_) => format!("({})", one(clock, name, member)),
        member => one(clock, name, member),
    });
    members.collect::<Vec<_>>().join(", ")
}

fn with_unit(clock: PageClock, name: &str, number: Option<u64>, text: &str) -> String {
    let lang = clock.lang;
    let day = |number: u64| usize::try_from(number).ok().and_then(|at| days(lang).get(at).copied());
    match (name, number) {
        ("active_days", Some(number)) => {
            day(number).map_or_else(|| text.to_owned(), |(_, day)| day.to_owned())
        }
        ("active_start_hour" | "active_end_hour", Some(_)) => format!("{text}\u{a0}h"),
        ("retry_delay_sec" | "webhook_timeout_sec", Some(_)) => format!("{text}\u{a0}s"),
        ("max_email_size_mb", Some(_)) => format!("{text}\u{a0}{}", lang.pick("Mio", "MiB")),
        ("rate_limit_per_hour", Some(0)) => lang.pick("sans limite", "no limit").to_owned(),
        _ => text.to_owned(),
    }
}

fn word(clock: PageClock, name: &str, text: &str) -> String {
    let lang = clock.lang;
    let words = match (name, text) {
        ("absence_pause_days", day) => {
            let known = DAYS.iter().find(|(known, _)| *known == day.trim().to_lowercase());
            known.map(|(_, words)| *words)
        }
        ("vacation_start" | "vacation_end", day) => {
            return parse_date(day).map_or_else(|| text.to_owned(), |day| date(clock, day));
        }
        ("webhook_body" | "body", "all") => Some(["tout", "all of it"]),
        ("webhook_body" | "body", "text") => Some(["le texte, sans HTML", "the text, without HTML"]),
        ("webhook_body" | "body", "none") => Some(["aucun", "none of it"]),
        ("ordering", "none") => Some(["sans ordre", "in no order"]),
        ("ordering", "sender") => Some(["dans l'ordre, par expéditeur", "in order, by sender"]),
        ("ordering", "mailbox") => Some(["dans l'ordre de la boîte", "in the order of the mailbox"]),
        ("webhook_delivery_mode", "json") => Some(["JSON", "JSON"]),
        ("webhook_delivery_mode", "form") => Some(["formulaire", "form"]),
        ("sender_authentication", "off") => Some(["pas vérifiée", "not checked"]),
        ("sender_authentication", "warn") => Some(["signalée", "told"]),
        ("sender_authentication", "require") => Some(["exigée", "required"]),
        ("priority" | "sender_priority", "high") => Some(["haute", "high"]),
        ("priority" | "sender_priority", "medium" | "normal") => Some(["normale", "normal"]),
        ("priority" | "sender_priority", "low") => Some(["basse", "low"]),
        _ => None,
    };
    words.map_or_else(|| text.to_owned(), |[french, english]| lang.pick(french, english).to_owned())
}

/// A day of the calendar as the reader writes it.
pub(in crate::http::pages) fn date(clock: PageClock, day: NaiveDate) -> String {
    let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default();
    let at = clock.zone.from_local_datetime(&day.and_time(noon)).earliest();
    at.map_or_else(|| day.to_string(), |at| clock.date(at.to_utc()))
}
