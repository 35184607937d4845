//! Where the addresses in a text begin and end, as a person would see it.

use super::address::{host, schemes, split_scheme, trim_punctuation};
use crate::mail::entities;
use crate::mail::identity::{is_space, visible};
use crate::mail::providers::Providers;

/// Longest address in `<…>` that is put together from its lines, in bytes.
const ANGLED: usize = 8 << 10;
/// Lines over which it may go.
const LINES: usize = 6;
/// How far back the beginning of an emphasis is looked for, in bytes.
const BACK: usize = 200;

/// Marks of emphasis around one address.
const MARKS: usize = 4;

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    /// A plain part: entities may be left in it, and lines are lines.
    Plain,
    /// What a reader sees of an HTML part.
    Seen,
}

/// An address in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spotted {
    /// As it is meant: entities decoded, nothing invisible in it.
    pub(super) url: String,
    /// `…` or `...` stands behind it: it may be the beginning of a longer one.
    pub(super) cut: bool,
}

/// The addresses of a text, in order of appearance. What is between two of them is read once.
pub(super) fn scan(text: &str, kind: TextKind, providers: &Providers, mut take: impl FnMut(Spotted)) {
    let text = visible(text);
    let starts: Vec<_> = schemes(&text).collect();
    let mut taken = 0; // end of the last address: what lies inside of it is not looked at again
    let mut run_end = 0; // end of the run of letters of addresses around the last start
    for (index, scheme) in starts.iter().enumerate() {
        if scheme.start < taken {
            continue;
        }
        if let Some((url, end)) = angled(&text, scheme.start, kind) {
            taken = end;
            take(Spotted { url, cut: false });
            continue;
        }
        if scheme.end > run_end {
            let rest = text.get(scheme.end..).unwrap_or_default();
            run_end = scheme.end + rest.find(ends_address).unwrap_or(rest.len());
        }
        let further = starts.get(index + 1..).unwrap_or_default();
        // Written twice by mistake: the second one counts.
        if further.first().is_some_and(|next| next.start == scheme.end) {
            continue;
        }
        let is_file_host = text
            .get(scheme.end..run_end)
            .and_then(host)
            .is_some_and(|host| providers.of_host(host).is_some());
        // Of the letters between two, each is looked at once.
        let (mut in_path, mut from) = (is_file_host, scheme.end);
        let glued = further.iter().take_while(|next| next.start < run_end).find(|next| {
            let between = text.get(from..next.start).unwrap_or_default();
            in_path &= !between.contains(['?', '#']);
            from = next.start;
            is_glued(between, in_path, is_file_host)
        });
        taken = glued.map_or(run_end, |next| next.start);
        let (Some(before), Some(run)) = (text.get(..scheme.start), text.get(scheme.start..taken)) else {
            continue;
        };
        // What stands between two is of neither.
        let run = if is_file_host && glued.is_some() { unjoined(run) } else { run };
        if !is_picture(before)
            && let Some(spotted) = finish(before, run, kind, is_file_host)
        {
            take(spotted);
        }
    }
}

/// Without the one letter that joins an address to the next: `address+address`.
fn unjoined(run: &str) -> &str {
    run.strip_suffix(['+', '-', '~', '@', '%', '_', '&']).unwrap_or(run)
}

/// What ends an address wherever it stands. A bar ends the cell of a table, a backtick a piece
/// of code; neither occurs in an address as written, nor do quotation marks and wide punctuation.
fn ends_address(letter: char) -> bool {
    is_space(letter)
        || matches!(letter, '<' | '>' | '"' | '|' | '`' | '«' | '»' | '“' | '”' | '\u{3001}'..='\u{3011}')
        || matches!(letter, '（' | '）' | '，' | '：' | '；' | '！' | '？' | '．')
}

/// Whether an address ends `before` another one, which is no part of it. In the paths of a file
/// service (`in_path`) there is no other address, and none in its queries without a name.
fn is_glued(before: &str, in_path: bool, is_file_host: bool) -> bool {
    match before.chars().next_back() {
        Some('&') => is_file_host,
        Some('=' | '?' | '#' | '/' | '_' | ':' | '@' | '!' | '~' | '+' | '%' | '-') => in_path,
        _ => true,
    }
}

/// Where a list goes on behind an address of a file service: `address;11h51`, `a=address;b=`. A
/// comma may be part of a file's name, a semicolon is not, but for what is left of an `&amp;`.
fn listed(url: &str) -> &str {
    let Some((_, rest)) = split_scheme(url) else { return url };
    let start = url.len() - rest.len();
    let name_goes_on = rest.rfind(['.', '?', '=', '&', '%', '/']).unwrap_or_default();
    let ends = |(at, letter): &(usize, char)| match letter {
        ';' => !rest.get(..*at).is_some_and(|before| before.ends_with("&amp")),
        ',' => *at > name_goes_on,
        _ => false,
    };
    rest.char_indices().find(ends).map_or(url, |(at, _)| url.get(..start + at).unwrap_or(url))
}

/// The address with its entities decoded, up to where a person would see its end.
fn finish(before: &str, run: &str, kind: TextKind, is_file_host: bool) -> Option<Spotted> {
    let run = enclosed(before, run);
    let decoded = match kind {
        TextKind::Plain => entities::decode(run, true),
        TextKind::Seen => run.into(),
    };
    let decoded = visible(&decoded);
    let end = decoded.find(|letter: char| is_space(letter) || letter.is_control()).unwrap_or(decoded.len());
    let whole = decoded.get(..end)?;
    // Cut in its middle: nobody knows what stood there.
    if whole
        .find('…')
        .and_then(|at| whole.get(at + '…'.len_utf8()..))
        .is_some_and(|after| after.contains(char::is_alphanumeric))
    {
        return None;
    }
    let (whole, is_marked) = unmarked(whole);
    let one = if is_file_host { listed(whole) } else { whole };
    let mut url = trim_punctuation(one);
    for mark in ['_', '~'] {
        let closing = if url.ends_with(mark) { emphasis(before, mark) } else { 0 };
        for _ in 0..closing {
            url = url.strip_suffix(mark).map_or(url, trim_punctuation);
        }
    }
    let tail = one.get(url.len()..).unwrap_or_default();
    let cut = is_marked || tail.contains('…') || tail.contains("...");
    Some(Spotted { url: unescaped(url), cut })
}

/// Without a mark at the end that says that something is left out: `[...]`.
fn unmarked(whole: &str) -> (&str, bool) {
    let marks = ["[...]", "(...)", "[…]", "(…)"];
    marks.iter().find_map(|mark| whole.strip_suffix(mark)).map_or((whole, false), |rest| (rest, true))
}

/// Without the backslashes that makers of Markdown put before punctuation: `Ab\_C`.
fn unescaped(url: &str) -> String {
    if !url.contains('\\') {
        return url.to_owned();
    }
    let mut letters = url.chars().peekable();
    let mut out = String::with_capacity(url.len());
    while let Some(letter) = letters.next() {
        if letter != '\\' || !letters.peek().is_some_and(char::is_ascii_punctuation) {
            out.push(letter);
        }
    }
    out
}

/// The part of the run before the bracket or quotation mark that closes the one right before
/// it.
fn enclosed<'t>(before: &str, run: &'t str) -> &'t str {
    const PAIRS: [(char, char); 6] =
        [('(', ')'), ('[', ']'), ('{', '}'), ('«', '»'), ('“', '”'), ('\'', '\'')];
    let opened = before.chars().next_back();
    let Some((open, close)) = PAIRS.into_iter().find(|(open, _)| Some(*open) == opened) else { return run };
    let mut depth = 0_usize;
    for (at, letter) in run.char_indices() {
        if letter == close {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return run.get(..at).unwrap_or(run),
            }
        } else if letter == open {
            depth += 1;
        }
    }
    run
}

/// How many `mark`s at the end of an address close an emphasis that began before it:
/// `_address_`, `_voir address_`.
fn emphasis(before: &str, mark: char) -> usize {
    let directly = before.chars().rev().take(MARKS).take_while(|letter| *letter == mark).count();
    if directly > 0 {
        return directly;
    }
    let near = before.get(before.ceil_char_boundary(before.len().saturating_sub(BACK))..).unwrap_or_default();
    let line = near.rsplit('\n').next().unwrap_or_default();
    let opens = line.split(is_space).filter(|word| word.starts_with(mark)).count();
    let closes = line.split(is_space).filter(|word| word.len() > 1 && word.ends_with(mark)).count();
    usize::from(opens > closes)
}

/// Whether a picture of Markdown, `![…](address)`, stands there: it is shown, not linked.
fn is_picture(before: &str) -> bool {
    let Some(label) = before.strip_suffix("](") else { return false };
    let near = label.get(label.ceil_char_boundary(label.len().saturating_sub(BACK))..).unwrap_or_default();
    near.rfind('[').and_then(|open| near.get(..open)).is_some_and(|before| before.ends_with('!'))
}

/// An address in `<…>`, and where that ends: line ends within are none of it (RFC 3986,
/// appendix C). Blanks are, where it stands on one line.
fn angled(text: &str, start: usize, kind: TextKind) -> Option<(String, usize)> {
    let before = text.get(..start).filter(|_| kind == TextKind::Plain)?;
    let before = ["<", "<URL:", "<url:"].iter().find_map(|open| before.strip_suffix(open))?;
    let written = text.get(start..text.floor_char_boundary((start + ANGLED).min(text.len())))?;
    let mut url = String::new();
    let mut lines = 1;
    let mut rest = written;
    loop {
        let end = rest.find(['<', '>', '"', '\n'])?;
        let (piece, after) = rest.split_at_checked(end)?;
        url.push_str(piece.trim_matches([' ', '\t', '\r']));
        if after.starts_with('>') {
            let close = start + written.len() - after.len() + 1;
            return whole(url, lines).map(|url| (url, close));
        }
        rest = after.strip_prefix('\n')?;
        lines += 1;
        if lines > LINES {
            return None;
        }
        if is_quoted(before) {
            rest = rest.trim_start_matches(['>', ' ', '\t']);
        }
        // An empty line ends a paragraph, and what is in it.
        if rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n') {
            return None;
        }
    }
}

/// Whether the line that ends there is one of a quotation.
fn is_quoted(before: &str) -> bool {
    let near = before.get(before.ceil_char_boundary(before.len().saturating_sub(BACK))..).unwrap_or_default();
    near.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('>'))
}

/// What stood in the brackets, if it is one address.
fn whole(url: String, lines: usize) -> Option<String> {
    let decoded = entities::decode(&url, true).into_owned();
    let is_one = schemes(&decoded).nth(1).is_none_or(|second| {
        !decoded.get(..second.start).is_some_and(|before| {
            before.ends_with(|letter: char| is_space(letter) || letter.is_alphanumeric())
        })
    });
    let words: Vec<&str> = decoded.split(is_space).filter(|word| !word.is_empty()).collect();
    let ends_in_a_name = words.last().is_some_and(|last| last.contains(['.', '?', '/']));
    let may_have_blanks = lines == 1 && ends_in_a_name && !decoded.contains(char::is_control);
    (is_one && (words.len() == 1 || may_have_blanks)).then(|| words.join("%20"))
}
