//! What the settings mean, in words: what happens on which days and hours, and what is so now.

use chrono::{DateTime, NaiveTime, Utc};
use render_signal_actors::config::documents::{DocumentSet, Key};
use render_signal_actors::config::policy::{self, EnvDefaults};
use render_signal_actors::mail::policy::{Policy, Schedule};
use render_signal_actors::mail::windows::{self, Polling};
use serde_json::Value;

use super::groups::SettingsGroup;
use super::words::Words;
use crate::http::pages::clock::PageClock;
use crate::http::pages::documents::{date, days};
use crate::http::pages::parts::{Badge, Mood};
use crate::lang::Lang;

/// What settings mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effect {
    /// What is so now.
    pub(super) badge: Badge,
    pub(super) rule: String,
    /// When that changes, or what is so besides.
    pub(super) next: String,
}

impl Effect {
    /// All of it in sentences.
    pub(super) fn text(&self) -> String {
        if self.next.is_empty() { self.rule.clone() } else { format!("{} {}", self.rule, self.next) }
    }
}

/// The policy as far as a changed document decides it: schedule, switch, window and absence follow from
/// one document and the environment. `None` = the document would be refused.
pub(super) fn policy_with(key: Key, document: &Value, env: &EnvDefaults) -> Option<Policy> {
    let mut documents = DocumentSet::default();
    documents.put(key, Some(document), env).ok()?;
    Some(policy::build(&documents, env, 0))
}

/// What the fields of a form come to; `None` = that is not a matter of when.
pub(super) fn of(group: SettingsGroup, policy: &Policy, clock: PageClock) -> Option<Effect> {
    match group {
        SettingsGroup::Checks | SettingsGroup::Vacation => Some(checks(policy, clock)),
        SettingsGroup::Sending | SettingsGroup::Absence => Some(sending(policy, clock)),
        SettingsGroup::Target
        | SettingsGroup::Limits
        | SettingsGroup::Mails
        | SettingsGroup::Subjects
        | SettingsGroup::Flags => None,
    }
}

/// When the mailbox is looked at.
pub(super) fn checks(policy: &Policy, clock: PageClock) -> Effect {
    let (w, lang) = (Words::of(clock.lang), clock.lang);
    let schedule = &policy.schedule;
    if !policy.withheld.polling.is_empty() {
        return effect(Mood::Bad, w.stands_still, w.checks_withheld, String::new());
    }
    if !schedule.enabled {
        return effect(Mood::Care, w.off, w.checks_off, String::new());
    }
    let mut rule = w.checked(lang, &all_days(lang, &schedule.active_days), &hours(lang, schedule));
    let today = clock.now.with_timezone(&clock.zone).date_naive();
    if let Some((first, last)) = schedule.vacation.filter(|(_, last)| *last >= today) {
        rule = format!("{rule} {}", w.away(lang, &date(clock, first), &date(clock, last)));
    }
    match windows::polling(schedule, clock.zone, clock.now) {
        Polling::Active => effect(Mood::Good, w.open_now, &rule, String::new()),
        Polling::Inactive(why) => {
            let word = if why == "vacation" { w.on_vacation } else { w.closed_now };
            let next = windows::next_polling(schedule, clock.zone, clock.now);
            let next =
                next.map_or_else(|| w.never_again.to_owned(), |at| w.next_checks(lang, &moment(clock, at)));
            effect(Mood::Wait, word, &rule, next)
        }
    }
}

/// When webhooks go out.
pub(super) fn sending(policy: &Policy, clock: PageClock) -> Effect {
    let (w, lang) = (Words::of(clock.lang), clock.lang);
    if !policy.withheld.sending.is_empty() {
        return effect(Mood::Bad, w.stands_still, w.sending_withheld, String::new());
    }
    if !policy.sending_enabled {
        return effect(Mood::Care, w.off, w.sending_off, String::new());
    }
    let bounds = policy.window.as_ref().and_then(|window| Some((window.start?, window.end?)));
    let mut rule = match bounds {
        Some((start, end)) => w.sent(lang, &time(lang, start), &time(lang, end)),
        None => w.sent_always.to_owned(),
    };
    if !policy.absence_days.is_empty() {
        let away: Vec<u8> = policy.absence_days.iter().map(|day| day.num_days_from_monday() as u8).collect();
        rule = format!("{rule} {}", w.absent(lang, &all_days(lang, &away)));
    }
    match next_sending(policy, clock.now) {
        Some(at) if at == clock.now => effect(Mood::Good, w.open_now, &rule, String::new()),
        Some(at) => effect(Mood::Wait, w.closed_now, &rule, w.next_sending(lang, &moment(clock, at))),
        None => effect(Mood::Care, w.closed_now, &rule, w.never_sent.to_owned()),
    }
}

fn effect(mood: Mood, word: &str, rule: &str, next: String) -> Effect {
    Effect { badge: Badge::new(mood, word), rule: rule.to_owned(), next }
}

/// The first moment from `now` on at which webhooks go out; `None` = not by itself.
fn next_sending(policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut at = now;
    // Each day of absence and each window moves it on once.
    for _ in 0..20 {
        match windows::sending(policy, at) {
            Err(closed) => at = closed.until?,
            Ok(()) if windows::is_open(policy, at) => return Some(at),
            Ok(()) => at = windows::next_opening(policy.window.as_ref()?, policy.zone, at)?,
        }
    }
    None
}

/// `aujourd'hui à 18 h`, `demain à 9 h`, `lundi 7 déc. à 9 h`.
pub(super) fn moment(clock: PageClock, at: DateTime<Utc>) -> String {
    let (lang, w) = (clock.lang, Words::of(clock.lang));
    let local = at.with_timezone(&clock.zone);
    let ahead = (local.date_naive() - clock.now.with_timezone(&clock.zone).date_naive()).num_days();
    let day = match ahead {
        0 => w.today.to_owned(),
        1 => w.tomorrow.to_owned(),
        2..7 => clock.weekday(at).to_owned(),
        _ => format!("{} {}", clock.weekday(at), clock.date(at)),
    };
    format!("{day} {} {}", lang.pick("à", "at"), time(lang, local.time()))
}

/// `9 h 30`; `9:30` in English.
pub(super) fn time(lang: Lang, at: NaiveTime) -> String {
    match (lang, at.format("%M").to_string().as_str()) {
        (Lang::Fr, "00") => at.format("%-H\u{a0}h").to_string(),
        (Lang::Fr, _) => at.format("%-H\u{a0}h\u{a0}%M").to_string(),
        (Lang::En, _) => at.format("%-H:%M").to_string(),
    }
}

/// `de 9 h à 23 h`, `jour et nuit`.
fn hours(lang: Lang, schedule: &Schedule) -> String {
    let w = Words::of(lang);
    let (start, end) = (schedule.start_hour, schedule.end_hour);
    let hour = |hour: u8| match lang {
        Lang::Fr => format!("{hour}\u{a0}h"),
        Lang::En => format!("{hour}:00"),
    };
    match (start, end) {
        (0, 24) => w.day_and_night.to_owned(),
        _ if start == end => w.at_no_hour.to_owned(),
        _ if start > end => w.over_midnight(lang, &hour(start), &hour(end)),
        _ => w.between(lang, &hour(start), &hour(end)),
    }
}

/// `du lundi au vendredi`, `lundi, mercredi et jeudi`, `tous les jours`.
pub(super) fn all_days(lang: Lang, wanted: &[u8]) -> String {
    let w = Words::of(lang);
    let mut wanted: Vec<usize> = wanted.iter().map(|day| usize::from(*day)).filter(|day| *day < 7).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let name = |day: usize| days(lang).get(day).map_or("", |(_, name)| *name);
    match wanted.as_slice() {
        [] => w.no_day.to_owned(),
        [_, _, _, _, _, _, _] => w.every_day.to_owned(),
        [one] => w.on_day(lang, name(*one)),
        [first, .., last] if wanted.len() > 2 && last - first + 1 == wanted.len() => {
            w.days_from_to(lang, name(*first), name(*last))
        }
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(|day| name(*day)).collect();
            w.days_and(lang, &most.join(", "), name(*last))
        }
    }
}
