//! What conditions look at: the texts of a mail in the forms that are asked for, each
//! made once and only when needed.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use regex::Regex;

use crate::mail::identity::{lowercase, normalize, visible};
use crate::mail::{Link, Mail, links};

/// The form of a text that is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TextForm {
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
pub(in crate::mail) struct TextForms<'a> {
    seen: Cow<'a, str>,
    lower: OnceCell<String>,
    normalised: OnceCell<String>,
    /// The letters and digits of links blotted out, at the same offsets.
    without_links: OnceCell<String>,
}

impl<'a> TextForms<'a> {
    pub(in crate::mail) const fn new(seen: Cow<'a, str>) -> Self {
        Self { seen, lower: OnceCell::new(), normalised: OnceCell::new(), without_links: OnceCell::new() }
    }

    pub(in crate::mail) fn get(&self, form: TextForm) -> &str {
        match form {
            TextForm::Seen => &self.seen,
            TextForm::Lower => self.lower.get_or_init(|| lowercase(&self.seen)),
            TextForm::Normalised => self.normalised.get_or_init(|| normalize(&self.seen)),
        }
    }

    /// As seen, with every letter and digit of a link replaced by `x`: an address is no
    /// place to look for a time. All offsets are those of the text as seen.
    pub(in crate::mail) fn without_links(&self) -> &str {
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

/// What conditions look at.
#[derive(Debug)]
pub struct Facts<'a> {
    mail: &'a Mail,
    pub(in crate::mail) sender: TextForms<'a>,
    pub(in crate::mail) subject: TextForms<'a>,
    pub(in crate::mail) body: TextForms<'a>,
    pub(in crate::mail) links: &'a [Link],
    hosts: OnceCell<Vec<String>>,
}

impl<'a> Facts<'a> {
    /// For detectors: the texts as a reader sees them, without invisible characters in the
    /// subject and without earlier mails in the body. `links` are those of the mail.
    #[must_use]
    pub fn for_detectors(mail: &'a Mail, links: &'a [Link]) -> Self {
        let (subject, body) = (visible(&mail.subject), without_history(&mail.text));
        Self::over(mail, subject, body, links)
    }

    /// For routing rules: the texts as they are written, what is quoted included, as the
    /// predecessor compared them. `combined` is [`Mail::combined`] of the same mail.
    #[must_use]
    pub fn for_rules(mail: &'a Mail, combined: &'a str) -> Self {
        Self::over(mail, Cow::Borrowed(&mail.subject), Cow::Borrowed(combined), &[])
    }

    fn over(mail: &'a Mail, subject: Cow<'a, str>, body: Cow<'a, str>, links: &'a [Link]) -> Self {
        Self {
            mail,
            sender: TextForms::new(Cow::Borrowed(&mail.sender)),
            subject: TextForms::new(subject),
            body: TextForms::new(body),
            links,
            hosts: OnceCell::new(),
        }
    }

    /// When the mail arrived, as far as it says so; else `now`.
    pub(in crate::mail) fn arrived(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.mail.arrived_by(now)
    }

    /// The hosts of every http(s) link, lower-cased.
    pub(in crate::mail) fn hosts(&self) -> &[String] {
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
    let lines: Vec<&str> = text.lines().collect();
    let mut kept: Option<String> = None;
    let mut start = 0;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let history = history_lines(line, next);
        if history == 0 {
            at += 1;
            continue;
        }
        let kept = kept.get_or_insert_with(|| String::with_capacity(text.len()));
        append(kept, lines.get(start..at).unwrap_or_default());
        at += history;
        start = at;
    }
    match kept {
        None => Cow::Borrowed(text),
        Some(mut kept) => {
            append(&mut kept, lines.get(start..).unwrap_or_default());
            Cow::Owned(kept)
        }
    }
}

fn append(text: &mut String, lines: &[&str]) {
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
}

/// How many lines from `line` on are history: none, it alone, or it and the next one, over
/// which an introduction was wrapped.
fn history_lines(line: &str, next: &str) -> usize {
    static HEADER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)^(?:date|envoyé(?: le)?|sent|reçu(?: le)?|received)\s*:").ok());
    static INTRODUCTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:le\s.{6,160}\sa\s+(?:é|e\x{301})crit|on\s.{6,160}\swrote)\s*:?\s*$").ok()
    });
    let line = line.trim();
    let fits = |pattern: &LazyLock<Option<Regex>>, text: &str| {
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
    };
    match line.chars().next() {
        Some('>') => 1,
        Some(first) if "dDeEsSrR".contains(first) => usize::from(fits(&HEADER, line)),
        Some(first) if "lLoO".contains(first) && line.len() <= 2 * WRAPPED => {
            if fits(&INTRODUCTION, line) {
                1
            } else if next.len() <= WRAPPED && fits(&INTRODUCTION, &format!("{line} {}", next.trim())) {
                2
            } else {
                0
            }
        }
        _ => 0,
    }
}

/// Longest part of a wrapped introduction, in bytes: mailers wrap below 80 characters.
const WRAPPED: usize = 160;

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
