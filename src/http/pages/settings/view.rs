//! The page: every form with what is stored, what is in force, and who changed it.

mod form;

use askama::Template;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::prefs::ProcessingPrefs;
use render_signal_actors::config::history::HistoryVersion;
use render_signal_actors::webhook::GetWebhookStatus;

pub(super) use self::form::Entered;
use self::form::{FormView, Made};
use super::effect::{self, Effect};
use super::force::Force;
use super::groups::SettingsGroup;
use super::words::Words;
use crate::http::pages::documents::{self, DocumentNotices, EditedDocument, EditedDocuments, versions, who};
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::{Badge, Mood, UntrustedText, When};
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

/// The documents of the page.
const KEYS: [Key; 4] = [Key::PollingConfig, Key::WebhookConfig, Key::ProcessingPrefs, Key::RuntimeFlags];

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
