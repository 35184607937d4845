//! What waits and why, how the mailbox and each target are, in words.

use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::mail::HoldReason;
use render_signal_actors::readmodel::queries::{DeliveryHour, TargetRow, Waiting};

use super::data::OverviewData;
use super::view::capital;
use super::words::Words;
use crate::findings::{Aside, Finding, Phase, Told as _};
use crate::http::pages::clock::PageClock;
use crate::http::pages::frame::in_query;
use crate::http::pages::parts::{Badge, Mood, UntrustedText};
use crate::lang::Lang;
use crate::services::board::MailboxReport;
use crate::words::reasons;

/// Something that waits.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    /// How many.
    pub(super) count: String,
    pub(super) why: String,
    /// When it goes on.
    pub(super) until: String,
    /// Where it is seen.
    pub(super) href: String,
}

#[derive(Debug, Clone)]
pub(super) struct TargetCard {
    pub(super) id: UntrustedText,
    pub(super) badge: Badge,
    /// What shows it.
    pub(super) text: String,
    /// What went wrong last.
    pub(super) trouble: Option<UntrustedText>,
    /// Its mails.
    pub(super) href: String,
}

pub(super) fn waits(w: &'static Words, data: &OverviewData, clock: PageClock) -> Vec<Wait> {
    let lang = clock.lang;
    let held = data.held.iter().map(|row| {
        let reason = serde_json::from_value::<HoldReason>(row.reason.as_str().into());
        let why = reason.map_or_else(|_| row.reason.clone(), |reason| reasons::held(lang, reason).to_owned());
        Wait {
            count: w.waits(row.n, lang),
            why,
            until: until(w, row, clock, w.until_changed),
            href: format!("/mails?state=held&reason={}", in_query(&row.reason)),
        }
    });
    let open = data.open.iter().map(|row| Wait {
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

fn until(w: &'static Words, row: &Waiting, clock: PageClock, without: &'static str) -> String {
    match row.next_at {
        Some(at) if at > clock.now => format!("{}{}{}", w.next, clock.lang.colon(), clock.short(at)),
        Some(_) => w.at_once.to_owned(),
        None => without.to_owned(),
    }
}

/// How the mailbox is: whether it is well, and sentences.
pub(super) fn mailbox(mailbox: &MailboxReport, clock: PageClock) -> (Mood, Vec<String>) {
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
    if mailbox.phase == "inactive" {
        // What waits in it is not known while nobody looks.
        let said = pause(mailbox, lang);
        return (Mood::Wait, vec![said.trim_end_matches('.').to_owned()]);
    }
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

/// That the mailbox is not looked into, and why.
pub(super) fn pause(mailbox: &MailboxReport, lang: Lang) -> String {
    let why = Aside(mailbox.reason.clone()).told(lang);
    match lang {
        Lang::Fr => format!("La boîte n'est pas relevée{why}\u{a0}: les mails y attendent."),
        Lang::En => format!("The mailbox is not polled{why}: mails wait in it."),
    }
}

/// A target: how it is, and what shows it.
pub(super) fn target(
    w: &'static Words,
    row: &TargetRow,
    day: Option<&DeliveryHour>,
    clock: PageClock,
) -> TargetCard {
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
    TargetCard {
        id: UntrustedText(row.id.clone()),
        badge: Badge::new(mood, text),
        text: said.join(" · "),
        trouble: row.last_failure.clone().filter(|_| mood != Mood::Good).map(UntrustedText),
        href: format!("/mails?target={}", in_query(&row.id)),
    }
}
