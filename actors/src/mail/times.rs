//! Delivery times (reference section 5.10): only those that exist.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;

use super::digits;

/// A time, with its day when the text names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    day: Option<NaiveDate>,
    time: NaiveTime,
}

impl Found {
    /// The time that these digits say, and its day as year, month and day. No minutes are
    /// full hours. `None` when there is no such time, or no such day.
    pub(super) fn new(hour: &str, minute: &str, day: [Option<&str>; 3]) -> Option<Self> {
        let minute = if minute.is_empty() { 0 } else { number(minute)? };
        let time = NaiveTime::from_hms_opt(number(hour)?, minute, 0)?;
        let day = match day {
            [None, None, None] => None,
            [Some(year), Some(month), Some(day)] => {
                let year = i32::try_from(number(year)?).ok()?;
                Some(NaiveDate::from_ymd_opt(year, number(month)?, number(day)?)?)
            }
            _ => return None,
        };
        Some(Self { day, time })
    }
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

fn number(digits: &str) -> Option<u32> {
    digits::to_ascii(digits)?.parse().ok()
}
