//! Components that pages share. Each is a struct with a template of its own, so a page writes
//! `{{ badge }}` and nothing in it can be forgotten or spelled another way.

mod confirm;
mod field;
mod text;
mod when;

use askama::Template;
use askama::filters::HtmlSafe;

pub(in crate::http::pages) use confirm::Confirm;
pub(in crate::http::pages) use field::{Choice, FormField, Input};
pub(in crate::http::pages) use text::{UntrustedText, escape};
pub(in crate::http::pages) use when::When;

/// How something stands: told by a shape and a word, and by a colour besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Mood {
    /// As it should be.
    Good,
    /// It waits: nothing is wrong.
    Wait,
    /// Worth a look.
    Care,
    /// Wrong.
    Bad,
    /// Nothing is to be done.
    None,
}

impl Mood {
    /// Its word in classes.
    pub(in crate::http::pages) const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Wait => "wait",
            Self::Care => "care",
            Self::Bad => "bad",
            Self::None => "none",
        }
    }

    /// Its shape: a symbol of the page.
    pub(in crate::http::pages) const fn shape(self) -> &'static str {
        match self {
            Self::Good => "i-ok",
            Self::Wait => "i-wait",
            Self::Care => "i-care",
            Self::Bad => "i-bad",
            Self::None => "i-none",
        }
    }
}

/// A state: shape, word, colour.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = "<span class=\"badge {{ mood.word() }}\"><svg aria-hidden=\"true\"><use href=\"#{{ mood.shape() }}\"/></svg>{{ text }}</span>",
    ext = "html"
)]
pub(in crate::http) struct Badge {
    /// How it stands.
    pub(in crate::http::pages) mood: Mood,
    /// In a word or two.
    pub(in crate::http::pages) text: String,
}

impl HtmlSafe for Badge {}

impl Badge {
    pub(in crate::http::pages) fn new(mood: Mood, text: impl Into<String>) -> Self {
        Self { mood, text: text.into() }
    }
}

/// Where a list would be and nothing is: what that means, and what to do.
#[derive(Debug, Clone, Template)]
#[template(
    source = "<div class=\"empty\"><p class=\"empty-title\">{{ title }}</p>{% if !text.is_empty() %}<p>{{ text }}</p>{% endif %}</div>",
    ext = "html"
)]
pub(in crate::http) struct Empty {
    /// What is not there.
    pub(in crate::http::pages) title: String,
    /// What that means.
    pub(in crate::http::pages) text: String,
}

impl HtmlSafe for Empty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_told_by_a_shape_and_a_word_and_what_it_says_is_text() {
        let badge = Badge::new(Mood::Bad, "<b>\"&'").to_string();
        assert!(badge.contains("#i-bad") && badge.contains("class=\"badge bad\""), "{badge}");
        assert!(!badge.contains("<b>"), "{badge}");
    }
}
