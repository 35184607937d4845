//! What became of a mail, in a word and a half sentence: for its row, and for the head of its page.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use render_signal_actors::mail::{HoldReason, IgnoreReason};
use render_signal_actors::readmodel::queries::{DeliveryRow, Fate, MailRow};
use serde_json::Value;

use crate::http::pages::clock::PageClock;
use crate::http::pages::parts::{Badge, Mood};
use crate::lang::Lang;
use crate::words::reasons::deferred;
use crate::words::recorded::plain;

/// A word with its shape, and what is to be said besides. Words of receivers are in it: it is shown
/// as what strangers wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::pages) struct Became {
    /// The word.
    pub(in crate::http::pages) badge: Badge,
    /// The rest; it may be empty.
    pub(in crate::http::pages) said: String,
}

impl Became {
    fn new(mood: Mood, word: &str, said: impl Into<String>) -> Self {
        Self { badge: Badge::new(mood, word), said: said.into() }
    }
}

/// What became of a mail with these deliveries.
pub(in crate::http::pages) fn became(clock: PageClock, mail: &MailRow, deliveries: &[DeliveryRow]) -> Became {
    match Fate::of(mail) {
        Fate::Delivered => delivered(clock, mail, deliveries),
        Fate::Failed => failed(clock.lang, mail, deliveries),
        Fate::Waiting => waiting(clock, mail, deliveries),
        Fate::Ignored => ignored(clock.lang, mail),
        Fate::Unreadable => unreadable(clock.lang, mail),
    }
}

fn delivered(clock: PageClock, mail: &MailRow, deliveries: &[DeliveryRow]) -> Became {
    let lang = clock.lang;
    let word = lang.pick("Livré", "Delivered");
    // Somebody had it sent once more, which the mail's own account does not count.
    if let Some(again) = deliveries.iter().find(|delivery| delivery.state == "dead_lettered") {
        let why = error_of(lang, again);
        let said =
            lang.either(format!("renvoi abandonné{why}"), format!("sending it again was given up{why}"));
        return Became::new(Mood::Care, word, said);
    }
    if deliveries.iter().any(is_open) {
        return Became::new(Mood::Wait, word, lang.pick("renvoi en cours", "being sent again"));
    }
    let (done, all) = (mail.delivered, mail.deliveries_total);
    let ended = deliveries
        .iter()
        .filter(|delivery| delivery.state == "delivered")
        .filter_map(|one| one.ended_at)
        .max();
    let took = ended.map(|ended| {
        let took =
            clock.milliseconds(u64::try_from((ended - mail.received_at).num_milliseconds()).unwrap_or(0));
        format!("{} {took}", lang.pick("en", "in"))
    });
    let where_to = (all > 1).then(|| {
        lang.either(
            format!("à {done} {} sur {all}", if done > 1 { "destinations" } else { "destination" }),
            format!("to {done} of {all} targets"),
        )
    });
    Became::new(Mood::Good, word, [where_to, took].into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn failed(lang: Lang, mail: &MailRow, deliveries: &[DeliveryRow]) -> Became {
    let dead = deliveries.iter().find(|delivery| delivery.state == "dead_lettered");
    let why = dead.and_then(|dead| dead.last_error.as_deref()).map(|error| plain(lang, error).into_owned());
    let (count, all) = (mail.dead_lettered, mail.deliveries_total);
    let share = (all > 1).then(|| {
        lang.either(
            format!("{count} {} sur {all}", if count > 1 { "destinations" } else { "destination" }),
            format!("{count} of {all} targets"),
        )
    });
    let said = [share, why].into_iter().flatten().collect::<Vec<_>>().join(lang.colon());
    Became::new(Mood::Bad, lang.pick("Abandonné", "Given up"), said)
}

fn waiting(clock: PageClock, mail: &MailRow, deliveries: &[DeliveryRow]) -> Became {
    let lang = clock.lang;
    let word = lang.pick("En attente", "Waiting");
    if mail.stage == "received" {
        return Became::new(Mood::Wait, word, lang.pick("vient d'arriver", "has just arrived"));
    }
    if mail.stage != "routed" {
        let reason = mail.reason.as_deref().map_or(String::new(), |code| reason(lang, code));
        return Became::new(Mood::Wait, word, join(reason, mail.hold_until.map(|at| departs(clock, at))));
    }
    let open: Vec<&DeliveryRow> = deliveries.iter().filter(|one| is_open(one)).collect();
    if let Some(retried) = open.iter().find(|one| one.state == "retrying") {
        let next = retried.next_at.map(|at| again_at(clock, at));
        let why =
            retried.last_error.as_deref().map_or(String::new(), |error| plain(lang, error).into_owned());
        return Became::new(Mood::Care, lang.pick("Nouvel essai", "Another try"), join(why, next));
    }
    for (state, code) in [("held_window", "outside_window"), ("held_rate", "rate_limit")] {
        if let Some(held) = open.iter().find(|one| one.state == state) {
            let reason =
                if code == "outside_window" { reason(lang, code) } else { deferred(lang, code).into_owned() };
            return Became::new(Mood::Wait, word, join(reason, held.next_at.map(|at| departs(clock, at))));
        }
    }
    Became::new(Mood::Wait, lang.pick("En route", "On its way"), lang.pick("envoi en cours", "being sent"))
}

fn ignored(lang: Lang, mail: &MailRow) -> Became {
    if mail.stage == "routed" {
        return Became::new(
            Mood::None,
            lang.pick("Annulé", "Cancelled"),
            lang.pick("rien n'est parti", "nothing was sent"),
        );
    }
    let reason = mail.reason.as_deref().map_or(String::new(), |code| reason(lang, code));
    let word = if mail.stage == "skipped" {
        lang.pick("Laissé de côté", "Skipped")
    } else {
        lang.pick("Ignoré", "Ignored")
    };
    let detail = mail.detail.as_deref().map(|detail| plain(lang, detail).into_owned());
    let said = [Some(reason), detail].into_iter().flatten().collect::<Vec<_>>().join(lang.colon());
    Became::new(Mood::None, word, said)
}

fn unreadable(lang: Lang, mail: &MailRow) -> Became {
    let why = mail.reason.as_deref().map_or(String::new(), |why| plain(lang, why).into_owned());
    let word = if mail.stage == "set_aside" {
        lang.pick("Mis de côté", "Set aside")
    } else {
        lang.pick("Quarantaine", "Quarantine")
    };
    Became::new(Mood::Care, word, why)
}

/// Whether it has not ended.
pub(in crate::http::pages) fn is_open(delivery: &DeliveryRow) -> bool {
    !matches!(delivery.state.as_str(), "delivered" | "dead_lettered" | "cancelled")
}

fn error_of(lang: Lang, delivery: &DeliveryRow) -> String {
    delivery
        .last_error
        .as_deref()
        .map_or(String::new(), |error| format!("{}{}", lang.colon(), plain(lang, error)))
}

fn join(first: String, second: Option<String>) -> String {
    [Some(first).filter(|text| !text.is_empty()), second].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `part demain à 08:00`.
fn departs(clock: PageClock, at: DateTime<Utc>) -> String {
    if at <= clock.now {
        return clock.lang.pick("part maintenant", "goes out now").to_owned();
    }
    format!("{} {}", clock.lang.pick("part", "goes out"), moment(clock, at))
}

/// `dans 4 min`, or when, if that is long.
fn again_at(clock: PageClock, at: DateTime<Utc>) -> String {
    if at <= clock.now {
        return clock.lang.pick("maintenant", "now").to_owned();
    }
    moment(clock, at)
}

/// `à 14:02`, `demain à 08:00`, `le 12 nov. à 08:00`.
pub(in crate::http::pages) fn moment(clock: PageClock, at: DateTime<Utc>) -> String {
    let day = |at: DateTime<Utc>| at.with_timezone(&clock.zone).date_naive();
    let time = clock.time(at);
    let (to, lang) = (clock.lang.pick("à", "at"), clock.lang);
    match (day(at) - day(clock.now)).num_days() {
        0 => format!("{to} {time}"),
        1 => format!("{} {to} {time}", lang.pick("demain", "tomorrow")),
        _ => format!("{} {} {to} {time}", lang.pick("le", "on"), clock.date(at)),
    }
}

/// A reason in two or three words; what is not known, as it stands there.
pub(in crate::http::pages) fn reason(lang: Lang, code: &str) -> String {
    if let Ok(known) = serde_json::from_value::<IgnoreReason>(Value::from(code)) {
        return ignore_reason(lang, known).to_owned();
    }
    if let Ok(known) = serde_json::from_value::<HoldReason>(Value::from(code)) {
        return hold_reason(lang, known).to_owned();
    }
    match code {
        "released" => lang.pick("libéré", "released").to_owned(),
        other if other.contains(' ') => plain(lang, other).into_owned(),
        other => other.replace('_', " "),
    }
}

const fn ignore_reason(lang: Lang, reason: IgnoreReason) -> &'static str {
    match reason {
        IgnoreReason::SenderNotAllowed => lang.pick("expéditeur inconnu", "unknown sender"),
        IgnoreReason::SenderNotAuthenticated => lang.pick("expéditeur non prouvé", "sender not proven"),
        IgnoreReason::Reply => lang.pick("réponse", "a reply"),
        IgnoreReason::Automatic => lang.pick("réponse automatique", "an automatic answer"),
        IgnoreReason::NoLinks => lang.pick("aucun lien", "no link"),
        IgnoreReason::TooLarge => lang.pick("trop grand", "too large"),
        IgnoreReason::ExcludedKeyword => lang.pick("mot exclu", "excluded keyword"),
        IgnoreReason::NoAttachment => lang.pick("sans pièce jointe", "no attachment"),
        IgnoreReason::DuplicateGroup => lang.pick("groupe déjà parti", "its group was sent"),
        IgnoreReason::Operator => lang.pick("écarté à la main", "set aside by hand"),
    }
}

const fn hold_reason(lang: Lang, reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::OutsideWindow => lang.pick("hors fenêtre", "outside the window"),
        HoldReason::SendingDisabled => lang.pick("envoi désactivé", "sending is off"),
        HoldReason::Absence => lang.pick("absence globale", "day of absence"),
        HoldReason::ConfigurationRefused => lang.pick("configuration inutilisable", "unusable configuration"),
    }
}
