//! A JSON object of the closed language, read field by field.

use serde_json::{Map, Value};

use crate::kernel::said::said;
use crate::mail::flaw::{Checked, flaw};
use crate::mail::pattern::Pattern;

/// Values of one condition, patterns of a delivery time, named texts.
pub(super) const LIST: usize = 100;
/// Characters of a value, a name or an explanation.
pub(super) const TEXT: usize = 500;

/// A JSON object and where it stands.
pub(super) struct Object<'v> {
    map: &'v Map<String, Value>,
    at: String,
}

impl<'v> Object<'v> {
    pub(super) fn of(value: &'v Value, at: &str, known: &[&str]) -> Checked<Self> {
        let Value::Object(map) = value else {
            return flaw(at, said!("un objet JSON est attendu.", "a JSON object is expected."));
        };
        match map.keys().find(|name| !name.starts_with('_') && !known.contains(&name.as_str())) {
            Some(name) => {
                let known = known.join(", ");
                let message =
                    said!("champ inconnu (attendus\u{a0}: {known}).", "no such field (there are: {known}).");
                flaw(format!("{at}.{}", shown(name)), message)
            }
            None => Ok(Self { map, at: at.to_owned() }),
        }
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.at)
    }

    /// `null` is as good as nothing.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn switch(&self, name: &str, absent: bool) -> Checked<bool> {
        match self.get(name) {
            None => Ok(absent),
            Some(Value::Bool(on)) => Ok(*on),
            Some(_) => flaw(
                self.at(name),
                said!("booléen attendu (true ou false).", "a switch is expected (true or false)."),
            ),
        }
    }

    pub(super) fn text(&self, name: &str) -> Checked<Option<String>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => text(value, &self.at(name)).map(Some),
        }
    }

    pub(super) fn required(&self, name: &str) -> Checked<String> {
        match self.text(name)? {
            Some(text) => Ok(text),
            None => flaw(self.at(name), said!("{name} est requis.", "{name} is required.")),
        }
    }

    pub(super) fn list(&self, name: &str) -> Checked<&'v [Value]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) if list.len() <= LIST => Ok(list),
            Some(Value::Array(_)) => {
                flaw(self.at(name), said!("au plus {LIST} éléments.", "at most {LIST} elements."))
            }
            Some(_) => flaw(self.at(name), said!("une liste est attendue.", "a list is expected.")),
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], absent: Option<T>) -> Checked<T> {
        let all = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("|");
        let wrong = || said!("{name} invalide ({all}).", "{name} must be one of {all}.");
        match (self.get(name), absent) {
            (None, Some(absent)) => Ok(absent),
            (None, None) => {
                flaw(self.at(name), said!("{name} est requis ({all}).", "{name} is required ({all})."))
            }
            (Some(Value::String(text)), _) => match words.iter().find(|(word, _)| word == text) {
                Some((_, meaning)) => Ok(*meaning),
                None => flaw(self.at(name), wrong()),
            },
            (Some(_), _) => flaw(self.at(name), wrong()),
        }
    }
}

/// A field name as it may be repeated in a message.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(40).collect()
}

pub(super) fn text(value: &Value, at: &str) -> Checked<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => {
            flaw(at, said!("un texte non vide est attendu.", "a text that is not empty is expected."))
        }
        Value::String(text) if text.chars().count() > TEXT => {
            flaw(at, said!("au plus {TEXT} caractères.", "at most {TEXT} characters."))
        }
        Value::String(text) => Ok(text.clone()),
        _ => flaw(at, said!("un texte est attendu.", "a text is expected.")),
    }
}

pub(super) fn pattern(written: &str, case_sensitive: bool, at: &str) -> Checked<Pattern> {
    Pattern::new(written, case_sensitive).or_else(|bad| flaw(at, bad.said()))
}
