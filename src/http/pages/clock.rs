//! Times, durations and numbers as people read them: in their language and the configured zone.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::lang::Lang;

/// What now is, and how it is said.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct PageClock {
    /// The moment at which the page is made.
    pub(in crate::http) now: DateTime<Utc>,
    /// The configured zone (`POLLING_TIMEZONE`).
    pub(in crate::http) zone: Tz,
    /// The reader's language.
    pub(in crate::http) lang: Lang,
}

const MONTHS: [[&str; 2]; 12] = [
    ["janv.", "Jan"],
    ["févr.", "Feb"],
    ["mars", "Mar"],
    ["avr.", "Apr"],
    ["mai", "May"],
    ["juin", "Jun"],
    ["juil.", "Jul"],
    ["août", "Aug"],
    ["sept.", "Sep"],
    ["oct.", "Oct"],
    ["nov.", "Nov"],
    ["déc.", "Dec"],
];

const DAYS: [[&str; 2]; 7] = [
    ["lundi", "Monday"],
    ["mardi", "Tuesday"],
    ["mercredi", "Wednesday"],
    ["jeudi", "Thursday"],
    ["vendredi", "Friday"],
    ["samedi", "Saturday"],
    ["dimanche", "Sunday"],
];

impl PageClock {
    fn pick(self, [french, english]: [&'static str; 2]) -> &'static str {
        self.lang.pick(french, english)
    }

    /// `14:02`, in the zone.
    pub(in crate::http) fn time(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%H:%M").to_string()
    }

    /// `14:02:07`, in the zone.
    pub(in crate::http) fn seconds(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%H:%M:%S").to_string()
    }

    /// `12 nov. 2026`, in the zone.
    pub(in crate::http) fn date(self, at: DateTime<Utc>) -> String {
        let day = at.with_timezone(&self.zone);
        format!("{}\u{a0}{}", self.day_and_month(at), day.year())
    }

    /// `12 nov.`; `1er nov.` in French.
    fn day_and_month(self, at: DateTime<Utc>) -> String {
        let day = at.with_timezone(&self.zone);
        let month = MONTHS.get(day.month0() as usize).map_or("", |names| self.pick(*names));
        let first = if day.day() == 1 { self.lang.pick("er", "") } else { "" };
        format!("{}{first}\u{a0}{month}", day.day())
    }

    /// `lundi`.
    pub(in crate::http) fn weekday(self, at: DateTime<Utc>) -> &'static str {
        let day = at.with_timezone(&self.zone).weekday().num_days_from_monday() as usize;
        DAYS.get(day).map_or("", |names| self.pick(*names))
    }

    /// The whole of it: `jeudi 12 nov. 2026, 14:02:07 CET`.
    pub(in crate::http) fn full(self, at: DateTime<Utc>) -> String {
        let zone = at.with_timezone(&self.zone).format("%Z");
        format!("{} {}, {} {zone}", self.weekday(at), self.date(at), self.seconds(at))
    }

    /// As short as it is clear: `14:02` today, `hier 14:02`, `12 nov. 14:02`, `12 nov. 2025`.
    pub(in crate::http) fn short(self, at: DateTime<Utc>) -> String {
        let (day, today) = (at.with_timezone(&self.zone), self.now.with_timezone(&self.zone));
        let days = (day.date_naive() - today.date_naive()).num_days();
        let time = self.time(at);
        match days {
            0 => time,
            -1 => format!("{} {time}", self.lang.pick("hier", "yesterday")),
            1 => format!("{} {time}", self.lang.pick("demain", "tomorrow")),
            _ if day.year() == today.year() => format!("{} {time}", self.day_and_month(at)),
            _ => self.date(at),
        }
    }

    /// How long ago, or how far ahead: `il y a 4 min`, `dans 2 h`.
    pub(in crate::http) fn ago(self, at: DateTime<Utc>) -> String {
        let gone = self.now - at;
        if gone.abs() < TimeDelta::seconds(2) {
            return self.lang.pick("à l'instant", "just now").to_owned();
        }
        let length = self.length(gone.abs());
        match (gone > TimeDelta::zero(), self.lang) {
            (true, Lang::Fr) => format!("il y a {length}"),
            (true, Lang::En) => format!("{length} ago"),
            (false, Lang::Fr) => format!("dans {length}"),
            (false, Lang::En) => format!("in {length}"),
        }
    }

    /// A duration in its largest unit: `40 s`, `4 min`, `2 h`, `3 jours`.
    pub(in crate::http) fn length(self, span: TimeDelta) -> String {
        let seconds = span.num_seconds().max(0);
        let unit = |n: i64, unit: &str| format!("{n}\u{a0}{unit}");
        match seconds {
            0..60 => unit(seconds, "s"),
            60..3_600 => unit(seconds / 60, "min"),
            3_600..86_400 => {
                let (hours, minutes) = (seconds / 3_600, seconds % 3_600 / 60);
                if minutes == 0 { unit(hours, "h") } else { format!("{hours}\u{a0}h\u{a0}{minutes:02}") }
            }
            _ => {
                let days = usize::try_from(seconds / 86_400).unwrap_or(usize::MAX);
                self.lang.count(days, ["jour", "jours"], ["day", "days"])
            }
        }
    }

    /// A duration of a machine: `180 ms`, `1,2 s`, `42 s`.
    pub(in crate::http) fn milliseconds(self, millis: u64) -> String {
        match millis {
            0..1_000 => format!("{millis}\u{a0}ms"),
            1_000..10_000 => format!("{}\u{a0}s", self.decimal(millis, 1_000)),
            _ => self.length(TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX))),
        }
    }

    /// `1 234 567`, as the language groups it.
    pub(in crate::http) fn number(self, n: u64) -> String {
        let digits = n.to_string();
        let separator = self.lang.pick("\u{202f}", ",");
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push_str(separator);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// Bytes: `512 o`, `18 Ko`, `1,2 Mo`; `B`, `kB`, `MB` in English. Thousands, not 1,024.
    pub(in crate::http) fn bytes(self, bytes: u64) -> String {
        const UNITS: [(u64, [&str; 2]); 3] =
            [(1_000_000_000, ["Go", "GB"]), (1_000_000, ["Mo", "MB"]), (1_000, ["Ko", "kB"])];
        for (size, names) in UNITS {
            if bytes >= size {
                let n =
                    if bytes >= 10 * size { self.number(bytes / size) } else { self.decimal(bytes, size) };
                return format!("{n}\u{a0}{}", self.pick(names));
            }
        }
        format!("{bytes}\u{a0}{}", self.lang.pick("o", "B"))
    }

    /// A share of a whole: `99,2 %`; nothing of nothing is `–`.
    pub(in crate::http) fn percent(self, part: u64, whole: u64) -> String {
        if whole == 0 {
            return "–".to_owned();
        }
        let rounded = (part.saturating_mul(1_000) + whole / 2) / whole;
        let tenths = if part < whole { rounded.min(999) } else { rounded };
        // 999 of 1,000 is not all of them.
        let space = self.lang.pick("\u{a0}", "");
        if tenths == 1_000 { format!("100{space}%") } else { format!("{}{space}%", self.decimal(tenths, 10)) }
    }

    /// A number with one digit behind the comma, which is left out when it is nought.
    fn decimal(self, n: u64, unit: u64) -> String {
        let (whole, tenth) = (n / unit, n % unit * 10 / unit);
        if tenth == 0 { self.number(whole) } else { format!("{whole}{}{tenth}", self.lang.pick(",", ".")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(lang: Lang) -> PageClock {
        let now = "2026-11-12T13:02:07Z".parse().unwrap();
        PageClock { now, zone: chrono_tz::Europe::Paris, lang }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_as_short_as_it_is_clear() {
        let (fr, en) = (clock(Lang::Fr), clock(Lang::En));
        for (text, french, english) in [
            ("2026-11-12T08:00:00Z", "09:00", "09:00"),
            ("2026-11-11T23:30:00Z", "00:30", "00:30"),
            ("2026-11-11T22:30:00Z", "hier 23:30", "yesterday 23:30"),
            ("2026-11-13T07:00:00Z", "demain 08:00", "tomorrow 08:00"),
            ("2026-08-01T10:00:00Z", "1er\u{a0}août 12:00", "1\u{a0}Aug 12:00"),
            ("2025-02-03T10:00:00Z", "3\u{a0}févr.\u{a0}2025", "3\u{a0}Feb\u{a0}2025"),
        ] {
            assert_eq!(fr.short(at(text)), french);
            assert_eq!(en.short(at(text)), english);
        }
        assert_eq!(fr.full(at("2026-11-12T13:02:07Z")), "jeudi 12\u{a0}nov.\u{a0}2026, 14:02:07 CET");
    }

    #[test]
    fn what_was_and_what_will_be_are_said_in_their_largest_unit() {
        let (fr, en) = (clock(Lang::Fr), clock(Lang::En));
        for (seconds, french, english) in [
            (0, "à l'instant", "just now"),
            (-40, "il y a 40\u{a0}s", "40\u{a0}s ago"),
            (-250, "il y a 4\u{a0}min", "4\u{a0}min ago"),
            (-7_200, "il y a 2\u{a0}h", "2\u{a0}h ago"),
            (-33_480, "il y a 9\u{a0}h\u{a0}18", "9\u{a0}h\u{a0}18 ago"),
            (-86_400, "il y a 1 jour", "1 day ago"),
            (-400_000, "il y a 4 jours", "4 days ago"),
            (7_200, "dans 2\u{a0}h", "in 2\u{a0}h"),
        ] {
            let at = fr.now + TimeDelta::seconds(seconds);
            assert_eq!(fr.ago(at), french);
            assert_eq!(en.ago(at), english);
        }
    }

    #[test]
    fn numbers_are_said_as_the_language_does() {
        let (fr, en) = (clock(Lang::Fr), clock(Lang::En));
        assert_eq!(
            (fr.number(1_234_567), en.number(1_234_567)),
            ("1\u{202f}234\u{202f}567".into(), "1,234,567".into())
        );
        assert_eq!((fr.number(999), fr.number(0)), ("999".into(), "0".into()));
        assert_eq!((fr.bytes(18_400), en.bytes(1_250_000)), ("18\u{a0}Ko".into(), "1.2\u{a0}MB".into()));
        assert_eq!((fr.bytes(512), fr.bytes(1_250_000)), ("512\u{a0}o".into(), "1,2\u{a0}Mo".into()));
        assert_eq!(
            (fr.percent(992, 1_000), en.percent(9_999, 10_000)),
            ("99,2\u{a0}%".into(), "99.9%".into())
        );
        assert_eq!((fr.percent(5, 5), fr.percent(0, 0)), ("100\u{a0}%".into(), "–".into()));
        assert_eq!(
            (fr.milliseconds(180), fr.milliseconds(1_250)),
            ("180\u{a0}ms".into(), "1,2\u{a0}s".into())
        );
        assert_eq!(en.milliseconds(42_000), "42\u{a0}s");
    }
}
