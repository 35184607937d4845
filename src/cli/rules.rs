//! The `rules` command, as `--help` explains it.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgGroup, Args, Subcommand};
use render_signal_actors::config::documents::Key;

use super::{JournalArgs, instant};

pub(crate) const EXAMPLES: &str = "\
Examples:
  render-signal rules test --mails ./mails --file routing_rules.json
  render-signal rules test --since 2026-11-01 --file rules.json --key routing_rules
  render-signal rules test --mails ~/Maildir --config ./documents --all
  render-signal rules test --since 2026-11-01 --file detectors.json --json | tail -n 1

Try a change before it is saved: every mail is decided twice, under the documents in force
and with the changed ones in their place, and what differs is printed. Nothing is sent,
stored or marked; the changed document is checked as `config set` would check it.";

const TEST_EXAMPLES: &str = "\
The mails
  --mails takes *.eml files and the mails of Maildir folders (cur, new), in all folders
  below DIR, in the order of their paths. They are decided as if they came now; --at names
  another moment, for what depends on the hour, the day or the month.
  --since takes the mails that the journal keeps (MAIL_RETENTION_DAYS), and decides each as
  if it came when it really came. Those whose content is gone are counted; --all names them.

The change
  --file is one document, --config a folder of documents such as CONFIG_DIR: those that
  are there replace the ones in force, all others stay. Save what is in force, edit, test:
    render-signal config show routing_rules --reveal > routing_rules.json

What is compared
  Decision and reason, end of a hold, detector, delivery time, urgency, targets (of a held
  mail those it would go to), their addresses, and the fields of the payload. Both times the
  rules decide, not history: a mail counts as new, and of a subject group the first mail of
  this test counts; a mail that waits takes no group. Where the documents in force would now
  decide otherwise than the journal recorded, a line says so.
  Limits, retries and the polling schedule act on no single mail, so they change nothing here.

Examples:
  render-signal rules test --mails ./mails --file routing_rules.json
  render-signal rules test --mails ./mails --at 2026-11-22T22:30:00+01:00 --file webhook_config.json
  render-signal rules test --since 2026-11-01 --file - --key routing_rules < rules.json
  render-signal rules test --since 2026-11-20T08:00:00+01:00 --config ./documents --fail-on-change

--json prints one object per line. Its type is mail (place, email_id, sender, subject, date,
decided_at, before, after, changes, recorded; only those that change, unless --all), untested
(place, why) or, at last, summary (tested, changed, decided_otherwise, copies,
untested, documents).

Exit codes: 0 the mails were tested, 1 the change was refused, a mail could not be read, or
something changes and --fail-on-change was given, 2 usage.";

/// The `rules` commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Print what a changed document would change, for mails of a folder or of the journal
    #[command(after_long_help = TEST_EXAMPLES)]
    Test(TestArgs),
}

/// Arguments of `rules test`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(false)))]
#[command(group(ArgGroup::new("what").required(true).multiple(false)))]
pub(crate) struct TestArgs {
    /// The mails of this folder: *.eml files and Maildirs
    #[arg(long, value_name = "DIR", group = "which")]
    pub(crate) mails: Option<PathBuf>,
    /// The mails that the journal took in since this day (in POLLING_TIMEZONE) or moment
    #[arg(long, value_name = "DATE", group = "which", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// The changed document; "-" is standard input
    #[arg(long, value_name = "FILE", group = "what")]
    pub(crate) file: Option<PathBuf>,
    /// The changed documents: the JSON files of this folder, such as routing_rules.json
    #[arg(long, value_name = "DIR", group = "what")]
    pub(crate) config: Option<PathBuf>,
    /// Which document FILE is; by default what its name says
    #[arg(long, value_name = "KEY", conflicts_with = "config", value_parser = key())]
    pub(crate) key: Option<Key>,
    /// Decide as if every mail came at this instant (RFC 3339)
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(crate) at: Option<DateTime<Utc>>,
    /// Also print the mails that do not change, and those that cannot be tested
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit code 1 when something changes
    #[arg(long)]
    pub(crate) fail_on_change: bool,
    /// Print JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// The start of a day, in the configured zone.
    Day(NaiveDate),
    /// A moment.
    Instant(DateTime<Utc>),
}

/// The documents that decide about mails.
pub(crate) fn keys() -> impl Iterator<Item = Key> {
    Key::ALL.into_iter().filter(|key| *key != Key::MagicLinkTokens)
}

fn key() -> impl clap::builder::TypedValueParser<Value = Key> {
    PossibleValuesParser::new(keys().map(Key::as_str))
        .try_map(|name| Key::named(&name).ok_or_else(|| format!("{name} is no document")))
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(Since::Day(day));
    }
    DateTime::parse_from_rfc3339(text)
        .map(|at| Since::Instant(at.with_timezone(&Utc)))
        .map_err(|_| "write it like 2026-11-22 or 2026-11-22T19:30:00+01:00".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_or_a_moment() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).map(Since::Day);
        let moment = "2026-11-22T18:30:00Z".parse().ok().map(Since::Instant);
        for (text, expected) in [
            ("2026-11-22", day(2026, 11, 22)),
            ("2026-11-22T19:30:00+01:00", moment),
            ("2026-11-22T18:30:00Z", moment),
            ("22/11/2026", None),
            ("2026-02-30", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(since(text).ok(), expected, "{text}");
        }
    }
}
