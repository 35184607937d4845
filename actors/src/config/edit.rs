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

mod record;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::diff::{is_mask, unmasked, unmasked_field};
use super::documents::known::{self, UnknownField};
use super::documents::{self, DocumentSet, FieldProblem, Key};
use super::history;
use super::policy::EnvDefaults;
use super::store::{DocumentChange, DocumentStore, Precondition, Revision, StoreError, StoreReading};
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;
use crate::kernel::said::{Said, said};

/// When a document was written last; information only (reference section 2.5).
pub const UPDATED_AT: &str = "_updated_at";

/// The largest document, in bytes of JSON: more does not pass through `config_api.php`.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// How often a change is tried when somebody else writes in between. Each failure means that
/// another writer got through, so this many others may write at once.
const MAX_WRITE_ATTEMPTS: u32 = 40;

/// Between two attempts, spread so that writers do not stay in step.
const WRITE_RETRY_PAUSE: Duration = Duration::from_millis(4);

/// A change as somebody asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Which document.
    pub key: Key,
    /// What is to become of it.
    pub wanted: EditAction,
    /// What the caller has seen; `None` = whatever is there.
    pub expected: Option<BasedOn>,
    /// Who asks, for the history: `cli`, `api`, `php_api`, `restore`, `migrate`.
    pub origin: String,
    /// Keep the time that the document says it was written at, if it does.
    pub keep_time: bool,
    /// Fields that nobody knows are written, too. Those that are stored already are no obstacle
    /// in any case.
    pub allow_unknown: bool,
    /// A text that is the mask of the stored one stands for that: the caller was shown masks.
    pub keep_masked: bool,
    /// The values of a merge are merge patches (RFC 7396) of what is there.
    pub deep: bool,
}

/// What is to become of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum EditAction {
    /// The whole of it.
    Replace(Value),
    /// These top-level fields; `None` removes one. All others stay.
    Merge(Vec<(String, Option<Value>)>),
}

/// What a caller has seen of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BasedOn {
    /// This version of its history.
    Version(u64),
    /// This version of the store's.
    Revision(Revision),
    /// That there is none.
    Absent,
}

impl Edit {
    /// Replaces the whole document, whatever is there.
    #[must_use]
    pub fn replace(key: Key, document: Value, origin: &str) -> Self {
        Self::new(key, EditAction::Replace(document), origin)
    }

    /// Changes fields; `None` removes one.
    #[must_use]
    pub fn merge(key: Key, fields: impl IntoIterator<Item = (String, Option<Value>)>, origin: &str) -> Self {
        Self::new(key, EditAction::Merge(fields.into_iter().collect()), origin)
    }

    fn new(key: Key, wanted: EditAction, origin: &str) -> Self {
        Self {
            key,
            wanted,
            expected: None,
            origin: origin.to_owned(),
            keep_time: false,
            allow_unknown: false,
            keep_masked: false,
            deep: false,
        }
    }

    /// The same, with the time that the document says it was written at, if it does.
    #[must_use]
    pub fn keeping_time(mut self) -> Self {
        self.keep_time = true;
        self
    }

    /// The same, with fields that nobody knows: they are kept and change nothing.
    #[must_use]
    pub fn allowing_unknown(mut self) -> Self {
        self.allow_unknown = true;
        self
    }

    /// Changes fields as a merge patch does (RFC 7396): objects are merged, `null` removes.
    #[must_use]
    pub fn patch(key: Key, patch: Map<String, Value>, origin: &str) -> Self {
        let fields = patch.into_iter().map(|(name, value)| (name, Some(value).filter(|one| !one.is_null())));
        Self { deep: true, ..Self::merge(key, fields, origin) }
    }

    /// The same by a caller who was shown masks: one that comes back changes nothing.
    #[must_use]
    pub fn keeping_masked(mut self) -> Self {
        self.keep_masked = true;
        self
    }

    /// What it comes to, beside what is there now.
    fn beside(&self, present: &Present) -> Cow<'_, Self> {
        if !(self.keep_masked || self.deep) {
            return Cow::Borrowed(self);
        }
        let nothing = Map::new();
        let stored = present.object.as_ref().unwrap_or(&nothing);
        let mut edit = self.clone();
        match &mut edit.wanted {
            EditAction::Replace(document) if self.keep_masked => {
                *document = unmasked(document, &Value::Object(stored.clone()));
            }
            EditAction::Replace(_) => {}
            EditAction::Merge(fields) => {
                for (name, value) in fields.iter_mut() {
                    let (Some(value), stored) = (value.as_mut(), stored.get(name.as_str())) else { continue };
                    if let Some(stored) = stored.filter(|_| self.keep_masked) {
                        *value = unmasked_field(name, value, stored);
                    }
                    if self.deep {
                        *value = patched(stored, value);
                    }
                }
            }
        }
        Cow::Owned(edit)
    }

    /// The same, only if what it changes is still what the caller has seen.
    #[must_use]
    pub fn expecting(mut self, seen: Option<BasedOn>) -> Self {
        self.expected = seen;
        self
    }
}

/// What an edit came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedEdit {
    /// The document as it is stored now.
    pub text: String,
    /// Its version in the store.
    pub revision: Revision,
    /// The top-level fields that differ; empty = it was so already, and nothing was written.
    pub fields: Vec<String>,
    /// Name of the store that has it; empty when nothing was written.
    pub stored_in: &'static str,
    /// Why another store than the authority took it, when that is so.
    pub degraded: Option<String>,
    /// What was wrong with it before and still is: it is refused because of that, so but for a
    /// switch that is off the change acts only when this is mended, too.
    pub still_wrong: Vec<FieldProblem>,
    /// Its version in the history; `None` when the journal did not take it now or there is
    /// none (a running server records it then).
    pub version: Option<u64>,
}

/// Why a document was not changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EditError {
    /// It would not be valid: everything that is wrong.
    #[error("{}", problems(.0))]
    Invalid(Vec<FieldProblem>),
    /// Somebody else changed it since the caller looked.
    #[error("{0}")]
    Conflict(Box<EditConflict>),
    /// The store did not take it, or could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the caller has seen cannot be compared with.
    #[error("{0}")]
    Unknown(String),
}

/// What is there instead of what the caller expected.
#[derive(Debug, Clone, PartialEq)]
pub struct EditConflict {
    /// Which document.
    pub key: Key,
    /// The fields in question.
    pub fields: Vec<String>,
    /// The document as it is now; not masked. `None` = there is none.
    pub present: Option<Value>,
}

impl EditConflict {
    /// What happened, and what to do.
    #[must_use]
    pub fn said(&self) -> Said {
        let key = self.key;
        let fields = match self.fields.is_empty() {
            true => String::new(),
            false => format!(" ({})", self.fields.join(", ")),
        };
        said!(
            "{key} a été changé entre-temps par quelqu'un d'autre{fields}\u{a0}: regardez-le à nouveau, puis \
             refaites votre changement\u{a0}; rien n'a été changé",
            "{key} was changed by somebody else in the meantime{fields}: look at it again, then repeat your \
             change; nothing was changed"
        )
    }
}

impl fmt::Display for EditConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said().fmt(f)
    }
}

fn problems(problems: &[FieldProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// See the module page.
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

    /// Whether the fields that the edit touches are still what the caller has seen.
    async fn check_expected(&self, edit: &Edit, present: &Present) -> Result<(), EditError> {
        let Some(seen) = &edit.expected else { return Ok(()) };
        let base = match (seen, &present.read) {
            (BasedOn::Revision(seen), StoreReading::Found { revision, .. }) if seen == revision => {
                return Ok(());
            }
            (BasedOn::Absent, StoreReading::Absent) => return Ok(()),
            (BasedOn::Absent, StoreReading::Found { .. }) => Some(Map::new()),
            (BasedOn::Revision(revision), _) => self.copy_with(edit.key, revision).await,
            (BasedOn::Version(version), _) => Some(self.copy_of(edit.key, *version).await?),
        };
        let object = present.object.clone().unwrap_or_default();
        let fields = match (&edit.wanted, base) {
            (EditAction::Replace(_), Some(base)) => changed_fields(edit.key, Some(&base), &object),
            // It differs, and nobody knows in what.
            (EditAction::Replace(_), None) => return Err(conflict(edit.key, Vec::new(), present)),
            (EditAction::Merge(fields), base) => fields
                .iter()
                .filter(|(name, wanted)| {
                    object.get(name) != wanted.as_ref()
                        && base.as_ref().is_none_or(|base| base.get(name) != object.get(name))
                })
                .map(|(name, _)| name.clone())
                .collect(),
        };
        if fields.is_empty() { Ok(()) } else { Err(conflict(edit.key, fields, present)) }
    }

    /// The copy of a version of the history.
    async fn copy_of(&self, key: Key, version: u64) -> Result<Map<String, Value>, EditError> {
        let journal = self
            .journal
            .as_deref()
            .ok_or_else(|| EditError::Unknown("there is no history to compare with".to_owned()))?;
        let copy = history::copy(journal, key, version)
            .await
            .map_err(|error| EditError::Unknown(error.to_string()))?;
        Ok(copy.and_then(|text| documents::from_json(&text).ok()).unwrap_or_default())
    }

    /// The copy whose version in the store was `revision`, if the history has it.
    async fn copy_with(&self, key: Key, revision: &Revision) -> Option<Map<String, Value>> {
        let journal = self.journal.as_deref()?;
        let text = history::copy_with(journal, key, |text| Revision::of(text) == *revision).await.ok()??;
        documents::from_json(&text).ok()
    }

    /// The document that the edit makes of the present one, when it is no worse than that, and
    /// what is still wrong with it.
    fn next(
        &self,
        edit: &Edit,
        present: &Present,
    ) -> Result<(Map<String, Value>, Vec<FieldProblem>), EditError> {
        let mut wrong = masks(edit, present);
        let mut next = match &edit.wanted {
            EditAction::Replace(Value::Object(document)) => document.clone(),
            EditAction::Replace(other) => {
                let refused = DocumentSet::default().put(edit.key, Some(other), &self.env);
                return Err(EditError::Invalid(refused.err().unwrap_or_default()));
            }
            EditAction::Merge(_) if present.object.is_none() && present.read != StoreReading::Absent => {
                let why = said!(
                    "le document enregistré n'est pas un objet JSON\u{a0}: remplacez-le en entier",
                    "the stored document is no JSON object: replace the whole of it"
                );
                return Err(EditError::Invalid(vec![FieldProblem::new("document", why)]));
            }
            EditAction::Merge(fields) => merged(present.object.clone().unwrap_or_default(), fields),
        };
        let is_written = |name: &str| match &edit.wanted {
            EditAction::Replace(_) => true,
            EditAction::Merge(fields) => fields.iter().any(|(written, _)| written == name),
        };
        documents::normal::normalise(edit.key, &mut next, is_written);
        if edit.key != Key::MagicLinkTokens && !(edit.keep_time && next.contains_key(UPDATED_AT)) {
            next.insert(UPDATED_AT.to_owned(), instant(self.world.now()).into());
        }
        let next = Value::Object(next);
        if !edit.allow_unknown {
            let before = present.value();
            wrong.extend(known::added(edit.key, before.as_ref(), &next).iter().map(UnknownField::problem));
        }
        let (refused, still_wrong) = self.invalid(edit, &next, present);
        wrong.extend(refused);
        let length = next.to_string().len();
        if length > MAX_DOCUMENT_BYTES {
            wrong.push(FieldProblem::new(
                "document",
                said!(
                    "{length} octets, au plus {MAX_DOCUMENT_BYTES}",
                    "{length} bytes, at most {MAX_DOCUMENT_BYTES}"
                ),
            ));
        }
        match next {
            Value::Object(next) if wrong.is_empty() => Ok((next, still_wrong)),
            _ => Err(EditError::Invalid(wrong)),
        }
    }

    /// What is wrong with a document: what refuses the edit, and what is no obstacle to it. A
    /// rule that was bad before is none to a change of something else, nor is a field that was
    /// bad before and that the edit does not name: who switches sending off must not be told to
    /// mend a date first.
    fn invalid(
        &self,
        edit: &Edit,
        next: &Value,
        present: &Present,
    ) -> (Vec<FieldProblem>, Vec<FieldProblem>) {
        let check = |value: &Value| DocumentSet::default().put(edit.key, Some(value), &self.env);
        let before = || present.value().map(|value| check(&value));
        match (check(next), &edit.wanted) {
            (Ok(disabled), _) if disabled.is_empty() => (disabled, Vec::new()),
            (Ok(disabled), _) => {
                let old = before().and_then(Result::ok).unwrap_or_default();
                let stored = present.value().unwrap_or_default();
                let was = |problem: &FieldProblem| old.iter().any(|old| is_same(problem, next, old, &stored));
                (disabled.into_iter().filter(|problem| !was(problem)).collect(), Vec::new())
            }
            (Err(problems), EditAction::Replace(_)) => (problems, Vec::new()),
            (Err(problems), EditAction::Merge(fields)) => {
                let before = before().and_then(Result::err).unwrap_or_default();
                problems.into_iter().partition(|problem| {
                    !before.contains(problem) || fields.iter().any(|(name, _)| *name == problem.field)
                })
            }
        }
    }
}

/// Whether a member of a list has a fault that it had before, at whatever place: who moves the
/// others makes none. A rule that gets the id that it had anyway is the same one.
fn is_same(problem: &FieldProblem, next: &Value, old: &FieldProblem, stored: &Value) -> bool {
    if problem == old {
        return true;
    }
    let of = |problem: &FieldProblem, document: &Value| -> Option<(Value, String)> {
        let (list, rest) = problem.field.split_once('[')?;
        let (place, within) = rest.split_once(']')?;
        let mut member = document.get(list)?.get(place.parse::<usize>().ok()?)?.clone();
        if let Value::Object(fields) = &mut member {
            fields.shift_remove("id");
        }
        Some((member, within.to_owned()))
    };
    let now = of(problem, next);
    now.is_some() && problem.message == old.message && now == of(old, stored)
}

/// An instant as the reference system writes it: UTC, ISO 8601, microseconds.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

fn conflict(key: Key, fields: Vec<String>, present: &Present) -> EditError {
    EditError::Conflict(Box::new(EditConflict { key, fields, present: present.value() }))
}

fn merged(mut document: Map<String, Value>, fields: &[(String, Option<Value>)]) -> Map<String, Value> {
    for (name, value) in fields {
        match value {
            Some(value) => drop(document.insert(name.clone(), value.clone())),
            // Unlike `remove`, this keeps the order of the others.
            None => drop(document.shift_remove(name)),
        }
    }
    document
}

/// A value after a merge patch (RFC 7396).
fn patched(stored: Option<&Value>, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut fields = stored.and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in patch {
        match value {
            Value::Null => drop(fields.shift_remove(name)),
            value => {
                let next = patched(fields.get(name), value);
                fields.insert(name.clone(), next);
            }
        }
    }
    Value::Object(fields)
}

/// The top-level fields that differ, but for the time of the last change.
fn changed_fields(key: Key, before: Option<&Map<String, Value>>, after: &Map<String, Value>) -> Vec<String> {
    let nothing = Map::new();
    let before = before.unwrap_or(&nothing);
    before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)))
        .filter(|name| before.get(*name) != after.get(*name))
        .filter(|name| key == Key::MagicLinkTokens || *name != UPDATED_AT)
        .cloned()
        .collect()
}

/// Texts of the edit that are masks: what was shown is not what is stored.
fn masks(edit: &Edit, present: &Present) -> Vec<FieldProblem> {
    let mut found = Vec::new();
    let fields: Vec<(&String, &Value)> = match &edit.wanted {
        EditAction::Replace(Value::Object(document)) => document.iter().collect(),
        EditAction::Replace(_) => Vec::new(),
        EditAction::Merge(fields) => {
            fields.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect()
        }
    };
    for (name, value) in fields {
        let stored = present.object.as_ref().and_then(|object| object.get(name));
        if stored != Some(value) && has_mask(value) {
            found.push(FieldProblem::new(
                name,
                said!(
                    "la valeur masquée (***) n'est pas la vraie",
                    "the masked value (***) is not the real one"
                ),
            ));
        }
    }
    found
}

fn has_mask(value: &Value) -> bool {
    match value {
        Value::String(text) => is_mask(text),
        Value::Array(members) => members.iter().any(has_mask),
        Value::Object(fields) => fields.values().any(has_mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
