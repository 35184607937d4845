//! The decision about one mail.

use std::cell::OnceCell;

use chrono::{DateTime, Utc};

use super::authentication::Mode;
use super::conditions::Facts;
use super::detectors::{OutsideWindow, Recognised};
use super::filters::Content;
use super::links::FoundLinks;
use super::policy::{Policy, Window};
use super::rules::{self, Rule};
use super::windows::{self, Closed, parse_time_hhmm};
use super::{
    Detection, HoldReason, IgnoreReason, Link, Mail, Outcome, Planned, RuleRef, Verdict, detect, links,
};

/// Decides what is to be done with `mail` under `policy` at `now`.
///
/// While a document cannot be used that decisions depend on, every mail waits. Otherwise, in
/// this order: the allow-list, the authentication of the sender, automatic answers, replies,
/// keywords, attachments, links, the keywords of the
/// detector, the sending switch and the days of absence, the delivery window, the rules. A
/// mail that is too large was never loaded and is decided without this; whether another mail
/// of its subject group was routed is decided after it ([`super::groups::claim`]).
#[must_use]
pub fn decide(mail: &Mail, policy: &Policy, now: DateTime<Utc>) -> Verdict {
    let material = Material::of(mail, policy);
    decide_on(&material, policy, now, || detect::detect(mail, material.links(), policy, now))
}

/// What is made of a mail on the way to its decision: each once, and only when needed.
pub(super) struct Material<'m> {
    mail: &'m Mail,
    policy: &'m Policy,
    combined: OnceCell<String>,
    found: OnceCell<FoundLinks>,
    content: OnceCell<Content>,
}

impl<'m> Material<'m> {
    pub(super) const fn of(mail: &'m Mail, policy: &'m Policy) -> Self {
        Self { mail, policy, combined: OnceCell::new(), found: OnceCell::new(), content: OnceCell::new() }
    }

    pub(super) fn combined(&self) -> &str {
        self.combined.get_or_init(|| self.mail.combined())
    }

    pub(super) fn links(&self) -> &[Link] {
        &self.found().links
    }

    /// The links, and why there may be more.
    pub(super) fn found(&self) -> &FoundLinks {
        self.found.get_or_init(|| links::of_mail(self.mail, &self.policy.providers))
    }

    pub(super) fn content(&self) -> &Content {
        self.content.get_or_init(|| Content::of(self.mail))
    }
}

/// Decides, with the detection that counts from `detect`, which is not asked when the matter
/// ends before.
pub(super) fn decide_on(
    material: &Material<'_>,
    policy: &Policy,
    now: DateTime<Utc>,
    detect: impl FnOnce() -> Option<Recognised>,
) -> Verdict {
    let mail = material.mail;
    if policy.withheld.why().is_some() {
        // Before everything else: who is accepted may be among what nobody knows.
        return withheld(material.links().to_vec());
    }
    let ignore =
        |reason, links| Verdict { detection: None, links, outcome: Outcome::Ignore { reason, detail: None } };
    if !is_accepted(policy, &mail.sender) {
        return ignore(IgnoreReason::SenderNotAllowed, Vec::new());
    }
    if let Some(why) = unauthenticated(mail, policy) {
        let outcome = Outcome::Ignore { reason: IgnoreReason::SenderNotAuthenticated, detail: Some(why) };
        return Verdict { detection: None, links: Vec::new(), outcome };
    }
    if let Some(evidence) = unwanted_answer(mail, policy) {
        let outcome = Outcome::Ignore { reason: IgnoreReason::Automatic, detail: Some(evidence.to_owned()) };
        return Verdict { detection: None, links: Vec::new(), outcome };
    }
    if policy.prefs.replies.found_in(&mail.subject).is_some() {
        return ignore(IgnoreReason::Reply, Vec::new());
    }
    let filters = &policy.prefs.filters;
    let excluding = |detector: Option<&str>| {
        if filters.has_keywords() { filters.excluding(material.content(), detector) } else { None }
    };
    if let Some(keyword) = excluding(None) {
        return excluded(keyword, None, Vec::new());
    }
    if filters.require_attachments && !mail.has_attachment {
        return ignore(IgnoreReason::NoAttachment, Vec::new());
    }
    let links = material.links().to_vec();
    if links.is_empty() && !policy.allow_without_links {
        let outcome = Outcome::Ignore {
            reason: IgnoreReason::NoLinks,
            detail: material.found().doubt().map(|doubt| doubt.english),
        };
        return Verdict { detection: None, links, outcome };
    }
    let recognised = detect();
    let detector = recognised.as_ref().map(|recognised| recognised.detection.detector.as_str());
    if let Some(keyword) = excluding(detector) {
        return excluded(keyword, recognised.map(|recognised| recognised.detection), links);
    }
    let outcome = match opening(policy, recognised.as_ref(), now) {
        WindowOpening::Skipped { seen } => Outcome::Skip { reason: HoldReason::OutsideWindow, seen },
        WindowOpening::Closed(closed) => Outcome::Hold { reason: closed.reason, until: closed.until },
        WindowOpening::Now { start, end } => {
            let in_window = outside_window(recognised.as_ref()) != OutsideWindow::Send;
            let deliveries = deliveries(mail, material.combined(), policy, (start, end), in_window);
            Outcome::Deliver { deliveries }
        }
    };
    Verdict { detection: recognised.map(|recognised| recognised.detection), links, outcome }
}

/// Decides on a mail that somebody has released: it is routed now, whatever is said about
/// mails like it. The sending switch and the days of absence still keep its webhooks back; the
/// window does not.
#[must_use]
pub fn release(mail: &Mail, policy: &Policy, now: DateTime<Utc>) -> Verdict {
    let combined = mail.combined();
    let links = links::of_mail(mail, &policy.providers).links;
    let detection = detect::detect(mail, &links, policy, now).map(|recognised| recognised.detection);
    let outcome =
        Outcome::Deliver { deliveries: deliveries(mail, &combined, policy, texts(policy, now), false) };
    Verdict { detection, links, outcome }
}

fn withheld(links: Vec<Link>) -> Verdict {
    let outcome = Outcome::Hold { reason: HoldReason::ConfigurationRefused, until: None };
    Verdict { detection: None, links, outcome }
}

fn excluded(keyword: &str, detection: Option<Detection>, links: Vec<Link>) -> Verdict {
    let outcome = Outcome::Ignore { reason: IgnoreReason::ExcludedKeyword, detail: Some(keyword.to_owned()) };
    Verdict { detection, links, outcome }
}

/// Why the mail's sender is not authenticated, if he has to be.
pub(super) fn unauthenticated(mail: &Mail, policy: &Policy) -> Option<String> {
    let asked = &policy.prefs.authentication;
    if asked.mode == Mode::Require { asked.judge(mail).err().map(|why| why.english) } else { None }
}

/// What makes the mail an automatic answer, if such answers of its sender are not wanted.
pub(super) fn unwanted_answer<'m>(mail: &'m Mail, policy: &Policy) -> Option<&'m str> {
    mail.automatic.as_deref().filter(|_| !policy.prefs.automatic.accepts(&mail.sender))
}

/// Whether mails of `sender` are accepted.
#[must_use]
pub fn is_accepted(policy: &Policy, sender: &str) -> bool {
    policy.allowed_senders.is_empty()
        || policy.allowed_senders.iter().any(|allowed| allowed.to_lowercase() == sender)
}

/// Whether webhooks may go out.
enum WindowOpening {
    /// Now, with these texts in the payload.
    Now { start: Option<String>, end: Option<String> },
    /// Later.
    Closed(Closed),
    /// Not by itself.
    Skipped { seen: bool },
}

/// Whether webhooks may go out now: the switch, the absence and the window. The mail's detector says
/// whether it is sent while the window is closed (reference section 5.12).
fn opening(policy: &Policy, recognised: Option<&Recognised>, now: DateTime<Utc>) -> WindowOpening {
    if let Err(closed) = windows::sending(policy, now) {
        return WindowOpening::Closed(closed);
    }
    if let Some(window) = policy.window.as_ref().filter(|window| !windows::within(window, policy.zone, now)) {
        match outside_window(recognised) {
            OutsideWindow::Hold => {
                let until = windows::next_opening(window, policy.zone, now);
                return WindowOpening::Closed(Closed { reason: HoldReason::OutsideWindow, until });
            }
            OutsideWindow::Skip => {
                let seen = recognised.is_some_and(|found| found.mark_skipped_read);
                return WindowOpening::Skipped { seen };
            }
            OutsideWindow::Send => {}
        }
    }
    let (start, end) = texts(policy, now);
    WindowOpening::Now { start, end }
}

/// What the payload says about the window: its own bounds, completed by those that are
/// announced only.
fn texts(policy: &Policy, now: DateTime<Utc>) -> (Option<String>, Option<String>) {
    let bound = |own: fn(&Window) -> &String, announced: &String| {
        let own = policy.window.as_ref().map(own).filter(|text| !text.is_empty());
        own.unwrap_or(announced).clone()
    };
    let start = bound(|window| &window.start_text, &policy.prefs.announced.start);
    let end = bound(|window| &window.end_text, &policy.prefs.announced.end);
    let bounded = parse_time_hhmm(&start).is_some() && parse_time_hhmm(&end).is_some();
    let end = Some(end).filter(|end| !end.is_empty());
    match policy.window.as_ref().filter(|window| !windows::within(window, policy.zone, now)) {
        Some(closed) => (announced_start(closed, policy, now), end),
        None => (bounded.then(|| "maintenant".to_owned()), end),
    }
}

/// What becomes of a mail outside of the window: a mail that no detector recognises waits.
#[must_use]
pub fn outside_window(recognised: Option<&Recognised>) -> OutsideWindow {
    recognised.map_or(OutsideWindow::Hold, |recognised| recognised.outside_window)
}

/// The start as written, while it is still to come today.
fn announced_start(window: &Window, policy: &Policy, now: DateTime<Utc>) -> Option<String> {
    let local = now.with_timezone(&policy.zone).time();
    window.start.filter(|start| local < *start).map(|_| window.start_text.clone())
}

/// The first rule that applies, then the default target, unless the rule forbids it or has
/// the same address.
fn deliveries(
    mail: &Mail,
    combined: &str,
    policy: &Policy,
    (time_start, time_end): (Option<String>, Option<String>),
    in_window: bool,
) -> Vec<Planned> {
    let rule = rules::first_match(&policy.rules, &Facts::for_rules(mail, combined));
    let ruled = rule.map(|rule| Planned {
        target: rule.target.id.clone(),
        rule: Some(reference(rule)),
        time_start: time_start.clone(),
        time_end: time_end.clone(),
        in_window,
        share: rule.target.share,
    });
    let alone = rule.is_some_and(|rule| is_alone(rule, policy));
    let default = (!alone).then(|| Planned {
        target: policy.default_target.id.clone(),
        rule: None,
        time_start,
        time_end,
        in_window,
        share: policy.default_target.share,
    });
    ruled.into_iter().chain(default).collect()
}

/// Whether there is no default delivery beside that of the rule.
pub(super) fn is_alone(rule: &Rule, policy: &Policy) -> bool {
    rule.stop_processing || rule.target.url == policy.default_target.url
}

fn reference(rule: &Rule) -> RuleRef {
    RuleRef { id: rule.id.clone(), name: rule.name.clone(), priority: rule.priority.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kernel::said::Said;
    use crate::mail::authentication::SenderAuthentication;
    use crate::mail::parse::parse;
    use crate::mail::samples::{self, at, policy, window};

    const MORNING: &str = "2026-01-26T08:00:00Z";

    fn mail(subject: &str, body: &str) -> Mail {
        parse(format!("From: a@b.fr\nSubject: {subject}\n\n{body}").as_bytes()).expect("a mail")
    }

    fn desabo(subject: &str) -> Mail {
        mail(subject, "journée, tarifs habituels https://www.dropbox.com/request/abc")
    }

    fn with_rule(actions: serde_json::Value) -> Policy {
        let rules = json!([{"id": "r", "conditions": [{"field": "subject", "operator": "contains", "value": "lot"}],
                            "actions": actions}]);
        let mut policy = policy();
        policy.rules = samples::rules(&rules);
        assert_eq!(policy.rules.len(), 1);
        policy
    }

    fn targets(policy: &Policy) -> Vec<(String, bool)> {
        match decide(&mail("Lot 3", "https://fromsmash.com/a"), policy, at(MORNING)).outcome {
            Outcome::Deliver { deliveries } => {
                deliveries.into_iter().map(|planned| (planned.target, planned.rule.is_some())).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn ignored(mail: &Mail, policy: &Policy) -> Option<&'static str> {
        match decide(mail, policy, at(MORNING)).outcome {
            Outcome::Ignore { reason, .. } => Some(reason.as_str()),
            Outcome::Deliver { .. } => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_automatic_answer_triggers_only_where_that_is_wanted() {
        let raw = "From: A@b.fr\nAuto-Submitted: auto-replied\nSubject: Lot 3\n\nhttps://fromsmash.com/a";
        let answer = parse(raw.as_bytes()).expect("a mail");
        let mut policy = policy();
        assert_eq!(ignored(&answer, &policy), Some("automatic"));
        policy.prefs.automatic.accepted_from = vec!["a@b.fr".to_owned()];
        assert_eq!(ignored(&answer, &policy), None);
        policy.prefs.automatic.accepted_from = vec!["x@b.fr".to_owned()];
        assert_eq!(ignored(&answer, &policy), Some("automatic"));
        policy.prefs.automatic.accepted = true;
        assert_eq!(ignored(&answer, &policy), None);
    }

    #[test]
    fn a_sender_is_authenticated_only_where_that_is_asked() {
        let raw = |field: &str| {
            let raw = format!("{field}From: a@b.fr\nSubject: Lot 3\n\nhttps://fromsmash.com/a");
            parse(raw.as_bytes()).expect("a mail")
        };
        let (forged, real) =
            (raw(""), raw("Authentication-Results: mx.ours.example; dkim=pass header.d=b.fr\n"));
        let mut policy = policy();
        let trusted = vec!["mx.ours.example".to_owned()];
        for (mode, of_forged) in
            [(Mode::Off, None), (Mode::Warn, None), (Mode::Require, Some("sender_not_authenticated"))]
        {
            policy.prefs.authentication = SenderAuthentication { mode, trusted: trusted.clone() };
            assert_eq!(ignored(&forged, &policy), of_forged, "{mode:?}");
            assert_eq!(ignored(&real, &policy), None, "{mode:?}");
            let recorded = policy.prefs.authentication.recorded(&forged);
            assert_eq!(recorded.is_some(), mode != Mode::Off, "{mode:?}");
        }
    }

    #[test]
    fn nobody_is_ignored_or_delivered_while_a_document_cannot_be_used() {
        let mut policy = policy();
        policy.allowed_senders = vec!["somebody@else.fr".to_owned()];
        let because = |policy: &Policy| decide(&mail("Re: Lot 3", ""), policy, at(MORNING)).outcome;
        assert!(matches!(because(&policy), Outcome::Ignore { .. }));
        let waits = Outcome::Hold { reason: HoldReason::ConfigurationRefused, until: None };
        policy.withheld.polling = vec![Said::alike("polling_config: vacation_start: no date")];
        assert_eq!(because(&policy), waits);
        policy.withheld =
            crate::mail::policy::Withheld { sending: vec![Said::alike("x")], polling: Vec::new() };
        assert_eq!(because(&policy), waits);
    }

    #[test]
    fn the_rule_is_named_in_its_own_delivery_only() {
        let both = with_rule(json!({"webhook_url": "https://r.example/1"}));
        assert_eq!(targets(&both), [("r".to_owned(), true), ("default".to_owned(), false)]);
        let stop = with_rule(json!({"webhook_url": "https://r.example/1", "stop_processing": true}));
        assert_eq!(targets(&stop), [("r".to_owned(), true)]);
        let same = with_rule(json!({"webhook_url": "https://hook.example.com/recv"}));
        assert_eq!(targets(&same), [("r".to_owned(), true)]);
    }

    #[test]
    fn outside_the_window_mails_wait_for_it() {
        let mut policy = policy();
        policy.window = Some(window("10h30", "19h00"));
        let until = Some(at("2026-01-26T09:30:00Z"));
        for held in [mail("Lot 3", "https://fromsmash.com/a"), desabo("Dispo URGENT")] {
            let outcome = decide(&held, &policy, at(MORNING)).outcome;
            assert_eq!(outcome, Outcome::Hold { reason: HoldReason::OutsideWindow, until });
            assert!(matches!(
                decide(&held, &policy, at("2026-01-26T09:30:00Z")).outcome,
                Outcome::Deliver { .. }
            ));
        }
    }

    #[test]
    fn the_texts_of_the_window() {
        let mut policy = policy();
        let mut texts = |start: &str, end: &str, now: &str| {
            policy.window = Some(window(start, end));
            match decide(&desabo("Dispo"), &policy, at(now)).outcome {
                Outcome::Deliver { deliveries } => {
                    (deliveries[0].time_start.clone(), deliveries[0].time_end.clone())
                }
                other => panic!("{other:?}"),
            }
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(texts("10h30", "19h00", MORNING), (some("10h30"), some("19h00")));
        assert_eq!(texts("10h30", "19h00", "2026-01-26T10:00:00Z"), (some("maintenant"), some("19h00")));
        assert_eq!(texts("10h30", "19h00", "2026-01-26T20:00:00Z"), (None, some("19h00")));
        assert_eq!(texts("", "19h00", MORNING), (None, some("19h00")));
        assert_eq!(texts("10h30", "", MORNING), (None, None));
    }

    #[test]
    fn an_announced_window_completes_the_texts_and_holds_nothing() {
        let mut policy = policy();
        let mut texts = |own: Option<(&str, &str)>, (start, end): (&str, &str)| {
            policy.window = own.map(|(start, end)| window(start, end));
            policy.prefs.announced =
                crate::mail::policy::Announced { start: start.to_owned(), end: end.to_owned() };
            match decide(&desabo("Dispo"), &policy, at(MORNING)).outcome {
                Outcome::Deliver { deliveries } => {
                    (deliveries[0].time_start.clone(), deliveries[0].time_end.clone())
                }
                other => panic!("{other:?}"),
            }
        };
        let some = |text: &str| Some(text.to_owned());
        // It is 9h00 in Paris, and this "window" has been over for an hour.
        assert_eq!(texts(None, ("7h00", "8h00")), (some("maintenant"), some("8h00")));
        assert_eq!(texts(None, ("", "8h00")), (None, some("8h00")));
        assert_eq!(texts(None, ("7h00", "")), (None, None));
        assert_eq!(texts(Some(("", "19h00")), ("7h00", "8h00")), (some("maintenant"), some("19h00")));
        assert_eq!(texts(Some(("8h00", "19h00")), ("1h00", "2h00")), (some("maintenant"), some("19h00")));
    }

    #[test]
    fn what_is_sent_outside_of_the_window_too_or_released_goes_at_any_time() {
        let mut policy = policy();
        policy.window = Some(window("10h30", "19h00"));
        let (plain, sent) = (mail("Lot 3", "https://fromsmash.com/a"), desabo("Dispo"));
        let noon = at("2026-01-26T11:00:00Z");
        let bound = |outcome: Outcome| match outcome {
            Outcome::Deliver { deliveries } => deliveries.iter().map(|planned| planned.in_window).collect(),
            other => panic!("{other:?}"),
        };
        let bound: Vec<Vec<bool>> = [
            decide(&plain, &policy, noon),
            decide(&desabo("Dispo URGENT"), &policy, noon),
            decide(&sent, &policy, noon),
            decide(&sent, &policy, at(MORNING)),
            release(&plain, &policy, noon),
            release(&plain, &policy, at(MORNING)),
        ]
        .map(|verdict| bound(verdict.outcome))
        .to_vec();
        assert_eq!(bound, [[true], [true], [false], [false], [false], [false]]);
    }

    #[test]
    fn the_first_obstacle_counts() {
        let mut policy = policy();
        policy.allowed_senders = vec!["x@y.fr".to_owned()];
        policy.sending_enabled = false;
        let reason = |subject: &str, body: &str, policy: &Policy| {
            decide(&mail(subject, body), policy, at(MORNING)).outcome
        };
        let link = "https://fromsmash.com/a";
        let ignored = |reason| Outcome::Ignore { reason, detail: None };
        assert_eq!(reason("Re: x", "", &policy), ignored(IgnoreReason::SenderNotAllowed));
        policy.allowed_senders = vec!["A@b.fr".to_owned()];
        assert_eq!(reason("Re: x", "", &policy), ignored(IgnoreReason::Reply));
        assert_eq!(reason("x", "", &policy), ignored(IgnoreReason::NoLinks));
        assert_eq!(
            reason("x", link, &policy),
            Outcome::Hold { reason: HoldReason::SendingDisabled, until: None }
        );
        policy.sending_enabled = true;
        policy.allow_without_links = true;
        assert!(matches!(reason("x", "", &policy), Outcome::Deliver { .. }));
    }
}
