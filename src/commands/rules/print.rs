//! What `rules test` says: for people, and as JSON lines.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use render_signal_actors::mail::compare::{DecisionChange, Judgement, RecordedDecision};
use render_signal_actors::said;
use serde::Serialize;
use serde_json::Value;

use crate::exit::CommandFailure;
use crate::lang::Lang;
use crate::output::{Output, Style, fit, fit_ends};
use crate::services::trial::{ComparedMail, TrialDocument, TrialResult, TrialTally};
use crate::words::recorded::plain;
use crate::words::{changes, reasons};

/// Longest value that is printed, in characters.
const MAX_VALUE_CHARS: usize = 120;

/// How results are printed.
pub(super) struct Printer {
    pub(super) all: bool,
    pub(super) json: bool,
    pub(super) zone: Tz,
    pub(super) lang: Lang,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum JsonLine<'a> {
    Mail {
        place: &'a str,
        email_id: &'a str,
        sender: &'a str,
        subject: &'a str,
        /// As the mail says.
        date: &'a str,
        decided_at: String,
        before: &'a Judgement,
        after: &'a Judgement,
        changes: &'a [DecisionChange],
        /// When it is not what the documents in force say.
        recorded: Option<&'a RecordedDecision>,
    },
    Untested {
        place: &'a str,
        why: &'a str,
    },
    Summary {
        tested: usize,
        changed: usize,
        decided_otherwise: usize,
        copies: usize,
        untested: &'a BTreeMap<String, usize>,
        documents: &'a [TrialDocument],
    },
}

impl Printer {
    /// What a mail came to.
    pub(super) fn tried(&self, tried: &TrialResult, out: &mut Output) -> Result<(), CommandFailure> {
        match tried {
            TrialResult::Mail(found) => self.mail(found, out),
            TrialResult::Untested { place, why } => self.untested(place, why, out),
        }
    }

    /// A mail that was tried; one that does not change only if all were asked for.
    fn mail(&self, found: &ComparedMail, out: &mut Output) -> Result<(), CommandFailure> {
        let ComparedMail { place, came, mail, decided_at, comparison, departed } = found;
        if comparison.changes.is_empty() && !self.all {
            return Ok(());
        }
        if self.json {
            return out.json_line(&JsonLine::Mail {
                place,
                email_id: &mail.email_id,
                sender: &mail.sender,
                subject: &mail.subject,
                date: &mail.date,
                decided_at: decided_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                before: &comparison.before,
                after: &comparison.after,
                changes: &comparison.changes,
                recorded: departed.as_ref(),
            });
        }
        let lang = self.lang;
        let untitled = lang.pick("(sans sujet)", "(no subject)");
        let subject = if mail.subject.is_empty() { untitled } else { &mail.subject };
        out.line(out.styled(Style::Bold, &fit_ends(subject, 100)))?;
        let date = came.map_or(Cow::Borrowed(mail.date.as_str()), |came| self.local(came).into());
        let about = [mail.sender.as_str(), date.as_ref(), place.as_str()];
        let about: Vec<String> =
            about.iter().filter(|text| !text.is_empty()).map(|text| fit_ends(text, 80)).collect();
        out.line(format!("    {}", out.styled(Style::Dim, &about.join("  "))))?;
        for change in &comparison.changes {
            out.line(format!("    {}", self.change(change)))?;
        }
        let now = || {
            let before = &comparison.before;
            decision(lang, before.decision, before.reason, &before.targets)
        };
        if comparison.changes.is_empty() {
            out.line(lang.say("    aucun changement", "    no change", &now()))?;
        }
        if let Some(recorded) = departed {
            let was = decision(lang, recorded.decision, recorded.reason, &recorded.targets);
            let now = now();
            let line = lang.one(said!(
                "le journal a noté : {was} ; les documents en vigueur disent maintenant : {now}",
                "the journal recorded: {was}; the documents in force say now: {now}"
            ));
            out.line(format!("    {}", out.styled(Style::Warn, &line)))?;
        }
        Ok(())
    }

    /// A mail that could not be tried.
    fn untested(&self, place: &str, why: &str, out: &mut Output) -> Result<(), CommandFailure> {
        match (self.all, self.json) {
            (true, true) => out.json_line(&JsonLine::Untested { place, why }),
            (true, false) => {
                let (place, why) = (fit_ends(place, 80), plain(self.lang, why));
                let line = self
                    .lang
                    .one(said!("{place} n'a pas été essayé : {why}", "{place} was not tested: {why}"));
                out.line(out.styled(Style::Dim, &line))
            }
            (false, _) => Ok(()),
        }
    }

    /// The end.
    pub(super) fn summary(
        &self,
        tally: &TrialTally,
        documents: &[TrialDocument],
        out: &mut Output,
    ) -> Result<(), CommandFailure> {
        if self.json {
            return out.json_line(&JsonLine::Summary {
                tested: tally.tested,
                changed: tally.changed,
                decided_otherwise: tally.departed,
                copies: tally.copies,
                untested: &tally.untested,
                documents,
            });
        }
        for document in documents {
            out.line(self.document(document))?;
        }
        self.totals(tally, out)
    }

    /// In how many places a document differs.
    fn document(&self, TrialDocument { key, differences }: &TrialDocument) -> String {
        let places = self.lang.count(*differences, ["endroit", "endroits"], ["place", "places"]);
        self.lang.one(match differences {
            0 => said!("{key} est déjà tel qu'en vigueur", "{key} is as it is in force already"),
            _ => said!(
                "{key} diffère en {places} de ce qui est en vigueur",
                "{key} differs in {places} from what is in force"
            ),
        })
    }

    /// How many mails came to what.
    fn totals(&self, tally: &TrialTally, out: &mut Output) -> Result<(), CommandFailure> {
        let lang = self.lang;
        let copies = match tally.copies {
            0 => String::new(),
            n => {
                let copies = lang.count(
                    n,
                    ["autre exemplaire laissé de côté", "autres exemplaires laissés de côté"],
                    ["further copy left out", "further copies left out"],
                );
                format!(" ({copies})")
            }
        };
        let style = if tally.changed == 0 { Style::Good } else { Style::Warn };
        let changed = match tally.changed {
            0 => lang.pick("aucun ne changerait", "none would change").to_owned(),
            n => lang.count(n, ["changerait", "changeraient"], ["would change", "would change"]),
        };
        let tested =
            lang.count(tally.tested, ["mail essayé", "mails essayés"], ["mail tested", "mails tested"]);
        out.line(format!("{tested}{copies}, {}", out.styled(style, &changed)))?;
        let more = if self.all { "" } else { lang.pick(" (--all les montre)", " (--all shows them)") };
        if tally.departed > 0 {
            let count = lang.count(
                tally.departed,
                [
                    "mail a reçu à l'époque une autre décision que celle des documents en vigueur",
                    "mails ont reçu à l'époque une autre décision que celle des documents en vigueur",
                ],
                [
                    "mail was decided otherwise at the time than the documents in force would now",
                    "mails were decided otherwise at the time than the documents in force would now",
                ],
            );
            out.line(format!("{count}{more}"))?;
        }
        for (why, count) in &tally.untested {
            let count = lang.count(
                *count,
                ["mail n'a pas été essayé", "mails n'ont pas été essayés"],
                ["mail was not tested", "mails were not tested"],
            );
            out.line(format!("{count}{}{}{more}", lang.colon(), plain(lang, why)))?;
        }
        Ok(())
    }

    fn change(&self, change: &DecisionChange) -> String {
        let (before, after) = (self.value(change, &change.before), self.value(change, &change.after));
        let (field, colon) = (changes::field(self.lang, &change.field), self.lang.colon());
        if before == after && change.field.starts_with("address") {
            return format!("~ {field}{colon}{} {after}", self.lang.pick("une autre sur", "another one at"));
        }
        format!("~ {field}{colon}{before} → {after}")
    }

    fn value(&self, change: &DecisionChange, value: &Value) -> String {
        if let Some(word) = changes::value(self.lang, change, value) {
            return fit(&word, MAX_VALUE_CHARS);
        }
        match value {
            Value::Null => "–".to_owned(),
            Value::Array(members) if members.is_empty() => "–".to_owned(),
            Value::Array(members) if members.iter().all(Value::is_string) => {
                let texts: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
                fit(&texts.join(", "), MAX_VALUE_CHARS)
            }
            Value::String(text) if change.field == "hold_until" => {
                text.parse().map_or_else(|_| text.clone(), |until| self.local(until))
            }
            Value::String(text) => fit(text, MAX_VALUE_CHARS),
            other => fit(&other.to_string(), MAX_VALUE_CHARS),
        }
    }

    fn local(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M").to_string()
    }
}

fn decision(lang: Lang, decision: &str, reason: Option<&str>, targets: &[String]) -> String {
    let decided = reasons::decision(lang, decision);
    match reason {
        Some(reason) => format!("{decided} ({})", reasons::by_code(lang, reason)),
        None => format!("{decided} → {}", targets.join(", ")),
    }
}
