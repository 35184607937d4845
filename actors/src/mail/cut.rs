//! What is left out of a text that is too long: how much, and the links in it, so that no
//! delivery is lost to its place in the mail.

use super::links;

/// Links that are kept of what is left out. No mail that a person wrote has more.
const LINKS: usize = 100;
/// Bytes of them in all.
const BYTES: usize = 64 << 10;

/// What was left out of the text of a mail.
#[derive(Debug, Default)]
pub(super) struct Rest {
    bytes: usize,
    links: Vec<String>,
    taken: usize,
}

impl Rest {
    /// Leaves this out, too.
    pub(super) fn add(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        for link in links::extract(text) {
            let taken = self.taken.saturating_add(link.raw_url.len());
            if self.links.len() >= LINKS || taken > BYTES {
                return;
            }
            self.taken = taken;
            self.links.push(link.raw_url);
        }
    }
}

/// Says at the end of a text what was left out of it: a line `[… N bytes left out …]`, and each
/// link on a line of its own.
pub(super) fn mark(text: &mut String, rest: &Rest) {
    if rest.bytes == 0 {
        return;
    }
    text.push_str("\n[… ");
    text.push_str(&rest.bytes.to_string());
    text.push_str(" bytes left out …]\n");
    for link in &rest.links {
        text.push_str(link);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::parse::parse;

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
            let found: Vec<String> = links::extract(text).into_iter().map(|link| link.raw_url).collect();
            assert_eq!(found, ["https://fromsmash.com/a", "https://fromsmash.com/b"], "{kind}");
        }
    }

    #[test]
    fn what_is_kept_of_the_rest_is_bounded() {
        let mut rest = Rest::default();
        for n in 0..1_000 {
            rest.add(&format!("https://fromsmash.com/{n} https://www.dropbox.com/{}{n}", "x".repeat(2_000)));
        }
        assert!(rest.links.len() <= LINKS && rest.taken <= BYTES, "{} {}", rest.links.len(), rest.taken);
        let mut text = "x".to_owned();
        mark(&mut text, &Rest::default());
        assert_eq!(text, "x");
    }
}
