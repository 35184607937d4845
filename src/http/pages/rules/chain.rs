//! What happens to a mail, step by step, in the order of [`render_signal_actors::mail::decide`]: in
//! sentences made of the policy. Pure.

use chrono::Weekday;
use render_signal_actors::mail::authentication::Mode;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::rules::mask_url;

use super::line::Sentence;
use crate::http::pages::parts::{Badge, Mood};
use crate::lang::Lang;

/// Texts of a list that are named in a sentence.
const MAX_NAMED: usize = 5;

#[derive(Debug)]
pub(super) struct ChainStep {
    /// What is asked.
    pub(super) title: &'static str,
    /// What becomes of a mail there.
    pub(super) lines: Vec<Sentence>,
    /// How it stands, where that is worth a word.
    pub(super) badge: Option<Badge>,
    /// Where it is changed.
    pub(super) href: &'static str,
}

/// All steps but the two lists, which stand between.
#[derive(Debug)]
pub(super) struct Chain {
    /// Before the detectors.
    pub(super) first: Vec<ChainStep>,
    /// Between the detectors and the rules.
    pub(super) between: Vec<ChainStep>,
    /// Behind the rules.
    pub(super) last: Vec<ChainStep>,
    /// Why nothing happens at all, where a document cannot be used.
    pub(super) standstill: Option<String>,
}

const SETTINGS: &str = "/reglages";

/// The steps of a policy. `services` are the names of the file services.
pub(super) fn chain(policy: &Policy, services: &[String], lang: Lang) -> Chain {
    Chain {
        first: vec![
            senders(policy, lang),
            authentication(policy, lang),
            aside(policy, lang),
            links(policy, services, lang),
        ],
        between: vec![window(policy, lang)],
        last: vec![default_target(policy, lang), groups(policy, lang)],
        standstill: policy.withheld.why().map(|why| {
            lang.say(
                "Tout est arrêté : un document ne peut pas être utilisé, et chaque mail attend",
                "Everything stands still: a document cannot be used, and every mail waits",
                lang.said(why),
            )
        }),
    }
}

fn off(lang: Lang) -> Option<Badge> {
    Some(Badge::new(Mood::None, lang.pick("Désactivé", "Off")))
}

fn senders(policy: &Policy, lang: Lang) -> ChainStep {
    let senders = &policy.allowed_senders;
    let line = if senders.is_empty() {
        Sentence::of(lang.pick(
            "Tout expéditeur est accepté : la liste est vide.",
            "Every sender is accepted: the list is empty.",
        ))
    } else {
        let many = lang.count(
            senders.len(),
            ["expéditeur est accepté", "expéditeurs sont acceptés"],
            ["sender is accepted", "senders are accepted"],
        );
        let line = Sentence::of(many).and(lang.pick(" : ", ": ")).list(lang, senders, MAX_NAMED);
        line.and(
            lang.pick(". Un mail de quelqu'un d'autre est ignoré.", ". A mail of anybody else is ignored."),
        )
    };
    let badge = senders.is_empty().then(|| Badge::new(Mood::Care, lang.pick("Ouvert à tous", "Open to all")));
    ChainStep {
        title: lang.pick("Expéditeur", "Sender"),
        lines: vec![line],
        badge,
        href: "/regles/expediteurs",
    }
}

fn authentication(policy: &Policy, lang: Lang) -> ChainStep {
    let asked = &policy.prefs.authentication;
    let (line, badge) = match asked.mode {
        Mode::Off => (
            Sentence::of(lang.pick(
                "L'adresse de l'expéditeur n'est pas vérifiée.",
                "The address of the sender is not verified.",
            )),
            off(lang),
        ),
        Mode::Warn => (
            Sentence::of(
                lang.pick("L'adresse est vérifiée selon ", "The address is verified by what is said by "),
            )
            .list(lang, &asked.trusted, MAX_NAMED)
            .and(lang.pick(
                " ; une adresse douteuse est notée, le mail continue.",
                "; a doubtful one is noted, the mail goes on.",
            )),
            None,
        ),
        Mode::Require => (
            Sentence::of(lang.pick(
                "Un mail dont l'adresse n'est pas confirmée par ",
                "A mail whose address is not confirmed by ",
            ))
            .list(lang, &asked.trusted, MAX_NAMED)
            .and(lang.pick(" est ignoré.", " is ignored.")),
            None,
        ),
    };
    ChainStep {
        title: lang.pick("Adresse vérifiée", "Verified address"),
        lines: vec![line],
        badge,
        href: SETTINGS,
    }
}

fn aside(policy: &Policy, lang: Lang) -> ChainStep {
    let prefs = &policy.prefs;
    let automatic = if prefs.automatic.accepted {
        Sentence::of(lang.pick(
            "Les réponses automatiques sont traitées comme les autres mails.",
            "Automatic answers are treated as any other mail.",
        ))
    } else {
        let line = Sentence::of(
            lang.pick("Les réponses automatiques sont ignorées", "Automatic answers are ignored"),
        );
        match prefs.automatic.accepted_from.as_slice() {
            [] => line.and("."),
            some => line
                .and(lang.pick(", sauf celles de ", ", but for those of "))
                .list(lang, some, MAX_NAMED)
                .and("."),
        }
    };
    let replies = Sentence::of(lang.pick(
        "Les réponses et les transferts (Re:, TR:, Fwd:…) sont ignorés.",
        "Replies and forwards (Re:, Fwd:, TR:…) are ignored.",
    ));
    let words = match prefs.filters.everywhere.len() {
        0 => Sentence::of(lang.pick("Aucun mot n'écarte un mail.", "No word puts a mail aside.")),
        n => Sentence::of(lang.pick(
            "Un mail qui contient un mot exclu est ignoré ; ",
            "A mail that contains an excluded word is ignored; ",
        ))
        .and(lang.count(
            n,
            ["mot est exclu.", "mots sont exclus."],
            ["word is excluded.", "words are excluded."],
        )),
    };
    let attachments = Sentence::of(match prefs.filters.require_attachments {
        true => {
            lang.pick("Un mail sans pièce jointe est ignoré.", "A mail without an attachment is ignored.")
        }
        false => lang.pick("Une pièce jointe n'est pas nécessaire.", "An attachment is not needed."),
    });
    ChainStep {
        title: lang.pick("Mails écartés", "Mails that are put aside"),
        lines: vec![automatic, replies, words, attachments],
        badge: None,
        href: "/regles/mots",
    }
}

fn links(policy: &Policy, services: &[String], lang: Lang) -> ChainStep {
    let lines =
        match (services.is_empty(), policy.allow_without_links) {
            (true, true) => vec![Sentence::of(lang.pick(
                "Aucun service de fichiers n'est connu ; un mail sans lien continue.",
                "No file service is known; a mail without a link goes on.",
            ))],
            (true, false) => vec![Sentence::of(lang.pick(
                "Aucun service de fichiers n'est connu : chaque mail est ignoré.",
                "No file service is known: every mail is ignored.",
            ))],
            (false, without) => {
                let line = Sentence::of(lang.pick("Les liens vers ", "Links to ")).list(lang, services, 8);
                let line = line.and(lang.pick(" sont des livraisons. ", " are deliveries. "));
                vec![line.and(match without {
                    true => {
                        lang.pick("Un mail sans un tel lien continue.", "A mail without such a link goes on.")
                    }
                    false => lang.pick(
                        "Un mail sans un tel lien est ignoré.",
                        "A mail without such a link is ignored.",
                    ),
                })]
            }
        };
    let badge = (services.is_empty() && !policy.allow_without_links)
        .then(|| Badge::new(Mood::Bad, lang.pick("Rien ne passe", "Nothing gets through")));
    ChainStep {
        title: lang.pick("Liens de livraison", "Delivery links"),
        lines,
        badge,
        href: "/regles/services",
    }
}

fn window(policy: &Policy, lang: Lang) -> ChainStep {
    let mut lines = Vec::new();
    let mut badge = None;
    if !policy.sending_enabled {
        lines.push(Sentence::of(lang.pick(
            "L'envoi est désactivé : chaque mail attend.",
            "Sending is switched off: every mail waits.",
        )));
        badge = Some(Badge::new(Mood::Wait, lang.pick("Envoi désactivé", "Sending is off")));
    }
    if !policy.absence_days.is_empty() {
        let days: Vec<&str> = policy.absence_days.iter().map(|day| weekday(*day, lang)).collect();
        lines.push(
            Sentence::of(lang.say(
                "Absence globale, les mails attendent",
                "Global absence, mails wait",
                &days.join(", "),
            ))
            .and("."),
        );
    }
    lines.push(match &policy.window {
        None => Sentence::of(lang.pick(
            "Aucune fenêtre d'envoi : les mails partent à toute heure.",
            "No delivery window: mails go out at any hour.",
        )),
        Some(window) => {
            let bound = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
            let (from, to) = (bound(&window.start_text), bound(&window.end_text));
            Sentence::of(lang.pick("Fenêtre d'envoi de ", "Delivery window from "))
                .with(&from)
                .and(lang.pick(" à ", " to "))
                .with(&to)
                .and(lang.pick(
                    ". En dehors, un mail attend, sauf si son détecteur dit autrement.",
                    ". Outside of it a mail waits, unless its detector says otherwise.",
                ))
        }
    });
    ChainStep { title: lang.pick("Moment de l'envoi", "Time of sending"), lines, badge, href: SETTINGS }
}

fn default_target(policy: &Policy, lang: Lang) -> ChainStep {
    let url = &policy.default_target.url;
    let (line, badge) = if url.is_empty() {
        let line = lang.pick(
            "Aucune : un mail auquel aucune règle ne s'applique n'est envoyé nulle part.",
            "None: a mail to which no rule applies is sent nowhere.",
        );
        (Sentence::of(line), Some(Badge::new(Mood::Care, lang.pick("Aucune", "None"))))
    } else {
        let line =
            Sentence::of(lang.pick("Tout mail est envoyé à ", "Every mail is sent to ")).with(&mask_url(url));
        (line.and(lang.pick(", sauf si sa règle l'exclut.", ", unless its rule rules that out.")), None)
    };
    ChainStep {
        title: lang.pick("Destination par défaut", "Default target"),
        lines: vec![line],
        badge,
        href: SETTINGS,
    }
}

fn groups(policy: &Policy, lang: Lang) -> ChainStep {
    let on = policy.prefs.subject_groups.is_some();
    let line = Sentence::of(match on {
        true => lang.pick(
            "D'un groupe de sujets, seul le premier mail du mois est envoyé ; les suivants sont ignorés.",
            "Of a group of subjects only the first mail of the month is sent; later ones are ignored.",
        ),
        false => lang.pick(
            "Plusieurs mails du même sujet sont tous envoyés.",
            "Several mails of the same subject are all sent.",
        ),
    });
    ChainStep {
        title: lang.pick("Un seul mail par sujet", "One mail per subject"),
        lines: vec![line],
        badge: if on { None } else { off(lang) },
        href: SETTINGS,
    }
}

const fn weekday(day: Weekday, lang: Lang) -> &'static str {
    match day {
        Weekday::Mon => lang.pick("lundi", "Monday"),
        Weekday::Tue => lang.pick("mardi", "Tuesday"),
        Weekday::Wed => lang.pick("mercredi", "Wednesday"),
        Weekday::Thu => lang.pick("jeudi", "Thursday"),
        Weekday::Fri => lang.pick("vendredi", "Friday"),
        Weekday::Sat => lang.pick("samedi", "Saturday"),
        Weekday::Sun => lang.pick("dimanche", "Sunday"),
    }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::config::active::ActiveDocuments;
    use render_signal_actors::config::documents::Key;
    use render_signal_actors::config::policy::EnvDefaults;
    use render_signal_actors::config::store::{Revision, StoreReading};
    use serde_json::{Value, json};

    use super::*;

    fn policy(documents: &[(Key, Value)]) -> Policy {
        let (mut active, env) = (ActiveDocuments::default(), EnvDefaults::default());
        for (key, document) in documents {
            let text = document.to_string();
            let read = StoreReading::Found { revision: Revision::of(&text), text };
            active.take_final(*key, Ok(read), &env, "2026-11-30T00:00:00Z".parse().unwrap());
        }
        active.policy(&env, 1)
    }

    fn said(policy: &Policy, lang: Lang) -> String {
        let chain = chain(policy, &["dropbox".to_owned()], lang);
        let steps = chain.first.iter().chain(&chain.between).chain(&chain.last);
        let of = |step: &ChainStep| {
            let lines: Vec<String> = step.lines.iter().map(Sentence::text).collect();
            let badge = step.badge.as_ref().map(|badge| format!(" [{}]", badge.text)).unwrap_or_default();
            format!("{}{badge}: {}", step.title, lines.join(" "))
        };
        steps.map(of).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_off_is_said_to_be_off() {
        let said = said(&policy(&[]), Lang::En);
        for line in [
            "Sender [Open to all]: Every sender is accepted: the list is empty.",
            "Verified address [Off]: The address of the sender is not verified.",
            "Automatic answers are ignored.",
            "No word puts a mail aside.",
            "Links to “dropbox” are deliveries. A mail without such a link is ignored.",
            "Time of sending: No delivery window: mails go out at any hour.",
            "Default target [None]",
            "One mail per subject [Off]",
        ] {
            assert!(said.contains(line), "{line} in\n{said}");
        }
    }

    #[test]
    fn what_is_configured_is_said_in_both_languages() {
        let policy = policy(&[
            (
                Key::PollingConfig,
                json!({"sender_of_interest_for_polling": ["a@b.fr"], "enable_subject_group_dedup": true}),
            ),
            (
                Key::ProcessingPrefs,
                json!({"exclude_keywords": ["x", "y"], "require_attachments": true, "ignore_automatic_except": ["c@d.fr"],
                       "sender_authentication": "require", "trusted_authserv_ids": ["mx.b.fr"]}),
            ),
            (
                Key::WebhookConfig,
                json!({"webhook_url": "https://hook.example.com/secret", "webhook_sending_enabled": false,
                       "webhook_time_start": "09h00", "webhook_time_end": "18h00",
                       "absence_pause_enabled": true, "absence_pause_days": ["monday"]}),
            ),
            (Key::RuntimeFlags, json!({"allow_custom_webhook_without_links": true})),
        ]);
        let (fr, en) = (said(&policy, Lang::Fr), said(&policy, Lang::En));
        for (said, lines) in [
            (
                &fr,
                [
                    "1 expéditeur est accepté",
                    "n'est pas confirmée par «\u{a0}mx.b.fr\u{a0}» est ignoré",
                    "sauf celles de «\u{a0}c@d.fr\u{a0}»",
                    "2 mots sont exclus.",
                    "sans pièce jointe est ignoré",
                    "Un mail sans un tel lien continue",
                    "lundi",
                    "de 09h00 à 18h00",
                ],
            ),
            (
                &en,
                [
                    "1 sender is accepted",
                    "not confirmed by “mx.b.fr” is ignored",
                    "but for those of “c@d.fr”",
                    "2 words are excluded.",
                    "without an attachment is ignored",
                    "A mail without such a link goes on",
                    "Monday",
                    "from 09h00 to 18h00",
                ],
            ),
        ] {
            for line in lines {
                assert!(said.contains(line), "{line} in\n{said}");
            }
            assert!(said.contains("https://hook.example.com/***") && !said.contains("secret"), "{said}");
        }
        assert_ne!(fr, en);
    }
}
