//! The body of a request: JSON, with the rules and the words of the reference.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::mail::pushed::{LONGEST_ID, Pushed};

/// Fields of the header that may come along.
const MOST_HEADERS: usize = 64;

/// What some programs put before a text; it is none of it.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Bytes of an escape such as `\ufffd`.
const UNIT: usize = 6;

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No JSON, or no object.
    #[error("Invalid JSON payload")]
    NoObject,
    /// What every mail has is not there.
    #[error("Missing field: {0}")]
    Missing(&'static str),
    /// What is there is none.
    #[error("Invalid field: {0} ({1})")]
    Invalid(&'static str, &'static str),
}

/// Reads a body: `sender` and `body` are wanted; `subject` and `date` are texts or count as
/// empty, as in the reference. Beyond that, for what the text does not say: `message_id`, the id
/// that the pushing server gave the mail; `has_attachment`; `headers`, an object of texts or lists
/// of texts. What else there is, is left alone. Half a character, as a text that was cut has one
/// at its end, is read as U+FFFD: such a mail comes again and again, and would never be taken.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(body: &[u8]) -> Result<Pushed, BodyError> {
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let value = match serde_json::from_slice(body) {
        Ok(value) => value,
        // Only then: a second look costs time and a copy.
        Err(_) => match without_halves(body) {
            Cow::Owned(whole) => serde_json::from_slice(&whole).map_err(|_| BodyError::NoObject)?,
            Cow::Borrowed(_) => return Err(BodyError::NoObject),
        },
    };
    let Value::Object(mut fields) = value else { return Err(BodyError::NoObject) };
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let mut wanted = |name: &'static str| {
        let text = text(name);
        if text.trim().is_empty() { Err(BodyError::Missing(name)) } else { Ok(text) }
    };
    let (sender, body) = (wanted("sender")?, wanted("body")?);
    let (subject, date) = (text("subject"), text("date"));
    Ok(Pushed {
        id: id(fields.remove("message_id"))?,
        has_attachment: has_attachment(fields.remove("has_attachment"))?,
        headers: headers(fields.remove("headers"))?,
        subject,
        sender,
        date,
        body,
    })
}

/// The bytes with `\ufffd` for every escape of half a surrogate pair, which JavaScript writes and
/// JSON readers refuse; borrowed when there is none. Both are of six bytes, so nothing moves.
fn without_halves(json: &[u8]) -> Cow<'_, [u8]> {
    let mut whole = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += match escaped_unit(json, at) {
            Some(0xD800..=0xDBFF) if matches!(escaped_unit(json, at + UNIT), Some(0xDC00..=0xDFFF)) => {
                2 * UNIT
            }
            Some(0xD800..=0xDFFF) => {
                if let Some(half) = whole.to_mut().get_mut(at..at + UNIT) {
                    half.copy_from_slice(b"\\ufffd");
                }
                UNIT
            }
            // Whatever it escapes begins no escape of its own.
            _ if *byte == b'\\' => 2,
            _ => 1,
        };
    }
    whole
}

/// The UTF-16 unit that is escaped (`\uXXXX`) at this place.
fn escaped_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + UNIT)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

fn id(value: Option<Value>) -> Result<String, BodyError> {
    let id = match value {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::String(id)) => id,
        Some(_) => return Err(BodyError::Invalid("message_id", "a text is expected")),
    };
    if id.len() > LONGEST_ID || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BodyError::Invalid("message_id", "at most 128 visible ASCII characters are expected"));
    }
    Ok(id)
}

fn has_attachment(value: Option<Value>) -> Result<bool, BodyError> {
    match value {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(has)) => Ok(has),
        Some(_) => Err(BodyError::Invalid("has_attachment", "true or false is expected")),
    }
}

fn headers(value: Option<Value>) -> Result<Vec<(String, String)>, BodyError> {
    let wrong = BodyError::Invalid("headers", "an object of texts or lists of texts is expected");
    let fields: Map<String, Value> = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(wrong),
    };
    let mut headers = Vec::new();
    for (name, value) in fields {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            let Value::String(value) = value else { return Err(wrong) };
            headers.push((name.clone(), value));
        }
    }
    if headers.len() > MOST_HEADERS {
        return Err(BodyError::Invalid("headers", "at most 64 fields are taken"));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::mail::{content, decide, providers};

    /// What a field may be made.
    fn any_field() -> impl Strategy<Value = Value> {
        prop_oneof![
            "\\PC{0,40}".prop_map(Value::from),
            "(<[a-z/!]?|>|&[a-z]{0,3};?|https://fromsmash.com/[a-c]|[ \r\n\t\x00-\x08]){0,12}"
                .prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            prop::collection::vec("\\PC{0,9}".prop_map(Value::from), 0..3).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,9}", "\\PC{0,9}".prop_map(Value::from), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_a_mail_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        /// Texts of UTF-16 units are what JavaScript has, and Rust reads them in the same way.
        #[test]
        fn every_text_of_javascript_is_read(
            units in prop::collection::vec(
                prop_oneof![any::<u16>(), 0xD800..=0xDFFF_u16, Just(0x5C_u16), Just(0x75_u16)], 0..30),
        ) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("{{\"sender\":\"a@b.fr\",\"body\":\"x\",\"subject\":\"{escaped}\"}}");
            prop_assert_eq!(read(json.as_bytes()).unwrap().subject, String::from_utf16_lossy(&units));
        }

        #[test]
        fn what_is_taken_is_read_and_decided_the_same_way_twice(
            sender in any_field(), body in any_field(), subject in any_field(), date in any_field(),
            message_id in any_field(), headers in any_field(),
        ) {
            let sent = json!({ "sender": sender, "body": body, "subject": subject, "date": date,
                "message_id": message_id, "headers": headers });
            if let Ok(pushed) = read(sent.to_string().as_bytes()) {
                let mail = pushed.read(&providers::defaults());
                prop_assert_eq!(&pushed.read(&providers::defaults()), &mail);
                prop_assert_eq!(mail.email_id.len(), 32);
                prop_assert_eq!(mail.combined(), pushed.body);
                prop_assert!(mail.subject.len() <= 4 << 10 && mail.sender.len() <= 320);
                let policy = crate::config::policy::build(
                    &crate::config::documents::DocumentSet::default(),
                    &crate::config::policy::EnvDefaults::default(),
                    1,
                );
                let now = chrono::DateTime::from_timestamp(1_780_000_000, 0).unwrap();
                prop_assert_eq!(decide::decide(&mail, &policy, now), decide::decide(&mail, &policy, now));
                prop_assert_eq!(content::of(&mail), content::of(&mail));
            }
        }
    }

    fn of(body: &Value) -> Result<Pushed, String> {
        read(body.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_named_as_the_reference_names_it() {
        for body in ["x", "", "[]", "\"text\"", "null", "{\"sender\":"] {
            assert_eq!(read(body.as_bytes()), Err(BodyError::NoObject), "{body}");
        }
        for (body, expected) in [
            (json!({}), "Missing field: sender"),
            (json!({"sender": "", "body": "x"}), "Missing field: sender"),
            (json!({"sender": 5, "body": "x"}), "Missing field: sender"),
            (json!({"sender": "a@b.fr"}), "Missing field: body"),
            (json!({"sender": "a@b.fr", "body": ""}), "Missing field: body"),
            (
                json!({"sender": "a@b.fr", "body": "x", "message_id": 5}),
                "Invalid field: message_id (a text is expected)",
            ),
            (
                json!({"sender": "a@b.fr", "body": "x", "message_id": "é"}),
                "Invalid field: message_id (at most 128 visible ASCII characters are expected)",
            ),
            (
                json!({"sender": "a@b.fr", "body": "x", "has_attachment": "no"}),
                "Invalid field: has_attachment (true or false is expected)",
            ),
            (
                json!({"sender": "a@b.fr", "body": "x", "headers": {"a": 1}}),
                "Invalid field: headers (an object of texts or lists of texts is expected)",
            ),
        ] {
            assert_eq!(of(&body), Err(expected.to_owned()), "{body}");
        }
    }

    #[test]
    fn half_a_character_is_no_reason_to_refuse_a_mail() {
        for (escaped, text) in [
            (r"cut \ud83d", "cut \u{FFFD}"),
            (r"\uDE00 late", "\u{FFFD} late"),
            (r"\ud83d\ud83d\ude00", "\u{FFFD}\u{1F600}"),
            (r"\ud83d\ude00\ude00", "\u{1F600}\u{FFFD}"),
            (r"\ude00\ud83d", "\u{FFFD}\u{FFFD}"),
            (r"\ud83d\n", "\u{FFFD}\n"),
            (r"\ud83d\u00e9", "\u{FFFD}é"),
            // A backslash and letters; no escape.
            (r"\\ud83d \ud83d", "\\ud83d \u{FFFD}"),
            (r"\\\ud83d", "\\\u{FFFD}"),
            (r"\\\\ud83d \ud83d", "\\\\ud83d \u{FFFD}"),
        ] {
            let json = format!(r#"{{"sender":"a@b.fr","body":"x","subject":"{escaped}"}}"#);
            let mail = read(json.as_bytes()).unwrap_or_else(|error| panic!("{escaped}: {error}"));
            assert_eq!(mail.subject, text, "{escaped}");
        }
        for json in [
            r#"{"sender":"a@b.fr","body":"\ud83d"#,
            r#"{"sender":"a@b.fr","body":"\ud83"}"#,
            r#"{"sender":"a@b.fr","body":"\u+83d"}"#,
            r#"{"sender":"a@b.fr","body":\ud83d}"#,
        ] {
            assert_eq!(read(json.as_bytes()), Err(BodyError::NoObject), "{json}");
        }
        let whole = br#"{"subject":"\ud83d\ude00 \\ud83d \u00e9"}"#;
        assert!(matches!(without_halves(whole), Cow::Borrowed(_)), "nothing is copied");
    }

    #[test]
    fn a_mark_of_the_encoding_is_no_part_of_the_body() {
        let json = "\u{FEFF}{\"sender\":\"a@b.fr\",\"body\":\"\\ud83d\"}";
        assert_eq!(read(json.as_bytes()).expect("a mail").body, "\u{FFFD}");
        assert!(read("\u{FEFF}\u{FEFF}{}".as_bytes()).is_err());
        let plain = "\u{FEFF}{\"sender\":\"a@b.fr\",\"body\":\"x\"}";
        assert_eq!(read(plain.as_bytes()).expect("a mail").body, "x");
    }

    #[test]
    fn fields_that_are_no_texts_are_empty_and_unknown_ones_are_left_alone() {
        let body = json!({"sender": "a@b.fr", "body": "x", "subject": 5, "date": null, "snippet": {"a": []}});
        let mail = of(&body).expect("a mail");
        assert_eq!((mail.subject.as_str(), mail.date.as_str(), mail.id.as_str()), ("", "", ""));
        let body = json!({"sender": "a@b.fr", "body": "x", "message_id": "18f", "has_attachment": true,
            "headers": {"Auto-Submitted": "auto-replied", "Received": ["a", "b"]}});
        let mail = of(&body).expect("a mail");
        assert_eq!((mail.id.as_str(), mail.has_attachment, mail.headers.len()), ("18f", true, 3));
        let many: Vec<&str> = vec!["x"; 65];
        let body = json!({"sender": "a@b.fr", "body": "x", "headers": {"Received": many}});
        assert!(of(&body).is_err());
    }
}
