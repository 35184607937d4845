//! What conditions look at: the texts of a mail in the forms that are asked for, each
//! made once and only when needed.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::LazyLock;

use regex::Regex;

use crate::mail::identity::{lowercase, normalize};
use crate::mail::{Link, Mail, links};

/// The form of a text that is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// Accents removed, lower-cased, white space collapsed.
    #[default]
    Normalised,
    /// As a reader sees it.
    Seen,
    /// As a reader sees it, lower-cased.
    Lower,
}

/// A text and its other forms.
#[derive(Debug)]
pub(super) struct Text<'a> {
    seen: Cow<'a, str>,
    lower: OnceCell<String>,
    normalised: OnceCell<String>,
    /// The letters and digits of links blotted out, at the same offsets.
    without_links: OnceCell<String>,
}

impl<'a> Text<'a> {
    pub(super) const fn new(seen: Cow<'a, str>) -> Self {
        Self { seen, lower: OnceCell::new(), normalised: OnceCell::new(), without_links: OnceCell::new() }
    }

    pub(super) fn get(&self, form: Form) -> &str {
        match form {
            Form::Seen => &self.seen,
            Form::Lower => self.lower.get_or_init(|| lowercase(&self.seen)),
            Form::Normalised => self.normalised.get_or_init(|| normalize(&self.seen)),
        }
    }

    /// As seen, with every letter and digit of a link replaced by `x`: an address is no
    /// place to look for a time. All offsets are those of the text as seen.
    pub(super) fn without_links(&self) -> &str {
        if !self.seen.contains("://") {
            return &self.seen;
        }
        self.without_links.get_or_init(|| blot_links(&self.seen))
    }
}

fn blot_links(text: &str) -> String {
    static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)https?://\S+").ok());
    let Some(link) = LINK.as_ref() else { return text.to_owned() };
    let mut blotted = String::with_capacity(text.len());
    let mut done = 0;
    for found in link.find_iter(text) {
        blotted.push_str(text.get(done..found.start()).unwrap_or_default());
        for letter in found.as_str().chars() {
            if letter.is_alphanumeric() {
                blotted.extend(std::iter::repeat_n('x', letter.len_utf8()));
            } else {
                blotted.push(letter);
            }
        }
        done = found.end();
    }
    blotted.push_str(text.get(done..).unwrap_or_default());
    blotted
}

/// What the conditions of all detectors look at.
#[derive(Debug)]
pub struct Facts<'a> {
    mail: &'a Mail,
    pub(super) sender: Text<'a>,
    pub(super) subject: Text<'a>,
    pub(super) body: Text<'a>,
    pub(super) links: &'a [Link],
    hosts: OnceCell<Vec<String>>,
}

impl<'a> Facts<'a> {
    /// `links` are those of the mail.
    #[must_use]
    pub fn new(mail: &'a Mail, links: &'a [Link]) -> Self {
        Self {
            mail,
            sender: Text::new(Cow::Borrowed(&mail.sender)),
            subject: Text::new(Cow::Borrowed(&mail.subject)),
            body: Text::new(without_history(&mail.text)),
            links,
            hosts: OnceCell::new(),
        }
    }

    /// The hosts of every http(s) link, lower-cased.
    pub(super) fn hosts(&self) -> &[String] {
        self.hosts.get_or_init(|| {
            let mut hosts = links::hosts(&self.mail.plain);
            hosts.extend(links::hosts(&self.mail.html));
            hosts
        })
    }
}

/// The text without quoted lines and without the lines that introduce them or name the
/// date of an earlier mail.
fn without_history(text: &str) -> Cow<'_, str> {
    if !text.lines().any(is_history) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !is_history(line)) {
        kept.push_str(line);
        kept.push('\n');
    }
    Cow::Owned(kept)
}

fn is_history(line: &str) -> bool {
    static INTRODUCTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^(?:(?:date|envoyé(?: le)?|sent|reçu(?: le)?|received)\s*:|le\s.{6,120}a écrit\s*:?\s*$|on\s.{6,120}wrote:?\s*$)",
        )
        .ok()
    });
    let line = line.trim_start();
    match line.chars().next() {
        Some('>') => true,
        Some(first) if "dDeEsSrRlLoO".contains(first) => {
            INTRODUCTION.as_ref().is_some_and(|pattern| pattern.is_match(line))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blotted_text_keeps_its_offsets() {
        let text = "é 9h https://ex.fr/10:59/é?9h30, puis 17h";
        let blotted = blot_links(text);
        assert_eq!(blotted, "é 9h xxxxx://xx.xx/xx:xx/xx?xxxx, puis 17h");
        assert_eq!(blotted.len(), text.len());
    }
}
