//! A sentence in which strangers' texts stand: names, words to look for, addresses.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::http::pages::parts::UntrustedText;
use crate::lang::Lang;

/// A part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Ours(String),
    Theirs(UntrustedText),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sentence(Vec<Piece>);

impl HtmlSafe for Sentence {}

impl Sentence {
    /// One of our own words only.
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self::default().and(text)
    }

    /// With words of ours behind it.
    pub(super) fn and(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Ours(text.into()));
        self
    }

    /// With a text of somebody behind it, in the quotation marks of the language.
    pub(super) fn quoted(self, lang: Lang, text: &str) -> Self {
        let mut line = self.and(lang.pick("«\u{a0}", "“"));
        line.0.push(Piece::Theirs(UntrustedText(text.to_owned())));
        line.and(lang.pick("\u{a0}»", "”"))
    }

    /// With a text of somebody behind it, as it is.
    pub(super) fn with(mut self, text: &str) -> Self {
        self.0.push(Piece::Theirs(UntrustedText(text.to_owned())));
        self
    }

    /// With another sentence behind it.
    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// With several texts of somebody, one behind the other; of many only the first ones.
    pub(super) fn list(self, lang: Lang, texts: &[String], most: usize) -> Self {
        let mut line = self;
        for (place, text) in texts.iter().take(most).enumerate() {
            line = if place > 0 { line.and(", ") } else { line };
            line = line.quoted(lang, text);
        }
        match texts.len().saturating_sub(most) {
            0 => line,
            more => line.and(lang.pick(" et ", " and ")).and(lang.count(
                more,
                ["autre", "autres"],
                ["more", "more"],
            )),
        }
    }

    /// As text, without any marks of a page.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Ours(text) => text.clone(),
            Piece::Theirs(shown) => shown.0.clone(),
        };
        self.0.iter().map(piece).collect()
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Theirs(shown) => shown.fmt(f)?,
                Piece::Ours(text) => {
                    for sign in text.chars() {
                        match sign {
                            '&' => f.write_str("&amp;")?,
                            '<' => f.write_str("&lt;")?,
                            '>' => f.write_str("&gt;")?,
                            plain => write!(f, "{plain}")?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_is_isolated_and_escaped_and_the_rest_is_read_around_it() {
        let line =
            Sentence::of("si le sujet contient ").quoted(Lang::Fr, "<b>\u{202e}x").and(" & c'est tout");
        assert_eq!(
            line.to_string(),
            "si le sujet contient «\u{a0}<bdi>&lt;b&gt;<span class=\"hidden-sign\">U+202E</span>x</bdi>\u{a0}» &amp; c'est tout"
        );
        assert_eq!(line.text(), "si le sujet contient «\u{a0}<b>\u{202e}x\u{a0}» & c'est tout");
    }

    #[test]
    fn of_many_texts_the_first_ones_are_named_and_the_others_counted() {
        let texts = ["a", "b", "c", "d"].map(str::to_owned);
        assert_eq!(Sentence::default().list(Lang::En, &texts, 2).text(), "“a”, “b” and 2 more");
        assert_eq!(Sentence::default().list(Lang::En, &texts[..2], 2).text(), "“a”, “b”");
    }
}
