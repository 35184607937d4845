//! The overview in words: one sentence that is true, what is to be done, the newest mails.

use chrono::TimeDelta;
use render_signal_actors::search::ListedMail;

use super::data::OverviewData;
use super::standing;
use super::words::Words;
use crate::findings::{Finding, Severity};
use crate::health::attention::{AttentionKind, Item};
use crate::http::pages::clock::PageClock;
use crate::http::pages::frame::in_query;
use crate::http::pages::mails::became;
use crate::http::pages::parts::{Badge, Confirm, Mood, UntrustedText, When};
use crate::lang::Lang;

/// How everything is, in a sentence: the head of the overview.
#[derive(Debug, Clone)]
pub(super) struct HealthSummary {
    /// Whether it is well.
    pub(super) mood: Mood,
    /// In a few words.
    pub(super) title: String,
    /// With what shows it.
    pub(super) text: String,
    pub(super) when: When,
}

/// Something to be done.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// How grave it is.
    pub(super) mood: Mood,
    pub(super) title: String,
    /// Of which target.
    pub(super) about: Option<UntrustedText>,
    /// What it means, or what to do.
    pub(super) text: String,
    pub(super) since: Option<When>,
    /// What does it, with a question before.
    pub(super) confirm: Option<Confirm>,
    /// What does it at once: address, fields, name.
    pub(super) button: Option<Button>,
    /// Where it is seen, or mended.
    pub(super) link: Option<(String, &'static str)>,
}

/// A form with one button.
#[derive(Debug, Clone)]
pub(super) struct Button {
    /// Where it goes.
    pub(super) action: &'static str,
    /// Name and value of what it sends.
    pub(super) field: (&'static str, String),
    /// What it says.
    pub(super) text: &'static str,
}

/// A mail of the newest.
#[derive(Debug, Clone)]
pub(super) struct LastMail {
    /// Its page.
    pub(super) href: String,
    /// When it came.
    pub(super) when: When,
    /// What it is called.
    pub(super) subject: UntrustedText,
    /// Who sent it.
    pub(super) sender: UntrustedText,
    /// What became of it.
    pub(super) badge: Badge,
    /// And besides.
    pub(super) said: UntrustedText,
}

/// No heading is erased so soon: a mail without one cannot be read.
const MIN_HEADING_AGE: TimeDelta = TimeDelta::days(1);

/// The newest mails.
pub(super) fn last_mails(w: &'static Words, data: &OverviewData, clock: PageClock) -> Vec<LastMail> {
    let one = |listed: &ListedMail| {
        let became = became(clock, &listed.mail, &listed.deliveries);
        let subject = match listed.subject.as_deref() {
            None if listed.mail.stage == "quarantined"
                || clock.now - listed.mail.received_at < MIN_HEADING_AGE =>
            {
                w.unreadable
            }
            None => w.erased,
            Some("") => w.no_subject,
            Some(subject) => subject,
        };
        LastMail {
            href: format!("/mails/{}", in_query(&listed.mail.email_id)),
            when: When::short(clock, listed.mail.received_at),
            subject: UntrustedText(subject.to_owned()),
            sender: UntrustedText(listed.sender.clone().unwrap_or_default()),
            badge: became.badge,
            said: UntrustedText(became.said),
        }
    };
    data.last.iter().map(one).collect()
}

/// How everything is: the gravest thing, or what flows.
pub(super) fn summary(w: &'static Words, data: &OverviewData, clock: PageClock) -> HealthSummary {
    let wrong = data.items.iter().any(Item::is_wrong);
    let (mood, title) = match (data.ready.is_ready(), wrong, data.items.is_empty()) {
        (false, _, _) => (Mood::Bad, w.does_not_work),
        (true, true, _) => (Mood::Bad, w.needs_you),
        (true, false, false) => (Mood::Care, w.worth_a_look),
        (true, false, true) if data.fails() && data.waits() > 0 => (Mood::Care, w.worth_a_look),
        (true, false, true) if is_paused(data) => (Mood::Wait, w.paused),
        (true, false, true) => (Mood::Good, w.all_well),
    };
    let text = gravest(data)
        .map_or_else(|| well(w, data, clock), |finding| capital(clock.lang.said(&finding.said())) + ".");
    HealthSummary { mood, title: title.to_owned(), text, when: When::ago(clock, clock.now) }
}

/// Whether the mailbox is not looked into, as somebody has set it.
fn is_paused(data: &OverviewData) -> bool {
    data.mailbox.as_ref().is_some_and(|mailbox| mailbox.phase == "inactive")
}

/// Why it does not work.
fn gravest(data: &OverviewData) -> Option<&Finding> {
    let findings = || data.ready.checks.iter().flat_map(|check| &check.findings);
    findings().find(|finding| finding.severity() == Severity::Fail)
}

/// What shows that mails come and go.
fn well(w: &'static Words, data: &OverviewData, clock: PageClock) -> String {
    let flow = flow(w, data, clock);
    match data.mailbox.as_ref().filter(|_| is_paused(data)) {
        None => flow,
        Some(mailbox) => format!("{} {flow}", standing::pause(mailbox, clock.lang)),
    }
}

fn flow(w: &'static Words, data: &OverviewData, clock: PageClock) -> String {
    let last = match data.last_mail() {
        Some(at) if clock.lang == Lang::Fr => format!("Dernier mail {}", clock.ago(at)),
        Some(at) => format!("Last mail {}", clock.ago(at)),
        None => return format!("{}.", w.no_mail_yet),
    };
    let given_up = data.items.iter().any(|item| matches!(item.what, AttentionKind::DeadLetters { .. }));
    match data.waits() {
        0 if given_up => format!("{last}."),
        0 => format!("{last}, {}.", w.all_delivered),
        n => {
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            let wait = if data.fails() {
                clock.lang.count(
                    n,
                    [
                        "envoi attend que la destination réponde",
                        "envois attendent que la destination réponde",
                    ],
                    [
                        "delivery waits for the receiver to answer",
                        "deliveries wait for the receiver to answer",
                    ],
                )
            } else {
                clock.lang.count(
                    n,
                    ["envoi attend son heure", "envois attendent leur heure"],
                    ["delivery waits for its time", "deliveries wait for their time"],
                )
            };
            format!("{last}, {wait}.")
        }
    }
}

/// What is to be done.
pub(super) fn tasks(w: &'static Words, data: &OverviewData, clock: PageClock) -> Vec<Task> {
    data.items.iter().enumerate().map(|(place, item)| task(w, item, place, clock)).collect()
}

fn task(w: &'static Words, item: &Item, place: usize, clock: PageClock) -> Task {
    let lang = clock.lang;
    let plain = Task {
        mood: if item.is_wrong() { Mood::Bad } else { Mood::Care },
        title: String::new(),
        about: None,
        text: String::new(),
        since: item.since.map(|at| When::ago(clock, at)),
        confirm: None,
        button: None,
        link: None,
    };
    match &item.what {
        AttentionKind::DeadLetters { target, count } => Task {
            title: w.dead_letters(*count, lang),
            about: Some(UntrustedText(target.clone())),
            confirm: Some(Confirm {
                id: format!("resend-{place}"),
                button: w.resend.to_owned(),
                class: "primary",
                title: w.resend_question(*count, lang),
                text: w.resend_text.to_owned(),
                action: "/renvoyer".to_owned(),
                fields: vec![("target".to_owned(), target.clone())],
                yes: w.resend.to_owned(),
                no: w.cancel.to_owned(),
            }),
            link: Some((format!("/mails?failed=true&target={}", in_query(target)), w.see)),
            ..plain
        },
        AttentionKind::TargetGone { target, .. } => Task {
            title: w.gone_title.to_owned(),
            about: Some(UntrustedText(target.clone())),
            text: w.gone_answer.to_owned(),
            button: Some(Button { action: "/reactiver", field: ("target", target.clone()), text: w.enable }),
            ..plain
        },
        AttentionKind::Quarantined { count } => Task {
            title: w.quarantined(*count, lang),
            text: w.quarantined_text.to_owned(),
            link: Some(("/mails?state=quarantined".to_owned(), w.see)),
            ..plain
        },
        AttentionKind::SetAside { count } => Task {
            title: w.set_aside(*count, lang),
            text: w.set_aside_text.to_owned(),
            link: Some(("/mails?state=set_aside".to_owned(), w.see)),
            ..plain
        },
        AttentionKind::Found { check, finding } => Task {
            title: capital(lang.said(&finding.said())),
            text: finding.advice().map(|advice| capital(lang.said(&advice)) + ".").unwrap_or_default(),
            link: Some(match finding {
                Finding::TargetFails { .. } | Finding::DeliveriesLate { .. } => {
                    ("/mails?state=waiting".to_owned(), w.see)
                }
                Finding::LimitHolds { .. } => ("/reglages#limites".to_owned(), w.settings),
                _ => mended_at(w, check),
            }),
            ..plain
        },
    }
}

/// Where what a check found is mended.
fn mended_at(w: &'static Words, check: &str) -> (String, &'static str) {
    match check {
        "config" | "deliveries" => ("/reglages".to_owned(), w.settings),
        _ => ("/systeme".to_owned(), w.system),
    }
}

/// With a capital letter, as a sentence begins.
pub(super) fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + signs.as_str())
}
