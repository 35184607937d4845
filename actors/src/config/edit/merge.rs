//! What an edit makes of the document that is there.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Edit, EditAction, Present, UPDATED_AT};
use crate::config::diff::{unmasked, unmasked_field};
use crate::config::documents::Key;

impl Edit {
    /// What it comes to, beside what is there now.
    pub(super) fn beside(&self, present: &Present) -> Cow<'_, Self> {
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
}

pub(super) fn merged(
    mut document: Map<String, Value>,
    fields: &[(String, Option<Value>)],
) -> Map<String, Value> {
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
pub(super) fn changed_fields(
    key: Key,
    before: Option<&Map<String, Value>>,
    after: &Map<String, Value>,
) -> Vec<String> {
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
