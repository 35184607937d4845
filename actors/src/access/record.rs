//! The entries of the document `magic_link_tokens`, which the reference system shares
//! (its sections 3.5 and 6.3). Pure.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::config::documents::from_json;

/// What the document says of one link. Fields that are missing, or that are something else,
/// count as the reference system counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// It opens nothing after that; `None` = never ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// It has opened a session.
    pub consumed: bool,
    /// When.
    pub consumed_at: Option<DateTime<Utc>>,
    /// It opens one session; otherwise any number.
    pub single_use: bool,
}

impl Record {
    /// Reads an entry; `None` = it is no object, and so none.
    #[must_use]
    pub fn read(entry: &Value) -> Option<Self> {
        let entry = entry.as_object()?;
        let on = |name: &str, default: bool| entry.get(name).map_or(default, is_true);
        Some(Self {
            expires_at: entry.get("expires_at").and_then(instant),
            consumed: on("consumed", false),
            consumed_at: entry.get("consumed_at").and_then(instant),
            single_use: on("single_use", true),
        })
    }

    /// As the document holds it.
    #[must_use]
    pub fn write(&self) -> Value {
        json!({
            "consumed": self.consumed,
            "consumed_at": self.consumed_at.map(seconds),
            "expires_at": self.expires_at.map(seconds),
            "single_use": self.single_use,
        })
    }

    /// It has been of no use for a minute: the reference system drops such entries.
    #[must_use]
    pub fn is_stale(&self, now: DateTime<Utc>) -> bool {
        let long_past = |at: Option<DateTime<Utc>>| at.is_some_and(|at| (now - at).num_seconds() > 60);
        long_past(self.expires_at) || (self.consumed && self.single_use && long_past(self.consumed_at))
    }
}

/// In the year 5138, in seconds: farther away than anybody looks.
const FAR: f64 = 1e11;

/// Links by their own ids, and names of what is none.
pub(super) type Entries = (Vec<(String, Record)>, Vec<String>);

/// The links of a document's text, by their own ids, and the names of entries that are none.
///
/// # Errors
/// It is no JSON object.
pub(super) fn read_all(text: &str) -> Result<Entries, String> {
    let document: Map<String, Value> = from_json(text).map_err(|error| error.to_string())?;
    let (mut links, mut others) = (Vec::new(), Vec::new());
    for (name, entry) in document {
        match Record::read(&entry) {
            Some(record) => links.push((name, record)),
            None => others.push(name),
        }
    }
    Ok((links, others))
}

/// The words for off mean off, in a document that people edit, too.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::Null => false,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => {
            !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "n" | "off")
        }
        Value::Array(members) => !members.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Seconds since 1970, with a fraction.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    DateTime::from_timestamp_micros((seconds.clamp(-FAR, FAR) * 1e6) as i64)
}

/// As Python's `time.time()` writes it.
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_counts_as_the_reference_system_counts_it() {
        let read = |entry: Value| Record::read(&entry);
        let plain = Record { expires_at: None, consumed: false, consumed_at: None, single_use: true };
        assert_eq!(read(json!({})), Some(plain.clone()));
        assert_eq!(read(json!({"expires_at": null, "consumed": "false", "single_use": 1})), Some(plain));
        assert_eq!(read(json!("2026-01-01")), None);
        let permanent = read(json!({"single_use": "false"})).unwrap();
        assert!(!permanent.single_use, "a word for off is off");
        for beyond in [json!(1e300), json!("never"), json!([1])] {
            assert_eq!(
                read(json!({ "expires_at": beyond })).unwrap().expires_at.is_some(),
                beyond == json!(1e300)
            );
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was() {
        let entry = json!({"consumed": true, "consumed_at": 1767225600.0, "expires_at": 1767226500.5, "single_use": true});
        assert_eq!(Record::read(&entry).unwrap().write(), entry);
    }

    #[test]
    fn a_minute_after_its_end_it_is_stale() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let record = |entry: Value| Record::read(&entry).unwrap();
        let expired = record(json!({"expires_at": 100}));
        assert!(!expired.is_stale(at(160)) && expired.is_stale(at(161)));
        let consumed = record(json!({"consumed": true, "consumed_at": 100}));
        assert!(!consumed.is_stale(at(160)) && consumed.is_stale(at(161)));
        assert!(
            !record(json!({"single_use": false, "consumed": true, "consumed_at": 100})).is_stale(at(9_999))
        );
        assert!(!record(json!({"consumed": true})).is_stale(at(9_999)), "nobody knows when");
    }
}
