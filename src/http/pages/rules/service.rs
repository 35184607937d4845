//! The form of one file service, and the entry of `providers` that it makes. Pure.

use serde_json::{Value, json};

use super::detector::lines;
use super::rule::{FormErrors, shown};
use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{FormField, Input};

/// The lists of a service.
const LISTS: [&str; 6] = ["hosts", "except_hosts", "paths", "except_paths", "fetch_from", "redirect_to"];

/// A service as a form has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceForm {
    /// Its name, which is in the webhook.
    pub(super) name: String,
    /// The lists in the order of [`LISTS`], one entry to a line.
    lists: [String; 6],
}

impl ServiceForm {
    /// What a stored service fills it with.
    pub(super) fn of(stored: &Value) -> Self {
        let list = |name: &str| match stored.get(name) {
            Some(Value::Array(list)) => list.iter().map(shown).collect::<Vec<_>>().join("\n"),
            _ => String::new(),
        };
        Self { name: stored.get("name").map(shown).unwrap_or_default(), lists: LISTS.map(list) }
    }

    /// What somebody has sent.
    pub(super) fn read(form: &FormData) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        Self { name: text("name"), lists: LISTS.map(text) }
    }

    /// The service: the stored one with what was changed.
    pub(super) fn write(&self, stored: Option<&Value>) -> Value {
        let before = stored.map(Self::of);
        if let (Some(stored), true) = (stored, before.as_ref() == Some(self)) {
            return stored.clone();
        }
        let mut made = stored.and_then(Value::as_object).cloned().unwrap_or_default();
        if before.as_ref().is_none_or(|old| old.name != self.name) {
            made.insert("name".to_owned(), self.name.trim().into());
        }
        for (place, name) in LISTS.iter().enumerate() {
            let now = self.lists.get(place).map(String::as_str).unwrap_or_default();
            let was = before.as_ref().and_then(|old| old.lists.get(place)).map(String::as_str);
            let entries = lines(now);
            // The two that are required are written, so that what is missing is said.
            let required = matches!(*name, "hosts" | "paths");
            match was {
                Some(was) if was == now => {}
                _ if entries.is_empty() && !required => drop(made.shift_remove(*name)),
                _ => drop(made.insert((*name).to_owned(), json!(entries))),
            }
        }
        Value::Object(made)
    }

    /// The field for a path within the service.
    pub(super) fn field_of(path: &str) -> String {
        let name = path.trim_start_matches('.').split(['.', '[']).next().unwrap_or_default();
        if name == "name" || LISTS.contains(&name) { name.to_owned() } else { String::new() }
    }

    /// Its rows, with what is wrong.
    pub(super) fn fields(&self, w: &Words, wrong: &FormErrors) -> Vec<FormField> {
        let texts = [
            (w.hosts, w.hosts_hint),
            (w.except_hosts, ""),
            (w.paths, w.paths_hint),
            (w.except_paths, ""),
            (w.fetch_from, w.fetch_from_hint),
            (w.redirect_to, w.redirect_to_hint),
        ];
        let name = FormField::new("name", w.service_name, Input::Line("text"), self.name.as_str())
            .hint(w.service_name_hint)
            .error(wrong.at("name"));
        let list = |((name, value), (label, hint)): ((&str, &String), (&str, &str))| {
            let height = u8::try_from(value.lines().count().clamp(2, 8)).unwrap_or(8);
            FormField::new(name, label, Input::Lines(height), value.as_str()).hint(hint).error(wrong.at(name))
        };
        std::iter::once(name).chain(LISTS.into_iter().zip(&self.lists).zip(texts).map(list)).collect()
    }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::mail::providers::DEFAULT_DOCUMENT;

    use super::*;

    #[test]
    fn a_form_that_comes_back_as_it_was_changes_nothing() {
        let document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
        let mut stored = document["providers"].as_array().unwrap().clone();
        stored.extend([json!(5), json!({"name": 1, "hosts": "x", "_note": [1]})]);
        for service in stored {
            assert_eq!(ServiceForm::of(&service).write(Some(&service)), service);
        }
    }

    #[test]
    fn what_is_emptied_is_taken_out_and_what_is_required_stays_to_be_judged() {
        let stored =
            json!({"name": "x", "hosts": ["a.fr"], "paths": ["/"], "except_hosts": ["b.a.fr"], "_note": 1});
        let form = FormData(
            [("name", "x"), ("hosts", ""), ("paths", "/\n/d/")].map(|(a, b)| (a.into(), b.into())).to_vec(),
        );
        let written = ServiceForm::read(&form).write(Some(&stored));
        assert_eq!(written, json!({"name": "x", "hosts": [], "paths": ["/", "/d/"], "_note": 1}));
        assert_eq!(ServiceForm::field_of(".hosts[1]"), "hosts");
        assert_eq!(ServiceForm::field_of(".else"), "");
    }
}
