//! The form of one routing rule, and the rule that it makes. Pure.
//!
//! What a form does not show stays as it is stored, and so does what was not changed in it: a
//! form that is sent back as it came gives the very same rule.

use render_signal_actors::config::documents::coerce::is_on;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::rules::compile;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::rules::mask_url;
use serde_json::{Map, Value, json};

use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{Choice, FormField, Input};
use crate::lang::Lang;

/// A condition as a form has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ConditionInput {
    /// Its place in the stored rule; `None` = it is new.
    pub(super) from: Option<usize>,
    /// What is looked at.
    pub(super) field: String,
    /// How it is compared.
    pub(super) operator: String,
    pub(super) value: String,
    /// Capitals count.
    pub(super) case: bool,
}

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

/// One condition of a form.
#[derive(Debug)]
pub(super) struct ConditionRow {
    /// From 0.
    pub(super) number: usize,
    /// What it is called: "Condition 1".
    pub(super) title: String,
    /// What the button says that takes it out.
    pub(super) remove: String,
    /// Its place in the stored rule; empty = it is new.
    pub(super) from: String,
    /// What is looked at, how, with what.
    pub(super) main: Vec<FormField>,
    /// What is seldom changed.
    pub(super) more: Vec<FormField>,
    /// Something of that is set, or wrong.
    pub(super) open: bool,
}

impl ConditionInput {
    fn of(stored: &Value) -> Self {
        let word = |name: &str| stored.get(name).map(shown).unwrap_or_default().trim().to_lowercase();
        Self {
            from: None,
            field: word("field"),
            operator: word("operator"),
            value: stored.get("value").map(shown).unwrap_or_default(),
            case: is_on(stored.get("case_sensitive"), false),
        }
    }

    fn read(form: &FormData, row: usize) -> Self {
        let text = |name: &str| form.get(&format!("c{row}-{name}")).unwrap_or_default().to_owned();
        Self {
            from: text("from").parse().ok(),
            field: text("field"),
            operator: text("operator"),
            value: text("value"),
            case: form.is_on(&format!("c{row}-case")),
        }
    }

    fn write(&self, stored: Option<&Value>) -> Value {
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

    fn fields(&self, number: usize, w: &Words, lang: Lang, wrong: &FormErrors) -> ConditionRow {
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

/// What is wrong with a form, by the names of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FormErrors(pub(super) Vec<(String, String)>);

impl FormErrors {
    /// What is wrong with a field; empty = nothing.
    pub(super) fn at(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, why)| why.as_str())
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

/// Everything that is wrong with a rule, each with the field of the form. The judge of rules stops at
/// the first fault: that is mended in a copy, and the next one asked for.
pub(super) fn faults(rule: &Value, env: &EnvDefaults) -> Vec<(String, Said)> {
    let mut rule = rule.clone();
    let mut found = Vec::new();
    let conditions = rule.get("conditions").and_then(Value::as_array).map_or(0, Vec::len);
    // One for each condition and for each other field.
    while found.len() < conditions + 8 {
        let Err(problem) = compile(&rule, 1, &mut Vec::new(), env) else { break };
        let path = problem.field.strip_prefix("rules[0]").unwrap_or_default().to_owned();
        found.push((field_of(&path), problem.message));
        if mend(&mut rule, &path).is_none() {
            break;
        }
    }
    found
}

/// The field of the form in which a path of a rule is entered; empty = the whole of it.
pub(super) fn field_of(path: &str) -> String {
    if let Some(rest) = path.strip_prefix(".conditions[") {
        let (number, within) = rest.split_once(']').unwrap_or((rest, ""));
        let name = match within {
            ".field" => "field",
            ".operator" => "operator",
            ".case_sensitive" => "case",
            _ => "value",
        };
        return format!("c{number}-{name}");
    }
    match path {
        ".name" => "name",
        ".enabled" => "enabled",
        ".conditions" => "c0-value",
        ".actions" | ".actions.webhook_url" => "url",
        ".actions.priority" => "priority",
        ".actions.stop_processing" => "stop",
        ".actions.ordering" => "ordering",
        ".actions.body" => "body",
        _ => "",
    }
    .to_owned()
}

/// Puts something good where something is wrong.
fn mend(rule: &mut Value, path: &str) -> Option<()> {
    let good = || json!({"field": "subject", "operator": "contains", "value": "x"});
    let rule = rule.as_object_mut()?;
    if let Some(rest) = path.strip_prefix(".conditions[") {
        let place: usize = rest.split_once(']')?.0.parse().ok()?;
        *rule.get_mut("conditions")?.get_mut(place)? = good();
        return Some(());
    }
    match path {
        ".name" => drop(rule.insert("name".to_owned(), "x".into())),
        ".enabled" => drop(rule.shift_remove("enabled")),
        ".conditions" => drop(rule.insert("conditions".to_owned(), json!([good()]))),
        ".actions" => {
            drop(rule.insert("actions".to_owned(), json!({"webhook_url": "https://hook.example.com/x"})));
        }
        ".actions.webhook_url" => {
            *rule.get_mut("actions")?.as_object_mut()?.entry("webhook_url").or_insert(Value::Null) =
                "https://hook.example.com/x".into();
        }
        _ => {
            let name = path.strip_prefix(".actions.")?;
            rule.get_mut("actions")?.as_object_mut()?.shift_remove(name)?;
        }
    }
    Some(())
}
