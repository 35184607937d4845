//! The two languages in which people are spoken to.

use clap::ValueEnum;
use render_signal_actors::config::documents::FieldProblem;
use render_signal_actors::kernel::said::Said;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// French
    Fr,
    /// English
    En,
}

impl Lang {
    /// The text in this language.
    pub(crate) const fn pick<'t>(self, french: &'t str, english: &'t str) -> &'t str {
        match self {
            Self::Fr => french,
            Self::En => english,
        }
    }

    /// What this language has of anything that both have.
    pub(crate) fn either<T>(self, french: T, english: T) -> T {
        match self {
            Self::Fr => french,
            Self::En => english,
        }
    }

    /// What is wrong with a document.
    pub(crate) fn problem(self, problem: &FieldProblem) -> String {
        match self {
            Self::Fr => problem.in_french(),
            Self::En => problem.to_string(),
        }
    }

    /// A message of which both languages are there.
    pub(crate) fn said(self, said: &Said) -> &str {
        match self {
            Self::Fr => &said.french,
            Self::En => &said.english,
        }
    }

    /// The same, to keep.
    pub(crate) fn one(self, said: Said) -> String {
        match self {
            Self::Fr => said.french,
            Self::En => said.english,
        }
    }

    /// What is said of something that has a name.
    pub(crate) fn about(self, name: &str, said: &Said) -> String {
        format!("{name}{}{}", self.colon(), self.said(said))
    }

    /// A colon as this language sets it: in French behind a blank at which no line is broken.
    pub(crate) const fn colon(self) -> &'static str {
        self.pick("\u{a0}: ", ": ")
    }

    /// A phrase, a colon and what it is about.
    pub(crate) fn say(self, french: &str, english: &str, what: &str) -> String {
        format!("{}{}{what}", self.pick(french, english), self.colon())
    }

    /// A number of things, each language in its singular and plural.
    pub(crate) fn count(self, n: usize, french: [&str; 2], english: [&str; 2]) -> String {
        let [one, many] = match self {
            Self::Fr => french,
            Self::En => english,
        };
        // Nought is singular in French and plural in English.
        let single = n == 1 || (n == 0 && self == Self::Fr);
        format!("{n} {}", if single { one } else { many })
    }

    /// The language of the user's locale; English when it says nothing.
    pub(crate) fn of_locale(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| lookup(name).filter(|value| !value.is_empty()))
            .unwrap_or_default();
        if locale.to_ascii_lowercase().starts_with("fr") { Self::Fr } else { Self::En }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_and_the_first_variable_that_is_set_wins() {
        let with = |pairs: &'static [(&str, &str)]| {
            Lang::of_locale(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(with(&[("LANG", "fr_FR.UTF-8")]), Lang::Fr);
        assert_eq!(with(&[("LANG", "fr_FR.UTF-8"), ("LC_ALL", "C")]), Lang::En);
        assert_eq!(with(&[("LANG", "fr_CA"), ("LC_ALL", "")]), Lang::Fr);
        assert_eq!(with(&[]), Lang::En);
    }
}
