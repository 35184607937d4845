//! What an attempt came to, and what follows from it. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use crate::egress::{Answer, SendError, retry_after};
use crate::kernel::backoff::Backoff;
use crate::mail::policy::RetryPolicy;
use crate::mail::rules::mask_url;

/// The back-off never grows beyond this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3_600);
/// A base of zero must not make a busy loop.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(100);
/// Of a redirect's host so many characters are told; no name is longer (RFC 1035).
const LONGEST_PLACE: usize = 270;
/// How long the built-in schedule goes on after the first attempt.
const BUILT_IN_PATIENCE: TimeDelta = TimeDelta::days(3);

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// The receiver took it.
    Delivered,
    /// It may go better another time.
    Retry {
        /// What went wrong.
        why: String,
        /// Not before this instant: the receiver asked for it.
        not_before: Option<DateTime<Utc>>,
        /// The receiver is alive: it has answered, and not that it cannot now.
        alive: bool,
    },
    /// The receiver is gone for good (410).
    Gone,
    /// Nothing can be sent to an address like this.
    Unsendable {
        /// Why not.
        why: String,
    },
}

/// Classifies the result of an attempt to `url`.
///
/// Delivered: 2xx, unless the body is a JSON object with `"success": false`. Gone: 410.
/// Everything else may go better another time, whatever the status says: a queue is full (400),
/// a scenario is being changed (401, 404), a proxy is set up anew (3xx). Only an address that
/// the guard will never let out is not worth a repetition.
#[must_use]
pub fn classify(result: &Result<Answer, SendError>, url: &Url, now: DateTime<Utc>) -> Class {
    let answer = match result {
        Ok(answer) => answer,
        Err(SendError::Refused(why)) => return Class::Unsendable { why: why.clone() },
        Err(error) => return Class::Retry { why: error.to_string(), not_before: None, alive: false },
    };
    let why = match answer.status {
        200..=299 if says_no(&answer.body) => format!("HTTP {} with \"success\": false", answer.status),
        200..=299 => return Class::Delivered,
        410 => return Class::Gone,
        300..=399 => match leads_to(&answer.headers, url) {
            Some(place) => format!(
                "HTTP {} to {place}: redirects are not followed, configure the final address",
                answer.status
            ),
            None => format!("HTTP {}: redirects are not followed", answer.status),
        },
        status => format!("HTTP {status}"),
    };
    let unwell = matches!(answer.status, 200..=299 | 408 | 429 | 500..=599);
    Class::Retry { why, not_before: retry_after(&answer.headers, now), alive: !unwell }
}

/// Where a redirect leads, masked like any address: its path is a capability.
fn leads_to(headers: &HeaderMap, url: &Url) -> Option<String> {
    let location = headers.get(LOCATION)?;
    let place = url.join(String::from_utf8_lossy(location.as_bytes()).trim()).ok()?;
    match place.scheme() {
        "http" | "https" => Some(mask_url(place.as_str()).chars().take(LONGEST_PLACE).collect()),
        _ => Some("an address that is not http".to_owned()),
    }
}

/// Whether an answer is a JSON object with an explicit `"success": false`.
fn says_no(body: &[u8]) -> bool {
    // PHP files saved with a byte order mark send it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return false;
    }
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body)
        .is_ok_and(|object| object.get("success") == Some(&serde_json::Value::Bool(false)))
}

/// What follows a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another attempt.
    At {
        /// When.
        due: DateTime<Utc>,
        /// The receiver asked for a later time than the back-off.
        asked: bool,
    },
    /// None.
    GiveUp {
        /// Why.
        why: String,
    },
}

/// A delivery that has just failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failed {
    /// Attempts made, this one included; from 1.
    pub attempts: u32,
    /// When the first one was made.
    pub first: DateTime<Utc>,
    /// The receiver asked for no attempt before this instant.
    pub not_before: Option<DateTime<Utc>>,
}

/// Decides on another attempt. `chance` is in `0.0..1.0`.
#[must_use]
pub fn next(policy: &RetryPolicy, failed: Failed, now: DateTime<Utc>, chance: f64) -> Next {
    match policy.retries {
        Some(retries) if failed.attempts > retries => {
            return Next::GiveUp { why: format!("{} attempts failed", failed.attempts) };
        }
        None if now - failed.first >= BUILT_IN_PATIENCE => {
            return Next::GiveUp { why: format!("{} attempts in three days failed", failed.attempts) };
        }
        _ => {}
    }
    let due = now + TimeDelta::from_std(backoff(policy.base, failed.attempts, chance)).unwrap_or_default();
    match failed.not_before {
        Some(asked) if asked > due => Next::At { due: asked, asked: true },
        _ => Next::At { due, asked: false },
    }
}

/// `base * 2^(attempts - 1)`, at most an hour, spread by ±20 %.
fn backoff(base: Duration, attempts: u32, chance: f64) -> Duration {
    Backoff::new(base.max(SHORTEST_BACKOFF), LONGEST_BACKOFF).spread(attempts, chance)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::TimeZone as _;
    use proptest::prelude::*;
    use reqwest::header::{HeaderValue, RETRY_AFTER};

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
    }

    fn url() -> Url {
        Url::parse("https://hook.example/secret-path?key=secret-key").unwrap()
    }

    fn answer(status: u16, body: &'static str) -> Result<Answer, SendError> {
        let body = Bytes::from_static(body.as_bytes());
        Ok(Answer { status, headers: HeaderMap::new(), body, truncated: false })
    }

    fn word(class: &Class) -> &'static str {
        match class {
            Class::Delivered => "delivered",
            Class::Retry { alive: true, .. } => "retry",
            Class::Retry { alive: false, .. } => "retry, unwell",
            Class::Gone => "gone",
            Class::Unsendable { .. } => "unsendable",
        }
    }

    #[test]
    fn every_status_but_2xx_is_tried_again_through_the_whole_schedule() {
        for status in (100..=199).chain(300..=999) {
            let class = classify(&answer(status, ""), &url(), now());
            if status == 410 {
                assert_eq!(class, Class::Gone);
                continue;
            }
            let unwell = matches!(status, 408 | 429 | 500..=599);
            let Class::Retry { why, not_before: None, alive } = &class else { panic!("{status}: {class:?}") };
            assert!(*alive != unwell && why.contains(&format!("HTTP {status}")), "{status}: {class:?}");
            // With the receiver's own wait, which nobody asks for in vain.
            let mut asking = answer(status, "").unwrap();
            asking.headers.insert(RETRY_AFTER, HeaderValue::from_static("7200"));
            let class = classify(&Ok(asking), &url(), now());
            let wait = Some(now() + TimeDelta::seconds(7_200));
            assert!(matches!(class, Class::Retry { not_before, .. } if not_before == wait), "{status}");
        }
        for status in 200..=299 {
            assert_eq!(classify(&answer(status, ""), &url(), now()), Class::Delivered);
        }
    }

    #[test]
    fn answers() {
        for (status, body, wanted) in [
            (200, r#"{"success":true}"#, "delivered"),
            (200, "", "delivered"),
            (200, "<html>ok</html>", "delivered"),
            (200, "[1]", "delivered"),
            (200, r#"["success", false]"#, "delivered"),
            (200, r#"{"success":null}"#, "delivered"),
            (200, r#"{"success":"false"}"#, "delivered"),
            (200, r#"{"a":{"success":false}}"#, "delivered"),
            (200, r#"{"success":false"#, "delivered"),
            (200, r#"{"success":false}"#, "retry, unwell"),
            (201, " \n{\"message\":null, \"success\" : false}", "retry, unwell"),
            (200, "\u{feff}{\"success\":false}", "retry, unwell"),
            (202, "Accepted", "delivered"),
            (307, r#"{"success":false}"#, "retry"),
            (500, r#"{"success":true}"#, "retry, unwell"),
        ] {
            assert_eq!(word(&classify(&answer(status, body), &url(), now())), wanted, "{status} {body}");
        }
        for (error, wanted) in [
            (SendError::Timeout, "retry, unwell"),
            (SendError::Connect("refused".to_owned()), "retry, unwell"),
            (SendError::Transport("reset".to_owned()), "retry, unwell"),
            (SendError::RefusedNow("private".to_owned()), "retry, unwell"),
            (SendError::Refused("not https".to_owned()), "unsendable"),
        ] {
            assert_eq!(word(&classify(&Err(error), &url(), now())), wanted);
        }
    }

    #[test]
    fn a_redirect_says_where_to_and_tells_no_secret() {
        for (location, place) in [
            ("https://hook.eu1.make.com/abcdef123?token=x#y", "HTTP 302 to https://hook.eu1.make.com/***:"),
            ("/login?next=/secret-path", "HTTP 302 to https://hook.example/***:"),
            ("//other.example/x", "HTTP 302 to https://other.example/***:"),
            ("https://user:password@other.example/", "HTTP 302 to https://other.example/***:"),
            ("http://127.0.0.1:8080/a", "HTTP 302 to http://127.0.0.1:8080/***:"),
            ("\thttps://a.example/\u{9}x ", "HTTP 302 to https://a.example/***:"),
            ("javascript:alert(1)", "HTTP 302 to an address that is not http:"),
            ("https://[half", "HTTP 302: redirects are not followed"),
            ("", "HTTP 302 to https://hook.example/***:"),
        ] {
            let mut moved = answer(302, "").unwrap();
            moved.headers.insert(LOCATION, HeaderValue::from_bytes(location.as_bytes()).unwrap());
            let Class::Retry { why, .. } = classify(&Ok(moved), &url(), now()) else { panic!("{location}") };
            assert!(why.starts_with(place), "{location}: {why}");
            for secret in ["secret", "abcdef", "token", "password"] {
                assert!(!why.contains(secret), "{location}: {why}");
            }
        }
        let mut bytes = answer(301, "").unwrap();
        bytes.headers.insert(LOCATION, HeaderValue::from_bytes(b"https://\xe9.example/\xff").unwrap());
        let long = format!("https://{}/", "a".repeat(5_000));
        let mut endless = answer(301, "").unwrap();
        endless.headers.insert(LOCATION, HeaderValue::from_bytes(long.as_bytes()).unwrap());
        for answer in [bytes, endless] {
            let Class::Retry { why, .. } = classify(&Ok(answer), &url(), now()) else { panic!() };
            assert!(why.starts_with("HTTP 301") && why.len() < 500, "{why}");
        }
    }

    fn after(retries: Option<u32>, attempts: u32, hours: i64) -> Next {
        let policy = RetryPolicy { retries, base: Duration::from_secs(2) };
        let failed = Failed { attempts, first: now() - TimeDelta::hours(hours), not_before: None };
        next(&policy, failed, now(), 0.5)
    }

    fn seconds(next: Next) -> Option<i64> {
        match next {
            Next::At { due, .. } => Some((due - now()).num_seconds()),
            Next::GiveUp { .. } => None,
        }
    }

    #[test]
    fn the_schedule() {
        let waits: Vec<_> = (1..=14).map(|n| seconds(after(None, n, 0)).unwrap()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]);
        assert_eq!(seconds(after(None, 80, 71)), Some(3_600));
        assert_eq!(seconds(after(None, 80, 72)), None);
        assert_eq!(seconds(after(Some(3), 3, 1_000)), Some(8));
        assert_eq!(seconds(after(Some(3), 4, 0)), None);
        assert_eq!(seconds(after(Some(0), 1, 0)), None);
    }

    #[test]
    fn the_receiver_may_ask_for_a_later_time_not_for_an_earlier_one() {
        let policy = RetryPolicy { retries: None, base: Duration::from_secs(60) };
        let with = |seconds| {
            let not_before = Some(now() + TimeDelta::seconds(seconds));
            next(&policy, Failed { attempts: 1, first: now(), not_before }, now(), 0.5)
        };
        assert_eq!(with(300), Next::At { due: now() + TimeDelta::seconds(300), asked: true });
        assert_eq!(with(10), Next::At { due: now() + TimeDelta::seconds(60), asked: false });
    }

    proptest! {
        #[test]
        fn a_wait_is_bounded_and_never_zero(
            base_ms in 0_u64..700_000, attempts in 1_u32..u32::MAX, chance in 0.0..1.0_f64,
            asked in proptest::option::of(0_i64..86_400),
        ) {
            let policy = RetryPolicy { retries: None, base: Duration::from_millis(base_ms) };
            let not_before = asked.map(|seconds| now() + TimeDelta::seconds(seconds));
            let failed = Failed { attempts, first: now(), not_before };
            let Next::At { due, .. } = next(&policy, failed, now(), chance) else {
                return Err(TestCaseError::fail("gave up on the first day"));
            };
            prop_assert!(due >= now() + TimeDelta::milliseconds(80));
            prop_assert!(not_before.is_none_or(|asked| due >= asked));
            prop_assert!(due <= now() + TimeDelta::hours(24));
        }

        #[test]
        fn exactly_as_many_retries_as_configured(retries in 0_u32..=10) {
            let policy = RetryPolicy { retries: Some(retries), base: Duration::ZERO };
            let mut attempts = 1;
            while let Next::At { .. } =
                next(&policy, Failed { attempts, first: now(), not_before: None }, now(), 0.0)
            {
                attempts += 1;
            }
            prop_assert_eq!(attempts, retries + 1);
        }
    }
}
