//! Tells what the journal records, a line per step of a mail.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use render_signal_actors::config::events::ConfigEvent;
use render_signal_actors::kernel::event::Recorded;
use render_signal_actors::mail::life::{MailEvent, MailRouted};
use render_signal_actors::poller::state::MailboxEvent;
use render_signal_actors::registry::TypedEvent;
use render_signal_actors::webhook::events::{DeliveryEvent, TargetEvent};
use render_signal_actors::worker::WorkerEvent;

use super::ledger::Ledger;
use crate::lang::Lang;
use crate::output::{Style, fit_ends};
use crate::words::reasons;
use crate::words::recorded::plain;

/// Width of the column that names the mail.
const WHO: usize = 36;

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it happened, in the operator's zone.
    pub(crate) at: String,
    /// Which mail, or which part of the program.
    pub(crate) who: String,
    /// How it looks.
    pub(crate) style: Style,
    /// What happened.
    pub(crate) text: String,
}

/// Turns events into lines.
pub(crate) struct Narrator {
    lang: Lang,
    zone: Tz,
}

impl Narrator {
    /// In a language, with times of a zone.
    pub(crate) const fn new(lang: Lang, zone: Tz) -> Self {
        Self { lang, zone }
    }

    /// The line for an event that the ledger has taken in already; `None` for events
    /// that are of no interest to somebody who watches.
    pub(crate) fn tell(&self, recorded: &Recorded, event: &TypedEvent, ledger: &Ledger) -> Option<Line> {
        let (who, style, text) = self.phrase(recorded.stream.key(), event, ledger)?;
        Some(Line { at: self.time(recorded.at, "%H:%M:%S%.3f"), who: fit_ends(&who, WHO), style, text })
    }

    /// An instant in the operator's zone.
    pub(crate) fn time(&self, at: DateTime<Utc>, format: &str) -> String {
        at.with_timezone(&self.zone).format(format).to_string()
    }

    /// Who, how and what; `key` is that of the event's stream.
    fn phrase(&self, key: &str, event: &TypedEvent, ledger: &Ledger) -> Option<(String, Style, String)> {
        match event {
            TypedEvent::Mail(event) => {
                let who = self.mail_name(key, ledger)?;
                self.mail(event).map(|(style, text)| (who, style, text))
            }
            TypedEvent::Delivery(event) => {
                let (email_id, _) = event.mail_and_target();
                let who = self.mail_name(email_id, ledger)?;
                self.delivery(event).map(|(style, text)| (who, style, text))
            }
            TypedEvent::Config(event) => self.config(event),
            TypedEvent::Mailbox(event) => self.mailbox(event),
            TypedEvent::Worker(event) => self.worker(event),
            TypedEvent::Target(event) => self.target(event),
            TypedEvent::Group(_)
            | TypedEvent::Rate(_)
            | TypedEvent::Check(_)
            | TypedEvent::Lease(_)
            | TypedEvent::Scenario(_)
            | TypedEvent::Session(_)
            | TypedEvent::MagicLink(_)
            | TypedEvent::Archive(_) => None,
        }
    }

    /// What a mail is called; `None` = nobody wants to read of it.
    fn mail_name(&self, email_id: &str, ledger: &Ledger) -> Option<String> {
        let entry = ledger.get(email_id).filter(|entry| !entry.is_bulk())?;
        Some(match entry.subject.trim() {
            "" => self.lang.pick("(sans sujet)", "(no subject)").to_owned(),
            _ => entry.subject.clone(),
        })
    }

    fn mail(&self, event: &MailEvent) -> Option<(Style, String)> {
        let lang = self.lang;
        Some(match event {
            MailEvent::Received(received) if received.flaws.is_empty() => {
                (Style::Dim, format!("{} {}", lang.pick("reçu de", "received from"), received.sender))
            }
            MailEvent::Received(received) => (
                Style::Warn,
                format!(
                    "{} {} ({})",
                    lang.pick("reçu de", "received from"),
                    received.sender,
                    lang.say(
                        "lu malgré ses défauts",
                        "read in spite of its flaws",
                        &received.flaws.join("; ")
                    )
                ),
            ),
            MailEvent::Duplicated(_) => (
                Style::Warn,
                lang.pick(
                    "déjà connu\u{a0}: rien n'est envoyé deux fois",
                    "known already: nothing is sent twice",
                )
                .to_owned(),
            ),
            MailEvent::Ignored(ignored) => {
                (Style::Warn, lang.say("ignoré", "ignored", reasons::ignored(lang, ignored.reason)))
            }
            MailEvent::Skipped(skipped) => {
                (Style::Warn, lang.say("laissé de côté", "skipped", reasons::held(lang, skipped.reason)))
            }
            MailEvent::Released(released) => {
                (Style::Dim, lang.say("libéré par", "released by", &released.by))
            }
            MailEvent::Quarantined(quarantined) => (
                Style::Bad,
                lang.say("mis en quarantaine", "put in quarantine", &plain(lang, &quarantined.why)),
            ),
            MailEvent::Held(held) => {
                let until = held.until.map_or_else(
                    || {
                        lang.pick("jusqu'à un changement de configuration", "until the configuration changes")
                            .to_owned()
                    },
                    |until| format!("{} {}", lang.pick("jusqu'au", "until"), self.time(until, "%d/%m %H:%M")),
                );
                (
                    Style::Warn,
                    lang.say(
                        &format!("en attente {until}"),
                        &format!("held {until}"),
                        reasons::held(lang, held.reason),
                    ),
                )
            }
            MailEvent::Routed(routed) => (Style::Dim, self.routed(routed)),
            MailEvent::LinkOffloaded(copied) => (
                Style::Dim,
                format!(
                    "{} {} → {}",
                    match copied.reused_from {
                        None => lang.pick("fichier copié\u{a0}:", "file copied:"),
                        Some(_) => lang.pick("fichier déjà copié\u{a0}:", "file copied before:"),
                    },
                    copied.provider,
                    copied.r2_url
                ),
            ),
            MailEvent::LinkKept(kept) => {
                (Style::Warn, lang.say("lien d'origine gardé", "source link kept", &kept.why))
            }
            MailEvent::LinksKept(kept) => (
                Style::Warn,
                lang.say(
                    "liens d'origine gardés",
                    "source links kept",
                    &format!("{}: {}", kept.count, kept.why),
                ),
            ),
            MailEvent::LinksDeferred(waiting) => {
                (Style::Warn, lang.say("attend les copies", "waits for copies", &waiting.why))
            }
            MailEvent::SetAside(aside) => (Style::Bad, lang.say("mis de côté", "set aside", &aside.why)),
            // The delivery's own event says it; nobody kills the demo's worker.
            MailEvent::Settled(_)
            | MailEvent::Suspected(_)
            | MailEvent::Cleared(_)
            | MailEvent::Resumed(_) => return None,
        })
    }

    fn routed(&self, routed: &MailRouted) -> String {
        let lang = self.lang;
        let mut text = lang.pick("décidé\u{a0}:", "decided:").to_owned();
        if let Some(detection) = &routed.detection {
            text.push_str(&format!(" {}", detection.detector));
            if let Some(time) = &detection.delivery_time {
                text.push_str(&format!(" {} {time}", lang.pick("pour", "for")));
            }
            if detection.urgent {
                text.push_str(lang.pick(" (urgent)", " (urgent)"));
            }
            text.push(',');
        }
        let mut providers: Vec<&str> = routed.links.iter().map(|link| link.provider.as_str()).collect();
        providers.dedup();
        let links = lang.count(routed.links.len(), ["lien", "liens"], ["link", "links"]);
        text.push_str(&format!(" {links}"));
        if !providers.is_empty() {
            text.push_str(&format!(" [{}]", providers.join(", ")));
        }
        let targets: Vec<&str> = routed.deliveries.iter().map(|delivery| delivery.target.as_str()).collect();
        text.push_str(&format!(" → {}", targets.join(", ")));
        text
    }

    fn delivery(&self, event: &DeliveryEvent) -> Option<(Style, String)> {
        let lang = self.lang;
        Some(match event {
            DeliveryEvent::Attempted(attempted) => {
                let error = attempted.error.as_ref()?;
                (
                    Style::Warn,
                    lang.say(
                        &format!("→ {}\u{a0}: essai {} sans succès", attempted.target, attempted.attempt),
                        &format!("→ {}: attempt {} failed", attempted.target, attempted.attempt),
                        error,
                    ),
                )
            }
            DeliveryEvent::Succeeded(succeeded) => {
                let retried = if succeeded.attempts > 1 {
                    format!(", {} {}", lang.pick("essai", "attempt"), succeeded.attempts)
                } else {
                    String::new()
                };
                (
                    Style::Good,
                    format!(
                        "→ {}{}{} (HTTP {}{retried})",
                        succeeded.target,
                        lang.colon(),
                        lang.pick("livré", "delivered"),
                        succeeded.status
                    ),
                )
            }
            DeliveryEvent::Deferred(deferred) => (
                Style::Warn,
                format!(
                    "→ {}{}{} {} ({})",
                    deferred.target,
                    lang.colon(),
                    lang.pick("nouvel essai à", "tried again at"),
                    self.time(deferred.until, "%H:%M:%S"),
                    deferred.why
                ),
            ),
            DeliveryEvent::DeadLettered(dead) => (
                Style::Bad,
                lang.say(
                    &format!("→ {}\u{a0}: abandonné, gardé", dead.target),
                    &format!("→ {}: given up, kept", dead.target),
                    &dead.why,
                ),
            ),
            DeliveryEvent::Requeued(requeued) => (
                Style::Dim,
                format!(
                    "→ {}{}{}",
                    requeued.target,
                    lang.colon(),
                    lang.pick("remis en file", "queued again")
                ),
            ),
            DeliveryEvent::Cancelled(cancelled) => (
                Style::Dim,
                format!("→ {}{}{}", cancelled.target, lang.colon(), lang.pick("annulé", "cancelled")),
            ),
        })
    }

    fn config(&self, event: &ConfigEvent) -> Option<(String, Style, String)> {
        let changed = match event {
            ConfigEvent::Changed(changed) if changed.origin != "startup" => changed,
            // The demo has one store, for which no change waits, and which agrees with itself.
            ConfigEvent::Changed(_)
            | ConfigEvent::Deferred(_)
            | ConfigEvent::Reconciled(_)
            | ConfigEvent::Conflicted(_)
            | ConfigEvent::Resolved(_)
            | ConfigEvent::Absent(_) => return None,
        };
        let text = self.lang.say(
            "configuration relue, sans redémarrage",
            "configuration read anew, no restart",
            &changed.fields.join(", "),
        );
        Some((changed.key.clone(), Style::Bold, text))
    }

    fn mailbox(&self, event: &MailboxEvent) -> Option<(String, Style, String)> {
        let flagged = match event {
            MailboxEvent::Flagged(flagged) => flagged,
            // A Maildir is not renumbered, and nobody kills the demo's worker.
            MailboxEvent::Opened(_)
            | MailboxEvent::Reset(_)
            | MailboxEvent::Suspected(_)
            | MailboxEvent::Cleared(_) => return None,
        };
        let text = self.lang.count(
            flagged.items.len(),
            ["mail marqué comme lu", "mails marqués comme lus"],
            ["mail marked as read", "mails marked as read"],
        );
        Some(("Maildir".to_owned(), Style::Dim, text))
    }

    fn worker(&self, event: &WorkerEvent) -> Option<(String, Style, String)> {
        match event {
            WorkerEvent::ActorRestarted(restarted) => {
                let text = self.lang.say("acteur redémarré", "actor restarted", &restarted.reason);
                Some((restarted.actor.clone(), Style::Bad, text))
            }
            WorkerEvent::Started(_) | WorkerEvent::Stopped(_) | WorkerEvent::JournalRegressed(_) => None,
        }
    }

    fn target(&self, event: &TargetEvent) -> Option<(String, Style, String)> {
        match event {
            TargetEvent::BreakerOpened(opened) => {
                let down =
                    self.lang.pick("destination en panne, nouvel essai à", "receiver is down, probed at");
                let text = format!("{down} {}", self.time(opened.until, "%H:%M:%S"));
                Some((opened.target.clone(), Style::Warn, text))
            }
            TargetEvent::Disabled(_) | TargetEvent::Enabled(_) | TargetEvent::BreakerClosed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::config::events::{DocumentChanged, config_stream};
    use render_signal_actors::mail::life::{MailHeld, MailIgnored, mail_stream};
    use render_signal_actors::mail::{HoldReason, IgnoreReason};
    use render_signal_actors::webhook::events::{Attempted, Succeeded, delivery_stream};

    use super::*;
    use crate::demo::ledger::tests::{received, recorded, routed};

    const PARIS: Tz = chrono_tz::Europe::Paris;

    fn story(lang: Lang, events: &[Recorded]) -> Vec<String> {
        let narrator = Narrator::new(lang, PARIS);
        let mut ledger = Ledger::default();
        events
            .iter()
            .filter_map(|event| {
                let typed = TypedEvent::of(event).unwrap();
                ledger.take(event.stream.key(), &typed);
                narrator.tell(event, &typed, &ledger)
            })
            .map(|line| format!("{} | {}", line.who, line.text))
            .collect()
    }

    fn attempt(error: Option<&str>) -> DeliveryEvent {
        DeliveryEvent::Attempted(Attempted {
            email_id: "a".into(),
            target: "default".into(),
            attempt: 1,
            url: "http://127.0.0.1/***".into(),
            status: Some(503),
            error: error.map(str::to_owned),
            took_ms: 2,
        })
    }

    fn succeeded(attempts: u32) -> DeliveryEvent {
        DeliveryEvent::Succeeded(Succeeded {
            email_id: "a".into(),
            target: "default".into(),
            status: 200,
            attempts,
            mode: Default::default(),
        })
    }

    #[test]
    fn the_story_of_a_mail_that_was_refused_once() {
        let mail = mail_stream("a");
        let delivery = delivery_stream("a", "default");
        let events = [
            recorded(mail.clone(), 1, &received("a", "01")),
            recorded(mail, 2, &routed("default")),
            recorded(delivery.clone(), 1, &attempt(Some("HTTP 503"))),
            recorded(delivery.clone(), 2, &attempt(None)),
            recorded(delivery, 3, &succeeded(2)),
        ];
        let who = "Média Solution - M…ecadrage - Lot 42";
        assert_eq!(
            story(Lang::En, &events),
            [
                format!("{who} | received from production@media-solution.example"),
                format!("{who} | decided: 0 links → default"),
                format!("{who} | → default: attempt 1 failed: HTTP 503"),
                format!("{who} | → default: delivered (HTTP 200, attempt 2)"),
            ]
        );
        assert_eq!(
            story(Lang::Fr, &events).last().map(String::as_str),
            Some("Média Solution - M…ecadrage - Lot 42 | → default\u{a0}: livré (HTTP 200, essai 2)")
        );
    }

    #[test]
    fn holds_and_ignores_say_why() {
        let until = "2026-11-23T08:00:00Z".parse().ok();
        let events = [
            recorded(mail_stream("a"), 1, &received("a", "01")),
            recorded(
                mail_stream("a"),
                2,
                &MailEvent::Held(MailHeld { reason: HoldReason::OutsideWindow, until, configuration: None }),
            ),
            recorded(
                mail_stream("a"),
                3,
                &MailEvent::Ignored(MailIgnored {
                    reason: IgnoreReason::Reply,
                    detail: None,
                    configuration: None,
                    by: None,
                }),
            ),
        ];
        let lines = story(Lang::En, &events);
        assert!(lines[1].ends_with("held until 23/11 09:00: outside the delivery window"), "{}", lines[1]);
        assert!(lines[2].ends_with("ignored: it is a reply"), "{}", lines[2]);
    }

    #[test]
    fn a_hot_reload_is_told_and_the_first_reading_is_not() {
        let change = |origin: &str| {
            recorded(
                config_stream("webhook_config"),
                1,
                &ConfigEvent::Changed(DocumentChanged {
                    key: "webhook_config".into(),
                    hash: String::new(),
                    origin: origin.into(),
                    fields: vec!["webhook_time_start".into()],
                    body_key: String::new(),
                    change: String::new(),
                    stored_in: "file".into(),
                }),
            )
        };
        let lines = story(Lang::Fr, &[change("startup"), change("external")]);
        assert_eq!(
            lines,
            ["webhook_config | configuration relue, sans redémarrage\u{a0}: webhook_time_start"]
        );
    }

    #[test]
    fn bulk_mails_are_not_narrated() {
        let events = [
            recorded(mail_stream("a"), 1, &received("a", "envoi-00001")),
            recorded(delivery_stream("a", "default"), 1, &succeeded(1)),
        ];
        assert!(story(Lang::En, &events).is_empty());
    }
}
