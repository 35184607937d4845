//! One section of the page as a form: its fields, what they hold, and what is said beside them.

use render_signal_actors::config::history::HistoryVersion;
use render_signal_actors::config::policy::EnvDefaults;
use serde_json::Value;

use super::super::effect::{self, Effect};
use super::super::force::{Force, ValueSource, says};
use super::super::groups::{SettingsGroup, entered, was};
use super::super::inputs::{self, InputKind};
use super::super::words::Words;
use super::super::{SEEN, vacation};
use super::{Last, first_large, last};
use crate::http::pages::documents::{self, EditedDocument, Problems, days, history_of, in_words};
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{Choice, Confirm, FormField, Input, UntrustedText};
use crate::http::pages::visit::PageVisit;

pub(in crate::http::pages::settings) struct FormView {
    pub(super) group: SettingsGroup,
    pub(super) title: &'static str,
    pub(super) fields: Vec<FormField>,
    pub(super) hidden: Vec<(String, String)>,
    /// What was entered would mean.
    pub(super) would: Option<Effect>,
    pub(super) can_look: bool,
    pub(super) refused: bool,
    pub(super) locked: Option<String>,
    pub(super) quick: Vec<Confirm>,
    pub(super) last: Option<Last>,
    pub(super) history: String,
    /// What of its document has no effect.
    pub(super) idle: Vec<UntrustedText>,
}

/// What somebody has entered in one of the forms.
pub(in crate::http::pages::settings) struct Entered {
    pub(super) group: SettingsGroup,
    pub(super) form: FormData,
    pub(super) wrong: Problems,
    /// What it would mean.
    pub(in crate::http::pages::settings) effect: Option<Effect>,
}

impl Entered {
    pub(in crate::http::pages::settings) fn new(group: SettingsGroup, form: FormData) -> Self {
        Self { group, form, wrong: Problems::default(), effect: None }
    }

    /// With what is wrong with it.
    pub(in crate::http::pages::settings) fn wrong(mut self, wrong: Problems) -> Self {
        self.wrong = wrong;
        self
    }
}

/// What every form is made of.
pub(in crate::http::pages::settings) struct Made<'a> {
    pub(super) visit: &'a PageVisit,
    pub(super) w: &'static Words,
    pub(super) force: Force<'a>,
    pub(super) entered: Option<&'a Entered>,
}

impl Made<'_> {
    pub(in crate::http::pages::settings) fn form(
        &self,
        group: SettingsGroup,
        document: &EditedDocument,
        past: &[HistoryVersion],
    ) -> FormView {
        let (visit, w) = (self.visit, self.w);
        let entered = self.entered.filter(|entered| entered.group == group);
        let shown: Vec<(String, String)> = group
            .fields()
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), self.shown(document, name, *kind)))
            .collect();
        let fields = group.fields().iter().zip(&shown);
        let fields =
            fields.map(|((name, kind), (_, value))| self.field(document, name, *kind, value, entered));
        let seen = entered.map_or(document.seen.as_str(), |entered| entered.form.text(SEEN));
        let hidden = shown.iter().map(|(name, value)| {
            let was = was(name);
            let value = entered.map_or(value.as_str(), |entered| entered.form.text(&was));
            (was, value.to_owned())
        });
        let hidden = hidden.chain([(SEEN.to_owned(), seen.to_owned())]).collect();
        let quick = match group {
            SettingsGroup::Vacation if document.unreadable.is_none() => {
                vacation::buttons(visit, self.force.policy, &shown, &document.seen)
            }
            _ => Vec::new(),
        };
        let own = |text: &str| group.fields().iter().any(|(name, _)| text.starts_with(name));
        let first = SettingsGroup::ALL.into_iter().find(|other| other.key() == group.key()) == Some(group);
        let idle = document.state.remarks.iter().filter(|said| own(&said.english) || first);
        FormView {
            group,
            title: w.form(group),
            fields: fields.collect(),
            hidden,
            would: entered.and_then(|entered| entered.effect.clone()),
            can_look: effect::of(group, self.force.policy, visit.clock).is_some(),
            refused: entered.is_some(),
            locked: document.unreadable.clone(),
            quick,
            last: last(visit, group, past),
            history: history_of(document.key),
            idle: idle.map(|said| UntrustedText(visit.lang.said(said).to_owned())).collect(),
        }
    }

    /// What an input shows: what the document says, or else what is in force.
    fn shown(&self, document: &EditedDocument, name: &str, kind: InputKind) -> String {
        let (stored, in_force) = (document.value.get(name), || self.force.value(name));
        match (kind, stored) {
            (_, Some(stored)) if says(&document.value, name) => inputs::shown(kind, stored),
            // What is left empty lets the environment decide; an input that cannot be empty shows that.
            (InputKind::Switch | InputKind::Days | InputKind::Choice(_), _) => {
                inputs::shown(kind, &in_force())
            }
            (InputKind::Weekdays | InputKind::Time, None)
                if self.force.source(&document.value, name) == ValueSource::Document =>
            {
                inputs::shown(kind, &in_force())
            }
            _ => String::new(),
        }
    }

    fn field(
        &self,
        document: &EditedDocument,
        name: &str,
        kind: InputKind,
        value: &str,
        form: Option<&Entered>,
    ) -> FormField {
        let lang = self.visit.lang;
        let value = form.map_or_else(|| value.to_owned(), |form| entered(&form.form, name, kind));
        let error = form.map_or("", |form| form.wrong.at(name)).to_owned();
        let in_force = self.force.value(name);
        let placeholder = self.placeholder(&document.value, name, kind, &in_force);
        FormField::new(name, documents::field(lang, name), self.input(name, kind, &placeholder), value)
            .hint(self.w.does(name))
            .note(self.note(document, name, &in_force))
            .error(error)
            .placeholder(placeholder)
    }

    fn input(&self, name: &str, kind: InputKind, placeholder: &str) -> Input {
        let (lang, clock) = (self.visit.lang, self.visit.clock);
        let choice = |value: String, text: String| Choice { value, text };
        let named = |words: &[&str]| {
            let all = words.iter().map(|word| {
                choice((*word).to_owned(), first_large(&in_words(clock, name, &Value::from(*word))))
            });
            all.collect()
        };
        match kind {
            InputKind::Switch => Input::Tick,
            InputKind::Days => Input::Boxes(
                days(lang)
                    .iter()
                    .enumerate()
                    .map(|(number, (_, day))| choice(number.to_string(), first_large(day)))
                    .collect(),
            ),
            InputKind::Weekdays => Input::Boxes(
                days(lang).iter().map(|(word, day)| choice((*word).to_owned(), first_large(day))).collect(),
            ),
            InputKind::Hour(last) => {
                let nobody = choice(String::new(), placeholder.to_owned());
                let hours =
                    (0..=last).map(|hour| choice(hour.to_string(), in_words(clock, name, &hour.into())));
                Input::Select([nobody].into_iter().chain(hours).collect())
            }
            InputKind::Choice(words) if words.len() < 4 => Input::Radios(named(words)),
            InputKind::Choice(words) => Input::Select(named(words)),
            InputKind::Time => Input::Line("time"),
            InputKind::Date => Input::Line("date"),
            InputKind::Number(..) => Input::Line("number"),
            // The stored one is masked, which is no address to a browser.
            InputKind::Url => Input::Line("text"),
            InputKind::Words => Input::Lines(2),
        }
    }

    /// What is so where nothing is entered.
    fn placeholder(
        &self,
        document: &serde_json::Map<String, Value>,
        name: &str,
        kind: InputKind,
        in_force: &Value,
    ) -> String {
        let clock = self.visit.clock;
        let (w, lang) = (self.w, self.visit.lang);
        match kind {
            InputKind::Hour(_) => {
                let (env, default) = (self.force.env, EnvDefaults::default());
                let (hour, usual) = match name {
                    "active_start_hour" => (env.active_start_hour, default.active_start_hour),
                    _ => (env.active_end_hour, default.active_end_hour),
                };
                w.unset(lang, &in_words(clock, name, &hour.into()), hour == usual)
            }
            InputKind::Url if !says(document, name) => inputs::shown(kind, in_force),
            InputKind::Number(..) if !says(document, name) => inputs::shown(kind, in_force),
            _ => String::new(),
        }
    }

    /// What is in force, and where from.
    fn note(&self, document: &EditedDocument, name: &str, in_force: &Value) -> String {
        let (w, lang, clock) = (self.w, self.visit.lang, self.visit.clock);
        let value = match (name, in_force) {
            ("retry_count", Value::Number(number)) if number.as_u64() == Some(0) => {
                w.built_in_retries.to_owned()
            }
            ("reply_prefixes" | "subject_marks", Value::Null) => w.built_in_list.to_owned(),
            (_, Value::Null) => w.none.to_owned(),
            (_, Value::String(text)) if text.is_empty() => w.none.to_owned(),
            (name, value) => in_words(clock, name, value),
        };
        let source = match self.force.source(&document.value, name) {
            ValueSource::Document => w.from_here.to_owned(),
            ValueSource::Variable(variable) => w.by_variable(lang, variable),
            ValueSource::Default(variable) => w.by_default(lang, variable),
            ValueSource::BuiltIn => w.built_in.to_owned(),
        };
        w.in_force(lang, &value, &source)
    }
}
