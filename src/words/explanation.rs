//! Why a mail would or would not trigger: the words around what an explanation says itself.

use render_signal_actors::mail::explain::{ExplainStep, Explanation};
use render_signal_actors::said;

use super::reasons;
use crate::lang::Lang;

/// Characters of the column that holds a [`check`].
pub(crate) const fn check_column(lang: Lang) -> usize {
    match lang {
        Lang::Fr => 16,
        Lang::En => 15,
    }
}

/// What a step asked: its code in English, the id of a detector in both languages.
pub(crate) fn check(lang: Lang, step: &ExplainStep) -> &str {
    let code = step.check.as_ref();
    if lang == Lang::En || step.detector.is_some() {
        return code;
    }
    match code {
        "readable" => "lisible",
        "size" => "taille",
        "configuration" => "configuration",
        "allow_list" => "expéditeurs",
        "authentication" => "authentification",
        "automatic" => "automatique",
        "reply" => "réponse",
        "keywords" => "mots-clés",
        "attachments" => "pièces jointes",
        "links" => "liens",
        "sending" => "envoi",
        "window" => "fenêtre",
        "subject_group" => "groupe de sujets",
        "rule" => "règle",
        "default_target" => "destination par défaut",
        "priority" => "priorité",
        other => other,
    }
}

/// What a step came to.
pub(crate) fn outcome(lang: Lang, outcome: &'static str) -> &'static str {
    match outcome {
        "pass" => lang.pick("passe", "pass"),
        "stop" => lang.pick("arrêt", "stop"),
        "match" => lang.pick("oui", "match"),
        "no_match" => lang.pick("non", "no match"),
        other => other,
    }
}

/// What is decided, and why, in one sentence.
pub(crate) fn conclusion(lang: Lang, explanation: &Explanation) -> String {
    let reason = reasons::by_code(lang, explanation.reason.unwrap_or_default());
    match explanation.decision {
        "deliver" => {
            let targets: Vec<&str> =
                explanation.deliveries.iter().map(|delivery| delivery.target.as_str()).collect();
            format!("{} → {}", reasons::decision(lang, "deliver"), targets.join(", "))
        }
        "hold" => match explanation.hold_until.map(|until| until.to_rfc3339()) {
            Some(until) => {
                lang.one(said!("retenir jusqu'au {until} : {reason}", "hold until {until}: {reason}"))
            }
            None => lang.one(said!(
                "retenir jusqu'à un changement de configuration : {reason}",
                "hold until the configuration changes: {reason}"
            )),
        },
        other => {
            let decision = reasons::decision(lang, other);
            match &explanation.detail {
                Some(detail) => {
                    format!("{decision}{}{reason} ({})", lang.colon(), lang.said(detail))
                }
                None => format!("{decision}{}{reason}", lang.colon()),
            }
        }
    }
}
