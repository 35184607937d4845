//! What is known about each document: what is in force, what was read last, what is wrong
//! with it. Pure: the world brings what it read.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::documents::{Documents, Key, Problem, effect};
use super::policy::{self, EnvDefaults};
use super::store::{AckState, Read, StoreError};
use crate::mail::policy::Policy;
use crate::messages::DocumentStatus;

/// A document that vanished, or that is no JSON, may be one that an editor is just
/// writing: it counts only when it is still so after this time.
pub const GRACE: Duration = Duration::from_millis(400);

/// A document in force.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce {
    /// As stored, unknown fields included.
    pub text: String,
    /// SHA-256 of its canonical JSON.
    pub hash: String,
}

/// What a reading came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The document is as it was.
    Unchanged,
    /// It may be half-written: read it again after [`GRACE`].
    Wait,
    /// It is refused; what was in force stays.
    Refused,
    /// It is in force now (or its removal is).
    Applied,
    /// The store has lost it; what was in force stays.
    Lost,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    in_force: Option<InForce>,
    /// What is wrong with the stored document as a whole: it is not the one in force.
    refused: Vec<Problem>,
    /// What disabled itself within the document in force.
    disabled: Vec<Problem>,
    /// Since when the document looks half-written.
    suspect_since: Option<DateTime<Utc>>,
    /// Hash of the text that was last read to the end.
    last_text: Option<String>,
    /// As [`InForce::hash`], of the document that was last read; empty = absent, or no JSON.
    stored: String,
    loaded_at: Option<DateTime<Utc>>,
}

/// See the module page.
#[derive(Debug, Clone, Default)]
pub struct Book {
    documents: Documents,
    entries: BTreeMap<Key, Entry>,
}

impl Book {
    /// Takes in what was read of one document.
    pub fn take(
        &mut self,
        key: Key,
        read: Result<Read, StoreError>,
        env: &EnvDefaults,
        now: DateTime<Utc>,
    ) -> Taken {
        match read {
            Err(StoreError::Lost(_)) if self.in_force(key).is_some() => Taken::Lost,
            Err(error) => self.suspect(key, Problem::new("document", error.to_string()), now),
            Ok(Read::Absent) => self.take_absence(key, env, now),
            Ok(Read::Found { text, .. }) => {
                let text_hash = sha256(text.as_bytes());
                let entry = self.entries.entry(key).or_default();
                if entry.last_text.as_ref() == Some(&text_hash) {
                    entry.suspect_since = None;
                    return Taken::Unchanged;
                }
                match serde_json::from_str::<Value>(&text) {
                    Err(error) => {
                        self.suspect(key, Problem::new("document", format!("JSON invalide : {error}")), now)
                    }
                    Ok(value) => self.take_document(key, text, text_hash, &value, env, now),
                }
            }
        }
    }

    /// Puts the copy of a document in force whose stored form is refused: the last good one,
    /// from the journal. No effect when the stored one is good, or the copy is not.
    pub fn restore(&mut self, key: Key, text: String, env: &EnvDefaults) {
        let entry = self.entries.entry(key).or_default();
        if entry.refused.is_empty() || entry.in_force.is_some() {
            return;
        }
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return };
        if let Ok(disabled) = self.documents.put(key, Some(&value), env) {
            entry.disabled = disabled;
            entry.in_force = Some(InForce { hash: canonical_hash(&value), text });
        }
    }

    /// Ends the benefit of the doubt: what looks half-written is refused now.
    pub fn insist(
        &mut self,
        key: Key,
        read: Result<Read, StoreError>,
        env: &EnvDefaults,
        now: DateTime<Utc>,
    ) {
        self.take(key, read.clone(), env, now);
        if let Some(entry) = self.entries.get_mut(&key)
            && entry.suspect_since.is_some()
        {
            entry.suspect_since = Some(now - chrono::Duration::from_std(GRACE).unwrap_or_default());
            self.take(key, read, env, now);
        }
    }

    /// The document in force.
    #[must_use]
    pub fn in_force(&self, key: Key) -> Option<&InForce> {
        self.entries.get(&key)?.in_force.as_ref()
    }

    /// Whether the stored document is refused, so that an older one is in force.
    #[must_use]
    pub fn is_refused(&self, key: Key) -> bool {
        self.entries.get(&key).is_some_and(|entry| !entry.refused.is_empty())
    }

    /// As [`InForce::hash`], of the stored document, which may be refused; empty = absent.
    #[must_use]
    pub fn stored_hash(&self, key: Key) -> Option<&str> {
        self.entries.get(&key).map(|entry| entry.stored.as_str())
    }

    /// What to tell the other workers.
    #[must_use]
    pub fn states(&self) -> BTreeMap<Key, AckState> {
        let state = |key| AckState {
            hash: self.in_force(key).map(|document| document.hash.clone()).unwrap_or_default(),
            refused: self.is_refused(key).then(|| self.problems(key).join("; ")),
        };
        Key::ALL.into_iter().map(|key| (key, state(key))).collect()
    }

    /// What is wrong with a document, in plain words.
    #[must_use]
    pub fn problems(&self, key: Key) -> Vec<String> {
        self.entries
            .get(&key)
            .map(|entry| entry.refused.iter().chain(&entry.disabled).map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    /// What of the document in force changes nothing, in plain words.
    #[must_use]
    pub fn remarks(&self, key: Key) -> Vec<String> {
        let document = self.in_force(key).and_then(|document| serde_json::from_str(&document.text).ok());
        document.map(|document: Value| effect::remarks(key, &document)).unwrap_or_default()
    }

    /// The policy that follows.
    #[must_use]
    pub fn policy(&self, env: &EnvDefaults, version: u64) -> Policy {
        policy::build(&self.documents, env, version)
    }

    /// How the documents are.
    #[must_use]
    pub fn status(&self) -> Vec<DocumentStatus> {
        Key::ALL
            .iter()
            .map(|key| DocumentStatus {
                key: key.as_str().to_owned(),
                state: match (self.is_refused(*key), self.in_force(*key)) {
                    (true, _) => "invalid",
                    (false, Some(_)) => "ok",
                    (false, None) => "absent",
                }
                .to_owned(),
                problems: self.problems(*key),
                remarks: self.remarks(*key),
                loaded_at: self.entries.get(key).and_then(|entry| entry.loaded_at),
                hash: self.in_force(*key).map(|document| document.hash.clone()).unwrap_or_default(),
                ..DocumentStatus::default()
            })
            .collect()
    }

    fn take_absence(&mut self, key: Key, env: &EnvDefaults, now: DateTime<Utc>) -> Taken {
        let entry = self.entries.entry(key).or_default();
        if entry.in_force.is_none() && entry.refused.is_empty() {
            entry.suspect_since = None;
            entry.loaded_at.get_or_insert(now);
            return Taken::Unchanged;
        }
        if entry.in_doubt(now) {
            return Taken::Wait;
        }
        *entry = Entry { loaded_at: Some(now), ..Entry::default() };
        // Removing a document cannot fail.
        drop(self.documents.put(key, None, env));
        Taken::Applied
    }

    /// Something that may mend itself within [`GRACE`].
    fn suspect(&mut self, key: Key, problem: Problem, now: DateTime<Utc>) -> Taken {
        let entry = self.entries.entry(key).or_default();
        if entry.refused.first() == Some(&problem) {
            return Taken::Unchanged;
        }
        if entry.in_doubt(now) {
            return Taken::Wait;
        }
        entry.suspect_since = None;
        entry.refused = vec![problem];
        entry.last_text = None;
        entry.stored.clear();
        entry.loaded_at = Some(now);
        Taken::Refused
    }

    fn take_document(
        &mut self,
        key: Key,
        text: String,
        text_hash: String,
        value: &Value,
        env: &EnvDefaults,
        now: DateTime<Utc>,
    ) -> Taken {
        let put = self.documents.put(key, Some(value), env);
        let hash = canonical_hash(value);
        let entry = self.entries.entry(key).or_default();
        entry.stored.clone_from(&hash);
        entry.suspect_since = None;
        entry.last_text = Some(text_hash);
        entry.loaded_at = Some(now);
        match put {
            Err(problems) => {
                entry.refused = problems;
                Taken::Refused
            }
            Ok(disabled) => {
                entry.disabled = disabled;
                entry.refused.clear();
                let same = entry.in_force.as_ref().is_some_and(|before| before.hash == hash);
                entry.in_force = Some(InForce { text, hash });
                if same { Taken::Unchanged } else { Taken::Applied }
            }
        }
    }
}

impl Entry {
    /// Whether it is too early to believe what was read.
    fn in_doubt(&mut self, now: DateTime<Utc>) -> bool {
        let since = *self.suspect_since.get_or_insert(now);
        // A clock that was set back must not keep the doubt alive.
        let waited = (now - since).abs().to_std().unwrap_or_default();
        waited < GRACE
    }
}

/// SHA-256, in hex, of a document's canonical JSON: keys sorted, no blanks.
#[must_use]
pub fn canonical_hash(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    sha256(text.as_bytes())
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<_> = object.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(members) => {
            out.push('[');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(member, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::store::Stamp;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
    }

    fn found(text: &str) -> Result<Read, StoreError> {
        Ok(Read::Found { text: text.to_owned(), stamp: Stamp(text.to_owned()) })
    }

    const KEY: Key = Key::WebhookConfig;

    fn sending(book: &Book) -> bool {
        book.policy(&EnvDefaults::default(), 1).sending_enabled
    }

    fn state(book: &Book) -> String {
        book.status().into_iter().find(|status| status.key == KEY.as_str()).unwrap().state
    }

    #[test]
    fn a_refused_document_leaves_the_last_good_one_in_force() {
        let env = EnvDefaults::default();
        let mut book = Book::default();
        assert_eq!(book.take(KEY, Ok(Read::Absent), &env, at(0)), Taken::Unchanged);
        assert_eq!((state(&book).as_str(), sending(&book)), ("absent", true));
        let good = r#"{"webhook_sending_enabled": false, "mine": 1}"#;
        assert_eq!(book.take(KEY, found(good), &env, at(1)), Taken::Applied);
        assert_eq!((state(&book).as_str(), sending(&book)), ("ok", false));

        let bad = r#"{"webhook_sending_enabled": true, "webhook_time_start": "25h00"}"#;
        assert_eq!(book.take(KEY, found(bad), &env, at(2)), Taken::Refused);
        assert_eq!((state(&book).as_str(), sending(&book)), ("invalid", false));
        assert!(book.problems(KEY)[0].starts_with("webhook_time_start: Invalid time format"));
        assert_eq!(book.in_force(KEY).unwrap().text, good, "unknown fields are kept");
        assert_eq!(book.take(KEY, found(bad), &env, at(3)), Taken::Unchanged);

        assert_eq!(book.take(KEY, found("{}"), &env, at(4)), Taken::Applied, "empty is not absent");
        assert_eq!((state(&book).as_str(), sending(&book)), ("ok", true));
    }

    #[test]
    fn a_half_written_or_vanished_document_is_believed_after_the_grace_only() {
        let env = EnvDefaults::default();
        let mut book = Book::default();
        book.take(KEY, found(r#"{"webhook_sending_enabled": false}"#), &env, at(0));
        for (reading, end) in
            [(found(r#"{"webhook_sen"#), Taken::Refused), (Ok(Read::Absent), Taken::Applied)]
        {
            assert_eq!(book.take(KEY, reading.clone(), &env, at(0)), Taken::Wait);
            assert_eq!(book.take(KEY, reading.clone(), &env, at(300)), Taken::Wait);
            assert!(!sending(&book));
            // It was an editor: the doubt is over, and starts anew the next time.
            let whole = found(r#"{"webhook_sending_enabled": false}"#);
            assert_eq!(book.take(KEY, whole, &env, at(350)), Taken::Unchanged);
            assert_eq!(book.take(KEY, reading.clone(), &env, at(500)), Taken::Wait);
            assert_eq!(book.take(KEY, reading.clone(), &env, at(900)), end);
        }
        assert!(sending(&book), "the removal is in force");
        assert_eq!(state(&book), "absent");
    }

    #[test]
    fn at_start_the_journal_supplies_the_last_good_copy() {
        let env = EnvDefaults::default();
        let mut book = Book::default();
        book.insist(KEY, found("{nonsense"), &env, at(0));
        assert_eq!(state(&book), "invalid");
        book.restore(KEY, r#"{"webhook_sending_enabled": false}"#.to_owned(), &env);
        assert_eq!((state(&book).as_str(), sending(&book)), ("invalid", false));
        let mut sound = Book::default();
        sound.insist(KEY, found("{}"), &env, at(0));
        sound.restore(KEY, r#"{"webhook_sending_enabled": false}"#.to_owned(), &env);
        assert!(sending(&sound), "a good stored document is not replaced by a copy");
    }

    #[test]
    fn the_hash_does_not_depend_on_order_or_blanks() {
        let one: Value = serde_json::from_str(r#"{"b": [1, {"y": null, "x": "é\n"}], "a": 1.0}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":1.0,"b":[1,{"x":"é\n","y":null}]}"#).unwrap();
        assert_eq!(canonical_hash(&one), canonical_hash(&two));
        assert_ne!(canonical_hash(&one), canonical_hash(&json!({"a": 1.0, "b": [1]})));
        let mut text = String::new();
        write_canonical(&one, &mut text);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), one);
    }
}
