//! The form of one detector, and the detector that it makes. Pure.
//!
//! As in [`super::rule`], what is sent back as it came changes nothing.

use render_signal_actors::config::documents::coerce::is_on;
use serde_json::{Value, json};

use super::rule::{ConditionRow, FormErrors, choices, on_off, rows, shown};
use super::tree::{TestGroup, TestInput, Tests};
use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{FormField, Input};
use crate::lang::Lang;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Looks {
    /// As rows.
    Rows(Tests),
    /// As JSON: `conditions`, and `urgent`.
    Text(String, String),
}

/// A detector as a form has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DetectorForm {
    /// Unique.
    pub(super) id: String,
    /// For people.
    pub(super) name: String,
    /// Its word in the payload.
    pub(super) value: String,
    /// It is asked.
    pub(super) enabled: bool,
    pub(super) looks: Looks,
    /// Outside of the window, an urgent mail: `hold`, `skip` or `send`.
    pub(super) outside_urgent: String,
    /// And any other.
    pub(super) outside: String,
    /// A mail that is skipped is marked as read.
    pub(super) mark_read: bool,
    /// Words for which mails of this kind are ignored, one to a line.
    pub(super) keywords: String,
    /// What is taken out, as JSON.
    pub(super) extract: String,
}

impl DetectorForm {
    /// Of a new detector.
    pub(super) fn new() -> Self {
        let test = json!({"field": "subject", "operator": "contains"});
        Self::of(&json!({ "conditions": { "all": [test] } }))
    }

    /// What a stored detector fills it with.
    pub(super) fn of(stored: &Value) -> Self {
        let text = |name: &str| stored.get(name).map(shown).unwrap_or_default();
        let nothing = json!({});
        let (conditions, urgent) = (stored.get("conditions").unwrap_or(&nothing), stored.get("urgent"));
        let urgent = urgent.filter(|urgent| !urgent.is_null());
        let looks = Tests::of(conditions, urgent)
            .map_or_else(|| Looks::Text(pretty(Some(conditions)), pretty(urgent)), Looks::Rows);
        let outside = |case: &str| {
            let written = match stored.get("outside_window") {
                Some(Value::Object(cases)) => cases.get(case).and_then(Value::as_str),
                Some(both) => both.as_str(),
                None => None,
            };
            written.unwrap_or("hold").to_owned()
        };
        let keywords =
            stored.get("exclude_keywords").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let keywords: Vec<String> = keywords.iter().map(shown).collect();
        Self {
            id: text("id"),
            name: text("name"),
            value: text("detector"),
            enabled: is_on(stored.get("enabled"), true),
            looks,
            outside_urgent: outside("urgent"),
            outside: outside("otherwise"),
            mark_read: is_on(stored.get("mark_skipped_read"), false),
            keywords: keywords.join("\n"),
            extract: pretty(stored.get("extract")),
        }
    }

    /// What somebody has sent.
    pub(super) fn read(form: &FormData) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        let looks = match form.get("conditions") {
            Some(conditions) => Looks::Text(conditions.to_owned(), text("urgent")),
            None => {
                // A browser sends the rows in the order of the page.
                let rows = rows(form, "operator").into_iter().map(|row| read(form, row)).collect();
                Looks::Rows(Tests {
                    rows,
                    explain_any: text("explain-any"),
                    explain_none: text("explain-none"),
                })
            }
        };
        Self {
            id: text("id"),
            name: text("name"),
            value: text("detector"),
            enabled: form.is_on("enabled"),
            looks,
            outside_urgent: text("outside-urgent"),
            outside: text("outside"),
            mark_read: form.is_on("mark-read"),
            keywords: text("keywords"),
            extract: text("extract"),
        }
    }

    /// The detector: the stored one with what was changed.
    ///
    /// # Errors
    /// The fields that have to be JSON and are none, each with why not.
    pub(super) fn write(&self, stored: Option<&Value>, lang: Lang) -> Result<Value, Vec<(String, String)>> {
        let before = stored.map(Self::of);
        if let (Some(stored), true) = (stored, before.as_ref() == Some(self)) {
            return Ok(stored.clone());
        }
        let mut wrong = Vec::new();
        let mut made = stored.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut put = |name: &str, value: Option<Value>| match value {
            Some(value) => drop(made.insert(name.to_owned(), value)),
            None => drop(made.shift_remove(name)),
        };
        let text = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(Value::from);
        let old = before.as_ref();
        if old.is_none_or(|old| old.id != self.id) {
            put("id", Some(self.id.trim().into()));
        }
        if old.is_none_or(|old| old.name != self.name) {
            put("name", text(&self.name));
        }
        if old.is_none_or(|old| old.value != self.value) {
            put("detector", text(&self.value));
        }
        if old.map_or(!self.enabled, |old| old.enabled != self.enabled) {
            put("enabled", (!self.enabled).then_some(Value::Bool(false)));
        }
        if old.is_none_or(|old| old.looks != self.looks) {
            match &self.looks {
                Looks::Rows(tests) => {
                    let (conditions, urgent, _) = tests.write();
                    put("conditions", Some(conditions));
                    put("urgent", urgent);
                }
                Looks::Text(conditions, urgent) => {
                    for (name, text) in [("conditions", conditions), ("urgent", urgent)] {
                        match json_of(text, lang) {
                            Ok(value) => put(name, value),
                            Err(why) => wrong.push((name.to_owned(), why)),
                        }
                    }
                }
            }
        }
        let windows = |form: &Self| (form.outside_urgent.clone(), form.outside.clone());
        if old.map_or(windows(self) != ("hold".to_owned(), "hold".to_owned()), |old| {
            windows(old) != windows(self)
        }) {
            let (urgent, otherwise) = windows(self);
            put(
                "outside_window",
                Some(match urgent == otherwise {
                    true => urgent.into(),
                    false => json!({"urgent": urgent, "otherwise": otherwise}),
                }),
            );
        }
        if old.map_or(self.mark_read, |old| old.mark_read != self.mark_read) {
            put("mark_skipped_read", self.mark_read.then_some(Value::Bool(true)));
        }
        if old.map_or(!self.keywords.trim().is_empty(), |old| old.keywords != self.keywords) {
            let words = lines(&self.keywords);
            put("exclude_keywords", (!words.is_empty()).then(|| json!(words)));
        }
        if old.map_or(!self.extract.trim().is_empty(), |old| old.extract != self.extract) {
            match json_of(&self.extract, lang) {
                Ok(value) => put("extract", value),
                Err(why) => wrong.push(("extract".to_owned(), why)),
            }
        }
        if wrong.is_empty() { Ok(Value::Object(made)) } else { Err(wrong) }
    }

    /// The field of the form in which a path of the detector is entered, and the rest of the path,
    /// where the field holds more than that.
    pub(super) fn field_of(&self, path: &str) -> (String, String) {
        if let Looks::Rows(tests) = &self.looks {
            let (_, _, places) = tests.write();
            let row = places.iter().find(|(_, place)| path.strip_prefix(place.as_str()).is_some_and(ends));
            if let Some((row, place)) = row {
                let name = match path.get(place.len()..).unwrap_or_default().split(['.', '[']).nth(1) {
                    Some("field") => "field",
                    Some("operator") => "operator",
                    Some("form" | "case_sensitive") => "form",
                    Some("explain") => "explain",
                    _ => "values",
                };
                return (format!("c{row}-{name}"), String::new());
            }
        }
        let rest = path.trim_start_matches('.').to_owned();
        let field = match path.split(['.', '[']).nth(1).unwrap_or_default() {
            "id" => "id",
            "name" => "name",
            "detector" => "detector",
            "enabled" => "enabled",
            "mark_skipped_read" => "mark-read",
            "outside_window" if path.ends_with(".urgent") => "outside-urgent",
            "outside_window" => "outside",
            "exclude_keywords" => "keywords",
            "extract" => return ("extract".to_owned(), rest),
            "conditions" | "urgent" if matches!(self.looks, Looks::Rows(_)) => "c0-values",
            "conditions" => return ("conditions".to_owned(), rest),
            "urgent" => return ("urgent".to_owned(), rest),
            _ => return (String::new(), rest),
        };
        (field.to_owned(), String::new())
    }

    /// Its rows, with what is wrong.
    pub(super) fn fields(&self, w: &Words, lang: Lang, wrong: &FormErrors) -> DetectorFields {
        let field = |name: &str, label: &str, input, value: &str| {
            FormField::new(name, label, input, value).error(wrong.at(name))
        };
        let outside = [("hold", w.outside_hold), ("send", w.outside_send), ("skip", w.outside_skip)];
        let select = |name: &str, label: &str, value: &str| {
            field(name, label, Input::Select(choices(&outside, value, w)), value)
        };
        let json = |name: &str, label: &str, rows, value: &str| field(name, label, Input::Lines(rows), value);
        let (rows, texts, explains) = match &self.looks {
            Looks::Text(conditions, urgent) => (
                Vec::new(),
                vec![
                    json("conditions", w.conditions_json, 16, conditions).hint(w.conditions_json_hint),
                    json("urgent", w.urgent_json, 4, urgent).hint(w.urgent_json_hint),
                ],
                Vec::new(),
            ),
            Looks::Rows(tests) => {
                let rows = tests.rows.iter().enumerate();
                let explain = |name: &str, label: &str, value: &str| {
                    field(name, label, Input::Line("text"), value).hint(w.explain_hint)
                };
                (
                    rows.map(|(number, row)| fields(row, number, w, lang, wrong)).collect(),
                    Vec::new(),
                    vec![
                        explain("explain-any", w.explain_any, &tests.explain_any),
                        explain("explain-none", w.explain_none, &tests.explain_none),
                    ],
                )
            }
        };
        DetectorFields {
            name: field("name", w.name, Input::Line("text"), &self.name).hint(w.detector_name_hint),
            id: field("id", w.id, Input::Line("text"), &self.id).hint(w.id_hint),
            value: field("detector", w.detector_value, Input::Line("text"), &self.value)
                .hint(w.detector_value_hint)
                .placeholder(self.id.as_str()),
            enabled: field("enabled", w.enabled, Input::Tick, on_off(self.enabled))
                .hint(w.detector_enabled_hint),
            rows,
            texts,
            explains,
            outside: vec![
                select("outside-urgent", w.outside_urgent, &self.outside_urgent),
                select("outside", w.outside, &self.outside),
            ],
            mark_read: field("mark-read", w.mark_read, Input::Tick, on_off(self.mark_read))
                .hint(w.mark_read_hint),
            keywords: field("keywords", w.keywords, Input::Lines(3), &self.keywords)
                .hint(w.detector_keywords_hint),
            extract: json("extract", w.extract, 10, &self.extract).hint(w.extract_hint),
        }
    }
}

/// The rows of a detector's form.
#[derive(Debug)]
pub(super) struct DetectorFields {
    pub(super) name: FormField,
    pub(super) id: FormField,
    pub(super) value: FormField,
    pub(super) enabled: FormField,
    pub(super) rows: Vec<ConditionRow>,
    pub(super) texts: Vec<FormField>,
    pub(super) explains: Vec<FormField>,
    pub(super) outside: Vec<FormField>,
    pub(super) mark_read: FormField,
    pub(super) keywords: FormField,
    pub(super) extract: FormField,
}

fn read(form: &FormData, row: usize) -> TestInput {
    let text = |name: &str| form.get(&format!("c{row}-{name}")).unwrap_or_default().to_owned();
    TestInput {
        group: TestGroup::named(&text("group")).unwrap_or(TestGroup::All),
        field: text("field"),
        operator: text("operator"),
        values: text("values"),
        form: text("form"),
        explain: text("explain"),
    }
}

fn fields(row: &TestInput, number: usize, w: &Words, lang: Lang, wrong: &FormErrors) -> ConditionRow {
    let name = |name: &str| format!("c{number}-{name}");
    let field = |short: &str, label: &str, input, value: &str| {
        FormField::new(name(short), label, input, value).error(wrong.at(&name(short)))
    };
    let select = |short: &str, label: &str, known: &[(&str, &str)], value: &str| {
        field(short, label, Input::Select(choices(known, value, w)), value)
    };
    let groups =
        [("all", w.group_all), ("any", w.group_any), ("none", w.group_none), ("urgent", w.group_urgent)];
    let looked = [("subject", w.subject), ("body", w.body), ("sender", w.sender), ("links", w.links)];
    let operators = [
        ("contains", w.contains),
        ("word", w.word),
        ("starts_with", w.starts_with),
        ("equals", w.equals),
        ("regex", w.regex),
        ("present", w.present),
        ("provider", w.provider),
        ("host", w.host),
    ];
    let forms = [("normalised", w.form_normalised), ("seen", w.form_seen), ("case", w.form_case)];
    let height = u8::try_from(row.values.lines().count().clamp(1, 8)).unwrap_or(8);
    ConditionRow {
        number,
        title: w.condition_number(lang, number + 1),
        remove: w.remove_condition(lang, number + 1),
        from: String::new(),
        main: vec![
            select("group", w.group, &groups, row.group.word()),
            select("field", w.looks_at, &looked, &row.field),
            select("operator", w.compares, &operators, &row.operator),
            field("values", w.values, Input::Lines(height), &row.values),
        ],
        more: vec![
            select("form", w.form, &forms, &row.form),
            field("explain", w.explain, Input::Line("text"), &row.explain).hint(w.explain_hint),
        ],
        open: !wrong.at(&name("form")).is_empty() || !wrong.at(&name("explain")).is_empty(),
    }
}

/// Whether a path ends here, or goes into what is there.
fn ends(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
}

/// The lines of a box that say something, trimmed.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn pretty(value: Option<&Value>) -> String {
    value.filter(|value| !value.is_null()).map(|value| format!("{value:#}")).unwrap_or_default()
}

/// What a box of JSON says; nothing when it is empty.
fn json_of(text: &str, lang: Lang) -> Result<Option<Value>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match lang {
            Lang::Fr => format!("Ce n'est pas du JSON\u{a0}: ligne {line}, colonne {column}."),
            Lang::En => format!("This is no JSON: line {line}, column {column}."),
        }
    })
}
