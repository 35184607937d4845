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
/// What the line begins with that says how much was left out.
const MARK: &str = "\n[… ";
/// What it ends with.
const MARK_END: &str = " bytes left out …]\n";

/// What was left out of the text of a mail.
#[derive(Debug, Default)]
pub(super) struct Rest {
    bytes: usize,
    links: Vec<String>,
    taken: usize,
}

impl Rest {
    /// Leaves this out, too.
    pub(super) fn add(&mut self, text: &str, is_html: bool, providers: &Providers) {
        self.bytes = self.bytes.saturating_add(text.len());
        let (plain, html) = if is_html { ("", text) } else { (text, "") };
        for link in links::find(plain, html, providers).links {
            let taken = self.taken.saturating_add(link.raw_url.len());
            if self.links.len() >= LINKS || taken > BYTES {
                return;
            }
            self.taken = taken;
            self.links.push(link.raw_url);
        }
    }
}

/// Where bytes of which at most `limit` are taken are cut: before the last tag, or behind the last
/// blank. In character sets of which each letter has several bytes, at the limit.
pub(super) fn place(bytes: &[u8], limit: usize, is_html: bool, charset: Option<&str>) -> usize {
    let is_wide = charset.is_some_and(|name| {
        let name = name.trim().to_ascii_lowercase();
        ["utf-16", "utf16", "utf-32", "ucs", "iso-10646"].iter().any(|wide| name.starts_with(wide))
    });
    if bytes.len() <= limit || is_wide {
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
pub(super) fn mark(text: &mut String, rest: &Rest) {
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
        let mut rest = Rest::default();
        for n in 0..1_000 {
            let text =
                format!("https://fromsmash.com/{n} https://www.dropbox.com/s/{}{n}", "x".repeat(2_000));
            rest.add(&text, false, &providers::defaults());
        }
        assert!(rest.links.len() <= LINKS && rest.taken <= BYTES, "{} {}", rest.links.len(), rest.taken);
        let mut text = "x".to_owned();
        mark(&mut text, &Rest::default());
        assert_eq!(text, "x");
    }
}
