//! The overview in words: one sentence that is true, what is to be done, what waits and why, how
//! the mailbox and each target are.

use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::mail::HoldReason;
use render_signal_actors::readmodel::queries::{DeliveryHour, TargetRow, Waiting};
use render_signal_actors::search::ListedMail;

use super::look::Look;
use super::words::Words;
use crate::findings::{Aside, Finding, Phase, Severity};
use crate::http::pages::clock::Clock;
use crate::http::pages::frame::in_query;
use crate::http::pages::mails::became;
use crate::http::pages::parts::{Badge, Confirm, Mood, Shown, When};
use crate::lang::Lang;
use crate::services::attention::{Item, What};
use crate::services::board::Mailbox;
use crate::words::reasons;

/// How it is, in a sentence.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    /// Whether it is well.
    pub(super) mood: Mood,
    /// In a few words.
    pub(super) title: String,
    /// With what shows it.
    pub(super) text: String,
    /// Of when this is.
    pub(super) when: When,
}

/// Something to be done.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// How grave it is.
    pub(super) mood: Mood,
    /// What it is.
    pub(super) title: String,
    /// Of which target.
    pub(super) about: Option<Shown>,
    /// What it means, or what to do.
    pub(super) text: String,
    /// Since when.
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

/// Something that waits.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    /// How many.
    pub(super) count: String,
    /// Why.
    pub(super) why: String,
    /// When it goes on.
    pub(super) until: String,
    /// Where it is seen.
    pub(super) href: String,
}

/// A target.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Its id.
    pub(super) id: Shown,
    /// How it is.
    pub(super) badge: Badge,
    /// What shows it.
    pub(super) text: String,
    /// What went wrong last.
    pub(super) trouble: Option<Shown>,
    /// Its mails.
    pub(super) href: String,
}

/// A mail of the newest.
#[derive(Debug, Clone)]
pub(super) struct LastMail {
    /// Its page.
    pub(super) href: String,
    /// When it came.
    pub(super) when: When,
    /// What it is called.
    pub(super) subject: Shown,
    /// Who sent it.
    pub(super) sender: Shown,
    /// What became of it.
    pub(super) badge: Badge,
    /// And besides.
    pub(super) said: Shown,
}

/// The newest mails.
pub(super) fn last_mails(w: &'static Words, look: &Look, clock: Clock) -> Vec<LastMail> {
    let one = |listed: &ListedMail| {
        let became = became(clock, &listed.mail, &listed.deliveries);
        let subject = match listed.subject.as_deref() {
            None => w.erased,
            Some("") => w.no_subject,
            Some(subject) => subject,
        };
        LastMail {
            href: format!("/mails/{}", in_query(&listed.mail.email_id)),
            when: When::short(clock, listed.mail.received_at),
            subject: Shown(subject.to_owned()),
            sender: Shown(listed.sender.clone().unwrap_or_default()),
            badge: became.badge,
            said: Shown(became.said),
        }
    };
    look.last.iter().map(one).collect()
}

/// How it is, in a sentence.
pub(super) fn verdict(w: &'static Words, look: &Look, clock: Clock) -> Verdict {
    let wrong = look.items.iter().any(Item::is_wrong);
    let (mood, title) = match (look.ready.is_ready(), wrong, look.items.is_empty()) {
        (false, _, _) => (Mood::Bad, w.does_not_work),
        (true, true, _) => (Mood::Bad, w.needs_you),
        (true, false, false) => (Mood::Care, w.worth_a_look),
        (true, false, true) => (Mood::Good, w.all_well),
    };
    let text = gravest(look)
        .map_or_else(|| well(w, look, clock), |finding| capital(clock.lang.said(&finding.said())) + ".");
    Verdict { mood, title: title.to_owned(), text, when: When::ago(clock, clock.now) }
}

/// Why it does not work.
fn gravest(look: &Look) -> Option<&Finding> {
    let findings = || look.ready.checks.values().flat_map(|check| &check.findings);
    findings().find(|finding| finding.severity() == Severity::Fail)
}

/// What shows that mails come and go.
fn well(w: &'static Words, look: &Look, clock: Clock) -> String {
    let last = match look.last_mail() {
        Some(at) if clock.lang == Lang::Fr => format!("Dernier mail {}", clock.ago(at)),
        Some(at) => format!("Last mail {}", clock.ago(at)),
        None => return format!("{}.", w.no_mail_yet),
    };
    let given_up = look.items.iter().any(|item| matches!(item.what, What::DeadLetters { .. }));
    match look.waits() {
        0 if given_up => format!("{last}."),
        0 => format!("{last}, {}.", w.all_delivered),
        n => {
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            let wait = clock.lang.count(
                n,
                ["envoi attend son heure", "envois attendent leur heure"],
                ["delivery waits for its time", "deliveries wait for their time"],
            );
            format!("{last}, {wait}.")
        }
    }
}

/// What is to be done.
pub(super) fn tasks(w: &'static Words, look: &Look, clock: Clock) -> Vec<Task> {
    look.items.iter().enumerate().map(|(place, item)| task(w, item, place, clock)).collect()
}

fn task(w: &'static Words, item: &Item, place: usize, clock: Clock) -> Task {
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
        What::DeadLetters { target, count } => Task {
            title: w.dead_letters(*count, lang),
            about: Some(Shown(target.clone())),
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
        What::TargetGone { target, .. } => Task {
            title: w.gone.to_owned(),
            about: Some(Shown(target.clone())),
            text: w.gone_answer.to_owned(),
            button: Some(Button { action: "/reactiver", field: ("target", target.clone()), text: w.enable }),
            ..plain
        },
        What::Quarantined { count } => Task {
            title: w.quarantined(*count, lang),
            text: w.quarantined_text.to_owned(),
            link: Some(("/mails?state=quarantined".to_owned(), w.see)),
            ..plain
        },
        What::SetAside { count } => Task {
            title: w.set_aside(*count, lang),
            text: w.set_aside_text.to_owned(),
            link: Some(("/mails?state=set_aside".to_owned(), w.see)),
            ..plain
        },
        What::Found { check, finding } => Task {
            title: capital(lang.said(&finding.said())),
            text: finding.advice().map(|advice| capital(lang.said(&advice)) + ".").unwrap_or_default(),
            link: Some(mended_at(w, check)),
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

/// What waits, and why.
pub(super) fn waits(w: &'static Words, look: &Look, clock: Clock) -> Vec<Wait> {
    let lang = clock.lang;
    let held = look.held.iter().map(|row| {
        let reason = serde_json::from_value::<HoldReason>(row.reason.as_str().into());
        let why = reason.map_or_else(|_| row.reason.clone(), |reason| reasons::held(lang, reason).to_owned());
        Wait {
            count: w.waits(row.n, lang),
            why,
            until: until(w, row, clock, w.until_changed),
            href: format!("/mails?state=held&reason={}", in_query(&row.reason)),
        }
    });
    let open = look.open.iter().map(|row| Wait {
        count: w.webhooks(row.n, lang),
        why: open_because(&row.reason, lang).to_owned(),
        until: until(w, row, clock, w.at_once),
        href: "/mails?state=routed".to_owned(),
    });
    held.chain(open).collect()
}

fn open_because(state: &str, lang: Lang) -> &'static str {
    match state {
        "retrying" => lang.pick("à réessayer après un échec", "to be tried again after a failure"),
        "held_rate" => lang.pick("limite d'envois par heure", "the hourly limit"),
        "held_window" => lang.pick("hors de la fenêtre d'envoi", "outside the delivery window"),
        _ => lang.pick("en cours d'envoi", "being sent"),
    }
}

fn until(w: &'static Words, row: &Waiting, clock: Clock, without: &'static str) -> String {
    match row.next_at {
        Some(at) if at > clock.now => format!("{}{}{}", w.next, clock.lang.colon(), clock.short(at)),
        Some(_) => w.at_once.to_owned(),
        None => without.to_owned(),
    }
}

/// How the mailbox is: whether it is well, and sentences.
pub(super) fn mailbox(mailbox: &Mailbox, clock: Clock) -> (Mood, Vec<String>) {
    let name = || mailbox.name.clone();
    let (phase, reason) = (Phase(mailbox.phase.clone()), Aside(mailbox.reason.clone()));
    let (mood, state) = if mailbox.silent {
        (Mood::Bad, Finding::MailboxSilent { mailbox: name(), phase, reason })
    } else if mailbox.failures > 0 {
        let failures = mailbox.failures;
        (Mood::Care, Finding::MailboxUnreachable { mailbox: name(), phase, reason, failures })
    } else {
        (Mood::Good, Finding::MailboxWell { mailbox: name(), phase, reason })
    };
    let lang = clock.lang;
    let heard = mailbox.last_heard.map(|at| match lang {
        Lang::Fr => format!("Le serveur a parlé {}", clock.ago(at)),
        Lang::En => format!("The server spoke {}", clock.ago(at)),
    });
    let n = usize::try_from(mailbox.lag_mails).unwrap_or(usize::MAX);
    let lag = match mailbox.lag_mails {
        0 => lang.pick("Aucun mail n'y attend", "No mail waits in it").to_owned(),
        _ => lang.count(n, ["mail y attend", "mails y attendent"], ["mail waits in it", "mails wait in it"]),
    };
    let oldest = mailbox.oldest_waiting.map(|at| clock.ago(at));
    let lag = match oldest {
        Some(ago) if n > 0 => format!("{lag} ({} {ago})", lang.pick("le plus ancien", "the oldest")),
        _ => lag,
    };
    let mut sentences = vec![capital(lang.said(&state.said()))];
    sentences.extend(heard);
    sentences.push(lag);
    (mood, sentences)
}

/// A target: how it is, and what shows it.
pub(super) fn target(w: &'static Words, row: &TargetRow, day: Option<&DeliveryHour>, clock: Clock) -> Target {
    let (mood, text) = if row.disabled {
        (Mood::Bad, w.gone)
    } else if row.breaker == "open" {
        (Mood::Bad, w.fails)
    } else {
        match (row.last_success_at, row.last_failure_at) {
            (None, None) => (Mood::None, w.never),
            (success, Some(failure)) if success.is_none_or(|at| at < failure) => (Mood::Care, w.failed_last),
            _ => (Mood::Good, w.works),
        }
    };
    let mut said = Vec::new();
    if let Some(day) = day.filter(|day| day.ok + day.failed > 0) {
        said.push(format!("{} {}", clock.percent(day.ok, day.ok + day.failed), w.of_attempts));
    }
    let mut moment = |name: &str, at: Option<DateTime<Utc>>| {
        if let Some(at) = at {
            said.push(format!("{name} {}", clock.ago(at)));
        }
    };
    moment(w.last_success, row.last_success_at);
    if mood != Mood::Good {
        moment(w.last_failure, row.last_failure_at);
    }
    if row.breaker == "open" {
        moment(w.next_try, row.breaker_until.filter(|at| *at > clock.now - TimeDelta::seconds(1)));
    }
    Target {
        id: Shown(row.id.clone()),
        badge: Badge::new(mood, text),
        text: said.join(" · "),
        trouble: row.last_failure.clone().filter(|_| mood != Mood::Good).map(Shown),
        href: format!("/mails?target={}", in_query(&row.id)),
    }
}

/// With a capital letter, as a sentence begins.
pub(super) fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + signs.as_str())
}
