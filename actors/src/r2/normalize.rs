//! The one form of a link that the Worker is asked to fetch, and the key of its copy: the same as the
//! reference system makes, so a file has one key whichever system copied it (reference section 5.13).
//! Pure.
//!
//! Unlike the reference, a path or query is percent-decoded exactly once, so `%2F` and
//! `%25` in a file name keep their meaning (reference W-48).

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use crate::kernel::digest::short_sha256;
use crate::kernel::words::is_hidden;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// The provider whose links are rewritten; of the others only entities are undone.
const DROPBOX: &str = "dropbox";

/// Time limit of one transfer.
const FILE_LIMIT: Duration = Duration::from_secs(15);

/// Time limit of a shared Dropbox folder, which is zipped on the fly. The longest of all.
pub const FOLDER_LIMIT: Duration = Duration::from_secs(120);

/// Layers of entities or percent-encoding around a whole link that are undone; a mail
/// that was forwarded or tracked has one or two.
const MAX_LAYERS: usize = 8;

/// Longest file name in an object key, in bytes; R2 takes keys of up to 1024.
const MAX_NAME: usize = 512;

/// Everything but RFC 3986 "unreserved".
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The form of `raw` that is fetched and that its key is made of.
///
/// Idempotent. Text that is no URL with a host comes back without blanks and entities. The
/// work is linear in the length of `raw`, but for the sorting of its query; callers bound
/// that length all the same (see [`super::plan`]).
#[must_use]
pub fn normalize(raw: &str, provider: &str) -> String {
    let mut text = raw.trim().to_owned();
    for _ in 0..MAX_LAYERS {
        let mut next = html_escape::decode_html_entities(&text).trim().to_owned();
        if provider == DROPBOX {
            next = undo_artefacts(next);
            next = rewrite_dropbox(&next).unwrap_or(next);
        }
        if next == text {
            break;
        }
        text = next;
    }
    text
}

/// Undoes what half-decoded entities leave behind, and links that are percent-encoded as a whole.
fn undo_artefacts(text: String) -> String {
    let text = ["amp%3B", "amp%3b", "amp;"].iter().fold(text, |text, artefact| text.replace(artefact, "&"));
    if text.contains("://") {
        return text;
    }
    let mut decoded = text.clone();
    for _ in 0..MAX_LAYERS {
        let Ok(next) = percent_decode_str(&decoded).decode_utf8() else { break };
        if next.contains("://") {
            return next.into_owned();
        }
        decoded = next.into_owned();
    }
    text
}

/// `None` when `text` is no URL with a host.
fn rewrite_dropbox(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
        return None;
    }
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let authority = rewrite_authority(authority)?;
    let path: String = path.split('/').filter(|segment| !segment.is_empty()).map(rewrite_segment).collect();
    Some(format!("https://{authority}{path}?{}", rewrite_query(query)))
}

/// Host in lower case, without a default port; user information is kept.
fn rewrite_authority(authority: &str) -> Option<String> {
    let (user, host_port) = match authority.rsplit_once('@') {
        Some((user, host_port)) => (Some(user), host_port),
        None => (None, authority),
    };
    let lowered = host_port.to_lowercase();
    let mut host_port = lowered.as_str();
    while let Some(shorter) = [":443", ":80", ":"].iter().find_map(|port| host_port.strip_suffix(port)) {
        host_port = shorter;
    }
    let of_a_host = |c: char| c.is_alphanumeric() || ".-_:[]".contains(c);
    if host_port.is_empty() || host_port.starts_with(':') || !host_port.chars().all(of_a_host) {
        return None;
    }
    Some(user.map_or_else(|| host_port.to_owned(), |user| format!("{user}@{host_port}")))
}

/// Decoded once, byte for byte, and encoded again: `%2F` stays `%2F`.
fn rewrite_segment(segment: &str) -> String {
    let decoded: Cow<'_, [u8]> = percent_decode_str(segment).into();
    format!("/{}", percent_encode(&decoded, RESERVED))
}

/// Pairs sorted by (lower-case name, value), without empty values and repeats, with one `dl=1`.
fn rewrite_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut seen = HashSet::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let pair = (name.trim().to_owned(), value.trim().to_owned());
        let wanted = !pair.0.is_empty() && (!pair.1.is_empty() || pair.0 == "rlkey");
        // By a table: a link may hold a hundred thousand pairs.
        if wanted && !pair.0.eq_ignore_ascii_case("dl") && seen.insert(pair.clone()) {
            pairs.push(pair);
        }
    }
    pairs.push(("dl".to_owned(), "1".to_owned()));
    pairs.sort_by_cached_key(|(name, value)| (name.to_lowercase(), value.clone()));
    let encoded: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", form_encode(name), form_encode(value))).collect();
    encoded.join("&")
}

/// As Python's `quote_plus`: the key of a copy must not change with the language.
fn form_encode(text: &str) -> String {
    percent_encode(text.as_bytes(), RESERVED).to_string().replace("%20", "+")
}

/// The key of the copy of a link that [`normalize`] has made: provider, 16 hex digits of
/// its SHA-256, and the file's name when the path ends in one.
#[must_use]
pub fn object_key(normalized: &str, provider: &str) -> String {
    let hash = short_sha256(normalized, 16);
    let (first, second) = hash.split_at_checked(8).unwrap_or((&hash, ""));
    format!("{provider}/{first}/{second}/{}", file_name(normalized))
}

/// The last segment of the path when it looks like a file's name, else `file`.
fn file_name(normalized: &str) -> String {
    let path = normalized.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let last = path.split_once('/').map_or("", |(_, path)| path.rsplit('/').next().unwrap_or_default());
    let decoded = percent_decode_str(last).decode_utf8_lossy();
    // A decoded slash, `..` or a hidden character would make another key than the one meant.
    let name: String =
        decoded.chars().filter(|c| !is_hidden(*c)).map(|c| if c == '/' { '_' } else { c }).collect();
    let is_name = name.contains('.') && !name.chars().all(|c| c == '.') && name.len() <= MAX_NAME;
    if is_name { name } else { "file".to_owned() }
}

/// How long the transfer of a link may take.
#[must_use]
pub fn time_limit(url: &str, provider: &str) -> Duration {
    if provider == DROPBOX && url.contains("/scl/fo/") { FOLDER_LIMIT } else { FILE_LIMIT }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn golden(area: &str) -> Vec<Value> {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/golden/r2.json")).expect("golden file");
        cases.into_iter().filter(|case| case["area"] == area).collect()
    }

    /// The cases in which the recorded value is wrong, with the weakness of the reference and
    /// the right value.
    fn deviations() -> Vec<Value> {
        serde_json::from_str(include_str!("../../../tests/golden/r2_deviations.json")).expect("golden file")
    }

    #[test]
    fn normalizes_as_recorded() {
        let (cases, deviations) = (golden("r2_normalize"), deviations());
        assert_eq!(cases.len(), 14);
        let mut deviating = 0;
        for case in cases {
            let raw = case["input"]["url"].as_str().expect("url");
            let provider = case["input"]["provider"].as_str().expect("provider");
            let deviation = deviations.iter().find(|deviation| deviation["id"] == case["id"]);
            deviating += usize::from(deviation.is_some());
            let right = deviation.map_or(&case["output"], |deviation| &deviation["right"]);
            assert_ne!(
                deviation.map(|deviation| &deviation["right"]),
                Some(&case["output"]),
                "{}",
                case["id"]
            );
            assert_eq!(normalize(raw, provider), right.as_str().expect("output"), "{}", case["id"]);
        }
        assert_eq!(deviating, deviations.len(), "a deviation names no case");
    }

    #[test]
    fn makes_the_recorded_keys() {
        let cases = golden("r2_object_key");
        assert_eq!(cases.len(), 4);
        for case in cases {
            let provider = case["input"]["provider"].as_str().expect("provider");
            let url = normalize(case["input"]["url"].as_str().expect("url"), provider);
            assert_eq!(
                object_key(&url, provider),
                case["output"].as_str().expect("output"),
                "{}",
                case["id"]
            );
        }
    }

    #[test]
    fn decodes_once() {
        for (raw, want) in [
            ("https://www.dropbox.com/s/100%2525.zip", "https://www.dropbox.com/s/100%2525.zip?dl=1"),
            ("https://www.dropbox.com/s/a%20b(1).zip", "https://www.dropbox.com/s/a%20b%281%29.zip?dl=1"),
            (
                "https%253A%252F%252Fwww.dropbox.com%252Fs%252Fa%252520b",
                "https://www.dropbox.com/s/a%20b?dl=1",
            ),
            ("https://www.dropbox.com/s/%FF.zip?k=1%2526", "https://www.dropbox.com/s/%FF.zip?dl=1&k=1%2526"),
            ("http://u:p@www.Dropbox.com:80/", "https://u:p@www.dropbox.com?dl=1"),
            ("https://www.dropbox.com/s/a?x=1&amp;amp%3Bk=v", "https://www.dropbox.com/s/a?dl=1&k=v&x=1"),
            ("dropbox.com/s/a", "dropbox.com/s/a"),
            ("https:///s/a", "https:///s/a"),
            ("", ""),
        ] {
            assert_eq!(normalize(raw, "dropbox"), want, "{raw}");
        }
    }

    #[test]
    fn a_key_never_gains_a_level() {
        for (url, want) in [
            ("https://www.dropbox.com/s/a%2Fb.zip?dl=1", "a_b.zip"),
            ("https://www.dropbox.com/s/%2E%2E", "file"),
            ("https://www.dropbox.com/s/a%00b.zip", "ab.zip"),
            ("https://www.dropbox.com", "file"),
        ] {
            let key = object_key(url, "dropbox");
            assert_eq!(key.rsplit('/').next(), Some(want), "{url}");
            assert_eq!(key.matches('/').count(), 3, "{key}");
        }
    }

    /// Processor time of this thread, in seconds. Generous bounds: what was quadratic took
    /// minutes.
    fn cpu_seconds(work: impl FnOnce()) -> u64 {
        let clock =
            || nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
        let before = clock();
        work();
        (clock() - before).tv_sec().unsigned_abs()
    }

    #[test]
    fn the_work_is_linear_in_the_link() {
        let host = "https://www.dropbox.com";
        for hostile in [
            format!("{host}/s/a?{}", (0..200_000).map(|n| format!("k{n}=v&")).collect::<String>()),
            format!("{host}{}/s/a", ":443".repeat(300_000)),
            format!("{host}/{}", "a/".repeat(500_000)),
            format!("{host}/s/a?{}", "amp;".repeat(250_000)),
            format!("{host}/s/a?{}", "&amp;amp%3B".repeat(100_000)),
            format!("https{}//www.dropbox.com", "%25".repeat(300_000)),
            format!("{host}/s/{}", "&eacut&#x".repeat(100_000)),
        ] {
            let took = cpu_seconds(|| {
                let url = normalize(&hostile, DROPBOX);
                assert_eq!(object_key(&url, DROPBOX).matches('/').count(), 3);
                let providers = crate::mail::providers::defaults();
                let dropbox = providers.named(DROPBOX).expect("a built-in provider");
                assert!(dropbox.reach.allows(&url) || !url.starts_with(host));
            });
            assert!(took < 20, "{took} s for {} bytes: {:.60}", hostile.len(), hostile);
        }
    }

    #[test]
    fn folders_get_more_time() {
        assert_eq!(time_limit("https://www.dropbox.com/scl/fo/a", "dropbox"), Duration::from_secs(120));
        assert_eq!(time_limit("https://www.dropbox.com/s/a", "dropbox"), Duration::from_secs(15));
        assert_eq!(time_limit("https://fromsmash.com/scl/fo/a", "fromsmash"), Duration::from_secs(15));
    }

    proptest! {
        #[test]
        fn never_panics(raw in ".{0,80}", provider in "dropbox|fromsmash|") {
            let url = normalize(&raw, &provider);
            prop_assert_eq!(object_key(&url, &provider).matches('/').count(), 3);
        }

        #[test]
        fn is_idempotent(
            raw in "(https?(://|%3A%2F%2F|%253A%252F%252F))?[a-zA-Z.:@%&;/? #é]{0,24}(/|%2F|&amp;|amp%3B|\\?|%25|=|\\+|a|dl|rlkey|é|&#38;|&nbsp;| ){0,16}",
            provider in "dropbox|swisstransfer",
        ) {
            let once = normalize(&raw, &provider);
            let twice = normalize(&once, &provider);
            prop_assert_eq!(twice, once);
        }
    }
}
