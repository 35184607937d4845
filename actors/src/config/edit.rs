//! The one door for changes: the command line, `/config_api.php` and every other way to
//! change a document go through an [`Editor`].
//!
//! ```text
//! Edit ─▶ read ─▶ is it what the caller believes? ─▶ apply ─▶ validate ─▶ compare and set ─▶ history
//!          ▲                 │ no: Conflict              │ no: Invalid       │ somebody was faster
//!          └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A document that is refused is changed nowhere. Fields that a merge does not name are as
//! they were, whoever changed them last.

mod based_on;
mod check;
mod merge;
mod record;
mod request;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use self::merge::changed_fields;
use self::request::conflict;
pub use self::request::{BasedOn, Edit, EditAction, EditConflict, EditError, SavedEdit};
use super::documents::{self, Key};
use super::history;
use super::policy::EnvDefaults;
use super::store::{DocumentChange, DocumentStore, Precondition, StoreError, StoreReading};
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;

/// When a document was written last; information only (reference section 2.5).
pub const UPDATED_AT: &str = "_updated_at";

/// The largest document, in bytes of JSON: more does not pass through `config_api.php`.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// How often a change is tried when somebody else writes in between. Each failure means that
/// another writer got through, so this many others may write at once.
const MAX_WRITE_ATTEMPTS: u32 = 40;

/// Between two attempts, spread so that writers do not stay in step.
const WRITE_RETRY_PAUSE: Duration = Duration::from_millis(4);

/// Makes changes, on behalf of whoever asks.
#[derive(Clone)]
pub struct Editor {
    /// Where documents are.
    pub store: Arc<dyn DocumentStore>,
    /// What validation depends on.
    pub env: Arc<EnvDefaults>,
    /// Where the history is; without it a running server records the change.
    pub journal: Option<Arc<dyn Journal>>,
    /// Time, ids, jitter.
    pub world: World,
}

/// A document as it was read.
struct Present {
    read: StoreReading,
    /// `None` = absent, or no object.
    object: Option<Map<String, Value>>,
}

impl Present {
    fn of(read: StoreReading) -> Self {
        let object = match &read {
            StoreReading::Absent => None,
            StoreReading::Found { text, .. } => documents::from_json(text).ok(),
        };
        Self { read, object }
    }

    fn expect(&self) -> Precondition {
        match &self.read {
            StoreReading::Absent => Precondition::Absent,
            StoreReading::Found { revision, .. } => Precondition::Revision(revision.clone()),
        }
    }

    fn value(&self) -> Option<Value> {
        self.object.clone().map(Value::Object)
    }
}

impl Editor {
    /// Makes a change, or says why not.
    ///
    /// # Errors
    /// The document is as it was, or as somebody else left it.
    pub async fn apply(&self, edit: &Edit) -> Result<SavedEdit, EditError> {
        // What is changed is what is there now.
        self.store.forget();
        let mut present = self.read(edit.key).await?;
        for attempt in 0..MAX_WRITE_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(self.world.jitter.spread(WRITE_RETRY_PAUSE * attempt)).await;
                present = self.read(edit.key).await?;
            }
            let edit = edit.beside(&present);
            let edit = edit.as_ref();
            self.check_expected(edit, &present).await?;
            let (next, still_wrong) = self.next(edit, &present)?;
            let fields = changed_fields(edit.key, present.object.as_ref(), &next);
            if let StoreReading::Found { text, revision } = &present.read
                && present.object.is_some()
                && fields.is_empty()
            {
                let (text, revision) = (text.clone(), revision.clone());
                let saved = SavedEdit {
                    text,
                    revision,
                    fields,
                    stored_in: "",
                    degraded: None,
                    still_wrong,
                    version: None,
                };
                return Ok(saved);
            }
            self.record_replaced(edit.key, &present).await;
            let change = DocumentChange {
                key: edit.key,
                value: Value::Object(next),
                expected: present.expect(),
                origin: edit.origin.clone(),
            };
            match self.store.write(&change).await {
                Ok(written) => {
                    let (text, version) = match still_wrong.is_empty() {
                        true => self.record(&change, &written.revision).await,
                        // The history has what was in force, and this is not.
                        false => (change.value.to_string(), None),
                    };
                    return Ok(SavedEdit {
                        text,
                        fields,
                        still_wrong,
                        version,
                        revision: written.revision,
                        stored_in: written.stored_in,
                        degraded: written.degraded,
                    });
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(conflict(edit.key, Vec::new(), &present))
    }

    /// The document that the change would make, without making it.
    ///
    /// # Errors
    /// It would be refused, or the document cannot be read.
    pub async fn preview(&self, edit: &Edit) -> Result<Value, EditError> {
        let present = self.read(edit.key).await?;
        self.next(&edit.beside(&present), &present).map(|(next, _)| Value::Object(next))
    }

    /// Removes a document: from now on the environment or a built-in default decides. Answers
    /// whether there was anything to remove.
    ///
    /// # Errors
    /// It is as it was, or removed and not yet in the history: repeat it.
    pub async fn remove(&self, key: Key, origin: &str) -> Result<bool, EditError> {
        self.store.forget();
        let present = self.read(key).await?;
        self.record_replaced(key, &present).await;
        let was_there = self.store.remove(key, origin).await?;
        let recorded = self.record_removal(key, origin).await.map_err(EditError::Unknown)?;
        Ok(was_there || recorded)
    }

    /// The document that a change would start from: as it is stored, or as it is in force though
    /// it has vanished. `None` = there is none, or what is stored is no object.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn present(&self, key: Key) -> Result<Option<Map<String, Value>>, StoreError> {
        self.read(key).await.map(|present| present.object)
    }

    async fn read(&self, key: Key) -> Result<Present, StoreError> {
        let mut present = Present::of(self.store.read(key).await?);
        if present.read == StoreReading::Absent
            && let Some(journal) = self.journal.as_deref()
            && let Ok(Some(text)) = history::last_good(journal, key, &self.env).await
        {
            // It has vanished and is still in force: a change of one field is a change of that.
            present.object = documents::from_json(&text).ok();
        }
        Ok(present)
    }
}

/// An instant as the reference system writes it: UTC, ISO 8601, microseconds.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}
#[cfg(test)]
mod tests;
