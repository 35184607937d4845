//! Links to files in the text of a mail (reference section 5.11).
//!
//! Unlike the reference, hosts are compared exactly (a look-alike is no delivery),
//! punctuation after a link is no part of it, and the redirections that mail filters put
//! around links are undone.

use std::collections::HashSet;
use std::ops::Range;

use super::identity::is_space;
use super::{Link, wrappers};

/// File services, by the name in the payload and their host; `www.` may precede it.
const PROVIDERS: [(&str, &str); 3] =
    [("dropbox", "dropbox.com"), ("fromsmash", "fromsmash.com"), ("swisstransfer", "swisstransfer.com")];
/// Longest authority that is looked at, in bytes as written. The hosts that matter are far
/// shorter, and the bound keeps a text full of `https://` cheap.
const MAX_AUTHORITY: usize = 128;
/// Redirections within redirections that are undone.
const MAX_WRAPPERS: usize = 3;

/// The provider of a link, judged by its host alone: `dropbox`, `fromsmash` or
/// `swisstransfer`. `None` for any other host, and when a user name stands before it.
#[must_use]
pub fn provider(url: &str) -> Option<&'static str> {
    let (_, rest) = split_scheme(url)?;
    let host = host(rest)?;
    PROVIDERS.iter().find(|(_, domain)| is_host(host, domain)).map(|(name, _)| *name)
}

fn is_host(host: &str, domain: &str) -> bool {
    let bare = match host.get(..4) {
        Some(www) if www.eq_ignore_ascii_case("www.") => host.get(4..).unwrap_or_default(),
        _ => host,
    };
    bare.eq_ignore_ascii_case(domain)
}

/// `https://` or `http://`, and what follows it.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    ["https://", "http://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some((start, rest))
    })
}

/// The host at the start of `rest`; `None` when there is a user name or a port that is no number.
pub(super) fn host(rest: &str) -> Option<&str> {
    let end = rest.bytes().take(MAX_AUTHORITY).position(|byte| b"/?#".contains(&byte));
    let authority = rest.get(..end.unwrap_or(rest.len()))?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    (authority.len() <= MAX_AUTHORITY && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(host)
}

/// The links of a text, plain or HTML, each once, in order of first appearance.
#[must_use]
pub fn extract(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut seen = HashSet::new();
    let mut taken = 0; // end of the last link: what lies inside of it is not looked at again
    let mut run_end = 0; // end of the run of link characters around the last start
    let mut wrapped = 0; // end of the last run that a redirection was looked for in
    let mut refused = 0; // end of the last run that looked like a link to a provider, and was none
    for scheme in schemes(text) {
        if scheme.start < taken {
            continue;
        }
        if scheme.end > run_end {
            let rest = text.get(scheme.end..).unwrap_or_default();
            run_end = scheme.end + rest.find(ends_link).unwrap_or(rest.len());
        }
        let (Some(rest), Some(scheme)) = (text.get(scheme.end..run_end), text.get(scheme)) else { continue };
        let url = match destination(rest) {
            Destination::Elsewhere => continue,
            Destination::Redirection if run_end == wrapped => continue,
            Destination::Redirection => {
                wrapped = run_end;
                unwrap(&decode(scheme, rest))
            }
            // The whole run is decoded once, however many schemes stand in it.
            Destination::Provider if run_end == refused => continue,
            Destination::Provider => {
                refused = run_end;
                Some(trim_punctuation(&decode(scheme, rest)).to_owned())
            }
        };
        let Some((url, provider)) = url.and_then(|url| provider(&url).map(|provider| (url, provider))) else {
            continue;
        };
        taken = run_end;
        if !is_preview(&url) && seen.insert(url.clone()) {
            links.push(Link {
                provider: provider.to_owned(),
                raw_url: url,
                direct_url: None,
                r2_url: None,
                original_filename: None,
            });
        }
    }
    links
}

/// The host of every http(s) link of a text, lower-cased. No redirection is undone, and a
/// link with a user name has no host.
pub(super) fn hosts(text: &str) -> Vec<String> {
    schemes(text)
        .filter_map(|scheme| {
            let rest = text.get(scheme.end..)?;
            // One byte more than is looked at, so that a longer authority is seen to be one.
            let near = rest.get(..rest.floor_char_boundary(MAX_AUTHORITY + 1))?;
            let end = near.find(|letter| ends_link(letter) || matches!(letter, '\\' | '\''));
            let found = host(trim_punctuation(near.get(..end.unwrap_or(near.len()))?))?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte) || byte >= 0x80;
            (!found.is_empty() && found.bytes().all(plain)).then(|| found.to_lowercase())
        })
        .collect()
}

/// Where `http://` or `https://` stands in a text, in any case of letters.
fn schemes(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(colon, slashes)| {
        ["https", "http"].iter().find_map(|name| {
            let start = colon.checked_sub(name.len())?;
            let written = text.get(start..colon)?;
            written.eq_ignore_ascii_case(name).then_some(start..colon + slashes.len())
        })
    })
}

fn ends_link(letter: char) -> bool {
    is_space(letter) || matches!(letter, '<' | '>' | '"')
}

/// Where a link leads, judged by its authority alone, so that the text of a link that is
/// of no interest is not read again for every `https://` in it.
enum Destination {
    Provider,
    Redirection,
    Elsewhere,
}

fn destination(rest: &str) -> Destination {
    let mut cut = rest.len().min(MAX_AUTHORITY);
    // Only an entity can hide where the authority ends.
    match rest.bytes().take(cut).position(|byte| b"/?#&".contains(&byte)) {
        Some(end) if rest.as_bytes().get(end) != Some(&b'&') => cut = end,
        _ => {}
    }
    while !rest.is_char_boundary(cut) {
        cut -= 1;
    }
    let head = html_escape::decode_html_entities(rest.get(..cut).unwrap_or_default());
    match host(trim_punctuation(&head)) {
        Some(host) if PROVIDERS.iter().any(|(_, domain)| is_host(host, domain)) => Destination::Provider,
        Some(host) if wrappers::is_wrapper(host) => Destination::Redirection,
        _ => Destination::Elsewhere,
    }
}

/// The link with its entities decoded, up to white space that appears thereby.
fn decode(scheme: &str, rest: &str) -> String {
    let mut url = scheme.to_owned();
    html_escape::decode_html_entities_to_string(rest, &mut url);
    let end = url.find(|letter: char| is_space(letter) || letter.is_control()).unwrap_or(url.len());
    url.truncate(end);
    url
}

/// The link to a provider inside a redirection.
fn unwrap(url: &str) -> Option<String> {
    let mut url = wrappers::unwrap(url)?;
    for _ in 1..MAX_WRAPPERS {
        if provider(&url).is_some() {
            break;
        }
        url = wrappers::unwrap(&url)?;
    }
    let clean = !url.contains(|letter: char| ends_link(letter) || letter.is_control());
    (clean && provider(&url).is_some()).then(|| trim_punctuation(&url).to_owned())
}

/// Without the punctuation of the sentence around it. A closing bracket that was opened
/// inside the link belongs to it.
fn trim_punctuation(url: &str) -> &str {
    const PAIRS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];
    let count = |letter: char| url.matches(letter).count();
    let mut surplus = PAIRS.map(|(open, close)| (close, count(close).saturating_sub(count(open))));
    let mut trimmed = url;
    while let Some(last) = trimmed.chars().next_back() {
        let drop = match surplus.iter_mut().find(|(close, _)| *close == last) {
            Some((_, left)) if *left > 0 => {
                *left -= 1;
                true
            }
            Some(_) => false,
            None => ".,;:!?'»\"<>“”‘’«…\u{200b}\u{feff}".contains(last),
        };
        if !drop {
            break;
        }
        trimmed = trimmed.get(..trimmed.len() - last.len_utf8()).unwrap_or_default();
    }
    trimmed
}

/// Pictures that Dropbox puts into its own mails: logos, avatars, profile pictures and
/// Microsoft marks (`ms.png`, `ms-logo.png`). A file whose name merely begins with `ms`
/// (`msg_final.png`) is a delivery.
fn is_preview(url: &str) -> bool {
    if provider(url) != Some("dropbox") {
        return false;
    }
    let before_fragment = url.split('#').next().unwrap_or(url);
    let (address, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    if !query.split('&').any(|pair| pair == "raw=1") {
        return false;
    }
    let Some((_, path)) = split_scheme(address).and_then(|(_, rest)| rest.split_once('/')) else {
        return false;
    };
    let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    path.starts_with("scl/fi/")
        && ["png", "jpg", "jpeg", "webp", "gif"].contains(&extension)
        && (["logo", "avatar", "profile"].iter().any(|picture| stem.starts_with(picture))
            || stem.strip_prefix("ms").is_some_and(|rest| !rest.starts_with(char::is_alphabetic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        extract(text).into_iter().map(|link| link.raw_url).collect()
    }

    #[test]
    fn punctuation_is_no_part_of_a_link() {
        for (text, expected) in [
            ("(voir https://fromsmash.com/abc).", "https://fromsmash.com/abc"),
            ("https://fromsmash.com/a_(b)", "https://fromsmash.com/a_(b)"),
            ("« https://fromsmash.com/abc»", "https://fromsmash.com/abc"),
            ("https://fromsmash.com/abc?!'", "https://fromsmash.com/abc"),
            ("<https://fromsmash.com/abc>", "https://fromsmash.com/abc"),
            ("[x](https://www.swisstransfer.com/d/1)", "https://www.swisstransfer.com/d/1"),
            ("https://fromsmash.com/abc&nbsp;", "https://fromsmash.com/abc"),
            ("https://fromsmash.com.", "https://fromsmash.com"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn look_alikes_are_no_links() {
        for text in [
            "https://www.dropbox.com.evil.example/x",
            "https://www.dropbox.com@evil.example/x",
            "https://www.dropbox.com\\@evil.example/x",
            "https://www.dropbox.com&#46;evil.example/x",
            "https://www.dropbox.com&#9;.evil.example/x",
            "https://evil.example/www.dropbox.com",
            "https://xn--dropbox-x.com/a",
            "https://www.dropbox.com:80x/a",
            "ftp://dropbox.com/a",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn hosts_are_named_exactly() {
        for (text, expected) in [
            ("https://Portal.example/x?y and http://a.fr:80, https://b.fr.", "portal.example a.fr b.fr"),
            ("<a href='https://c.fr'>https://user@evil.example</a>", "c.fr"),
            ("https://d.fr\\@evil.example ftp://e.fr https://", "d.fr"),
        ] {
            assert_eq!(hosts(text).join(" "), expected, "{text}");
        }
        assert!(hosts(&format!("https://{}", "a".repeat(500))).is_empty());
    }

    #[test]
    fn a_link_inside_another_is_found_as_before() {
        assert_eq!(found("https://example.com/r?u=https://fromsmash.com/a"), ["https://fromsmash.com/a"]);
        assert_eq!(
            found("https://www.dropbox.com/s/a?u=https://fromsmash.com/a"),
            ["https://www.dropbox.com/s/a?u=https://fromsmash.com/a"]
        );
    }

    #[test]
    fn redirections_are_undone() {
        for text in [
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0&amp;data=05%7C01",
            "https://urldefense.com/v3/__https://www.dropbox.com/scl/fo/x?rlkey=k&dl=0__;!!abc$",
            "https://urldefense.proofpoint.com/v2/url?u=https-3A__www.dropbox.com_scl_fo_x-3Frlkey-3Dk-26dl-3D0&d=x",
            "https://www.google.com/url?sa=D&q=https://www.dropbox.com/scl/fo/x?rlkey%3Dk%26dl%3D0&usg=1",
            "https://www.google.com/url?q=https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0__%3B!!abc%24",
        ] {
            assert_eq!(found(text), ["https://www.dropbox.com/scl/fo/x?rlkey=k&dl=0"], "{text}");
        }
        assert!(
            found("https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Fdropbox.com")
                .is_empty()
        );
    }

    #[test]
    fn a_run_that_only_looks_like_links_is_read_once() {
        // Judged by its first bytes each is a link to Dropbox; as a whole none of them is.
        let near = format!("https://www.dropbox.com{}", ")".repeat(120));
        let text = format!("{}x", near.repeat(8_000));
        let clock =
            || nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
        let before = clock();
        assert_eq!(found(&text), Vec::<String>::new());
        let took = clock() - before;
        // To read the run again for each of them takes minutes.
        assert!(took.tv_sec() < 20, "{took:?} for {} bytes", text.len());
    }

    #[test]
    fn dropbox_pictures_are_no_deliveries() {
        for (name, preview) in [
            ("ms.png", true),
            ("MS-logo.png", true),
            ("msg_final.png", false),
            ("avatar1.webp", true),
            ("lot42.png", false),
            ("logo.zip", false),
        ] {
            let text = format!("https://www.dropbox.com/scl/fi/x/{name}?rlkey=k&amp;raw=1");
            assert_eq!(extract(&text).is_empty(), preview, "{name}");
        }
    }
}
