//! The demo's vocabulary, in both languages.

use std::borrow::Cow;

use render_signal_actors::mail::parse::Unreadable;
use render_signal_actors::mail::{HoldReason, IgnoreReason};
use serde_json::Value;

use crate::lang::Lang;

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

/// A reason by its code, in French; one that is not known as its code says it.
pub(crate) fn reason(code: &str) -> Cow<'_, str> {
    let named = || Value::from(code);
    if let Ok(reason) = serde_json::from_value(named()) {
        return ignored(Lang::Fr, reason).into();
    }
    match (serde_json::from_value(named()), code) {
        (Ok(reason), _) => held(Lang::Fr, reason).into(),
        (Err(_), "not_a_mail") => "ce n'est pas un mail".into(),
        (Err(_), _) => code.replace('_', " ").into(),
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
    fn a_reason_is_known_by_its_code() {
        assert_eq!(reason(IgnoreReason::NoLinks.as_str()), ignored(Lang::Fr, IgnoreReason::NoLinks));
        assert_eq!(reason(HoldReason::Absence.as_str()), held(Lang::Fr, HoldReason::Absence));
        assert_eq!(reason("of_the_future"), "of the future");
    }
}
