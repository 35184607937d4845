//! What somebody asks for, and what it came to.

use std::fmt;

use serde_json::{Map, Value};

use super::Present;
use crate::config::documents::{FieldProblem, Key};
use crate::config::store::{Revision, StoreError};
use crate::kernel::said::{Said, said};

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

pub(super) fn conflict(key: Key, fields: Vec<String>, present: &Present) -> EditError {
    EditError::Conflict(Box::new(EditConflict { key, fields, present: present.value() }))
}
