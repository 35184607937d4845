//! A condition of a rule in the form.

use render_signal_actors::config::documents::coerce::is_on;
use serde_json::{Map, Value};

use super::super::words::Words;
use super::{FormErrors, choices, on_off, shown};
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{FormField, Input};
use crate::lang::Lang;

/// A condition as a form has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http::pages::rules) struct ConditionInput {
    /// Its place in the stored rule; `None` = it is new.
    pub(in crate::http::pages::rules) from: Option<usize>,
    /// What is looked at.
    pub(in crate::http::pages::rules) field: String,
    /// How it is compared.
    pub(in crate::http::pages::rules) operator: String,
    pub(in crate::http::pages::rules) value: String,
    /// Capitals count.
    pub(in crate::http::pages::rules) case: bool,
}

/// One condition of a form.
#[derive(Debug)]
pub(in crate::http::pages::rules) struct ConditionRow {
    /// From 0.
    pub(in crate::http::pages::rules) number: usize,
    /// What it is called: "Condition 1".
    pub(in crate::http::pages::rules) title: String,
    /// What the button says that takes it out.
    pub(in crate::http::pages::rules) remove: String,
    /// Its place in the stored rule; empty = it is new.
    pub(in crate::http::pages::rules) from: String,
    /// What is looked at, how, with what.
    pub(in crate::http::pages::rules) main: Vec<FormField>,
    /// What is seldom changed.
    pub(in crate::http::pages::rules) more: Vec<FormField>,
    /// Something of that is set, or wrong.
    pub(in crate::http::pages::rules) open: bool,
}

impl ConditionInput {
    pub(in crate::http::pages::rules) fn of(stored: &Value) -> Self {
        let word = |name: &str| stored.get(name).map(shown).unwrap_or_default().trim().to_lowercase();
        Self {
            from: None,
            field: word("field"),
            operator: word("operator"),
            value: stored.get("value").map(shown).unwrap_or_default(),
            case: is_on(stored.get("case_sensitive"), false),
        }
    }

    pub(in crate::http::pages::rules) fn read(form: &FormData, row: usize) -> Self {
        let text = |name: &str| form.get(&format!("c{row}-{name}")).unwrap_or_default().to_owned();
        Self {
            from: text("from").parse().ok(),
            field: text("field"),
            operator: text("operator"),
            value: text("value"),
            case: form.is_on(&format!("c{row}-case")),
        }
    }

    pub(in crate::http::pages::rules) fn write(&self, stored: Option<&Value>) -> Value {
        let before = stored.map(|stored| Self { from: self.from, ..Self::of(stored) });
        if let (Some(stored), true) = (stored, before.as_ref() == Some(self)) {
            return stored.clone();
        }
        let mut condition: Map<String, Value> =
            stored.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut put = |name: &str, now: &str, was: Option<&String>| {
            if was.map(String::as_str) != Some(now) {
                condition.insert(name.to_owned(), now.trim().into());
            }
        };
        put("field", &self.field, before.as_ref().map(|old| &old.field));
        put("operator", &self.operator, before.as_ref().map(|old| &old.operator));
        put("value", &self.value, before.as_ref().map(|old| &old.value));
        if before.as_ref().map_or(self.case, |old| old.case != self.case) {
            condition.insert("case_sensitive".to_owned(), self.case.into());
        }
        Value::Object(condition)
    }

    pub(in crate::http::pages::rules) fn fields(
        &self,
        number: usize,
        w: &Words,
        lang: Lang,
        wrong: &FormErrors,
    ) -> ConditionRow {
        let name = |name: &str| format!("c{number}-{name}");
        let field = |short: &str, label: &str, input, value: &str| {
            FormField::new(name(short), label, input, value).error(wrong.at(&name(short)))
        };
        let fields = [("subject", w.subject), ("sender", w.sender), ("body", w.rule_body)];
        let operators = [("contains", w.contains), ("equals", w.equals), ("regex", w.regex)];
        // A line of HTML has no line breaks: what has some is kept in a box of several lines.
        let lines = if self.value.contains('\n') { Input::Lines(2) } else { Input::Line("text") };
        ConditionRow {
            number,
            title: w.condition_number(lang, number + 1),
            remove: w.remove_condition(lang, number + 1),
            from: self.from.map(|from| from.to_string()).unwrap_or_default(),
            main: vec![
                field("field", w.looks_at, Input::Select(choices(&fields, &self.field, w)), &self.field),
                field(
                    "operator",
                    w.compares,
                    Input::Select(choices(&operators, &self.operator, w)),
                    &self.operator,
                ),
                field("value", w.value, lines, &self.value),
            ],
            more: vec![field("case", w.case, Input::Tick, on_off(self.case))],
            open: self.case || !wrong.at(&name("case")).is_empty(),
        }
    }
}
