//! Values of documents as inputs show them, and back.

use render_signal_actors::config::documents::time::parse_date;
use render_signal_actors::mail::windows::parse_time_hhmm;
use serde_json::{Value, json};

/// What is entered, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputKind {
    /// Yes or no.
    Switch,
    /// Days of the week as numbers, 0 = Monday.
    Days,
    /// Days of the week by name.
    Weekdays,
    /// A whole hour, up to this one.
    Hour(u8),
    /// A time of day.
    Time,
    /// A day of the calendar.
    Date,
    /// A whole number within bounds, both inclusive.
    Number(i64, i64),
    /// An address.
    Url,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any words, a line each.
    Words,
}

/// The lines of a text that say something.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// A value as its input shows it; one that the input has no form for is shown as it is.
pub(super) fn shown(kind: InputKind, value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(members) => {
            let members = members.iter().map(|member| match member {
                Value::String(text) => text.trim().to_owned(),
                other => other.to_string(),
            });
            members.collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    };
    match kind {
        InputKind::Switch => if is_on(value) { "on" } else { "" }.to_owned(),
        InputKind::Weekdays | InputKind::Choice(_) => text.trim().to_lowercase(),
        InputKind::Time => match parse_time_hhmm(&text) {
            Some(time) => time.format("%H:%M").to_string(),
            None => text,
        },
        InputKind::Date => match parse_date(&text) {
            Some(day) => day.format("%Y-%m-%d").to_string(),
            None => text,
        },
        InputKind::Days | InputKind::Hour(_) | InputKind::Number(..) | InputKind::Url | InputKind::Words => {
            text
        }
    }
}

fn is_on(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => ["1", "true", "yes", "y", "on"].contains(&text.trim().to_lowercase().as_str()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// What was entered as the document is to have it; `None` = without it. What cannot be read is
/// passed on as it is, for the document to refuse.
pub(super) fn wanted(kind: InputKind, text: &str) -> Option<Value> {
    let text = text.trim();
    let number = |text: &str| text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number));
    match kind {
        InputKind::Switch => Some(json!(text == "on")),
        InputKind::Days => Some(lines(text).into_iter().map(number).collect()),
        InputKind::Weekdays => Some(lines(text).into_iter().map(Value::from).collect()),
        // That there is no bound is written down: a field of before may stand for an absent one.
        InputKind::Time => Some(match parse_time_hhmm(text) {
            Some(time) => json!(time.format("%-Hh%M").to_string()),
            None => json!(text),
        }),
        _ if text.is_empty() => None,
        InputKind::Hour(_) | InputKind::Number(..) => Some(number(text)),
        InputKind::Date | InputKind::Url | InputKind::Choice(_) => Some(json!(text)),
        InputKind::Words => Some(lines(text).into_iter().map(Value::from).collect()),
    }
}
