//! The demo's vocabulary, in both languages.

use std::borrow::Cow;

use render_signal_actors::config::documents::Problem;
use render_signal_actors::mail::parse::Unreadable;
use render_signal_actors::mail::{HoldReason, IgnoreReason};

use crate::cli::Lang;

impl Lang {
    /// The text in this language.
    pub(crate) const fn pick<'t>(self, french: &'t str, english: &'t str) -> &'t str {
        match self {
            Self::Fr => french,
            Self::En => english,
        }
    }

    /// What is wrong with a document.
    pub(crate) fn problem(self, problem: &Problem) -> String {
        match self {
            Self::Fr => problem.in_french(),
            Self::En => problem.to_string(),
        }
    }

    /// A colon as this language sets it.
    pub(crate) const fn colon(self) -> &'static str {
        self.pick(" : ", ": ")
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

/// Why nothing is sent.
pub(crate) const fn ignored(lang: Lang, reason: IgnoreReason) -> &'static str {
    match reason {
        IgnoreReason::SenderNotAllowed => {
            lang.pick("l'expéditeur n'est pas dans la liste", "the sender is not in the list")
        }
        IgnoreReason::SenderNotAuthenticated => lang.pick(
            "rien ne prouve que l'expéditeur est bien lui",
            "nothing proves that the sender is who he says",
        ),
        IgnoreReason::Reply => lang.pick("c'est une réponse", "it is a reply"),
        IgnoreReason::Automatic => lang.pick("c'est une réponse automatique", "it is an automatic answer"),
        IgnoreReason::NoLinks => {
            lang.pick("il ne contient aucun lien de livraison", "it has no delivery link")
        }
        IgnoreReason::TooLarge => lang.pick("il est trop grand", "it is too large"),
        IgnoreReason::ExcludedKeyword => {
            lang.pick("il contient un mot exclu", "it contains an excluded keyword")
        }
        IgnoreReason::NoAttachment => lang.pick("il n'a pas de pièce jointe", "it has no attachment"),
        IgnoreReason::DuplicateGroup => lang.pick(
            "un autre message du même groupe est déjà parti",
            "another mail of its group was sent before",
        ),
        IgnoreReason::Operator => lang.pick("quelqu'un l'a écarté", "somebody said so"),
    }
}

/// Why a mail waits.
pub(crate) const fn held(lang: Lang, reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::OutsideWindow => lang.pick("hors de la fenêtre d'envoi", "outside the delivery window"),
        HoldReason::SendingDisabled => lang.pick("l'envoi est désactivé", "sending is switched off"),
        HoldReason::Absence => lang.pick("jour d'absence globale", "a day of absence"),
        HoldReason::ConfigurationRefused => lang
            .pick("un document de configuration est inutilisable", "a configuration document cannot be used"),
    }
}

/// Why a mail is in quarantine: the journal's words, or French ones for the same.
pub(crate) fn quarantined(lang: Lang, why: &str) -> Cow<'_, str> {
    let french = |unreadable: &Unreadable| match unreadable {
        Unreadable::NotAMail => {
            "il est vide ou n'a aucun des champs d'en-tête de tout message (From, To, Subject, Date, Received)"
        }
        Unreadable::ParserFailed => "sa lecture a échoué",
    };
    let known = [Unreadable::NotAMail, Unreadable::ParserFailed];
    match known.iter().find(|unreadable| lang == Lang::Fr && unreadable.to_string() == why) {
        Some(unreadable) => french(unreadable).into(),
        None => why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarantine_is_explained_in_the_language_asked_for() {
        for unreadable in [Unreadable::NotAMail, Unreadable::ParserFailed] {
            let why = unreadable.to_string();
            assert_eq!(quarantined(Lang::En, &why), why);
            assert_ne!(quarantined(Lang::Fr, &why), why);
        }
        assert_eq!(quarantined(Lang::Fr, "anything else"), "anything else");
    }

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
