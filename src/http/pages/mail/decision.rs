//! What was decided about a mail, under which settings, and step by step; and what would be now.

use actix_web::web::Data;
use askama::Template;
use askama::filters::HtmlSafe;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::history::DecidedUnder;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::explain::ExplainStep;
use render_signal_actors::mail::life::{MailEvent, MailRouted};
use render_signal_actors::mail::policy::Priority;
use render_signal_actors::story::{self, Decided, Story};

use super::words::Words;
use crate::http::HttpState;
use crate::http::pages::clock::PageClock;
use crate::http::pages::documents::history_of;
use crate::http::pages::mails::{moment, reason};
use crate::http::pages::parts::{Badge, Mood, UntrustedText, When};
use crate::http::v1::mails::explain::HEAVY;
use crate::lang::Lang;
use crate::services::ServiceError;
use crate::services::explain::{self, ExplainedToday};
use crate::services::replay::{self, PastDecision, Replayed};
use crate::words::explanation;
use crate::words::reasons;
use crate::words::recorded::plain;

/// A row of facts.
pub(super) struct Fact {
    pub(super) label: &'static str,
    pub(super) value: UntrustedText,
    pub(super) href: Option<&'static str>,
}

/// A document that was in force.
pub(super) struct DecidingDocument {
    pub(super) text: UntrustedText,
    pub(super) href: String,
}

/// A check that was made.
pub(super) struct CheckLine {
    pub(super) badge: Badge,
    pub(super) name: UntrustedText,
    pub(super) detail: UntrustedText,
}

/// Checks in order.
#[derive(Template)]
#[template(path = "mail/checks.html")]
pub(super) struct CheckList(pub(super) Vec<CheckLine>);

impl HtmlSafe for CheckList {}

/// What was decided.
pub(super) struct DecisionView {
    pub(super) at: When,
    pub(super) said: UntrustedText,
    pub(super) facts: Vec<Fact>,
    /// The documents that were in force; nothing = see `settings`.
    pub(super) documents: Vec<DecidingDocument>,
    /// What is said of them where none are named.
    pub(super) settings: &'static str,
    pub(super) checks: CheckList,
    /// What is said of the steps.
    pub(super) note: UntrustedText,
}

/// What would be decided now.
pub(super) struct Now {
    pub(super) said: UntrustedText,
    pub(super) same: bool,
    pub(super) checks: CheckList,
}

/// The step of the story that decided: the last one that no person's word came before.
fn deciding(story: &Story) -> Option<(&story::Step, Whose)> {
    let mut whose = Whose::Rules;
    let mut found = None;
    for step in &story.steps {
        match &step.known {
            MailEvent::Released(_) => whose = Whose::Person,
            _ if step.decided_under.is_some() && !(whose == Whose::Person && found.is_some()) => {
                found = Some((step, whose));
            }
            _ => {}
        }
    }
    found
}

/// Whose decision it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The rules decided.
    Rules,
    /// Somebody had it sent before any rule had decided: a further copy.
    Person,
}

/// A decision and its reason by their codes.
fn codes(event: &MailEvent) -> Option<(&'static str, Option<&'static str>)> {
    Some(match event {
        MailEvent::Routed(_) => ("deliver", None),
        MailEvent::Held(held) => ("hold", Some(held.reason.as_str())),
        MailEvent::Skipped(skipped) => ("skip", Some(skipped.reason.as_str())),
        MailEvent::Ignored(ignored) => ("ignore", Some(ignored.reason.as_str())),
        _ => return None,
    })
}

/// What was decided; `None` = nothing was.
pub(super) async fn decision(
    clock: PageClock,
    state: &Data<HttpState>,
    story: &Story,
) -> Option<DecisionView> {
    let (lang, w) = (clock.lang, Words::of(clock.lang));
    let (step, whose) = deciding(story)?;
    let (decision, why) = codes(&step.known)?;
    let (documents, settings) = match step.decided_under.as_ref()? {
        Decided::Unknown(_) => (Vec::new(), w.settings_unknown),
        Decided::Documents(documents) => {
            (documents.iter().map(|one| document(w, one)).collect(), w.settings_none)
        }
    };
    let (checks, note) = match whose {
        Whose::Rules => steps_of_then(clock, state, story, step, (decision, why)).await,
        Whose::Person => (Vec::new(), w.steps_by_hand.to_owned()),
    };
    Some(DecisionView {
        at: When::short(clock, step.at),
        said: UntrustedText(say(lang, decision, why)),
        facts: facts(clock, w, &step.known),
        documents,
        settings,
        checks: CheckList(checks),
        note: UntrustedText(note),
    })
}

/// `ignorer : aucun lien`, with a capital letter.
fn say(lang: Lang, decision: &str, why: Option<&str>) -> String {
    let word = match (lang, decision) {
        (Lang::Fr, _) => reasons::decision(lang, decision),
        (Lang::En, "deliver") => "send",
        (Lang::En, "quarantine") => "put in quarantine",
        (Lang::En, other) => other,
    };
    let mut letters = word.chars();
    let word: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    why.map_or(word.clone(), |code| format!("{word}{}{}", lang.colon(), reason(lang, code)))
}

fn facts(clock: PageClock, w: &Words, event: &MailEvent) -> Vec<Fact> {
    let lang = clock.lang;
    let fact = |label, value: String| Fact { label, value: UntrustedText(value), href: None };
    match event {
        MailEvent::Held(held) => {
            held.until.map(|until| fact(w.until, moment(clock, until))).into_iter().collect()
        }
        MailEvent::Skipped(skipped) => {
            vec![Fact { href: Some("/regles"), ..fact(w.detector, skipped.detector.clone()) }]
        }
        MailEvent::Ignored(ignored) => {
            let detail = ignored.detail.as_deref();
            detail.map(|detail| fact(w.precisely, plain(lang, detail).into_owned())).into_iter().collect()
        }
        MailEvent::Routed(routed) => routed_facts(w, routed),
        _ => Vec::new(),
    }
}

fn routed_facts(w: &Words, routed: &MailRouted) -> Vec<Fact> {
    let fact = |label, value: String, href| Fact { label, value: UntrustedText(value), href };
    let mut facts = Vec::new();
    if let Some(detection) = &routed.detection {
        facts.push(fact(w.detector, detection.detector.clone(), Some("/regles")));
        if let Some(time) = &detection.delivery_time {
            let urgent = if detection.urgent { format!(" ({})", w.urgent) } else { String::new() };
            facts.push(fact(w.delivery_time, format!("{time}{urgent}"), None));
        }
    }
    match routed.priority {
        Priority::High => facts.push(fact(w.priority, w.high.to_owned(), Some("/regles"))),
        Priority::Low => facts.push(fact(w.priority, w.low.to_owned(), Some("/regles"))),
        Priority::Medium => {}
    }
    for delivery in &routed.deliveries {
        let rule = delivery.rule.as_ref().map_or(w.default_target, |rule| rule.name.as_str());
        let href = delivery.rule.as_ref().map(|_| "/regles");
        facts.push(fact(w.rule, format!("{rule} → {}", delivery.target), href));
    }
    facts
}

/// A document that decided, with the way to the very version that did; where that is not in the
/// history, to the page on which the document of now is changed.
fn document(w: &Words, decided: &DecidedUnder) -> DecidingDocument {
    let name = &decided.document;
    let rules = ["rule", "detector", "provider"].iter().any(|part| name.contains(part));
    let href = match (Key::named(name), decided.version) {
        (Some(key), Some(version)) => format!("{}/{version}", history_of(key)),
        _ if rules => "/regles".to_owned(),
        _ => "/reglages".to_owned(),
    };
    let version = match decided.version {
        Some(version) => format!("{} {version}", w.version),
        None => format!("{} ({})", decided.hash, w.not_in_history),
    };
    DecidingDocument { text: UntrustedText(format!("{name} {version}")), href }
}

/// The steps of the decision, when it comes out the same from what is kept under the documents of
/// then, and what is said of them.
async fn steps_of_then(
    clock: PageClock,
    state: &Data<HttpState>,
    story: &Story,
    step: &story::Step,
    decided: (&str, Option<&str>),
) -> (Vec<CheckLine>, String) {
    let (lang, w) = (clock.lang, Words::of(clock.lang));
    if let Some(gone) = &story.content_gone {
        return (Vec::new(), format!("{}{}{}.", w.steps_gone, lang.colon(), plain(lang, gone)));
    }
    let Some(Decided::Documents(under)) = &step.decided_under else {
        return (Vec::new(), format!("{}{}{}.", w.steps_gone, lang.colon(), w.steps_unrecorded));
    };
    let (decision, reason) = decided;
    let decided = PastDecision { email_id: &story.mail.email_id, at: step.at, under, decision, reason };
    let policy = state.services.policy.load_full();
    let env = &state.services.configuration.editor.env;
    let gone = |why: Said| (Vec::new(), format!("{}{}{}.", w.steps_gone, lang.colon(), lang.one(why)));
    match replay::replay(decided, &policy, env, state.journal.as_ref(), &HEAVY).await {
        Ok(Replayed::Same(then)) => (checks(lang, &then), w.steps_same.to_owned()),
        Ok(Replayed::Unknown(why)) => gone(why),
        Err(refused) => gone(refused.cause()),
    }
}

/// What the rules of now would make of it.
pub(super) async fn now(
    clock: PageClock,
    state: &Data<HttpState>,
    email_id: &str,
) -> Result<Now, ServiceError> {
    let policy = state.services.policy.load_full();
    let today = explain::stored(email_id, &policy, clock.now, state.journal.as_ref(), &HEAVY).await?;
    let explanation = &today.explained.explanation;
    let recorded = today.recorded.as_ref();
    let same = recorded
        .is_some_and(|then| then.decision == explanation.decision && then.reason == explanation.reason);
    let mut said = say(clock.lang, explanation.decision, explanation.reason);
    if let Some(until) = explanation.hold_until {
        said = format!("{said}, {}", moment(clock, until));
    }
    let targets: Vec<&str> = explanation.deliveries.iter().map(|one| one.target.as_str()).collect();
    if !targets.is_empty() {
        said = format!("{said} → {}", targets.join(", "));
    }
    Ok(Now { said: UntrustedText(said), same, checks: CheckList(checks(clock.lang, &today)) })
}

fn checks(lang: Lang, today: &ExplainedToday) -> Vec<CheckLine> {
    today.explained.explanation.steps.iter().map(|step| check(lang, step)).collect()
}

fn check(lang: Lang, step: &ExplainStep) -> CheckLine {
    let mood = match step.outcome {
        "pass" | "match" => Mood::Good,
        "stop" => Mood::Care,
        _ => Mood::None,
    };
    CheckLine {
        badge: Badge::new(mood, explanation::outcome(lang, step.outcome)),
        name: UntrustedText(explanation::check(lang, step).replace('_', " ")),
        detail: UntrustedText(lang.said(&step.detail).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_leads_to_the_version_that_decided() {
        for (name, version, href) in [
            ("routing_rules", Some(3), "/reglages/historique/routing_rules/3"),
            ("webhook_config", Some(1), "/reglages/historique/webhook_config/1"),
            ("routing_rules", None, "/regles"),
            ("webhook_config", None, "/reglages"),
            ("of_a_version_to_come", Some(2), "/reglages"),
        ] {
            let decided = DecidedUnder { document: name.to_owned(), version, hash: "ab12".to_owned() };
            assert_eq!(document(Words::of(Lang::Fr), &decided).href, href, "{name} {version:?}");
        }
    }
}
