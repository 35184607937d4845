//! The links of a page, as a browser finds them: the targets of its anchors, and addresses in
//! the text that it shows. Nothing else is a link: no picture, no style, no comment.

use url::Url;

use super::gather::{AddressPlace, Gather};
use super::scan::{TextKind, scan};
use crate::mail::entities;
use crate::mail::identity::visible;
use crate::mail::markup::{MarkupToken, Tag, Tokens};

/// Longest `<base href>` that is used, in bytes: what is joined with it costs its length.
const BASE: usize = 512;

/// Elements that are part of the line they stand in. All others end an address that is shown.
const INLINE: [&str; 22] = [
    "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins", "mark", "nobr",
    "s", "small", "span", "strong", "sub", "sup", "u", "wbr",
];

/// Gathers the links of a page.
pub(super) fn gather(html: &str, gather: &mut Gather<'_>) {
    let mut page = AnchorScan { gather, shown: String::new(), base: None, anchor: Anchor::None };
    for token in Tokens::of(html) {
        match token {
            MarkupToken::Text(text) => page.shown.push_str(&entities::decode(text, false)),
            MarkupToken::Tag(tag) => page.tag(&tag),
            MarkupToken::Unfinished(_) => break,
        }
    }
    page.flush();
}

/// Whether text stands in an anchor.
enum Anchor {
    None,
    /// In one that leads to no file, as far as is known.
    Elsewhere,
    /// In one that leads to this.
    To(String),
}

struct AnchorScan<'g, 'p> {
    gather: &'g mut Gather<'p>,
    /// Text that is shown, up to the present tag.
    shown: String,
    base: Option<Url>,
    anchor: Anchor,
}

impl AnchorScan<'_, '_> {
    fn tag(&mut self, tag: &Tag<'_>) {
        if INLINE.iter().any(|inline| tag.is(inline)) {
            return;
        }
        if tag.is("a") {
            self.flush();
            self.anchor = match (tag.closing, tag.attribute("href")) {
                (true, _) | (false, None) => Anchor::None,
                (false, Some(href)) => match self.target(href) {
                    Some(url) => Anchor::To(url),
                    None => Anchor::Elsewhere,
                },
            };
            return;
        }
        self.shown.push('\n');
        if tag.closing {
            return;
        }
        if tag.is("area") {
            if let Some(href) = tag.attribute("href") {
                self.target(href);
            }
        } else if tag.is("img") {
            if let Some(url) = tag.attribute("src").and_then(|source| self.address(source)) {
                self.gather.picture(&url);
            }
        } else if tag.is("base") && self.base.is_none() {
            let href = tag.attribute("href").filter(|href| href.len() <= BASE);
            self.base = href.and_then(|href| self.address(href)).and_then(|url| Url::parse(&url).ok());
        }
    }

    /// Takes the target of an anchor. The link it is, if it is one.
    fn target(&mut self, href: &str) -> Option<String> {
        let url = self.address(href)?;
        self.gather.take(&url, AddressPlace::Target, false)
    }

    /// The address that an attribute holds, as a browser reads it (WHATWG URL, section 4.4): with
    /// line ends and tabs removed, blanks encoded, relative ones joined with the base.
    fn address(&mut self, written: &str) -> Option<String> {
        let decoded = entities::decode(written, true);
        let is_around = |letter: char| letter <= ' ';
        let kept = |letter: &char| !matches!(letter, '\t' | '\n' | '\r');
        // None of these stands in an address: the quotation mark behind it is missing.
        let written = decoded.split(['<', '>', '"']).next().unwrap_or_default();
        let cleaned: String = visible(written.trim_matches(is_around)).chars().filter(kept).collect();
        if let Some(url) = absolute(&cleaned) {
            return Some(url);
        }
        let after = cleaned.trim_start_matches(['/', '\\']);
        if cleaned.len() - after.len() >= 2 && self.base.is_none() {
            return absolute(&format!("https://{after}"));
        }
        let base = self.base.as_ref()?;
        let joined = self.gather.may_look(cleaned.len()).then(|| base.join(&cleaned))?.ok()?;
        matches!(joined.scheme(), "http" | "https").then(|| joined.to_string())
    }

    /// Takes the addresses in what was shown since the last anchor began or ended.
    fn flush(&mut self) {
        let shown = std::mem::take(&mut self.shown);
        if !shown.contains("://") {
            return;
        }
        let providers = self.gather.providers();
        scan(&shown, TextKind::Seen, providers, |spotted| match &self.anchor {
            Anchor::None => {
                self.gather.take(&spotted.url, AddressPlace::Text, spotted.cut);
            }
            // Mailers cut the text of an anchor, or leave its query out. Where it leads is the link.
            Anchor::To(target) if target.starts_with(&spotted.url) => {}
            Anchor::To(_) | Anchor::Elsewhere if spotted.cut => {}
            Anchor::To(_) | Anchor::Elsewhere => {
                self.gather.take(&spotted.url, AddressPlace::Text, false);
            }
        });
    }
}

/// `written` if it is an http(s) address, with the slashes that a browser makes of backslashes.
fn absolute(written: &str) -> Option<String> {
    let (scheme, rest) = written.split_once(':')?;
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let rest = rest.strip_prefix(['/', '\\'])?.trim_start_matches(['/', '\\']);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, after) = rest.split_at_checked(end)?;
    let (path, after) = (path.replace('\\', "/"), after);
    Some(format!("{scheme}://{}{}", path.replace(' ', "%20"), after.replace(' ', "%20")))
}
