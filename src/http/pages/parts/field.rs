//! A row of a form: what it is, the value, what it does, and what is wrong with it.

use askama::Template;
use askama::filters::HtmlSafe;

/// One of several values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Choice {
    /// What is sent.
    pub(in crate::http::pages) value: String,
    /// What is read.
    pub(in crate::http::pages) text: String,
}

/// How a value is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Input {
    /// A line. The word is the type of HTML: `text`, `number`, `time`, `date`, `url`, `search`, `password`.
    Line(&'static str),
    /// Some lines; how many are shown.
    Lines(u8),
    /// Yes or no.
    Tick,
    /// One of several, from a list.
    Select(Vec<Choice>),
    /// Any of several, as boxes. The values that are ticked are lines of the value.
    Boxes(Vec<Choice>),
    /// One of several, as buttons.
    Radios(Vec<Choice>),
}

/// A row of a form: a label, an input, and what is wrong with the value.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/field.html")]
pub(in crate::http) struct FormField {
    /// Its name, and with `f-` before it its id.
    pub(in crate::http::pages) name: String,
    pub(in crate::http::pages) label: String,
    /// What it does.
    pub(in crate::http::pages) hint: String,
    /// What is in force now and where from, below that and smaller; empty = nothing.
    pub(in crate::http::pages) note: String,
    /// The value; of a tick: `on` or nothing.
    pub(in crate::http::pages) value: String,
    /// How it is entered.
    pub(in crate::http::pages) input: Input,
    /// What is wrong with it; empty = nothing.
    pub(in crate::http::pages) error: String,
    /// What is said where nothing is entered.
    pub(in crate::http::pages) placeholder: String,
}

impl HtmlSafe for FormField {}

impl FormField {
    /// A row with a value and nothing wrong.
    pub(in crate::http::pages) fn new(
        name: impl Into<String>,
        label: impl Into<String>,
        input: Input,
        value: impl Into<String>,
    ) -> Self {
        let (name, label, value) = (name.into(), label.into(), value.into());
        let [hint, note, error, placeholder] = [const { String::new() }; 4];
        Self { name, label, hint, note, value, input, error, placeholder }
    }

    /// With what it does.
    pub(in crate::http::pages) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// With what is in force.
    pub(in crate::http::pages) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// With what is wrong.
    pub(in crate::http::pages) fn error(mut self, error: impl Into<String>) -> Self {
        self.error = error.into();
        self
    }

    /// With what is said where nothing is entered.
    pub(in crate::http::pages) fn placeholder(mut self, text: impl Into<String>) -> Self {
        self.placeholder = text.into();
        self
    }

    /// What describes it, by ids.
    fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if !self.error.is_empty() {
            ids.push(format!("f-{}-error", self.name));
        }
        if !(self.hint.is_empty() && self.note.is_empty()) {
            ids.push(format!("f-{}-hint", self.name));
        }
        ids.join(" ")
    }

    /// Whether a box is ticked.
    fn has(&self, value: &str) -> bool {
        self.value.lines().any(|line| line == value)
    }

    /// What the input itself says of what describes it and of what is wrong.
    fn state(&self) -> InputAttributes {
        InputAttributes { described_by: self.described_by(), wrong: !self.error.is_empty() }
    }
}

/// Attributes that every input has.
#[derive(Debug, Template)]
#[template(
    source = "{% if !described_by.is_empty() %} aria-describedby=\"{{ described_by }}\"{% endif %}{% if wrong %} aria-invalid=\"true\"{% endif %}",
    ext = "html"
)]
struct InputAttributes {
    described_by: String,
    wrong: bool,
}

impl HtmlSafe for InputAttributes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_its_input_and_says_what_is_wrong_beside_it() {
        let row = FormField::new("start", "Début", Input::Line("time"), "25:00\"<b>");
        let row = row.hint("De 00:00 à 23:59").error("n'est pas une heure").to_string();
        assert!(row.contains("<label for=\"f-start\">Début</label>"), "{row}");
        assert!(row.contains("aria-describedby=\"f-start-error f-start-hint\""), "{row}");
        assert!(row.contains("aria-invalid=\"true\""), "{row}");
        assert!(row.contains("id=\"f-start-error\""), "{row}");
        assert!(!row.contains("<b>") && row.contains("25:00&#34;"), "{row}");
    }

    #[test]
    fn the_values_that_are_there_are_chosen() {
        let choice = |value: &str| Choice { value: value.into(), text: value.to_uppercase() };
        let choices = vec![choice("a"), choice("b"), choice("c")];
        let boxes = FormField::new("days", "Jours", Input::Boxes(choices.clone()), "a\nc").to_string();
        assert_eq!(boxes.matches(" checked").count(), 2, "{boxes}");
        let select = FormField::new("x", "X", Input::Select(choices), "b").to_string();
        assert!(select.contains("value=\"b\" selected"), "{select}");
        let tick = FormField::new("x", "X", Input::Tick, "on").to_string();
        assert!(tick.contains(" checked"), "{tick}");
    }
}
