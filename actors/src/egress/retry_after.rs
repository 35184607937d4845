//! When a server wants to be asked again. Pure.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// A server that asks for more gets this.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// `Retry-After` (RFC 9110 section 10.2.3): seconds or a date, at most 24 hours ahead.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let at = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More digits than fit are certainly more than a day.
        let seconds = text.parse::<u32>().unwrap_or(u32::MAX);
        now + TimeDelta::seconds(i64::from(seconds))
    } else {
        let (at, theirs) = (http_date(text)?, headers.get(DATE).and_then(|date| date.to_str().ok()));
        // A date is of the server's clock, which it mostly tells: what it asks for is the time between.
        theirs
            .and_then(|date| http_date(date.trim()))
            .and_then(|theirs| now.checked_add_signed(at - theirs))
            .unwrap_or(at)
    };
    (at > now).then(|| at.min(now + LONGEST))
}

/// The three forms of RFC 9110 section 5.6.7.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn seconds_and_dates_at_most_a_day_ahead() {
        for (text, seconds) in [
            ("0", None),
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("86400", Some(86_400)),
            ("999999", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("Sun, 01 Mar 2026 12:01:00 GMT", Some(60)),
            ("Sunday, 01-Mar-26 12:01:00 GMT", Some(60)),
            ("Sun Mar  1 12:01:00 2026", Some(60)),
            ("Tue, 01 Mar 2050 12:01:00 GMT", Some(86_400)),
            ("Sun, 01 Mar 2026 11:59:00 GMT", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            let wanted = seconds.map(|seconds| now() + TimeDelta::seconds(seconds));
            assert_eq!(retry_after(&headers, now()), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_date_to_wait_for_is_read_by_the_clock_of_the_server() {
        for (date, seconds) in [
            // Its clock is three hours ahead, and four days behind; a date that is none says nothing.
            ("Sun, 01 Mar 2026 14:59:00 GMT", 120),
            ("Wed, 25 Feb 2026 15:00:30 GMT", 30),
            ("yesterday", 10_860),
        ] {
            let until =
                if seconds == 30 { "Wed, 25 Feb 2026 15:01:00 GMT" } else { "Sun, 01 Mar 2026 15:01:00 GMT" };
            let headers = [(RETRY_AFTER, until), (DATE, date)];
            let headers =
                headers.map(|(name, text)| (name, HeaderValue::from_static(text))).into_iter().collect();
            let wanted = Some(now() + TimeDelta::seconds(seconds));
            assert_eq!(retry_after(&headers, now()), wanted, "{date}");
        }
    }
}
