//! The delivery time of a recadrage (reference section 5.10): what the text asks for,
//! ranked as in the reference, and only if it exists.

use std::fmt;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use regex::{Captures, Regex};

use super::digits;

/// A time, with its day when the text names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    day: Option<NaiveDate>,
    time: NaiveTime,
}

/// `11h51` or `le 03/02/2026 à 09h00`.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(day) = self.day {
            write!(f, "le {} à ", day.format("%d/%m/%Y"))?;
        }
        write!(f, "{:02}h{:02}", self.time.hour(), self.time.minute())
    }
}

/// One hour from `now`, real time, told as the local clock will show it; with the day when
/// it is no longer today.
pub(super) fn in_an_hour(zone: Tz, now: DateTime<Utc>) -> Found {
    let today = now.with_timezone(&zone).date_naive();
    let then = (now + TimeDelta::hours(1)).with_timezone(&zone);
    Found { day: Some(then.date_naive()).filter(|day| *day != today), time: then.time() }
}

/// The delivery time that the text asks for.
pub(super) fn find(text: &str) -> Option<Found> {
    asked(text).or_else(|| hour_form(text)).or_else(|| colon_form(text))
}

/// `à faire pour …`: a day and a time before a time alone, the `h` form before the colon.
fn asked(text: &str) -> Option<Found> {
    static ASK: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)(?:à|a\x{300}?)\s+faire\s+pour\s+").ok());
    static TERM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?ix)^(?: le \s+ (?<day>\d{1,2}) / (?<month>\d{1,2}) / (?<year>\d{4}) \s+ (?:à|a\x{300}?) \s+ )?
              (?: (?:à|a\x{300}?) \s+ )? (?<hour>\d{1,2}) (?: h (?<minute>\d{0,2}) | : (?<colon>\d{2}) )",
        )
        .ok()
    });
    let (ask, term) = (ASK.as_ref()?, TERM.as_ref()?);
    let mut best: Option<(u8, Found)> = None;
    for found in ask.find_iter(text) {
        let Some(captures) = term.captures(at_most(text, found.end(), MAX_TERM)) else { continue };
        let Some(time) = time(&captures) else { continue };
        let dated = captures.name("day").is_some();
        let day = day(&captures);
        if dated && day.is_none() {
            continue;
        }
        let rank = u8::from(!dated) * 2 + u8::from(captures.name("colon").is_some());
        if best.is_none_or(|(held, _)| rank < held) {
            best = Some((rank, Found { day, time }));
        }
        if rank == 0 {
            break;
        }
    }
    best.map(|(_, found)| found)
}

/// Characters after `à faire pour` that are looked at.
const MAX_TERM: usize = 100;

/// At most `length` characters of the text from `start` on.
fn at_most(text: &str, start: usize, length: usize) -> &str {
    let rest = text.get(start..).unwrap_or_default();
    rest.char_indices().nth(length).and_then(|(end, _)| rest.get(..end)).unwrap_or(rest)
}

/// Any `9h`, `9h5`, `09h30`, outside of links.
fn hour_form(text: &str) -> Option<Found> {
    static HOUR: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)https?://\S+|\b\d{1,2}h\d{0,2}\b").ok());
    HOUR.as_ref()?
        .find_iter(text)
        .find_map(|found| written_time(found.as_str()))
        .map(|time| Found { day: None, time })
}

/// Any `9:30`, outside of links, that is neither an aspect ratio nor part of a time stamp.
fn colon_form(text: &str) -> Option<Found> {
    static COLON: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)https?://\S+|\b\d{1,2}:\d{2}\b").ok());
    COLON
        .as_ref()?
        .find_iter(text)
        .find_map(|found| {
            let time = written_time(found.as_str())?;
            let before = line_before(text, found.start());
            let after = at_most(text, found.end(), 16);
            (!is_ratio(time, before) && !is_stamp(before, after)).then_some(time)
        })
        .map(|time| Found { day: None, time })
}

/// The time that a match says; `None` for a link and for an impossible time.
fn written_time(written: &str) -> Option<NaiveTime> {
    let (hour, minute) = written.split_once(['h', 'H', ':'])?;
    clock(hour, minute)
}

fn clock(hour: &str, minute: &str) -> Option<NaiveTime> {
    let minute = if minute.is_empty() { 0 } else { number(minute)? };
    NaiveTime::from_hms_opt(number(hour)?, minute, 0)
}

/// The time of the groups `hour` and `minute` or `colon`; `None` when there is no such time.
fn time(captures: &Captures<'_>) -> Option<NaiveTime> {
    let minute = captures.name("minute").or_else(|| captures.name("colon"))?;
    clock(captures.name("hour")?.as_str(), minute.as_str())
}

fn day(captures: &Captures<'_>) -> Option<NaiveDate> {
    let part = |name: &str| captures.name(name).and_then(|part| number(part.as_str()));
    NaiveDate::from_ymd_opt(i32::try_from(part("year")?).ok()?, part("month")?, part("day")?)
}

fn number(digits: &str) -> Option<u32> {
    digits::to_ascii(digits)?.parse().ok()
}

/// At most 64 characters of the line before `at`.
fn line_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let start = before
        .char_indices()
        .rev()
        .take(64)
        .take_while(|(_, letter)| *letter != '\n')
        .last()
        .map_or(at, |(start, _)| start);
    before.get(start..).unwrap_or_default()
}

/// A picture format: `9:16` and its like unless a preposition makes a time of it, and
/// whatever a word such as "format" introduces.
fn is_ratio(time: NaiveTime, before: &str) -> bool {
    const RATIOS: [(u32, u32); 5] = [(9, 16), (16, 10), (10, 16), (9, 21), (1, 91)];
    static TIME_WORD: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)(?:^|\W)(?:à|a\x{300}?|pour|avant|vers|dès|at|by)\s+$").ok());
    static RATIO_WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:ratios?|formats?|aspects?|proportions?)\W+(?:(?:de|en)\W+)?$").ok()
    });
    let follows = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(before));
    follows(&RATIO_WORD) || RATIOS.contains(&(time.hour(), time.minute())) && !follows(&TIME_WORD)
}

/// The time of an earlier mail: directly after a date with its year, or before a zone.
fn is_stamp(before: &str, after: &str) -> bool {
    static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)(?:\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\p{L}\.?\s+\d{4})(?:\s|,|\bà\b|\bat\b)*$").ok()
    });
    static ZONE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^(?::\d{2})?\s*(?:[+-]\d{4}\b|GMT\b|UTC\b|CES?T\b)").ok());
    let zone = ZONE.as_ref().is_some_and(|pattern| pattern.is_match(after));
    let asked = before.to_lowercase().contains("faire pour");
    zone || !asked && DATE.as_ref().is_some_and(|pattern| pattern.is_match(before))
}
