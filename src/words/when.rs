//! Instants, as they are said in a sentence.

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use chrono_tz::Tz;

use crate::lang::Lang;

/// How exactly times and places are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Instants in UTC by RFC 3339, places with all their numbers: to be compared with a log.
    Exact,
    /// Instants in this time zone and no longer than they need to be beside the event's own; places
    /// by the name of their folder: to be read.
    Local(Tz),
}

impl Depth {
    /// `until` such an instant, said of something that happened at `beside`.
    pub(crate) fn until(self, lang: Lang, at: DateTime<Utc>, beside: DateTime<Utc>) -> String {
        let (said, has_day) = self.said(lang, at, beside);
        let french = if has_day { "jusqu'au" } else { "jusqu'à" };
        format!("{} {said}", lang.pick(french, "until"))
    }

    /// `at` such an instant, said of something that happened at `beside`.
    pub(crate) fn at(self, lang: Lang, at: DateTime<Utc>, beside: DateTime<Utc>) -> String {
        let (said, has_day) = self.said(lang, at, beside);
        let english = if has_day && self != Self::Exact { "on" } else { "at" };
        format!("{} {said}", lang.pick(if has_day { "le" } else { "à" }, english))
    }

    /// The instant, and whether its day is part of what is said.
    fn said(self, lang: Lang, at: DateTime<Utc>, beside: DateTime<Utc>) -> (String, bool) {
        let Self::Local(zone) = self else {
            return (at.to_rfc3339_opts(SecondsFormat::Secs, true), true);
        };
        let (at, beside) = (at.with_timezone(&zone), beside.with_timezone(&zone));
        let time = at.format("%H:%M");
        if at.date_naive() == beside.date_naive() {
            return (time.to_string(), false);
        }
        let year = if at.year() == beside.year() { String::new() } else { format!(" {}", at.year()) };
        let to = lang.pick("à", "at");
        let day = match (lang, at.day()) {
            (Lang::Fr, 1) => "1er".to_owned(),
            (_, day) => day.to_string(),
        };
        (format!("{day} {}{year} {to} {time}", month(lang, at.month())), true)
    }
}

/// The name of a month, from 1.
const fn month(lang: Lang, number: u32) -> &'static str {
    match number {
        1 => lang.pick("janvier", "January"),
        2 => lang.pick("février", "February"),
        3 => lang.pick("mars", "March"),
        4 => lang.pick("avril", "April"),
        5 => lang.pick("mai", "May"),
        6 => lang.pick("juin", "June"),
        7 => lang.pick("juillet", "July"),
        8 => lang.pick("août", "August"),
        9 => lang.pick("septembre", "September"),
        10 => lang.pick("octobre", "October"),
        11 => lang.pick("novembre", "November"),
        _ => lang.pick("décembre", "December"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_says_no_more_than_it_needs_to() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let beside = at("2026-01-26T22:30:00Z");
        let local = Depth::Local(chrono_tz::Europe::Paris);
        for (depth, instant, french, english) in [
            // It is still the same day in Paris, or no longer.
            (local, "2026-01-26T22:45:00Z", "jusqu'à 23:45", "until 23:45"),
            (local, "2026-01-26T23:15:00Z", "jusqu'au 27 janvier à 00:15", "until 27 January at 00:15"),
            (local, "2026-08-01T06:00:00Z", "jusqu'au 1er août à 08:00", "until 1 August at 08:00"),
            (
                local,
                "2027-02-03T07:00:00Z",
                "jusqu'au 3 février 2027 à 08:00",
                "until 3 February 2027 at 08:00",
            ),
            (
                Depth::Exact,
                "2026-01-26T22:45:00Z",
                "jusqu'au 2026-01-26T22:45:00Z",
                "until 2026-01-26T22:45:00Z",
            ),
        ] {
            assert_eq!(depth.until(Lang::Fr, at(instant), beside), french);
            assert_eq!(depth.until(Lang::En, at(instant), beside), english);
        }
        let (soon, later) = (at("2026-01-26T22:45:00Z"), at("2026-01-27T22:45:00Z"));
        assert_eq!(local.at(Lang::Fr, soon, beside), "à 23:45");
        assert_eq!(local.at(Lang::En, soon, beside), "at 23:45");
        assert_eq!(local.at(Lang::Fr, later, beside), "le 27 janvier à 23:45");
        assert_eq!(local.at(Lang::En, later, beside), "on 27 January at 23:45");
        assert_eq!(Depth::Exact.at(Lang::En, soon, beside), "at 2026-01-26T22:45:00Z");
    }
}
