//! Times and dates as operators write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::kernel::said::Said;

/// What the reference system answers to a time it cannot read.
const BAD_TIME: &str = "Invalid time format. Use HHhMM or HH:MM (e.g., 11h30, 17:45).";

/// That a time cannot be read. The reference's own words are English.
#[must_use]
pub fn bad_time() -> Said {
    Said::alike(BAD_TIME)
}

/// `2026-03-02`, `20260302`, or a date with a time, whose time is dropped. ISO week dates,
/// which the reference system takes, are refused: nobody means them.
#[must_use]
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let format = match text.len() {
        8 if text.bytes().all(|b| b.is_ascii_digit()) => "%Y%m%d",
        10 => "%Y-%m-%d",
        _ => {
            return DateTime::parse_from_rfc3339(text).map(|at| at.date_naive()).ok().or_else(|| {
                ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
                    .iter()
                    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
                    .map(|at| at.date())
            });
        }
    };
    NaiveDate::parse_from_str(text, format).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let second = NaiveDate::from_ymd_opt(2026, 3, 2);
        for (text, expected) in [
            ("2026-03-02", second),
            ("20260302", second),
            ("2026-03-02T10:00:00", second),
            ("2026-03-02T23:30:00+02:00", second),
            ("2026-W10-1", None),
            ("2026-02-30", None),
            ("02/03/2026", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
    }
}
