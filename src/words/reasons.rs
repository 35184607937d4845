//! Why nothing is sent, why a mail waits and why a delivery does, in both languages.

use std::borrow::Cow;

use render_signal_actors::mail::life::DeliveryEnd;
use render_signal_actors::mail::{HoldReason, IgnoreReason};
use serde_json::Value;

use super::recorded::plain;
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

/// A reason by its code, in French; one that is not known as its code says it, and one that is
/// a sentence, of a mail that cannot be read or was set aside, as that is said.
pub(crate) fn reason(code: &str) -> Cow<'_, str> {
    let named = || Value::from(code);
    if let Ok(reason) = serde_json::from_value(named()) {
        return ignored(Lang::Fr, reason).into();
    }
    match (serde_json::from_value(named()), code) {
        (Ok(reason), _) => held(Lang::Fr, reason).into(),
        (Err(_), "not_a_mail") => "ce n'est pas un mail".into(),
        (Err(_), "released") => "libéré, et pas encore repris".into(),
        (Err(_), sentence) if sentence.contains(' ') => plain(Lang::Fr, sentence),
        (Err(_), _) => code.replace('_', " ").into(),
    }
}

/// A reason by its code, in this language: English is the code, in words.
pub(crate) fn by_code(lang: Lang, code: &str) -> Cow<'_, str> {
    match lang {
        Lang::Fr => reason(code),
        Lang::En => code.replace('_', " ").into(),
    }
}

/// What is decided about a mail, by its code; English is the code.
pub(crate) fn decision(lang: Lang, code: &str) -> &str {
    match (lang, code) {
        (Lang::Fr, "deliver") => "envoyer",
        (Lang::Fr, "hold") => "retenir",
        (Lang::Fr, "ignore") => "ignorer",
        (Lang::Fr, "skip") => "laisser de côté",
        (Lang::Fr, "quarantine") => "mettre en quarantaine",
        _ => code,
    }
}

/// Where a mail stands, by the word of its list; English is that word.
pub(crate) fn stage(lang: Lang, stored: &str) -> &str {
    match (lang, stored) {
        (Lang::Fr, "received") => "reçu",
        (Lang::Fr, "held") => "en attente",
        (Lang::Fr, "skipped") => "laissé de côté",
        (Lang::Fr, "ignored") => "ignoré",
        (Lang::Fr, "quarantined") => "en quarantaine",
        (Lang::Fr, "set_aside") => "mis de côté",
        (Lang::Fr, "routed") => "à envoyer",
        _ => stored,
    }
}

/// What a delivery waits for, by the code of its event; one that is not known as its code says it.
pub(crate) fn deferred(lang: Lang, code: &str) -> Cow<'_, str> {
    match code {
        "retry" => lang.pick("nouvel essai", "another try").into(),
        "retry_after" => lang.pick("à la demande de la destination", "the receiver asked for it").into(),
        "rate_limit" => lang.pick("limite d'envois par heure", "the hourly limit").into(),
        "outside_window" => held(lang, HoldReason::OutsideWindow).into(),
        "target_disabled" => lang.pick("la destination est désactivée", "the target is switched off").into(),
        "local_fault" => lang.pick("cette machine n'a pas pu essayer", "this machine could not try").into(),
        other => other.replace('_', " ").into(),
    }
}

/// How a delivery ended.
pub(crate) const fn ended(lang: Lang, end: DeliveryEnd) -> &'static str {
    match end {
        DeliveryEnd::Delivered => lang.pick("livré", "delivered"),
        DeliveryEnd::DeadLettered => lang.pick("abandonné", "given up"),
        DeliveryEnd::Cancelled => lang.pick("annulé", "cancelled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_known_by_its_code() {
        assert_eq!(reason(IgnoreReason::NoLinks.as_str()), ignored(Lang::Fr, IgnoreReason::NoLinks));
        assert_eq!(reason(HoldReason::Absence.as_str()), held(Lang::Fr, HoldReason::Absence));
        assert_eq!(reason("of_the_future"), "of the future");
    }
}
