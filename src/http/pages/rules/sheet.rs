//! Lists that are edited whole: senders, priorities, words. One entry to a line. Pure.

use std::collections::BTreeMap;

use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::coerce::is_on;
use render_signal_actors::config::documents::polling::is_address;
use serde_json::{Map, Value, json};

use super::detector::lines;
use super::rule::{FormErrors, on_off, shown};
use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{FormField, Input};
use crate::lang::Lang;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sheet {
    /// Whose mails are accepted.
    Senders,
    /// Whose go first.
    Priorities,
    /// Which mails are not wanted.
    Aside,
}

/// The levels of `sender_priority`, the most urgent first.
const LEVELS: [&str; 3] = ["high", "medium", "low"];

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SheetFieldKind {
    /// A list of texts.
    Lines,
    /// A switch, and what it is where it is not stored.
    Switch(bool),
    /// The addresses of a level of `sender_priority`.
    Level,
}

/// Field by field, what a form says: the text of a box, `on` of a tick.
pub(super) type SheetValues = BTreeMap<&'static str, String>;

impl Sheet {
    /// Its word in a form.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Senders => "senders",
            Self::Priorities => "priorities",
            Self::Aside => "aside",
        }
    }

    /// The sheet of this word.
    pub(super) fn named(word: &str) -> Option<Self> {
        [Self::Senders, Self::Priorities, Self::Aside].into_iter().find(|sheet| sheet.word() == word)
    }

    /// The document that it is a part of.
    pub(super) const fn key(self) -> Key {
        match self {
            Self::Senders => Key::PollingConfig,
            Self::Priorities | Self::Aside => Key::ProcessingPrefs,
        }
    }

    pub(super) const fn page(self) -> &'static str {
        match self {
            Self::Senders | Self::Priorities => "/regles/expediteurs",
            Self::Aside => "/regles/mots",
        }
    }

    const fn known(self) -> &'static [(&'static str, SheetFieldKind)] {
        match self {
            Self::Senders => &[("sender_of_interest_for_polling", SheetFieldKind::Lines)],
            Self::Priorities => &[
                ("high", SheetFieldKind::Level),
                ("medium", SheetFieldKind::Level),
                ("low", SheetFieldKind::Level),
            ],
            Self::Aside => &[
                ("exclude_keywords", SheetFieldKind::Lines),
                ("exclude_keywords_recadrage", SheetFieldKind::Lines),
                ("exclude_keywords_autorepondeur", SheetFieldKind::Lines),
                ("require_attachments", SheetFieldKind::Switch(false)),
                ("ignore_automatic", SheetFieldKind::Switch(true)),
                ("ignore_automatic_except", SheetFieldKind::Lines),
            ],
        }
    }

    /// What a document fills the form with.
    pub(super) fn of(self, document: &Map<String, Value>) -> SheetValues {
        let fill = |(name, kind): &(&'static str, SheetFieldKind)| {
            let stored = document.get(*name);
            let value = match kind {
                SheetFieldKind::Lines => texts(stored).join("\n"),
                SheetFieldKind::Switch(absent) => on_off(is_on(stored, *absent)).to_owned(),
                SheetFieldKind::Level => {
                    let levels = document.get("sender_priority").and_then(Value::as_object);
                    let of = |level: &Value| {
                        level.as_str().is_some_and(|text| text.trim().to_lowercase() == *name)
                    };
                    let named = levels.into_iter().flatten().filter(|(_, level)| of(level));
                    named.map(|(address, _)| address.as_str()).collect::<Vec<_>>().join("\n")
                }
            };
            (*name, value)
        };
        self.known().iter().map(fill).collect()
    }

    /// What somebody has sent.
    pub(super) fn read(self, form: &FormData) -> SheetValues {
        let value = |name: &'static str| (name, form.get(name).unwrap_or_default().to_owned());
        self.known().iter().map(|(name, _)| value(name)).collect()
    }

    /// The fields of the document that are to be another value; `None` = not there.
    pub(super) fn changed(
        self,
        values: &SheetValues,
        document: &Map<String, Value>,
    ) -> Vec<(String, Option<Value>)> {
        let before = self.of(document);
        let mut changed = Vec::new();
        for (name, kind) in self.known() {
            let (now, was) = (values.get(name), before.get(name));
            let (Some(now), false) = (now, now == was) else { continue };
            let value = match kind {
                SheetFieldKind::Lines => json!(lines(now)),
                SheetFieldKind::Switch(_) => (now == "on").into(),
                SheetFieldKind::Level => continue,
            };
            changed.push(((*name).to_owned(), Some(value)));
        }
        if self == Self::Priorities && *values != before {
            changed.push(("sender_priority".to_owned(), Some(levels(values, document))));
        }
        changed
    }

    /// What only the form can tell is wrong.
    pub(super) fn faults(
        self,
        values: &SheetValues,
        document: &Map<String, Value>,
        lang: Lang,
    ) -> FormErrors {
        let mut wrong = FormErrors::default();
        if self != Self::Priorities || *values == self.of(document) {
            return wrong;
        }
        let mut taken: Vec<String> = Vec::new();
        for level in LEVELS {
            for address in values.get(level).map(|text| lines(text)).unwrap_or_default() {
                let address = address.to_lowercase();
                if !is_address(&address) {
                    let why = lang.say("Ce n'est pas une adresse", "This is no address", &address);
                    wrong.0.push((level.to_owned(), why));
                } else if taken.contains(&address) {
                    let why = lang.say(
                        "Cette adresse est nommée deux fois",
                        "This address is named twice",
                        &address,
                    );
                    wrong.0.push((level.to_owned(), why));
                }
                taken.push(address);
            }
        }
        wrong
    }

    /// Its rows, with what is wrong. `environment` are the senders that count where none is stored.
    pub(super) fn fields(
        self,
        values: &SheetValues,
        w: &Words,
        lang: Lang,
        wrong: &FormErrors,
        environment: &[String],
    ) -> Vec<FormField> {
        let row = |(name, kind): &(&'static str, SheetFieldKind)| {
            let value = values.get(name).cloned().unwrap_or_default();
            let height = u8::try_from(value.lines().count().clamp(3, 12)).unwrap_or(12);
            let input =
                if matches!(kind, SheetFieldKind::Switch(_)) { Input::Tick } else { Input::Lines(height) };
            let (label, hint) = match *name {
                "sender_of_interest_for_polling" => (w.senders_label, empty_senders(environment, lang)),
                "high" => (w.high, w.empty_is_none.to_owned()),
                "medium" => (w.medium, w.medium_hint.to_owned()),
                "low" => (w.low, w.empty_is_none.to_owned()),
                "exclude_keywords" => (w.everywhere, w.everywhere_hint.to_owned()),
                "exclude_keywords_recadrage" => (w.of_recadrage, w.of_detector_hint.to_owned()),
                "exclude_keywords_autorepondeur" => (w.of_desabo, w.of_detector_hint.to_owned()),
                "require_attachments" => (w.attachments, String::new()),
                "ignore_automatic" => (w.automatic, w.automatic_hint.to_owned()),
                _ => (w.automatic_except, w.empty_is_none.to_owned()),
            };
            FormField::new(*name, label, input, value).hint(hint).error(wrong.at(name))
        };
        self.known().iter().map(row).collect()
    }

    /// The field of the form for a field of the document.
    pub(super) fn field_of(self, path: &str) -> String {
        let top = path.split(['.', '[']).next().unwrap_or_default();
        match top {
            "sender_priority" => "high".to_owned(),
            known if self.known().iter().any(|(name, _)| *name == known) => known.to_owned(),
            _ => String::new(),
        }
    }
}

/// What counts while the list is empty.
fn empty_senders(environment: &[String], lang: Lang) -> String {
    match environment {
        [] => lang.pick("Vide : tout expéditeur est accepté.", "Empty: every sender is accepted.").to_owned(),
        some => lang.say(
            "Vide : ceux de SENDER_OF_INTEREST_FOR_POLLING comptent",
            "Empty: those of SENDER_OF_INTEREST_FOR_POLLING count",
            &some.join(", "),
        ),
    }
}

/// A stored list, or a text with commas, which is read as one.
fn texts(stored: Option<&Value>) -> Vec<String> {
    match stored {
        Some(Value::Array(list)) => list.iter().map(shown).collect(),
        Some(Value::String(text)) => {
            text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// `sender_priority` with the levels that a form names. What is stored in another form stays.
fn levels(values: &SheetValues, document: &Map<String, Value>) -> Value {
    let mut map = document.get("sender_priority").and_then(Value::as_object).cloned().unwrap_or_default();
    map.retain(|_, level| {
        !level.as_str().is_some_and(|text| LEVELS.contains(&text.trim().to_lowercase().as_str()))
    });
    for level in LEVELS {
        for address in values.get(level).map(|text| lines(text)).unwrap_or_default() {
            map.insert(address.to_lowercase(), level.into());
        }
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn only_what_was_changed_is_written() {
        for (sheet, stored) in [
            (Sheet::Senders, json!({"sender_of_interest_for_polling": "A@B.fr, c@d.fr"})),
            (Sheet::Senders, json!({})),
            (Sheet::Priorities, json!({"sender_priority": {"a@b.fr": " HIGH", "x": 5}})),
            (
                Sheet::Aside,
                json!({"exclude_keywords": ["a", " b "], "ignore_automatic": "yes", "require_attachments": 0}),
            ),
        ] {
            let document = map(stored);
            let values = sheet.of(&document);
            assert_eq!(sheet.changed(&values, &document), [], "{document:?}");
            assert_eq!(sheet.faults(&values, &document, Lang::Fr), FormErrors::default());
        }
        let document = map(json!({"exclude_keywords": ["a"], "ignore_automatic": true}));
        let mut values = Sheet::Aside.of(&document);
        values.insert("exclude_keywords", " a \n\nb".to_owned());
        values.insert("ignore_automatic", String::new());
        assert_eq!(
            Sheet::Aside.changed(&values, &document),
            [
                ("exclude_keywords".to_owned(), Some(json!(["a", "b"]))),
                ("ignore_automatic".to_owned(), Some(json!(false)))
            ]
        );
    }

    #[test]
    fn priorities_are_three_lists_of_one_field() {
        let document = map(json!({"sender_priority": {"a@b.fr": "high", "c@d.fr": "low", "odd": 5}}));
        let mut values = Sheet::Priorities.of(&document);
        assert_eq!((values["high"].as_str(), values["low"].as_str()), ("a@b.fr", "c@d.fr"));
        values.insert("high", "C@D.fr".to_owned());
        values.insert("low", String::new());
        assert_eq!(
            Sheet::Priorities.changed(&values, &document),
            [("sender_priority".to_owned(), Some(json!({"odd": 5, "c@d.fr": "high"})))]
        );
        values.insert("low", "c@d.fr\nnobody".to_owned());
        let wrong = Sheet::Priorities.faults(&values, &document, Lang::En);
        assert_eq!(wrong.at("low"), "This address is named twice: c@d.fr");
        assert!(wrong.0.iter().any(|(_, why)| why.ends_with("nobody")));
    }
}
