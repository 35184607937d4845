//! What an attempt came to: the answer of the receiver, or the lack of one, as a [`Class`]. Pure.

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use crate::egress::{Answer, SendError, retry_after};
use crate::mail::rules::mask_url;

/// Of a redirect's host so many characters are told; no name is longer (RFC 1035).
const LONGEST_PLACE: usize = 270;
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::{TimeDelta, TimeZone as _};
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
}
