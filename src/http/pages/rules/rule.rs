//! The form of one routing rule, and the rule that it makes. Pure.
//!
//! What a form does not show stays as it is stored, and so does what was not changed in it: a
//! form that is sent back as it came gives the very same rule.

mod condition;
mod form_errors;

use render_signal_actors::config::documents::coerce::is_on;
use render_signal_actors::mail::rules::mask_url;
use serde_json::{Value, json};

pub(super) use self::condition::{ConditionInput, ConditionRow};
pub(super) use self::form_errors::{FormErrors, faults, field_of};
use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{Choice, FormField, Input};
use crate::lang::Lang;

/// A rule as a form has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleForm {
    /// For people.
    pub(super) name: String,
    /// It is asked.
    pub(super) enabled: bool,
    /// All of them have to hold.
    pub(super) conditions: Vec<ConditionInput>,
    /// Where it sends; masked as long as it is the stored one.
    pub(super) url: String,
    /// `normal` or `high`.
    pub(super) priority: String,
    /// Nothing goes to the default target besides.
    pub(super) stop: bool,
    /// `none`, `sender` or `mailbox`.
    pub(super) ordering: String,
    /// How much of the text: `all`, `text` or `none`.
    pub(super) share: String,
}

impl RuleForm {
    /// Of a new rule.
    pub(super) fn new() -> Self {
        let condition = ConditionInput {
            field: "subject".into(),
            operator: "contains".into(),
            ..ConditionInput::default()
        };
        Self { conditions: vec![condition], ..Self::of(&json!({"conditions": []})) }
    }

    /// What a stored rule fills it with.
    pub(super) fn of(stored: &Value) -> Self {
        let actions = stored.get("actions");
        let action = |name: &str, absent: &str| {
            let written = actions.and_then(|actions| actions.get(name)).map(shown).unwrap_or_default();
            if written.is_empty() { absent.to_owned() } else { written.trim().to_lowercase() }
        };
        let url = actions.and_then(|actions| actions.get("webhook_url")).map(shown).unwrap_or_default();
        let conditions = stored.get("conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Self {
            name: stored.get("name").map(shown).unwrap_or_default(),
            enabled: is_on(stored.get("enabled"), true),
            conditions: conditions
                .iter()
                .enumerate()
                .map(|(place, condition)| ConditionInput {
                    from: Some(place),
                    ..ConditionInput::of(condition)
                })
                .collect(),
            url: if url.is_empty() { url } else { mask_url(&url) },
            priority: action("priority", "normal"),
            stop: is_on(actions.and_then(|actions| actions.get("stop_processing")), false),
            ordering: action("ordering", "none"),
            share: action("body", "all"),
        }
    }

    /// What somebody has sent.
    pub(super) fn read(form: &FormData) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            enabled: form.is_on("enabled"),
            conditions: rows(form, "operator")
                .into_iter()
                .map(|row| ConditionInput::read(form, row))
                .collect(),
            url: text("url"),
            priority: text("priority"),
            stop: form.is_on("stop"),
            ordering: text("ordering"),
            share: text("body"),
        }
    }

    /// The rule: the stored one with what was changed. `id` is that of a new one.
    pub(super) fn write(&self, stored: Option<&Value>, id: &str) -> Value {
        let before = stored.map(Self::of);
        if let (Some(stored), true) = (stored, before.as_ref() == Some(self)) {
            return stored.clone();
        }
        let mut rule = stored.and_then(Value::as_object).cloned().unwrap_or_default();
        if stored.is_none() {
            rule.insert("id".to_owned(), id.into());
        }
        let is_new = |now: &str, was: fn(&Self) -> &String| before.as_ref().is_none_or(|old| was(old) != now);
        if is_new(&self.name, |old| &old.name) {
            rule.insert("name".to_owned(), self.name.trim().into());
        }
        if before.as_ref().map_or(!self.enabled, |old| old.enabled != self.enabled) {
            match self.enabled {
                true => drop(rule.shift_remove("enabled")),
                false => drop(rule.insert("enabled".to_owned(), false.into())),
            }
        }
        if before.as_ref().is_none_or(|old| old.conditions != self.conditions) {
            let old = rule.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
            let made = self.conditions.iter().map(|row| row.write(row.from.and_then(|at| old.get(at))));
            rule.insert("conditions".to_owned(), made.collect());
        }
        let mut actions = rule.get("actions").and_then(Value::as_object).cloned().unwrap_or_default();
        let had = actions.clone();
        if is_new(&self.url, |old| &old.url) {
            actions.insert("webhook_url".to_owned(), self.url.trim().into());
        }
        if is_new(&self.priority, |old| &old.priority) {
            actions.insert("priority".to_owned(), self.priority.as_str().into());
        }
        if before.as_ref().is_none_or(|old| old.stop != self.stop) {
            actions.insert("stop_processing".to_owned(), self.stop.into());
        }
        // What the system before does not know is written where it says something only.
        let differs = |now: &str, was: fn(&Self) -> &String, absent: &str| {
            before.as_ref().map_or(now != absent, |old| was(old) != now)
        };
        if differs(&self.ordering, |old| &old.ordering, "none") {
            actions.insert("ordering".to_owned(), self.ordering.as_str().into());
        }
        if differs(&self.share, |old| &old.share, "all") {
            actions.insert("body".to_owned(), self.share.as_str().into());
        }
        if stored.is_none() || actions != had {
            rule.insert("actions".to_owned(), Value::Object(actions));
        }
        Value::Object(rule)
    }

    /// Its rows but for the conditions, with what is wrong.
    pub(super) fn fields(&self, w: &Words, lang: Lang, wrong: &FormErrors) -> RuleFields {
        let field = |name: &str, label: &str, input, value: &str| {
            FormField::new(name, label, input, value).error(wrong.at(name))
        };
        let pick = |name: &str, label: &str, known: &[(&str, &str)], value: &str| {
            field(name, label, Input::Select(choices(known, value, w)), value)
        };
        let tick = |name: &str, label: &str, on: bool| field(name, label, Input::Tick, on_off(on));
        RuleFields {
            name: field("name", w.name, Input::Line("text"), &self.name).hint(w.rule_name_hint),
            enabled: tick("enabled", w.enabled, self.enabled).hint(w.rule_enabled_hint),
            url: field("url", w.url, Input::Line("text"), &self.url)
                .hint(w.url_hint)
                .placeholder("https://hook.eu2.make.com/…"),
            stop: tick("stop", w.stop, self.stop).hint(w.stop_hint),
            priority: pick(
                "priority",
                w.priority,
                &[("normal", w.priority_normal), ("high", w.priority_high)],
                &self.priority,
            )
            .hint(w.priority_hint),
            ordering: pick(
                "ordering",
                w.ordering,
                &[("none", w.ordering_none), ("sender", w.ordering_sender), ("mailbox", w.ordering_mailbox)],
                &self.ordering,
            )
            .hint(w.ordering_hint),
            share: pick(
                "body",
                w.share,
                &[("all", w.share_all), ("text", w.share_text), ("none", w.share_none)],
                &self.share,
            )
            .hint(w.share_hint),
            rows: self
                .conditions
                .iter()
                .enumerate()
                .map(|(number, row)| row.fields(number, w, lang, wrong))
                .collect(),
        }
    }
}

/// The rows of a rule's form.
#[derive(Debug)]
pub(super) struct RuleFields {
    pub(super) name: FormField,
    pub(super) enabled: FormField,
    pub(super) url: FormField,
    pub(super) stop: FormField,
    pub(super) priority: FormField,
    pub(super) ordering: FormField,
    pub(super) share: FormField,
    pub(super) rows: Vec<ConditionRow>,
}

impl RuleFields {
    /// Something that is seldom changed is another value than usual, or wrong.
    pub(super) fn rare_open(&self) -> bool {
        let usual = [(&self.priority, "normal"), (&self.ordering, "none"), (&self.share, "all")];
        usual.iter().any(|(field, usual)| field.value != *usual || !field.error.is_empty())
    }
}

/// A stored value as text.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The value of a tick.
pub(super) const fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "" }
}

/// Choices, and what is stored when it is none of them: sent back as it is, it changes nothing.
pub(super) fn choices(known: &[(&str, &str)], stored: &str, w: &Words) -> Vec<Choice> {
    let choice = |value: &str, text: &str| Choice { value: value.to_owned(), text: text.to_owned() };
    let odd = known.iter().all(|(value, _)| *value != stored);
    let odd = odd.then(|| choice(stored, if stored.is_empty() { w.choose } else { stored }));
    odd.into_iter().chain(known.iter().map(|(value, text)| choice(value, text))).collect()
}

/// The numbers of the rows of a form, each known by its field of this name.
pub(super) fn rows(form: &FormData, name: &str) -> Vec<usize> {
    let number = |field: &str| {
        let (number, found) = field.strip_prefix('c')?.split_once('-')?;
        (found == name).then(|| number.parse().ok())?
    };
    let mut rows: Vec<usize> = form.0.iter().filter_map(|(field, _)| number(field)).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}
