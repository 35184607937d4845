//! The closing summary: what was delivered, held, ignored and why, and whether
//! everything is as it must be.

use render_signal_actors::kernel::journal::VerifyReport;

use super::ledger::{Entry, Ledger, LedgerFate};
use super::narrator::Narrator;
use super::receiver::Inbox;
use super::samples::Sample;
use crate::lang::Lang;
use crate::output::{Style, fit_ends};
use crate::words::reasons;
use crate::words::recorded::plain;

/// All that the summary is made of.
pub(crate) struct Summary<'s> {
    /// The mails that were dropped.
    pub(crate) samples: &'s [Sample],
    /// What the journal says.
    pub(crate) ledger: &'s Ledger,
    /// What the receiver got.
    pub(crate) inbox: &'s Inbox,
    /// What a check of the whole journal found.
    pub(crate) verified: &'s VerifyReport,
}

impl Summary<'_> {
    /// Everything that is not as it must be, in plain words; empty = nothing was lost
    /// and nothing was wrong.
    pub(crate) fn problems(&self, lang: Lang) -> Vec<String> {
        let mut problems = Vec::new();
        for sample in self.samples {
            let what = match self.ledger.meets(&sample.name, &sample.expected) {
                Some(true) => continue,
                Some(false) => lang.pick("n'est pas devenu ce qu'il devait", "did not become what it had to"),
                None => lang.pick("n'a jamais été vu", "was never seen"),
            };
            problems.push(format!("{} {what} ({:?})", sample.name, sample.expected));
        }
        let delivered = self.ledger.entries().iter().filter(|entry| entry.delivered()).count();
        // Another mail, dropped by whoever watches, may have several targets: so "fewer".
        if self.inbox.accepted() < delivered {
            problems.push(format!(
                "{delivered} {}, {} {}",
                lang.pick("mails livrés selon le journal", "mails delivered by the journal"),
                self.inbox.accepted(),
                lang.pick("webhooks acceptés par le récepteur", "webhooks taken by the receiver"),
            ));
        }
        let mut count = |n: usize, french, english| {
            if n > 0 {
                problems.push(lang.count(n, french, english));
            }
        };
        count(
            self.inbox.wrong.len(),
            ["signature fausse", "signatures fausses"],
            ["wrong signature", "wrong signatures"],
        );
        count(
            self.inbox.repeated(),
            ["webhook accepté deux fois", "webhooks acceptés deux fois"],
            ["webhook taken twice", "webhooks taken twice"],
        );
        count(
            self.inbox.changed(),
            ["webhook répété avec un autre contenu", "webhooks répétés avec un autre contenu"],
            ["webhook repeated with other content", "webhooks repeated with other content"],
        );
        problems.extend(self.verified.problems.iter().cloned());
        problems
    }

    /// The summary, line by line.
    pub(crate) fn lines(&self, lang: Lang, narrator: &Narrator) -> Vec<(Style, String)> {
        let entries = self.ledger.entries();
        let mut lines = Vec::new();
        let delivered: Vec<_> = entries.iter().filter(|entry| entry.delivered()).copied().collect();
        section(&mut lines, lang.pick("Livrés", "Delivered"), Style::Good, &delivered, lang, |entry| {
            delivered_text(entry, lang)
        });
        let held: Vec<_> = of(&entries, |fate| matches!(fate, LedgerFate::Held { .. }));
        section(&mut lines, lang.pick("En attente", "Held"), Style::Warn, &held, lang, |entry| {
            let LedgerFate::Held { reason, until } = entry.fate() else { return String::new() };
            let until = until.map_or_else(String::new, |until| {
                format!(", {} {}", lang.pick("jusqu'au", "until"), narrator.time(until, "%d/%m %H:%M"))
            });
            format!("{}{until}", reasons::held(lang, reason))
        });
        let ignored: Vec<_> = of(&entries, |fate| matches!(fate, LedgerFate::Ignored(_)));
        section(&mut lines, lang.pick("Ignorés", "Ignored"), Style::Dim, &ignored, lang, |entry| {
            let LedgerFate::Ignored(reason) = entry.fate() else { return String::new() };
            reasons::ignored(lang, reason).to_owned()
        });
        let quarantined: Vec<_> = of(&entries, |fate| matches!(fate, LedgerFate::Quarantined(_)));
        section(
            &mut lines,
            lang.pick("En quarantaine", "Quarantined"),
            Style::Warn,
            &quarantined,
            lang,
            |entry| {
                let LedgerFate::Quarantined(why) = entry.fate() else { return String::new() };
                plain(lang, why).into_owned()
            },
        );
        let other: Vec<_> = entries
            .iter()
            .filter(|entry| {
                matches!(entry.fate(), LedgerFate::Received | LedgerFate::Routed(_)) && !entry.delivered()
            })
            .copied()
            .collect();
        section(&mut lines, lang.pick("Inachevés", "Unfinished"), Style::Bad, &other, lang, |entry| {
            format!("{:?}", entry.fate())
        });
        lines.push((Style::Bold, String::new()));
        lines.push((Style::Bold, self.totals(lang)));
        lines
    }

    fn totals(&self, lang: Lang) -> String {
        [
            lang.count(
                self.inbox.accepted(),
                ["webhook accepté, signature vérifiée", "webhooks acceptés, signature vérifiée"],
                ["webhook taken, signature verified", "webhooks taken, signature verified"],
            ),
            lang.count(
                self.inbox.wrong.len(),
                ["signature fausse", "signatures fausses"],
                ["wrong signature", "wrong signatures"],
            ),
            lang.count(self.inbox.repeated(), ["doublon", "doublons"], ["taken twice", "taken twice"]),
            lang.count(
                self.ledger.marked,
                ["mail marqué comme lu", "mails marqués comme lus"],
                ["mail marked as read", "mails marked as read"],
            ),
            lang.count(
                usize::try_from(self.verified.events).unwrap_or(usize::MAX),
                ["événement relu", "événements relus"],
                ["event read back", "events read back"],
            ),
        ]
        .join(", ")
    }
}

fn of<'e>(entries: &[&'e Entry], wanted: impl Fn(LedgerFate<'_>) -> bool) -> Vec<&'e Entry> {
    entries.iter().filter(|entry| wanted(entry.fate())).copied().collect()
}

fn delivered_text(entry: &Entry, lang: Lang) -> String {
    let mut parts = Vec::new();
    if let LedgerFate::Routed(deliveries) = entry.fate() {
        parts.push(format!(
            "→ {}",
            deliveries.iter().map(|(target, _)| target.as_str()).collect::<Vec<_>>().join(", ")
        ));
    }
    let mut count = |n: usize, french, english| {
        if n > 0 {
            parts.push(lang.count(n, french, english));
        }
    };
    count(
        entry.retries,
        ["nouvel essai, même webhook-id, mêmes octets", "nouveaux essais, même webhook-id, mêmes octets"],
        ["retry, same webhook-id, same bytes", "retries, same webhook-id, same bytes"],
    );
    count(entry.copied, ["fichier copié", "fichiers copiés"], ["file copied", "files copied"]);
    count(
        entry.kept,
        ["lien d'origine gardé", "liens d'origine gardés"],
        ["source link kept", "source links kept"],
    );
    count(
        entry.items().len().saturating_sub(1),
        ["copie reconnue et non renvoyée", "copies reconnues et non renvoyées"],
        ["further copy recognised, not sent again", "further copies recognised, not sent again"],
    );
    parts.join("; ")
}

fn section(
    lines: &mut Vec<(Style, String)>,
    title: &str,
    style: Style,
    entries: &[&Entry],
    lang: Lang,
    text: impl Fn(&Entry) -> String,
) {
    if entries.is_empty() {
        return;
    }
    lines.push((Style::Bold, String::new()));
    lines.push((Style::Bold, format!("{title} ({})", entries.len())));
    let mut bulk = 0_usize;
    for entry in entries {
        if entry.is_bulk() {
            bulk += 1;
            continue;
        }
        let subject = if entry.subject.trim().is_empty() {
            lang.pick("(sans sujet)", "(no subject)")
        } else {
            &entry.subject
        };
        lines.push((style, format!("  {:<44} {}", fit_ends(subject, 44), text(entry))));
    }
    if bulk > 0 {
        lines.push((style, format!("  … {bulk} {}", lang.pick("mails ordinaires", "ordinary mails"))));
    }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::mail::life::{DeliveryEnd, MailEvent, MailSettled};
    use render_signal_actors::registry::TypedEvent;

    use super::*;
    use crate::demo::ledger::tests::{received, routed};
    use crate::demo::samples::ExpectedOutcome;

    fn sample(name: &str) -> Sample {
        Sample { name: name.into(), raw: Vec::new(), expected: ExpectedOutcome::Delivered("default") }
    }

    fn delivered() -> Ledger {
        let settled = MailSettled { target: "default".into(), end: DeliveryEnd::Delivered };
        let mut ledger = Ledger::default();
        for event in [received("a", "01"), routed("default"), MailEvent::Settled(settled)] {
            ledger.take("a", &TypedEvent::Mail(event));
        }
        ledger
    }

    #[test]
    fn a_mail_that_never_arrived_is_lost() {
        let ledger = delivered();
        let samples = [sample("01"), sample("02")];
        let summary = Summary {
            samples: &samples,
            ledger: &ledger,
            inbox: &Inbox::default(),
            verified: &VerifyReport::default(),
        };
        let problems = summary.problems(Lang::En);
        assert!(problems.iter().any(|problem| problem.starts_with("02 was never seen")), "{problems:?}");
        assert!(!problems.iter().any(|problem| problem.starts_with("01 ")), "{problems:?}");
        // The journal says delivered, the receiver has nothing: that counts, too.
        assert!(problems.iter().any(|problem| problem.contains("taken by the receiver")), "{problems:?}");
    }

    #[test]
    fn wrong_signatures_and_a_damaged_journal_are_problems() {
        let verified = VerifyReport { problems: vec!["position 3 is missing".into()], ..Default::default() };
        let inbox =
            Inbox { wrong: vec![crate::demo::receiver::InvalidWebhook::Signature], ..Inbox::default() };
        let summary =
            Summary { samples: &[], ledger: &Ledger::default(), inbox: &inbox, verified: &verified };
        assert_eq!(summary.problems(Lang::En), ["1 wrong signature", "position 3 is missing"]);
    }

    #[test]
    fn the_lines_name_the_mail_and_what_became_of_it() {
        let ledger = delivered();
        let summary = Summary {
            samples: &[],
            ledger: &ledger,
            inbox: &Inbox::default(),
            verified: &VerifyReport::default(),
        };
        let narrator = Narrator::new(Lang::Fr, chrono_tz::Europe::Paris);
        let lines: Vec<String> =
            summary.lines(Lang::Fr, &narrator).into_iter().map(|(_, text)| text).collect();
        assert!(lines.contains(&"Livrés (1)".to_owned()), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("Lot 42") && line.contains("→ default")), "{lines:?}");
    }
}
