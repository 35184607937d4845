//! Addresses within addresses: what mail filters, web mailers and click counters put around a
//! link. The destination is part of the address, so nobody is asked.
//!
//! Not a list of services but a mechanism: wherever in an address another one begins, written
//! as it is, percent-encoded any number of times, in base64, or in Proofpoint's own encodings, it
//! is looked at. Only an address of a known provider counts, so nothing else can come of it.

use std::borrow::Cow;
use std::collections::VecDeque;

use percent_encoding::percent_decode_str;

use super::encoding;
use super::identity::{is_space, visible};
use super::links::address::{host, split_scheme, trim_punctuation};
use super::providers::{Provider, Providers};

/// Addresses within addresses that are looked into.
const DEPTH: usize = 6;
/// Longest address that is looked into, in bytes.
const LONGEST: usize = 16 << 10;
/// Addresses that are looked at within one.
const WITHIN: usize = 8;
/// Encodings around an address that are undone.
const ROUNDS: usize = 5;

/// Work that is done for one mail in all. No mail that a person wrote needs a tenth of it.
#[derive(Debug)]
pub(super) struct Budget {
    attempts: u32,
    bytes: usize,
    exhausted: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { attempts: 8_000, bytes: 2 << 20, exhausted: false }
    }
}

impl Budget {
    /// One more attempt, at so many bytes; false when there was enough.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        match (self.attempts.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(attempts), Some(bytes)) => (self.attempts, self.bytes) = (attempts, bytes),
            _ => self.exhausted = true,
        }
        !self.exhausted
    }

    /// Whether something was not tried.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.exhausted
    }
}

/// The link to a file that `url` is or has in it, and whose.
pub(super) fn follow<'u, 'p>(
    url: &'u str,
    providers: &'p Providers,
    budget: &mut Budget,
) -> Option<(Cow<'u, str>, &'p Provider)> {
    if let Some(provider) = providers.of(url) {
        return Some((Cow::Borrowed(url), provider));
    }
    let (url, provider) = within(url, providers, budget, DEPTH)?;
    Some((Cow::Owned(url), provider))
}

fn within<'p>(
    url: &str,
    providers: &'p Providers,
    budget: &mut Budget,
    depth: usize,
) -> Option<(String, &'p Provider)> {
    let depth = depth.checked_sub(1).filter(|_| url.len() <= LONGEST)?;
    let (_, rest) = split_scheme(url)?;
    let rest = rest.get(host(rest)?.len()..)?;
    let defended = rest.split_once("/v3/__").filter(|_| budget.spend(rest.len()));
    let first = defended.and_then(|(_, inner)| proofpoint_v3(inner));
    if let Some(found) = first.and_then(|inner| judge(&inner, providers, budget, depth)) {
        return Some(found);
    }
    Marks::of(rest).take(WITHIN).find_map(|mark| {
        let inner = mark.read(rest, budget)?;
        judge(&inner, providers, budget, depth)
    })
}

/// The link that an address from within another is, or has in it.
fn judge<'p>(
    inner: &str,
    providers: &'p Providers,
    budget: &mut Budget,
    depth: usize,
) -> Option<(String, &'p Provider)> {
    let inner = clean(inner)?;
    if let Some(provider) = providers.of(&inner) {
        return Some((inner, provider));
    }
    budget.spend(inner.len()).then(|| within(&inner, providers, budget, depth))?
}

/// How an address within another is written at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NestedForm {
    /// `https://`, or with one slash, as some servers make it.
    Plain,
    /// `https%3A%2F%2F`, `https:%2F%2F`, `https%253A%252F%252F`.
    Percent,
    /// `aHR0cHM6Ly`.
    Base64,
    /// `https-3A__`: Proofpoint v2.
    Dashes,
}

/// Where one begins.
#[derive(Debug, Clone, Copy)]
struct NestedMark {
    at: usize,
    written: NestedForm,
}

/// The marks in what follows a host.
struct Marks<'u> {
    rest: &'u str,
    at: usize,
}

impl<'u> Marks<'u> {
    const fn of(rest: &'u str) -> Self {
        Self { rest, at: 0 }
    }
}

impl Iterator for Marks<'_> {
    type Item = NestedMark;

    fn next(&mut self) -> Option<NestedMark> {
        let bytes = self.rest.as_bytes();
        loop {
            let from = bytes.get(self.at..)?;
            let at = self.at + from.iter().position(|byte| b"hHaSY%".contains(byte))?;
            self.at = at + 1;
            // A word that merely ends so is none; two digits behind a % are no letters of a word.
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let escaped = at.checked_sub(3).and_then(|start| bytes.get(start)) == Some(&b'%');
            if before.is_some_and(u8::is_ascii_alphanumeric) && !escaped {
                continue;
            }
            if let Some(written) = self.rest.get(at..).and_then(beginning) {
                return Some(NestedMark { at, written });
            }
        }
    }
}

/// How the address is written that `text` begins with.
fn beginning(text: &str) -> Option<NestedForm> {
    // "http" in base64, in the usual cases of its letters, and that in base64 once more.
    if ["aHR0c", "SHR0c", "SFRUU", "YUhSMGN"].iter().any(|start| text.starts_with(start)) {
        return Some(NestedForm::Base64);
    }
    if text.starts_with("%68%74%74%70") {
        return Some(NestedForm::Percent);
    }
    let rest =
        text.get(4..).filter(|_| text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")))?;
    let rest = rest.strip_prefix(['s', 'S']).unwrap_or(rest);
    if rest.starts_with("-3A__") || rest.starts_with("-3a__") {
        return Some(NestedForm::Dashes);
    }
    let (rest, _) = one(rest, ':', "3a")?;
    let (_, slash_is_encoded) = one(rest, '/', "2f")?;
    Some(if slash_is_encoded { NestedForm::Percent } else { NestedForm::Plain })
}

/// What follows a letter, written as it is or percent-encoded any number of times (`%3A`,
/// `%253A`), and whether it was.
fn one<'t>(text: &'t str, letter: char, code: &str) -> Option<(&'t str, bool)> {
    if let Some(rest) = text.strip_prefix(letter) {
        return Some((rest, false));
    }
    let mut rest = text.strip_prefix('%')?;
    while let Some(further) = rest.strip_prefix("25") {
        rest = further;
    }
    let (start, rest) = rest.split_at_checked(code.len())?;
    start.eq_ignore_ascii_case(code).then_some((rest, true))
}

impl NestedMark {
    /// The address that begins here in `rest`, up to where its wrapper goes on.
    fn read(self, rest: &str, budget: &mut Budget) -> Option<String> {
        let (before, from) = rest.split_at_checked(self.at)?;
        let in_query = before.contains(['?', '#']);
        let is_whole = before.ends_with(['?', '#']);
        let ends: &[char] = match (self.written, in_query) {
            // It is the path, or all of the query, with whatever it has itself.
            (NestedForm::Plain, false) => &[],
            (NestedForm::Plain, true) if is_whole => &[],
            (NestedForm::Plain, true) => &['&', '#'],
            (_, true) => &['&', '#', ';'],
            (_, false) => &['/', '?', '#', '&', ';'],
        };
        let end = from.find(ends).unwrap_or(from.len());
        let text = closed(before, from.get(..end)?);
        let url = readable(text, self.written, budget)?;
        // The value of a pair is encoded once, also where its beginning does not need it. Of a path
        // whatever would have ended it was. Of one that has a further address in it, that one is.
        let is_encoded = if in_query { !is_whole } else { !url.contains('?') && url.contains("%3F") };
        let is_last = || split_scheme(&url).is_some_and(|(_, rest)| Marks::of(rest).next().is_none());
        if self.written == NestedForm::Plain && is_encoded && url.contains('%') && is_last() {
            return percent(&url, budget);
        }
        Some(url)
    }
}

/// Without what the wrapper appends, where it has put the same before the address as behind it:
/// `___https://…___.token`.
fn closed<'t>(before: &str, text: &'t str) -> &'t str {
    let underscores = before.bytes().rev().take_while(|byte| *byte == b'_').count();
    if underscores >= 2 {
        let mark = before.get(before.len() - underscores..).unwrap_or_default();
        return text.rsplit_once(mark).map_or(text, |(inner, _)| inner);
    }
    let close = match before.chars().next_back() {
        Some('(') => ')',
        Some('[') => ']',
        Some('{') => '}',
        Some(quote @ ('\'' | '*' | '~')) => quote,
        _ => return text,
    };
    text.rsplit_once(close).map_or(text, |(inner, _)| inner)
}

/// The address as it is, its encodings undone.
fn readable(text: &str, written: NestedForm, budget: &mut Budget) -> Option<String> {
    if written == NestedForm::Dashes {
        return percent(&text.replace('-', "%").replace('_', "/"), budget);
    }
    let mut text = Cow::Borrowed(text);
    for _ in 0..ROUNDS {
        match beginning(&text) {
            Some(NestedForm::Plain) if colon_is_plain(&text) => {
                return Some(with_slashes(&text));
            }
            Some(NestedForm::Base64) => text = base64(&text, budget)?.into(),
            Some(_) => text = percent(&text, budget)?.into(),
            None => return None,
        }
    }
    None
}

fn colon_is_plain(text: &str) -> bool {
    text.find([':', '%']).and_then(|at| text.get(at..)).is_some_and(|rest| rest.starts_with(':'))
}

/// With both slashes behind the scheme: some servers make one of two.
fn with_slashes(url: &str) -> String {
    match url.split_once(":/") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.trim_start_matches('/')),
        None => url.to_owned(),
    }
}

fn percent(text: &str, budget: &mut Budget) -> Option<String> {
    budget.spend(text.len()).then_some(())?;
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

/// Both alphabets (RFC 4648 sections 4 and 5), padded or not, up to the first other letter.
fn base64(text: &str, budget: &mut Budget) -> Option<String> {
    let unescaped = if text.contains('%') { percent(text, budget)? } else { text.to_owned() };
    budget.spend(unescaped.len()).then_some(())?;
    let letters: Vec<u8> = unescaped
        .bytes()
        .map_while(|byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' => Some(byte),
            _ => byte.is_ascii_alphanumeric().then_some(byte),
        })
        .collect();
    let (bytes, _) = encoding::base64(&letters);
    String::from_utf8(bytes).ok()
}

/// An address that was inside another, as one that stands alone: without anything invisible,
/// blanks encoded, and without what cannot be a part of it.
fn clean(url: &str) -> Option<String> {
    let url = visible(url.trim());
    let is_end = |letter: char| matches!(letter, '<' | '>' | '"') || letter.is_control();
    let url = trim_punctuation(url.get(..url.find(is_end).unwrap_or(url.len()))?);
    split_scheme(url)?;
    Some(url.split(is_space).collect::<Vec<_>>().join("%20"))
}

/// `<address>__;<replaced characters>!…`: each `*` stands for the next replaced character,
/// `**` and a letter for a run of them; the replaced characters are base64url.
fn proofpoint_v3(text: &str) -> Option<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (address, tail) = text.rsplit_once("__;")?;
    let encoded = tail.split('!').next().unwrap_or_default().replace('-', "+").replace('_', "/");
    let replaced = String::from_utf8(encoding::base64(encoded.as_bytes()).0).unwrap_or_default();
    let mut replaced: VecDeque<char> = replaced.chars().collect();
    let address = with_slashes(address);
    let mut out = String::with_capacity(address.len());
    let mut letters = address.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '*' {
            out.push(letter);
            continue;
        }
        let run = if letters.next_if_eq(&'*').is_some() {
            letters.next().and_then(|length| ALPHABET.find(length)).map_or(0, |length| length + 2)
        } else {
            1
        };
        out.extend(replaced.drain(..run.min(replaced.len())));
    }
    Some(out)
}

#[cfg(test)]
mod tests;
