//! Parts of addresses, by their letters alone: what an address leads to is not asked.

use std::ops::Range;

/// Longest authority that is looked at, in bytes as written. The hosts that matter are far
/// shorter, and the bound keeps a text full of `https://` cheap.
pub(in crate::mail) const MAX_AUTHORITY: usize = 128;

/// `https://` or `http://`, and what follows it.
pub(in crate::mail) fn split_scheme(url: &str) -> Option<(&str, &str)> {
    ["https://", "http://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some((start, rest))
    })
}

/// The host at the start of `rest`; `None` when there is a port that is no number.
pub(in crate::mail) fn host(rest: &str) -> Option<&str> {
    let end = rest.bytes().take(MAX_AUTHORITY).position(|byte| b"/?#".contains(&byte));
    let authority = rest.get(..end.unwrap_or(rest.len()))?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    (authority.len() <= MAX_AUTHORITY && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(host)
}

/// Where `http://` or `https://` stands in a text, in any case of letters.
pub(super) fn schemes(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(colon, slashes)| {
        ["https", "http"].iter().find_map(|name| {
            let start = colon.checked_sub(name.len())?;
            let written = text.get(start..colon)?;
            written.eq_ignore_ascii_case(name).then_some(start..colon + slashes.len())
        })
    })
}

/// Without the punctuation of the sentence around it. A closing bracket that was opened
/// inside the address belongs to it, an opening one at its end never does.
pub(in crate::mail) fn trim_punctuation(url: &str) -> &str {
    const PAIRS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];
    let count = |letter: char| isize::try_from(url.matches(letter).count()).unwrap_or(isize::MAX);
    // How many more closing ones there are than opening ones.
    let mut surplus = PAIRS.map(|(open, close)| (open, close, count(close) - count(open)));
    let mut trimmed = url;
    while let Some(last) = trimmed.chars().next_back() {
        match surplus.iter_mut().find(|(open, close, _)| [*open, *close].contains(&last)) {
            Some((open, _, left)) if last == *open => *left += 1,
            Some((_, _, left)) if *left > 0 => *left -= 1,
            Some(_) => break,
            None if ".,;:!?*'»\"<>“”‘’«…\\".contains(last) => {}
            None => break,
        }
        trimmed = trimmed.get(..trimmed.len() - last.len_utf8()).unwrap_or_default();
    }
    trimmed
}
