//! The page: every form with what is stored, what is in force, and who changed it.

use askama::Template;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::prefs::ProcessingPrefs;
use render_signal_actors::config::history::HistoryVersion;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::webhook::GetWebhookStatus;
use serde_json::Value;

use super::effect::{self, Effect};
use super::force::{Force, ValueSource, says};
use super::groups::{SettingsGroup, entered, was};
use super::inputs::{self, InputKind};
use super::words::Words;
use super::{SEEN, vacation};
use crate::http::pages::documents::{
    self, DocumentNotices, EditedDocument, EditedDocuments, Problems, days, history_of, in_words, versions,
    who,
};
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::{Badge, Choice, Confirm, FormField, Input, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;

#[derive(Template)]
#[template(path = "settings/page.html")]
pub(super) struct SettingsPage {
    frame: Frame,
    w: &'static Words,
    standing: DocumentNotices,
    /// Everything that is wrong with what was entered: the id of the input, its name, what.
    wrong: Vec<(String, String, String)>,
    checks: Effect,
    sending: Effect,
    sections: Vec<SettingsSection>,
}

/// A question of the operator, and the forms that answer it.
struct SettingsSection {
    id: &'static str,
    title: &'static str,
    lead: &'static str,
    forms: Vec<FormView>,
    targets: Vec<RuleTarget>,
}

struct FormView {
    group: SettingsGroup,
    title: &'static str,
    fields: Vec<FormField>,
    hidden: Vec<(String, String)>,
    /// What was entered would mean.
    would: Option<Effect>,
    can_look: bool,
    refused: bool,
    locked: Option<String>,
    quick: Vec<Confirm>,
    last: Option<Last>,
    history: String,
    /// What of its document has no effect.
    idle: Vec<UntrustedText>,
}

/// Who changed the fields of a form last.
struct Last {
    who: UntrustedText,
    at: When,
    what: String,
}

struct RuleTarget {
    name: UntrustedText,
    url: UntrustedText,
    badge: Option<Badge>,
}

/// What somebody has entered in one of the forms.
pub(super) struct Entered {
    group: SettingsGroup,
    form: FormData,
    wrong: Problems,
    /// What it would mean.
    pub(super) effect: Option<Effect>,
}

impl Entered {
    pub(super) fn new(group: SettingsGroup, form: FormData) -> Self {
        Self { group, form, wrong: Problems::default(), effect: None }
    }

    /// With what is wrong with it.
    pub(super) fn wrong(mut self, wrong: Problems) -> Self {
        self.wrong = wrong;
        self
    }
}

/// The documents of the page.
const KEYS: [Key; 4] = [Key::PollingConfig, Key::WebhookConfig, Key::ProcessingPrefs, Key::RuntimeFlags];

/// What every form is made of.
struct Made<'a> {
    visit: &'a PageVisit,
    w: &'static Words,
    force: Force<'a>,
    entered: Option<&'a Entered>,
}

pub(super) async fn page(visit: &PageVisit, entered: Option<Entered>) -> Result<SettingsPage, HttpProblem> {
    let w = Words::of(visit.lang);
    let EditedDocuments { all, standing } = EditedDocuments::read(visit, &KEYS).await?;
    let mut past = Vec::with_capacity(all.len());
    for document in &all {
        past.push(versions(visit, document.key).await);
    }
    let policy = visit.state.services.policy.load_full();
    let prefs =
        all.iter().find(|one| one.key == Key::ProcessingPrefs).map(in_force_prefs).unwrap_or_default();
    let env = &visit.state.services.configuration.editor.env;
    let force = Force { policy: &policy, prefs: &prefs, env };
    let made = Made { visit, w, force, entered: entered.as_ref() };
    let mut forms: Vec<FormView> = Vec::with_capacity(SettingsGroup::ALL.len());
    for group in SettingsGroup::ALL {
        let found = all.iter().zip(&past).find(|(document, _)| document.key == group.key());
        if let Some((document, past)) = found {
            forms.push(made.form(group, document, past));
        }
    }
    let targets = targets(visit).await;
    Ok(SettingsPage {
        frame: visit.frame(Section::Settings, w.title).await,
        w,
        standing,
        wrong: entered.as_ref().map(|entered| summary(visit, entered)).unwrap_or_default(),
        checks: effect::checks(&policy, visit.clock),
        sending: effect::sending(&policy, visit.clock),
        sections: sections(w, forms, targets),
    })
}

fn in_force_prefs(document: &EditedDocument) -> ProcessingPrefs {
    let in_force = document.state.in_force.as_ref().or(document.state.stored.as_ref());
    in_force.and_then(|value| ProcessingPrefs::parse(value).ok()).unwrap_or_default()
}

/// Everything that is wrong, with the way to its input.
fn summary(visit: &PageVisit, entered: &Entered) -> Vec<(String, String, String)> {
    let one = |(path, text): &(String, String)| {
        let known = entered.group.fields().iter().any(|(name, _)| *name == path);
        let id = if known { format!("f-{path}") } else { entered.group.id().to_owned() };
        let name = if path.is_empty() { String::new() } else { documents::field(visit.lang, path) };
        (id, name, text.clone())
    };
    entered.wrong.0.iter().map(one).collect()
}

fn sections(w: &'static Words, forms: Vec<FormView>, targets: Vec<RuleTarget>) -> Vec<SettingsSection> {
    let mut forms = forms.into_iter();
    let mut part = |id, title, lead, groups: &[SettingsGroup]| {
        let forms = forms.by_ref().take(groups.len()).collect();
        SettingsSection { id, title, lead, forms, targets: Vec::new() }
    };
    let mut parts = vec![
        part("quand", w.checks, w.checks_lead, &[SettingsGroup::Checks]),
        part("absences", w.absences, w.absences_lead, &[SettingsGroup::Vacation, SettingsGroup::Absence]),
        part("envois", w.sending, w.sending_lead, &[SettingsGroup::Sending]),
        part("ou", w.target, w.target_lead, &[SettingsGroup::Target]),
        part("combien", w.limits, w.limits_lead, &[SettingsGroup::Limits]),
        part("lesquels", w.mails, w.mails_lead, &[SettingsGroup::Mails, SettingsGroup::Subjects]),
        part("divers", w.flags, w.flags_lead, &[SettingsGroup::Flags]),
    ];
    if let Some(part) = parts.iter_mut().find(|part| part.id == "ou") {
        part.targets = targets;
    }
    parts
}

/// The targets of rules, and how each is.
async fn targets(visit: &PageVisit) -> Vec<RuleTarget> {
    let policy = visit.state.services.policy.load_full();
    // Who does not answer is not judged.
    let status = visit.state.probe.actors.webhook.ask(GetWebhookStatus).await.unwrap_or_default();
    let w = Words::of(visit.lang);
    let of_rules = policy.rules.iter().filter(|rule| !rule.target.url.is_empty());
    let shown = of_rules.map(|rule| {
        let known = status.targets.iter().find(|known| known.id == rule.target.id);
        let badge = known.and_then(|known| match known.breaker.as_str() {
            "disabled" => Some(Badge::new(Mood::Bad, w.target_gone)),
            "open" | "half_open" => Some(Badge::new(Mood::Care, w.target_fails)),
            _ => None,
        });
        let name = if rule.name.is_empty() { &rule.id } else { &rule.name };
        let url = render_signal_actors::mail::rules::mask_url(&rule.target.url);
        RuleTarget { name: UntrustedText(name.clone()), url: UntrustedText(url), badge }
    });
    shown.collect()
}

impl Made<'_> {
    fn form(&self, group: SettingsGroup, document: &EditedDocument, past: &[HistoryVersion]) -> FormView {
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

/// Who changed a field of a form last.
fn last(visit: &PageVisit, group: SettingsGroup, past: &[HistoryVersion]) -> Option<Last> {
    let of_group = |name: &String| group.fields().iter().any(|(known, _)| known == name);
    let found = past.iter().rfind(|one| !one.lost && one.fields.iter().any(of_group))?;
    let names: Vec<String> = found
        .fields
        .iter()
        .filter(|name| of_group(name))
        .map(|name| documents::field(visit.lang, name))
        .collect();
    Some(Last {
        who: UntrustedText(who(visit.lang, &found.origin)),
        at: When::short(visit.clock, found.at),
        what: names.join(", "),
    })
}

/// With a capital letter in front.
fn first_large(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}
