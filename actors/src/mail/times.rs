//! Delivery times: only those that exist (unlike in the reference system, which takes `25h99`:
//! reference section 5.10), and only those that are understood whole. A time whose day cannot be read is no time: a job that is done a day
//! late is worse than one that a person looks at.

use std::fmt;

use chrono::{
    DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Utc,
    Weekday,
};
use chrono_tz::Tz;

use super::digits;
use super::identity::normalize;

/// How many days a day without its year may lie in the past: `le 26 janvier`, read on the
/// 28th, is two days ago and not in a year.
const LATE_DAYS: i64 = 60;

/// The parts of a time as they are written; `None` = not written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WrittenTime<'t> {
    /// `11`.
    pub(super) hour: Option<&'t str>,
    /// `midi` or `minuit`, instead of an hour.
    pub(super) noon: Option<&'t str>,
    /// `51`, ` et demie`, ` et quart`, ` moins le quart`; empty = full hours.
    pub(super) minute: Option<&'t str>,
    /// `du soir`, `de l'après-midi`: an hour before noon is one after noon.
    pub(super) half: Option<&'t str>,
    /// `26`.
    pub(super) day: Option<&'t str>,
    /// `/01`, ` janvier`.
    pub(super) month: Option<&'t str>,
    /// `/26`, ` 2026`.
    pub(super) year: Option<&'t str>,
    /// The weekday beside a date; it must be that of the date.
    pub(super) weekday: Option<&'t str>,
    /// A day by its distance: `demain`, `ce soir`, `lundi prochain`.
    pub(super) relative: Option<&'t str>,
}

/// A time, with its day when the text names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FoundTime {
    day: Option<NaiveDate>,
    time: NaiveTime,
}

impl FoundTime {
    /// The time that is written, its day counted from `arrived`, the local time at which the
    /// mail arrived. `None` when there is no such time or no such day, or when a part of it is
    /// not understood.
    pub(super) fn read(written: &WrittenTime<'_>, arrived: NaiveDateTime) -> Option<Self> {
        let relative = written.relative.map(normalize);
        let half = written.half.map(normalize);
        let afternoon = [&relative, &half].into_iter().flatten().any(|words| is_afternoon(words));
        let time = clock(written, afternoon)?;
        let day = match (written.day, &relative) {
            (Some(day), _) => Some(date(day, written, arrived.date())?),
            (None, Some(words)) => Some(relative_day(words, time, arrived)?),
            (None, None) => None,
        };
        Some(Self { day, time })
    }
}

/// `11h51` or `le 03/02/2026 à 09h00`.
impl fmt::Display for FoundTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(day) = self.day {
            write!(f, "le {} à ", day.format("%d/%m/%Y"))?;
        }
        write!(f, "{:02}h{:02}", self.time.hour(), self.time.minute())
    }
}

/// One hour from `now`, real time, told as the local clock will show it; with the day when
/// it is no longer today.
pub(super) fn in_an_hour(zone: Tz, now: DateTime<Utc>) -> FoundTime {
    let today = now.with_timezone(&zone).date_naive();
    let then = (now + TimeDelta::hours(1)).with_timezone(&zone);
    FoundTime { day: Some(then.date_naive()).filter(|day| *day != today), time: then.time() }
}

fn clock(written: &WrittenTime<'_>, afternoon: bool) -> Option<NaiveTime> {
    let hour = match (written.hour, written.noon.map(normalize).as_deref()) {
        (Some(hour), _) => number(hour)?,
        (None, Some("midi")) => 12,
        (None, Some("minuit")) => 0,
        (None, _) => return None,
    };
    let hour = if afternoon && (1..12).contains(&hour) { hour + 12 } else { hour };
    let minute = written.minute.unwrap_or_default().trim();
    let (hour, minute) = match normalize(minute).as_str() {
        "" => (hour, 0),
        "et demi" | "et demie" => (hour, 30),
        "et quart" => (hour, 15),
        "moins le quart" | "moins quart" => (hour.checked_sub(1)?, 45),
        _ => (hour, number(minute)?),
    };
    NaiveTime::from_hms_opt(hour, minute, 0)
}

fn is_afternoon(words: &str) -> bool {
    words.contains("soir") || words.contains("apres-midi") || words.contains("apres midi")
}

/// A day of the month. Without its year it is the next one of that name, or one that has
/// just passed.
fn date(day: &str, written: &WrittenTime<'_>, today: NaiveDate) -> Option<NaiveDate> {
    let day = number(day)?;
    let month = month(bare(written.month?))?;
    let date = match written.year.map(bare) {
        Some(year) => {
            let value = i32::try_from(number(year)?).ok()?;
            let year = if year.chars().count() == 2 { 2000 + value } else { value };
            NaiveDate::from_ymd_opt(year, month, day)?
        }
        None => [0, 1].into_iter().find_map(|later| {
            let date = NaiveDate::from_ymd_opt(today.year() + later, month, day)?;
            (date - today >= TimeDelta::days(-LATE_DAYS)).then_some(date)
        })?,
    };
    match written.weekday {
        Some(name) => (weekday(&normalize(name))? == date.weekday()).then_some(date),
        None => Some(date),
    }
}

/// What stands between the parts of a date is no part of them.
fn bare(written: &str) -> &str {
    written.trim_matches(|letter: char| letter.is_whitespace() || "/.".contains(letter))
}

fn month(written: &str) -> Option<u32> {
    // The first letters tell the months apart; of June and July the fourth does.
    const NAMES: [&str; 12] =
        ["jan", "fev", "mar", "avr", "mai", "juin", "juil", "aou", "sep", "oct", "nov", "dec"];
    let name = normalize(written);
    match NAMES.iter().position(|start| name.starts_with(start)) {
        Some(index) => u32::try_from(index + 1).ok(),
        None => number(written),
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("lun", Weekday::Mon),
        ("mar", Weekday::Tue),
        ("mer", Weekday::Wed),
        ("jeu", Weekday::Thu),
        ("ven", Weekday::Fri),
        ("sam", Weekday::Sat),
        ("dim", Weekday::Sun),
    ];
    NAMES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, day)| *day)
}

/// `demain`, `aujourd'hui`, `lundi`. The weekday of today is today as long as the time is
/// still to come, and `prochain` is never today.
fn relative_day(words: &str, time: NaiveTime, arrived: NaiveDateTime) -> Option<NaiveDate> {
    let today = arrived.date();
    let later = |days: u64| today.checked_add_days(Days::new(days));
    if words.starts_with("apres") && words.ends_with("demain") {
        return later(2);
    }
    if words.starts_with("demain") {
        return later(1);
    }
    let name = words.strip_prefix("ce ").unwrap_or(words);
    let Some(wanted) = weekday(name).filter(|_| !name.starts_with("matin")) else {
        // `aujourd'hui`, `ce jour`, `ce soir`, `cet après-midi`.
        return Some(today);
    };
    let ahead = u64::from(wanted.days_since(today.weekday()));
    let over = ahead == 0 && (time < arrived.time() || words.contains("prochain"));
    later(if over { 7 } else { ahead })
}

fn number(digits: &str) -> Option<u32> {
    digits::to_ascii(digits)?.parse().ok()
}
