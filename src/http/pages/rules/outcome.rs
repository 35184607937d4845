//! What a trial found, in words. Pure.

use render_signal_actors::mail::compare::{DecisionChange, Judgement};
use render_signal_actors::mail::policy::Priority;
use serde_json::Value;

use super::line::Sentence;
use super::rule::shown;
use crate::http::pages::clock::PageClock;
use crate::lang::Lang;
use crate::services::jobs::Hit;

/// What a change means for a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrialFate {
    /// It would go out, and does not now.
    Goes,
    /// It would not go out any more.
    Stays,
    /// It would go out otherwise.
    Otherwise,
    /// It would not go out either way, for another reason.
    Reason,
}

impl TrialFate {
    /// Every one.
    pub(super) const ALL: [Self; 4] = [Self::Goes, Self::Stays, Self::Otherwise, Self::Reason];

    /// Its word in an address.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Goes => "partent",
            Self::Stays => "restent",
            Self::Otherwise => "autrement",
            Self::Reason => "raison",
        }
    }

    /// Of a mail; `None` = nothing would change.
    pub(super) fn of(hit: &Hit) -> Option<Self> {
        let goes = |judgement: &Judgement| matches!(judgement.decision, "deliver" | "hold");
        match (hit.changes.is_empty(), goes(&hit.before), goes(&hit.after)) {
            (true, ..) => None,
            (_, false, true) => Some(Self::Goes),
            (_, true, false) => Some(Self::Stays),
            (_, true, true) => Some(Self::Otherwise),
            (_, false, false) => Some(Self::Reason),
        }
    }
}

/// What becomes of a mail. `name` is what people call a target.
pub(super) fn judged(judgement: &Judgement, name: impl Fn(&str) -> String, lang: Lang) -> Sentence {
    let targets: Vec<String> = judgement.targets.iter().map(|target| name(target)).collect();
    let reason = judgement.reason.map(|reason| reason_of(reason, lang)).unwrap_or_default();
    let line = match judgement.decision {
        "deliver" if targets.is_empty() => {
            Sentence::of(lang.pick("n'est envoyé nulle part", "is sent nowhere"))
        }
        "deliver" => Sentence::of(lang.pick("envoyé à ", "sent to ")).list(lang, &targets, 6),
        "hold" => {
            let line = Sentence::of(lang.pick("attend", "waits")).and(lang.colon()).and(reason);
            match targets.is_empty() {
                true => line,
                false => line.and(lang.pick(", puis envoyé à ", ", then sent to ")).list(lang, &targets, 6),
            }
        }
        "skip" => Sentence::of(lang.pick("n'est pas envoyé", "is not sent")).and(lang.colon()).and(reason),
        _ => Sentence::of(lang.pick("ignoré", "ignored")).and(lang.colon()).and(reason),
    };
    let line = match judgement.detail.as_deref() {
        Some(detail) => line.and(" ").quoted(lang, detail),
        None => line,
    };
    match judgement.detector.as_deref() {
        Some(detector) => line.and(lang.pick(" ; type ", "; kind ")).quoted(lang, detector),
        None => line,
    }
}

fn reason_of(reason: &str, lang: Lang) -> &str {
    match reason {
        "sender_not_allowed" => lang.pick("expéditeur pas dans la liste", "sender not in the list"),
        "sender_not_authenticated" => {
            lang.pick("adresse de l'expéditeur non confirmée", "address of the sender not confirmed")
        }
        "reply" => lang.pick("réponse ou transfert", "reply or forward"),
        "automatic" => lang.pick("réponse automatique", "automatic answer"),
        "no_links" => lang.pick("aucun lien de livraison", "no delivery link"),
        "too_large" => lang.pick("trop gros", "too large"),
        "excluded_keyword" => lang.pick("mot exclu", "excluded word"),
        "no_attachment" => lang.pick("pas de pièce jointe", "no attachment"),
        "duplicate_group" => {
            lang.pick("déjà un mail de ce sujet ce mois-ci", "a mail of this subject this month already")
        }
        "operator" => lang.pick("écarté à la main", "put aside by hand"),
        "outside_window" => lang.pick("hors de la fenêtre d'envoi", "outside of the delivery window"),
        "sending_disabled" => lang.pick("l'envoi est désactivé", "sending is switched off"),
        "absence" => lang.pick("jour d'absence", "day of absence"),
        "configuration_refused" => {
            lang.pick("un document ne peut pas être utilisé", "a document cannot be used")
        }
        other => other,
    }
}

/// What differs besides where the mail goes and why; that is said by [`judged`].
pub(super) fn changed(
    change: &DecisionChange,
    name: impl Fn(&str) -> String,
    clock: PageClock,
) -> Option<Sentence> {
    let lang = clock.lang;
    let value = |value: &Value| match value {
        Value::Null => lang.pick("rien", "nothing").to_owned(),
        Value::Bool(true) => lang.pick("oui", "yes").to_owned(),
        Value::Bool(false) => lang.pick("non", "no").to_owned(),
        other => shown(other),
    };
    let level = |value: &Value| {
        let level =
            value.as_str().and_then(|word| Priority::ALL.into_iter().find(|level| level.as_str() == word));
        match level {
            Some(Priority::High) => lang.pick("haute", "high"),
            Some(Priority::Low) => lang.pick("basse", "low"),
            _ => lang.pick("normale", "normal"),
        }
        .to_owned()
    };
    let (what, before, after) = match change.field.as_str() {
        "decision" | "reason" | "detail" | "targets" | "detector" => return None,
        "hold_until" => {
            let at = |written: &Value| match written.as_str().and_then(|text| text.parse().ok()) {
                Some(at) => clock.short(at),
                None => value(written),
            };
            (Sentence::of(lang.pick("au plus tard", "at the latest")), at(&change.before), at(&change.after))
        }
        "delivery_time" => (
            Sentence::of(lang.pick("heure de livraison", "time of delivery")),
            value(&change.before),
            value(&change.after),
        ),
        "urgent" => (Sentence::of("urgent"), value(&change.before), value(&change.after)),
        "priority" => (
            Sentence::of(lang.pick("priorité de l'expéditeur", "priority of the sender")),
            level(&change.before),
            level(&change.after),
        ),
        field => {
            let line = if let Some(target) = field.strip_prefix("address of ") {
                Sentence::of(lang.pick("adresse de ", "address of ")).quoted(lang, &name(target))
            } else if let Some((target, field)) =
                field.strip_prefix("payload for ").and_then(|rest| rest.rsplit_once(": "))
            {
                // Said above already.
                if ["detector", "delivery_time", "urgent"].contains(&field) {
                    return None;
                }
                Sentence::of(lang.pick("webhook de ", "webhook of "))
                    .quoted(lang, &name(target))
                    .and(lang.pick(", champ ", ", field "))
                    .quoted(lang, field)
            } else {
                Sentence::default().with(field)
            };
            (line, value(&change.before), value(&change.after))
        }
    };
    let line = what.and(lang.colon());
    if before == after {
        // What differs is behind the mask.
        return Some(line.with(&after).and(lang.pick(" (une autre adresse)", " (another address)")));
    }
    Some(line.quoted(lang, &before).and(" → ").quoted(lang, &after))
}

/// Why a mail was not tried, in the reader's language: the journal says it in English.
pub(super) fn untested(why: &str, lang: Lang) -> &str {
    use render_signal_actors::stored_mail::ContentGone;
    const WORDS: [(ContentGone, &str, &str); 7] = [
        (
            ContentGone::Stranger,
            "expéditeur pas dans la liste, contenu plus gardé",
            "sender not in the list, content no longer kept",
        ),
        (ContentGone::TooLarge, "trop gros, jamais chargé", "too large, never loaded"),
        (ContentGone::Unreadable, "illisible, en quarantaine", "cannot be read, in quarantine"),
        (ContentGone::Expired, "contenu plus gardé", "content no longer kept"),
        (ContentGone::Archived, "archivé", "archived"),
        (ContentGone::Unrecorded, "seul son webhook est gardé", "only its webhook is kept"),
        (ContentGone::Reduced, "seule une partie du texte est gardée", "only a part of its text is kept"),
    ];
    let known = WORDS.into_iter().find(|(gone, ..)| gone.to_string() == why);
    known.map_or(why, |(_, french, english)| lang.pick(french, english))
}

#[cfg(test)]
mod tests {
    use render_signal_actors::stored_mail::ContentGone;
    use serde_json::json;

    use super::*;

    fn change(field: &str, before: Value, after: Value) -> Option<String> {
        let change = DecisionChange { field: field.to_owned(), before, after };
        let now = "2026-11-12T13:02:07Z".parse().unwrap();
        let clock = PageClock { now, zone: chrono_tz::Europe::Paris, lang: Lang::En };
        changed(&change, |target| format!("T {target}"), clock).map(|line| line.text())
    }

    #[test]
    fn what_differs_is_said_once_and_with_the_names_that_people_gave() {
        assert_eq!(change("decision", json!("hold"), json!("deliver")), None);
        assert_eq!(change("payload for a: detector", json!("x"), json!("y")), None);
        assert_eq!(
            change("hold_until", json!("2026-11-13T07:00:00+00:00"), json!(null)).unwrap(),
            "at the latest: “tomorrow 08:00” → “nothing”"
        );
        assert_eq!(change("urgent", json!(null), json!(true)).unwrap(), "urgent: “nothing” → “yes”");
        assert_eq!(
            change("priority", json!("medium"), json!("high")).unwrap(),
            "priority of the sender: “normal” → “high”"
        );
        assert_eq!(
            change("payload for a: b: field", json!(1), json!(null)).unwrap(),
            "webhook of “T a: b”, field “field”: “1” → “nothing”"
        );
        assert_eq!(
            change("address of a", json!("https://h/***"), json!("https://h/***")).unwrap(),
            "address of “T a”: https://h/*** (another address)"
        );
    }

    #[test]
    fn every_reason_for_which_a_mail_is_not_tried_is_said_in_both_languages() {
        for gone in [
            ContentGone::Stranger,
            ContentGone::TooLarge,
            ContentGone::Unreadable,
            ContentGone::Expired,
            ContentGone::Archived,
            ContentGone::Unrecorded,
            ContentGone::Reduced,
        ] {
            let why = gone.to_string();
            assert_ne!(untested(&why, Lang::Fr), why);
            assert_ne!(untested(&why, Lang::Fr), untested(&why, Lang::En));
        }
        assert_eq!(untested("else", Lang::Fr), "else");
    }
}
