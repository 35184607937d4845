//! What is known about each document: what is in force, what was read last, what is wrong
//! with it. Pure: the world brings what it read.

mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::documents::{self, DocumentSet, FieldProblem, Governs, Key};
use super::policy::EnvDefaults;
use super::store::{StoreError, StoreReading};
pub use crate::kernel::canonical::canonical_hash;
use crate::kernel::digest::sha256;
use crate::kernel::said::{Said, said};

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
pub enum ReadOutcome {
    /// The document is as it was.
    Unchanged,
    /// It may be half-written: read it again after [`GRACE`].
    Wait,
    /// It is refused; what was in force stays. See also [`ActiveDocuments::withholds`] and
    /// [`ActiveDocuments::is_switched_off`].
    Refused,
    /// It is in force now (or its removal is).
    Applied,
    /// The store has lost it; what was in force stays.
    Lost,
    /// It is not stored any more; what was in force stays, unless the journal knows that
    /// somebody removed it: see [`ActiveDocuments::remove`].
    Vanished,
}

#[derive(Debug, Clone, Default)]
struct ActiveEntry {
    in_force: Option<InForce>,
    /// What is wrong with the stored document as a whole: it is not the one in force.
    refused: Vec<FieldProblem>,
    /// The stored document is refused, and its switch says off: see [`documents::says_off`].
    off: bool,
    /// It is in force, but not stored any more, and nobody is known to have removed it.
    vanished: bool,
    /// What disabled itself within the document in force.
    disabled: Vec<FieldProblem>,
    /// Since when the document looks half-written.
    suspect_since: Option<DateTime<Utc>>,
    /// Hash of the text that was last read to the end.
    last_text: Option<String>,
    /// As [`InForce::hash`], of the document that was last read; empty = absent, or no JSON.
    stored: String,
    loaded_at: Option<DateTime<Utc>>,
}

/// The documents that decide in this process, with what is wrong with the stored ones.
#[derive(Debug, Clone, Default)]
pub struct ActiveDocuments {
    documents: DocumentSet,
    entries: BTreeMap<Key, ActiveEntry>,
}

impl ActiveDocuments {
    /// Takes in what was read of one document.
    pub fn take(
        &mut self,
        key: Key,
        read: Result<StoreReading, StoreError>,
        env: &EnvDefaults,
        now: DateTime<Utc>,
    ) -> ReadOutcome {
        match read {
            Err(StoreError::Lost(_)) if self.in_force(key).is_some() => ReadOutcome::Lost,
            Err(error) => {
                self.suspect(key, FieldProblem::new("document", Said::alike(error.to_string())), now)
            }
            Ok(StoreReading::Absent) => self.take_absence(key, env, now),
            Ok(StoreReading::Found { text, .. }) => {
                let text_hash = sha256(&text);
                let entry = self.entries.entry(key).or_default();
                if entry.last_text.as_ref() == Some(&text_hash) {
                    entry.suspect_since = None;
                    return ReadOutcome::Unchanged;
                }
                match documents::from_json::<Value>(&text) {
                    Err(error) => self.suspect(
                        key,
                        FieldProblem::new("document", no_json(error.line(), error.column())),
                        now,
                    ),
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
        let Ok(value) = documents::from_json::<Value>(&text) else { return };
        if let Ok(disabled) = self.documents.put(key, Some(&value), env) {
            entry.disabled = disabled;
            entry.in_force = Some(InForce { hash: canonical_hash(&value), text });
        }
    }

    /// Ends the benefit of the doubt: what looks half-written is refused now.
    pub fn take_final(
        &mut self,
        key: Key,
        read: Result<StoreReading, StoreError>,
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

    /// What stands still because nobody knows what the stored document says: it is refused, and
    /// there is no good version before it.
    #[must_use]
    pub fn withholds(&self, key: Key) -> Option<Governs> {
        let entry = self.entries.get(&key)?;
        if entry.refused.is_empty() || entry.in_force.is_some() { None } else { key.governs() }
    }

    /// What refused documents do to the policy: it is built anew when this changes.
    #[must_use]
    pub fn standstill(&self) -> Vec<(Option<Governs>, bool)> {
        Key::ALL.iter().map(|key| (self.withholds(*key), self.is_switched_off(*key))).collect()
    }

    /// Whether the stored document is refused, but its switch says off, which is obeyed.
    #[must_use]
    pub fn is_switched_off(&self, key: Key) -> bool {
        self.entries.get(&key).is_some_and(|entry| entry.off)
    }

    /// As [`InForce::hash`], of the stored document, which may be refused; empty = absent.
    #[must_use]
    pub fn stored_hash(&self, key: Key) -> Option<&str> {
        self.entries.get(&key).map(|entry| entry.stored.as_str())
    }

    fn take_absence(&mut self, key: Key, env: &EnvDefaults, now: DateTime<Utc>) -> ReadOutcome {
        let entry = self.entries.entry(key).or_default();
        if entry.in_force.is_none() && entry.refused.is_empty() {
            entry.suspect_since = None;
            entry.loaded_at.get_or_insert(now);
            return ReadOutcome::Unchanged;
        }
        if entry.in_doubt(now) {
            return ReadOutcome::Wait;
        }
        // What governs nothing is not missed; sign-in links are revoked by removing them.
        if entry.in_force.is_none() || key.governs().is_none() {
            self.remove(key, env, now);
            return ReadOutcome::Applied;
        }
        entry.is_missed(now);
        ReadOutcome::Vanished
    }

    /// Removes a document: somebody did that, as the journal knows.
    pub fn remove(&mut self, key: Key, env: &EnvDefaults, now: DateTime<Utc>) {
        self.entries.insert(key, ActiveEntry { loaded_at: Some(now), ..ActiveEntry::default() });
        // Removing a document cannot fail.
        drop(self.documents.put(key, None, env));
    }

    /// Puts a copy in force of a document that is not stored any more, from the journal, which
    /// knows of no removal. No effect when the copy is not good.
    pub fn miss(&mut self, key: Key, text: String, env: &EnvDefaults, now: DateTime<Utc>) {
        let Ok(value) = documents::from_json::<Value>(&text) else { return };
        let Ok(disabled) = self.documents.put(key, Some(&value), env) else { return };
        let in_force = Some(InForce { hash: canonical_hash(&value), text });
        let mut entry = ActiveEntry { in_force, disabled, ..ActiveEntry::default() };
        entry.is_missed(now);
        self.entries.insert(key, entry);
    }

    /// Whether the document in force is not stored any more.
    #[must_use]
    pub fn is_missing(&self, key: Key) -> bool {
        self.entries.get(&key).is_some_and(|entry| entry.vanished)
    }

    /// Something that may mend itself within [`GRACE`].
    fn suspect(&mut self, key: Key, problem: FieldProblem, now: DateTime<Utc>) -> ReadOutcome {
        let entry = self.entries.entry(key).or_default();
        if entry.refused.first() == Some(&problem) {
            return ReadOutcome::Unchanged;
        }
        if entry.in_doubt(now) {
            return ReadOutcome::Wait;
        }
        entry.suspect_since = None;
        entry.refused = vec![problem];
        entry.last_text = None;
        entry.stored.clear();
        entry.loaded_at = Some(now);
        ReadOutcome::Refused
    }

    fn take_document(
        &mut self,
        key: Key,
        text: String,
        text_hash: String,
        value: &Value,
        env: &EnvDefaults,
        now: DateTime<Utc>,
    ) -> ReadOutcome {
        let put = self.documents.put(key, Some(value), env);
        let off = put.is_err() && documents::says_off(key, value);
        let hash = canonical_hash(value);
        let entry = self.entries.entry(key).or_default();
        entry.stored.clone_from(&hash);
        entry.suspect_since = None;
        entry.last_text = Some(text_hash);
        entry.loaded_at = Some(now);
        entry.off = off;
        entry.vanished = false;
        match put {
            Err(problems) => {
                entry.refused = problems;
                ReadOutcome::Refused
            }
            Ok(disabled) => {
                entry.disabled = disabled;
                // What stood still, or was switched off, by the refused one before is over.
                let mended = !std::mem::take(&mut entry.refused).is_empty();
                let same = entry.in_force.as_ref().is_some_and(|before| before.hash == hash);
                entry.in_force = Some(InForce { text, hash });
                if same && !mended { ReadOutcome::Unchanged } else { ReadOutcome::Applied }
            }
        }
    }
}

/// That a document is no JSON, and where. What the parser says would show a part of it.
fn no_json(line: usize, column: usize) -> Said {
    said!("JSON invalide (ligne {line}, colonne {column})", "it is no JSON (line {line}, column {column})")
}

impl ActiveEntry {
    fn is_missed(&mut self, now: DateTime<Utc>) {
        if !self.vanished {
            self.loaded_at = Some(now);
        }
        self.vanished = true;
        self.refused.clear();
        // When it comes back, it is read anew, and others are told that it is not stored.
        self.last_text = None;
        self.stored.clear();
    }

    /// Whether it is too early to believe what was read.
    fn in_doubt(&mut self, now: DateTime<Utc>) -> bool {
        let since = *self.suspect_since.get_or_insert(now);
        // A clock that was set back must not keep the doubt alive.
        let waited = (now - since).abs().to_std().unwrap_or_default();
        waited < GRACE
    }
}

#[cfg(test)]
mod tests;
