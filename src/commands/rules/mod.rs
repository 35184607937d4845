//! `rules test`: what changed documents would change, mail by mail, before they are saved.

mod change;
mod mails;
mod print;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use indicatif::ProgressBar;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::compare::Trial;

use self::change::Changed;
use self::mails::Case;
use self::print::Printer;
use crate::cli::rules::{RulesCommand, Since, TestArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, complain};
use crate::{commands, journal};

/// Runs the command.
pub(super) async fn run(command: RulesCommand, out: &mut Output) -> Outcome {
    match command {
        RulesCommand::Test(args) => test(&args, out).await,
    }
}

async fn test(args: &TestArgs, out: &mut Output) -> Outcome {
    let world = World::real();
    let past = past(args, &world).await?;
    let (trial, changed, zone) = change::read(args, past.as_deref(), &world).await?;
    let printer = Printer { all: args.all, json: args.json, zone };
    let mut run = Run {
        trial,
        out,
        printer,
        bar: ProgressBar::hidden(),
        seen: HashSet::new(),
        tally: Tally::default(),
    };
    match (&args.mails, args.since, &past) {
        (Some(folder), ..) => mails::of_folder(folder, args.at.unwrap_or_else(|| world.now()), &mut run)?,
        (None, Some(since), Some(past)) => {
            mails::of_journal(past.as_ref(), start_of(since, zone), args.at, &mut run).await?;
        }
        _ => {
            return Err(Failure::journal(format!(
                "there is no journal {}, so it keeps no mails; name it with --journal, or set DATA_DIR as for serve",
                commands::place(&args.journal)?
            )));
        }
    }
    run.finish(&changed, args.fail_on_change)
}

/// The journal, if there is one: of the last good documents, and of mails.
async fn past(args: &TestArgs, world: &World) -> Result<Option<Arc<dyn Journal>>, Failure> {
    let place = commands::place(&args.journal)?;
    if args.since.is_some() && !journal::is_missing(&place) {
        // The mails are in it.
        return Ok(Some(journal::open_to_look(&place, world).await?));
    }
    commands::past(&place, world).await
}

fn start_of(since: Since, zone: Tz) -> DateTime<Utc> {
    match since {
        Since::Instant(at) => at,
        Since::Day(day) => {
            let midnight = day.and_time(NaiveTime::MIN);
            // Where clocks are set forward at midnight, the day begins later.
            let begins =
                [midnight, midnight + TimeDelta::hours(1)].map(|time| zone.from_local_datetime(&time));
            let earliest = begins.into_iter().find_map(|time| time.earliest());
            earliest.map_or_else(|| midnight.and_utc(), |time| time.with_timezone(&Utc))
        }
    }
}

/// How many of what.
#[derive(Debug, Default)]
struct Tally {
    tested: usize,
    changed: usize,
    /// Decided otherwise now than they were, under the documents in force.
    departed: usize,
    /// Further files of a mail.
    copies: usize,
    /// Why mails were not tested.
    untested: BTreeMap<String, usize>,
    /// A file or folder could not be read.
    unreadable: bool,
}

/// A run over many mails, one at a time.
struct Run<'o> {
    trial: Trial,
    out: &'o mut Output,
    printer: Printer,
    bar: ProgressBar,
    /// Mails of the folder, by their ids.
    seen: HashSet<String>,
    tally: Tally,
}

impl Run<'_> {
    /// Tries a mail.
    fn take(&mut self, case: &Case, now: DateTime<Utc>) -> Result<(), Failure> {
        self.bar.inc(1);
        let mail = match &case.content {
            Ok(mail) => mail,
            Err(why) => return self.untested(&case.place, why),
        };
        let found = self.trial.compare(mail, now);
        let departed = case.recorded.as_ref().filter(|recorded| !recorded.agrees_with(&found.before));
        self.tally.tested += 1;
        self.tally.changed += usize::from(!found.changes.is_empty());
        self.tally.departed += usize::from(departed.is_some());
        let (out, printer) = (&mut *self.out, &self.printer);
        self.bar.suspend(|| printer.mail(case, mail, now, &found, departed, out))
    }

    /// Takes note of a mail that cannot be tried.
    fn untested(&mut self, place: &str, why: &str) -> Result<(), Failure> {
        *self.tally.untested.entry(why.to_owned()).or_default() += 1;
        let (out, printer) = (&mut *self.out, &self.printer);
        self.bar.suspend(|| printer.untested(place, why, out))
    }

    /// Takes note of a file or folder that cannot be read.
    fn unreadable(&mut self, place: &str, error: &std::io::Error) -> Result<(), Failure> {
        self.tally.unreadable = true;
        self.bar.suspend(|| complain(&format!("{place} cannot be read: {error}")));
        self.untested(place, "it cannot be read")
    }

    fn finish(self, changed: &[Changed], fail_on_change: bool) -> Outcome {
        self.bar.finish_and_clear();
        self.printer.summary(&self.tally, changed, self.out)?;
        let fails = self.tally.unreadable || (fail_on_change && self.tally.changed > 0);
        Ok(if fails { Exit::Found } else { Exit::Ok })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_where_we_are() {
        let day = |text: &str| Since::Day(text.parse().unwrap());
        for (since, zone, expected) in [
            (day("2026-01-26"), chrono_tz::Europe::Paris, "2026-01-25T23:00:00Z"),
            (day("2026-07-26"), chrono_tz::Europe::Paris, "2026-07-25T22:00:00Z"),
            // Clocks were set forward at midnight.
            (day("2018-11-04"), chrono_tz::America::Sao_Paulo, "2018-11-04T03:00:00Z"),
            (Since::Instant("2026-01-26T10:00:00Z".parse().unwrap()), Tz::UTC, "2026-01-26T10:00:00Z"),
        ] {
            assert_eq!(start_of(since, zone), expected.parse::<DateTime<Utc>>().unwrap(), "{since:?}");
        }
    }
}
