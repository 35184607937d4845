//! What is wrong with what was entered, in the words of the form. The document's own checks come
//! after these, and have the last word.

use chrono::NaiveDate;
use render_signal_actors::config::documents::time::parse_date;
use render_signal_actors::mail::windows::parse_time_hhmm;

use super::groups::{SettingsGroup, entered};
use super::inputs::{InputKind, lines};
use super::words::Words;
use crate::http::pages::documents::Problems;
use crate::http::pages::form::FormData;
use crate::lang::Lang;

/// Everything that is wrong, each at its field.
pub(super) fn wrong(lang: Lang, group: SettingsGroup, form: &FormData) -> Problems {
    let w = Words::of(lang);
    let mut found = Problems::default();
    let mut say = |name: &str, text: String| found.0.push((name.to_owned(), text));
    for (name, kind) in group.fields() {
        if let Some(text) = of_value(lang, *kind, &entered(form, name, *kind)) {
            say(name, text);
        }
    }
    let empty = |name: &str| form.text(name).is_empty();
    match group {
        SettingsGroup::Checks if form.all("active_days").is_empty() => say("active_days", w.a_day.to_owned()),
        SettingsGroup::Vacation => {
            let day = |name: &str| parse_date(form.text(name));
            match (day("vacation_start"), day("vacation_end")) {
                (Some(first), Some(last)) if first > last => say("vacation_end", w.backwards.to_owned()),
                _ if empty("vacation_start") && !empty("vacation_end") => {
                    say("vacation_start", w.first_too.to_owned());
                }
                _ if empty("vacation_end") && !empty("vacation_start") => {
                    say("vacation_end", w.last_too.to_owned());
                }
                _ => {}
            }
        }
        SettingsGroup::Absence
            if form.is_on("absence_pause_enabled") && form.all("absence_pause_days").is_empty() =>
        {
            say("absence_pause_days", w.an_absence_day.to_owned());
        }
        SettingsGroup::Sending => {
            let (start, end) = (form.text("webhook_time_start"), form.text("webhook_time_end"));
            if start.is_empty() != end.is_empty() {
                let missing = if start.is_empty() { "webhook_time_start" } else { "webhook_time_end" };
                say(missing, w.both_bounds.to_owned());
            } else if parse_time_hhmm(start).is_some() && parse_time_hhmm(start) == parse_time_hhmm(end) {
                say("webhook_time_end", w.never_open.to_owned());
            }
        }
        SettingsGroup::Mails
            if form.text("sender_authentication") != "off"
                && lines(form.text("trusted_authserv_ids")).is_empty() =>
        {
            say("trusted_authserv_ids", w.a_server.to_owned());
        }
        _ => {}
    }
    found
}

fn of_value(lang: Lang, kind: InputKind, text: &str) -> Option<String> {
    let w = Words::of(lang);
    if text.is_empty() {
        return None;
    }
    let within = |low: i64, high: i64| {
        let fits = text.parse::<i64>().is_ok_and(|number| (low..=high).contains(&number));
        (!fits).then(|| w.within(lang, low, high))
    };
    match kind {
        InputKind::Number(low, high) => within(low, high),
        InputKind::Hour(last) => within(0, i64::from(last)),
        InputKind::Time => parse_time_hhmm(text).is_none().then(|| w.a_time.to_owned()),
        InputKind::Date => {
            let day: Option<NaiveDate> = parse_date(text);
            day.is_none().then(|| w.a_date.to_owned())
        }
        InputKind::Choice(words) => (!words.contains(&text)).then(|| w.one_of_these.to_owned()),
        InputKind::Switch | InputKind::Days | InputKind::Weekdays | InputKind::Url | InputKind::Words => None,
    }
}
