//! `rules test`: what changed documents would change, mail by mail, before they are saved.

mod change;
mod mails;
mod print;

use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use indicatif::ProgressBar;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::said;

use self::print::Printer;
use crate::cli::rules::{RulesCommand, Since, TestArgs};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::output::{Output, complain};
use crate::services::trial::{PreparedTrial, Run, TrialDocument, TrialResult};
use crate::{commands, journal};

/// Runs the command.
pub(super) async fn run(command: RulesCommand, out: &mut Output) -> CommandResult {
    match command {
        RulesCommand::Test(args) => test(&args, out).await,
    }
}

async fn test(args: &TestArgs, out: &mut Output) -> CommandResult {
    let world = World::real();
    let past = past(args, &world).await?;
    let (PreparedTrial { trial, changed, .. }, zone) = change::read(args, past.clone(), &world).await?;
    let printer = Printer { all: args.all, json: args.json, zone, lang: commands::lang() };
    let (run, bar) = (Run::new(trial), ProgressBar::hidden());
    let mut printing = Printing { run, out, printer, bar, unreadable: false };
    match (&args.mails, args.since, &past) {
        (Some(folder), ..) => {
            mails::of_folder(folder, args.at.unwrap_or_else(|| world.now()), &mut printing).await?;
        }
        (None, Some(since), Some(past)) => {
            mails::of_journal(past.as_ref(), start_of(since, zone), args.at, &mut printing).await?;
        }
        _ => {
            let place = commands::place(&args.journal)?;
            return Err(CommandFailure::journal(commands::lang().one(said!(
                "il n'y a pas de journal {place}, donc il ne garde aucun mail ; nommez-le par --journal, ou définissez DATA_DIR comme pour serve",
                "there is no journal {place}, so it keeps no mails; name it with --journal, or set DATA_DIR as for serve"
            ))));
        }
    }
    printing.finish(&changed, args.fail_on_change)
}

/// The journal, if there is one: of the last good documents, and of mails.
async fn past(args: &TestArgs, world: &World) -> Result<Option<Arc<dyn Journal>>, CommandFailure> {
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

/// A run, and where its results go.
struct Printing<'o> {
    run: Run,
    out: &'o mut Output,
    printer: Printer,
    bar: ProgressBar,
    /// A file or folder could not be read.
    unreadable: bool,
}

impl Printing<'_> {
    fn print(&mut self, tried: &TrialResult) -> Result<(), CommandFailure> {
        let (out, printer) = (&mut *self.out, &self.printer);
        self.bar.suspend(|| printer.tried(tried, out))
    }

    /// Takes note of a file or folder that cannot be read.
    fn unreadable(&mut self, place: &str, error: &std::io::Error) -> Result<(), CommandFailure> {
        self.unreadable = true;
        self.bar.suspend(|| {
            complain(
                &self
                    .printer
                    .lang
                    .one(said!("{place} ne peut pas être lu : {error}", "{place} cannot be read: {error}")),
            )
        });
        let tried = self.run.untested(place.to_owned(), "it cannot be read".to_owned());
        self.print(&tried)
    }

    fn finish(self, changed: &[TrialDocument], fail_on_change: bool) -> CommandResult {
        self.bar.finish_and_clear();
        let tally = &self.run.tally;
        self.printer.summary(tally, changed, self.out)?;
        let fails = self.unreadable || (fail_on_change && tally.changed > 0);
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
