//! The form of one detector, and the detector that it makes. Pure.
//!
//! As in [`super::rule`], what is sent back as it came changes nothing.

mod fields;

use render_signal_actors::config::documents::coerce::is_on;
use serde_json::{Value, json};

pub(super) use self::fields::DetectorFields;
use super::rule::{rows, shown};
use super::tree::{TestGroup, TestInput, Tests};
use crate::http::pages::form::FormData;
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
