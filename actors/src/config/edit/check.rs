//! The document that an edit makes, when that is no worse than the one that is there.

use serde_json::{Map, Value};

use super::merge::merged;
use super::{Edit, EditAction, EditError, Editor, MAX_DOCUMENT_BYTES, Present, UPDATED_AT, instant};
use crate::config::diff::is_mask;
use crate::config::documents::known::{self, UnknownField};
use crate::config::documents::{self, DocumentSet, FieldProblem, Key};
use crate::config::store::StoreReading;
use crate::kernel::said::said;

impl Editor {
    /// The document that the edit makes of the present one, when it is no worse than that, and
    /// what is still wrong with it.
    pub(super) fn next(
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
