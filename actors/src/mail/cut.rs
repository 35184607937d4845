//! What is left out of a text that is too long: how much, and the links in it, so that no
//! delivery is lost to its place in the mail.

use super::links;
use super::providers::Providers;

/// Links that are kept of what is left out. No mail that a person wrote has more.
const LINKS: usize = 100;
/// Bytes of them in all.
const BYTES: usize = 64 << 10;
/// How far before the limit a text is cut, in bytes, so that no address is cut in two.
const NEAR: usize = 8 << 10;
/// Bytes of a text that are decoded and looked through at once.
pub(super) const PIECE: usize = 2 << 20;
/// What the line begins with that says how much was left out.
const MARK: &str = "\n[… ";
/// What it ends with.
const MARK_END: &str = " bytes left out …]\n";

/// What was left out of the text of a mail.
#[derive(Debug, Default)]
pub(super) struct CutRest {
    bytes: usize,
    links: Vec<String>,
    taken: usize,
}

impl CutRest {
    /// Leaves this out, too.
    pub(super) fn add(&mut self, text: &str, is_html: bool, providers: &Providers) {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.links.len() >= LINKS {
            return;
        }
        let (plain, html) = if is_html { ("", text) } else { (text, "") };
        for link in links::find(plain, html, providers).links {
            let taken = self.taken.saturating_add(link.raw_url.len());
            if self.links.len() >= LINKS {
                return;
            }
            // The text comes in pieces, of which each may name it.
            if taken <= BYTES && !self.links.contains(&link.raw_url) {
                self.taken = taken;
                self.links.push(link.raw_url);
            }
        }
    }
}

fn is_wide(charset: Option<&str>) -> bool {
    charset.is_some_and(|name| {
        let name = name.trim().to_ascii_lowercase();
        ["utf-16", "utf16", "utf-32", "ucs", "iso-10646"].iter().any(|wide| name.starts_with(wide))
    })
}

/// How many of these bytes, at most `limit` (a text in its character set), are a piece of a text
/// that can be read alone: up to a line that ends a paragraph, as RFC 3676 marks it, or to what
/// [`place`] finds, and never within a character.
pub(super) fn piece(bytes: &[u8], limit: usize, is_html: bool, charset: Option<&str>) -> usize {
    if bytes.len() <= limit {
        return bytes.len();
    }
    if is_wide(charset) {
        return wide_piece(bytes, limit - limit % 4);
    }
    let from = limit.saturating_sub(NEAR);
    let near = bytes.get(from..limit).unwrap_or_default();
    let ends_paragraph = |end: &usize| {
        let line = near.get(..*end).unwrap_or_default();
        !line.strip_suffix(b"\r").unwrap_or(line).ends_with(b" ")
    };
    let ends = || near.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(end, _)| end);
    if let Some(end) = ends().find(ends_paragraph).filter(|_| !is_html) {
        return from + end + 1;
    }
    let at = place(bytes, limit, is_html, charset);
    let is_within = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    // A character of UTF-8 has at most three such bytes.
    (at.saturating_sub(3)..=at).rev().find(|at| !is_within(*at)).filter(|at| *at > 0).unwrap_or(at)
}

/// The same where each letter has two bytes at least, in either order: behind a blank, or at the
/// limit.
fn wide_piece(bytes: &[u8], limit: usize) -> usize {
    let from = limit.saturating_sub(NEAR);
    let mut letters = bytes.get(from..limit).unwrap_or_default().chunks_exact(2).enumerate();
    let is_blank = |letter: &[u8]| matches!(letter, [0, b' ' | b'\n'] | [b' ' | b'\n', 0]);
    letters.rfind(|(_, letter)| is_blank(letter)).map_or(limit, |(at, _)| from + 2 * at + 2)
}

/// The mark at the beginning of a text that says in which order its bytes stand, if it has one:
/// each piece of the text is read by it.
pub(super) fn byte_order<'t>(bytes: &'t [u8], charset: Option<&str>) -> &'t [u8] {
    match bytes.split_at_checked(2) {
        Some((mark @ (b"\xfe\xff" | b"\xff\xfe"), _)) if is_wide(charset) => mark,
        _ => &[],
    }
}

/// Where bytes of which at most `limit` are taken are cut: before the last tag, or behind the last
/// blank. In character sets of which each letter has several bytes, at the limit.
pub(super) fn place(bytes: &[u8], limit: usize, is_html: bool, charset: Option<&str>) -> usize {
    if bytes.len() <= limit || is_wide(charset) {
        return limit.min(bytes.len());
    }
    let from = limit.saturating_sub(NEAR);
    let near = bytes.get(from..limit).unwrap_or_default();
    let tag = near.iter().rposition(|byte| *byte == b'<').filter(|_| is_html);
    let blank = || near.iter().rposition(|byte| matches!(byte, b' ' | b'\t' | b'\n')).map(|blank| blank + 1);
    tag.or_else(blank).map_or(limit, |at| from + at)
}

/// Says at the end of a text what was left out of it: a line `[… N bytes left out …]`, and each
/// link on a line of its own.
pub(super) fn mark(text: &mut String, rest: &CutRest) {
    if rest.bytes == 0 {
        return;
    }
    text.push_str(MARK);
    text.push_str(&rest.bytes.to_string());
    text.push_str(MARK_END);
    for link in &rest.links {
        text.push_str(link);
        text.push('\n');
    }
}

/// A text, and the links behind its mark: those are no part of a page, whatever it is cut in.
pub(super) fn split(text: &str) -> (&str, &str) {
    text.rsplit_once(MARK_END)
        .and_then(|(before, links)| {
            let (text, count) = before.rsplit_once(MARK)?;
            count.bytes().all(|byte| byte.is_ascii_digit()).then_some((text, links))
        })
        .unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::parse::parse;
    use crate::mail::providers;

    const LIMIT: usize = 1 << 20;

    #[test]
    fn a_text_that_is_too_long_says_so_and_keeps_its_links() {
        for (kind, flaw) in [("plain", "plain text"), ("html", "HTML")] {
            let filler = "é ".repeat(LIMIT / 3);
            let raw = format!(
                "From: a@b.fr\nContent-Type: text/{kind}; charset=utf-8\n\nhttps://fromsmash.com/a {filler}{filler} https://fromsmash.com/b"
            );
            let mail = parse(raw.as_bytes()).expect("a mail");
            let text = if kind == "plain" { &mail.plain } else { &mail.html };
            let (taken, marked) = text.split_once("\n[… ").expect("a mark");
            assert!(taken.len() <= LIMIT && taken.len() > LIMIT - 8, "{}", taken.len());
            let (count, end) = marked.split_once(" bytes left out …]\n").expect("how much");
            assert!(count.parse::<usize>().expect("a number") > LIMIT / 4, "{count}");
            assert_eq!(end, "https://fromsmash.com/b\n");
            assert!(mail.flaws.iter().any(|found| found.contains(flaw)), "{:?}", mail.flaws);
            let found = links::of_mail(&mail, &providers::defaults()).links;
            let found: Vec<String> = found.into_iter().map(|link| link.raw_url).collect();
            assert_eq!(found, ["https://fromsmash.com/a", "https://fromsmash.com/b"], "{kind}");
        }
    }

    #[test]
    fn a_link_at_the_end_of_what_is_taken_is_whole() {
        for (kind, link) in [
            ("plain", " https://fromsmash.com/abcdef "),
            ("html", "<a href=\"https://fromsmash.com/abcdef\">x</a>"),
            ("html", "<p>x https://fromsmash.com/abcdef </p>"),
        ] {
            for offset in 0..link.len() {
                let filler = "x ".repeat(LIMIT);
                let filler = filler.get(..LIMIT - offset).expect("ASCII");
                let raw = format!("From: a@b.fr\nContent-Type: text/{kind}\n\n{filler}{link} fin");
                let mail = parse(raw.as_bytes()).expect("a mail");
                let found = links::of_mail(&mail, &providers::defaults()).links;
                let found: Vec<&str> = found.iter().map(|link| link.raw_url.as_str()).collect();
                assert_eq!(found, ["https://fromsmash.com/abcdef"], "{kind} {offset}");
            }
        }
    }

    #[test]
    fn what_is_kept_of_the_rest_is_bounded() {
        let mut rest = CutRest::default();
        for n in 0..1_000 {
            let text =
                format!("https://fromsmash.com/{n} https://www.dropbox.com/s/{}{n}", "x".repeat(2_000));
            rest.add(&text, false, &providers::defaults());
        }
        assert!(rest.links.len() <= LINKS && rest.taken <= BYTES, "{} {}", rest.links.len(), rest.taken);
        // A link that has no room is no end to those behind it.
        let mut rest = CutRest::default();
        let long = format!("https://fromsmash.com/{} https://fromsmash.com/b", "x".repeat(BYTES));
        for _ in 0..3 {
            rest.add(&long, false, &providers::defaults());
        }
        assert_eq!(rest.links, ["https://fromsmash.com/b"]);
        let mut text = "x".to_owned();
        mark(&mut text, &CutRest::default());
        assert_eq!(text, "x");
    }

    #[test]
    fn a_text_is_read_in_pieces_and_loses_nothing_between_them() {
        let link = |n: usize| format!("https://fromsmash.com/part{n}");
        // A link at every place around the end of the second piece, which is left out.
        for (kind, before, after) in [
            ("text/plain; charset=utf-8", "é ", ""),
            ("text/plain; charset=iso-8859-1; format=flowed; delsp=yes", "a \r\n", ""),
            ("text/plain; charset=utf-16", "a ", ""),
            ("text/html", "<p>a</p>", "</p>"),
        ] {
            let charset = kind.contains("utf-16");
            for offset in [0, 7, 20, 31] {
                let mut text = "x ".repeat(PIECE / before.len() / 2 * before.len());
                text.truncate(2 * PIECE / if charset { 2 } else { 1 } - offset);
                let text =
                    format!("\u{feff}{text}\r\n{} {before}{after}\n{}", link(offset), before.repeat(9));
                let bytes: Vec<u8> = if charset {
                    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
                } else {
                    text.into()
                };
                let raw = [format!("From: a@b.fr\nContent-Type: {kind}\n\n").into_bytes(), bytes].concat();
                let mail = parse(&raw).expect("a mail");
                let found = links::of_mail(&mail, &providers::defaults()).links;
                let found: Vec<String> = found.into_iter().map(|link| link.raw_url).collect();
                assert_eq!(found, [link(offset)], "{kind} {offset}");
            }
        }
    }

    #[test]
    fn a_piece_ends_between_lines_words_or_characters() {
        let filler = "x".repeat(NEAR);
        for (text, limit, expected) in [
            (format!("{filler}un\ndeux \ntrois quatre"), NEAR + 14, NEAR + 3),
            (format!("{filler}un \r\ndeux trois"), NEAR + 9, NEAR + 5),
            (format!("{filler}{filler}é"), 2 * NEAR + 1, 2 * NEAR),
            ("court".to_owned(), 5, 5),
        ] {
            assert_eq!(piece(text.as_bytes(), limit, false, None), expected, "{limit}");
        }
        assert_eq!(piece(&[0; 100], 15, false, Some("UTF-16")), 12);
        assert_eq!(piece(b"a\0 \0b\0c\0d\0e\0f\0", 12, false, Some("utf-16le")), 4);
    }
}
