//! What `rules test` says: for people, and as JSON lines.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use render_signal_actors::mail::compare::{Change, Judgement, Recorded};
use serde::Serialize;
use serde_json::Value;

use crate::exit::Failure;
use crate::output::{Output, Style, fit, fit_ends};
use crate::services::trial::{Changed, Found, Tally, Tried};

/// Longest value that is printed, in characters.
const VALUE: usize = 120;

/// How results are printed.
pub(super) struct Printer {
    pub(super) all: bool,
    pub(super) json: bool,
    pub(super) zone: Tz,
}

/// A line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
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
        changes: &'a [Change],
        /// When it is not what the documents in force say.
        recorded: Option<&'a Recorded>,
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
        documents: &'a [Changed],
    },
}

impl Printer {
    /// What a mail came to.
    pub(super) fn tried(&self, tried: &Tried, out: &mut Output) -> Result<(), Failure> {
        match tried {
            Tried::Mail(found) => self.mail(found, out),
            Tried::Untested { place, why } => self.untested(place, why, out),
        }
    }

    /// A mail that was tried; one that does not change only if all were asked for.
    fn mail(&self, found: &Found, out: &mut Output) -> Result<(), Failure> {
        let Found { place, came, mail, decided_at, comparison, departed } = found;
        if comparison.changes.is_empty() && !self.all {
            return Ok(());
        }
        if self.json {
            return out.json_line(&Line::Mail {
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
        let subject = if mail.subject.is_empty() { "(no subject)" } else { &mail.subject };
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
            decision(before.decision, before.reason, &before.targets)
        };
        if comparison.changes.is_empty() {
            out.line(format!("    no change: {}", now()))?;
        }
        if let Some(recorded) = departed {
            let was = decision(recorded.decision, recorded.reason, &recorded.targets);
            let line = format!("the journal recorded: {was}; the documents in force say now: {}", now());
            out.line(format!("    {}", out.styled(Style::Warn, &line)))?;
        }
        Ok(())
    }

    /// A mail that could not be tried.
    fn untested(&self, place: &str, why: &str, out: &mut Output) -> Result<(), Failure> {
        match (self.all, self.json) {
            (true, true) => out.json_line(&Line::Untested { place, why }),
            (true, false) => {
                let line = format!("{} was not tested: {why}", fit_ends(place, 80));
                out.line(out.styled(Style::Dim, &line))
            }
            (false, _) => Ok(()),
        }
    }

    /// The end.
    pub(super) fn summary(
        &self,
        tally: &Tally,
        documents: &[Changed],
        out: &mut Output,
    ) -> Result<(), Failure> {
        if self.json {
            return out.json_line(&Line::Summary {
                tested: tally.tested,
                changed: tally.changed,
                decided_otherwise: tally.departed,
                copies: tally.copies,
                untested: &tally.untested,
                documents,
            });
        }
        for Changed { key, differences } in documents {
            out.line(match differences {
                0 => format!("{key} is as it is in force already"),
                1 => format!("{key} differs in 1 place from what is in force"),
                n => format!("{key} differs in {n} places from what is in force"),
            })?;
        }
        let copies = match tally.copies {
            0 => String::new(),
            n => format!(" ({n} further {} left out)", if n == 1 { "copy" } else { "copies" }),
        };
        let style = if tally.changed == 0 { Style::Good } else { Style::Warn };
        let changed = if tally.changed == 0 { "none".to_owned() } else { tally.changed.to_string() };
        out.line(format!(
            "{} tested{copies}, {}",
            mails(tally.tested),
            out.styled(style, &format!("{changed} would change"))
        ))?;
        let more = if self.all { "" } else { " (--all shows them)" };
        if tally.departed > 0 {
            out.line(format!(
                "{} decided otherwise at the time than the documents in force would now{more}",
                were(tally.departed)
            ))?;
        }
        for (why, count) in &tally.untested {
            out.line(format!("{} not tested: {why}{more}", were(*count)))?;
        }
        Ok(())
    }

    fn change(&self, change: &Change) -> String {
        let (before, after) = (self.value(change, &change.before), self.value(change, &change.after));
        if before == after && change.field.starts_with("address") {
            return format!("~ {}: another one at {after}", change.field);
        }
        format!("~ {}: {before} → {after}", change.field)
    }

    fn value(&self, change: &Change, value: &Value) -> String {
        match value {
            Value::Null => "–".to_owned(),
            Value::Array(members) if members.is_empty() => "–".to_owned(),
            Value::Array(members) if members.iter().all(Value::is_string) => {
                let texts: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
                fit(&texts.join(", "), VALUE)
            }
            Value::String(text) if change.field == "hold_until" => {
                text.parse().map_or_else(|_| text.clone(), |until| self.local(until))
            }
            Value::String(text) if change.field == "reason" => text.replace('_', " "),
            Value::String(text) => fit(text, VALUE),
            other => fit(&other.to_string(), VALUE),
        }
    }

    fn local(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M").to_string()
    }
}

fn mails(count: usize) -> String {
    if count == 1 { "1 mail".to_owned() } else { format!("{count} mails") }
}

fn were(count: usize) -> String {
    if count == 1 { "1 mail was".to_owned() } else { format!("{count} mails were") }
}

fn decision(decision: &str, reason: Option<&str>, targets: &[String]) -> String {
    match reason {
        Some(reason) => format!("{decision} ({})", reason.replace('_', " ")),
        None => format!("{decision} → {}", targets.join(", ")),
    }
}
