//! The command line. This file is what `--help` says; it is written for somebody who
//! has never seen the program.

pub(crate) mod config;
mod deliveries;
mod events;
pub(crate) mod health;
mod links;
mod mails;
pub(crate) mod oauth;
pub(crate) mod rules;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};

pub(crate) use self::deliveries::{
    DeliveriesCommand, DeliveryShowArgs, DeliveryStateArg, EnableArgs, ListArgs, RetryArgs, WhichArgs,
};
pub(crate) use self::events::{
    EventsCommand, EventsExportArgs, EventsImportArgs, EventsShowArgs, TailArgs, VerifyArgs,
};
pub(crate) use self::links::{LinksCommand, LinksListArgs, LinksRebuildArgs, LinksStatsArgs};
pub(crate) use self::mails::{MailShowArgs, MailStateArg, MailsCommand, MailsListArgs, ReleaseArgs};
use crate::lang::Lang;

/// The exit codes, as shown under `--help` (and checked against [`crate::exit::Exit`]).
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0   all is well
  1   the command found something wrong, or failed: the demo lost a mail, verify found a
      problem, the server that health asked is not well, a delivery to retry is unknown, a
      configuration was refused or changed by somebody else in the meantime
  2   wrong usage
  3   configuration: variables are missing or malformed (all of them are listed)
  4   the journal cannot be used: damaged, written by a newer version, that of another
      installation, or on a disk that does not survive a deploy
  5   doctor could not reach a configured server
  70  an actor failed again and again; the supervisor gave up (start the program again)
  75  stopped in order to be started again, as POST /api/restart_server asks";

const SERVE_EXAMPLES: &str = "\
Examples:
  render-signal doctor --variables      every variable with its meaning
  render-signal serve                   starts, or lists everything that is missing or malformed
  MAIL_SOURCE=maildir:/var/mail/me PORT=8080 render-signal serve

SIGTERM and SIGINT stop in order within 25 seconds: /readyz answers 503, no new mail is
taken, deliveries under way finish or are given back, then the journal is closed.
Stopping it in any other way (kill -9, power cut) loses nothing either.";

const DEMO_EXAMPLES: &str = "\
Examples:
  render-signal demo                 watch, then drop mails of your own into its Maildir
  render-signal demo --once          end when settled; exit code 1 if anything was lost
  render-signal demo --once --lang fr --mails 500";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  render-signal explain mail.eml
  render-signal explain --at 2026-11-22T19:30:00+01:00 mail.eml     what if it came then?
  render-signal explain --config ./documents --json - < mail.eml    nothing but a folder

Nothing is sent or stored. FILE.eml may be \"-\" for standard input.
The JSON form is stable: email_id, sender, subject, subject_group, is_reply, detector,
delivery_time, urgent, extracted, links, decision (deliver, hold, skip, ignore,
quarantine), reason, detail, hold_until, deliveries; null where nothing applies. steps
holds one step for each detector: its id, match or no_match, and the condition that
failed with its place.";

const EVENTS_EXAMPLES: &str = "\
Examples:
  render-signal events tail -n 50
  render-signal events tail --follow --stream-prefix delivery-
  render-signal events show mail-0a1b2c3d4e5f60718293a4b5c6d7e8f9
  render-signal events verify            exit code 1 when something is wrong

The commands read the journal of a running server without disturbing it.
docs/EVENTS.md describes every kind of event.

To move a journal to another place, stop every worker, then:
  render-signal events export copy.jsonl                       from where it is
  REDIS_URL=redis://… render-signal events import copy.jsonl   to its new place
The copy is read back and compared with the file; exit code 1 when it differs. The file
holds the bodies of mails that are still kept: guard it as you guard the mailbox.

A journal in Redis belongs to one installation: one mailbox, one CONFIG_STORE_REDIS_PREFIX. When
one of them got another name and it is the same installation, stop every worker, then:
  render-signal events adopt             with the new settings, once";

const DELIVERIES_EXAMPLES: &str = "\
Examples:
  render-signal deliveries list                        everything that waits
  render-signal deliveries list --state dead --json
  render-signal deliveries show 0a1b…f9/default        its attempts, and what was answered
  render-signal deliveries retry 0a1b…f9/default       one dead letter, by its id
  render-signal deliveries retry --all-dead
  render-signal deliveries cancel 0a1b…f9/default      not to be sent any more
  render-signal deliveries again 0a1b…f9               once more what was delivered, to each target
  render-signal deliveries enable default              after a 410, once it is back

A retried delivery, and one that goes once more, has the same webhook-id and the same bytes
as before: what is kept for MAIL_RETENTION_DAYS. A post that is under way when its delivery is
cancelled may still arrive. A running
server takes it up within a second; otherwise the next one to start does.";

const MAILS_EXAMPLES: &str = "\
Examples:
  render-signal mails list                             what nothing is sent for, and why
  render-signal mails list --state skipped --json
  render-signal mails show 0a1b2c3d4e5f60718293a4b5c6d7e8f9
  render-signal mails release 0a1b2c3d4e5f60718293a4b5c6d7e8f9
  render-signal mails ignore 0a1b2c3d4e5f60718293a4b5c6d7e8f9

A released mail is routed now, whatever was decided about it: rules choose its targets as
for any other mail. A running server takes it up within a second; otherwise the next one to
start does. What is needed for that is kept for MAIL_RETENTION_DAYS; that of a held mail as
long as it is held. Of mails from senders that are not in the list, the newest are kept so;
they are also sent as soon as the list has their senders. Those that are too large are not
kept.

An ignored mail is marked as read, and can still be released while it is kept.

A further copy of a mail (--state duplicate) is sent as a mail of its own.";

const LINKS_EXAMPLES: &str = "\
Examples:
  render-signal links list                 the copies of linked files, newest first
  render-signal links list --json -n 5
  render-signal links rebuild              the list of WEBHOOK_LINKS_FILE, from the journal
  render-signal links rebuild --file /srv/www/data/webhook_links.json

Rebuilding keeps the entries that others have put into the list, and may be done while
a server runs. A list that is damaged is put aside beside the new one.";

const HASH_EXAMPLES: &str = "\
Examples:
  render-signal hash-password                      asks twice, shows nothing
  printf %s \"$PASSWORD\" | render-signal hash-password

Put what it prints into TRIGGER_PAGE_PASSWORD (or DASHBOARD_PASSWORD): the password itself
then stands nowhere. It has $ signs, which many programs replace:
  in a shell, in an .env file     TRIGGER_PAGE_PASSWORD='$argon2id$v=19$…'    single quotes
  in a compose file               each $ twice: $$argon2id$$v=19$$…
  in the form of a host           as it is
A login then takes 19 MiB of memory for some hundredths of a second. Whoever has signed in
with the password before has to sign in again.";

const DOCTOR_EXAMPLES: &str = "\
Checks the environment, the journal and the configuration documents, logs in to the
mailbox, and connects to every server that deliveries or offloads would use. Nothing is
posted, marked or changed. One line each: ok, warn or fail, and what to do.

Examples:
  render-signal doctor
  render-signal doctor --json | jq '.checks[] | select(.state != \"ok\")'";

/// Turns mails into signed webhooks and never loses one.
///
/// Watches a mailbox, decides what each mail means, moves the files it links to into
/// Cloudflare R2, and posts a signed webhook to the right target. Start with
/// `render-signal demo`: it needs nothing.
#[derive(Debug, Parser)]
#[command(name = "render-signal", version, after_long_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service: mailbox, deliveries, health and metrics over HTTP
    #[command(after_long_help = SERVE_EXAMPLES)]
    Serve,
    /// See the whole job on sample mails; needs nothing but this program
    #[command(after_long_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Say why a mail would or would not trigger a webhook
    #[command(after_long_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Read and check the journal
    #[command(subcommand, after_long_help = EVENTS_EXAMPLES)]
    Events(EventsCommand),
    /// See what waits, and send dead letters again
    #[command(subcommand, after_long_help = DELIVERIES_EXAMPLES)]
    Deliveries(DeliveriesCommand),
    /// Show, change, compare, restore and migrate the configuration documents
    #[command(subcommand, after_long_help = config::EXAMPLES)]
    Config(config::ConfigCommand),
    /// Try changed rules, detectors or other documents on mails before they are saved
    #[command(subcommand, after_long_help = rules::EXAMPLES)]
    Rules(rules::RulesCommand),
    /// See the mails that nothing is sent for, and have them sent
    #[command(subcommand, after_long_help = MAILS_EXAMPLES)]
    Mails(MailsCommand),
    /// See which linked files were copied into R2, and rebuild the list of them
    #[command(subcommand, after_long_help = LINKS_EXAMPLES)]
    Links(LinksCommand),
    /// Open a mailbox by access tokens: agree once, and see whether it still counts
    #[command(subcommand, after_long_help = oauth::EXAMPLES)]
    Oauth(oauth::OauthCommand),
    /// Make the hash of a password, for TRIGGER_PAGE_PASSWORD
    #[command(after_long_help = HASH_EXAMPLES)]
    HashPassword,
    /// Ask the server that runs on this machine how it is
    #[command(after_long_help = health::EXAMPLES)]
    Health(health::HealthArgs),
    /// Check the configuration and reach every configured server
    #[command(after_long_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End when everything is settled; exit code 1 if a mail was lost or a signature wrong
    #[arg(long)]
    pub(crate) once: bool,
    /// Also bring this many ordinary mails at once, to see it work at speed
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    pub(crate) mails: u32,
    /// Language of what it says; by default that of LC_ALL, LC_MESSAGES or LANG
    #[arg(long, value_enum)]
    pub(crate) lang: Option<Lang>,
    /// Port of the dashboard, on this machine alone; 0 = any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Decide as if it were this instant (RFC 3339), instead of now
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(crate) at: Option<DateTime<Utc>>,
    /// Read the documents from this folder of JSON files instead of the store
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The mail; "-" is standard input
    #[arg(value_name = "FILE.eml")]
    pub(crate) file: PathBuf,
}

/// Which journal to read.
#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    /// File of the journal; by default the one `serve` would use
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print every environment variable with its meaning, and check nothing
    #[arg(long, conflicts_with = "json")]
    pub(crate) variables: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.with_timezone(&Utc))
        .map_err(|error| format!("{error}; write it like 2026-11-22T19:30:00+01:00"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("render-signal").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_documented_form_is_understood() {
        for line in [
            "serve",
            "demo",
            "demo --once --lang fr --mails 500",
            "explain mail.eml",
            "explain --json --at 2026-11-22T19:30:00+01:00 --config documents -",
            "events tail",
            "events tail -n 50 --follow --stream-prefix delivery- --json",
            "events show mail-1 --journal x.db",
            "events verify --json",
            "events export copy.jsonl",
            "events import -",
            "deliveries list --state dead --json",
            "deliveries show a/default --json",
            "deliveries retry a/default b/default",
            "deliveries retry --all-dead",
            "deliveries cancel a/default b/default",
            "deliveries again a a/default",
            "deliveries enable default",
            "config show",
            "config show webhook_config --json",
            "config show webhook_config --reveal",
            "config history routing_rules --json",
            "config diff webhook_config 3 5",
            "config restore webhook_config 3",
            "config set webhook_config webhook_sending_enabled=false --unset webhook_time_start",
            "config set routing_rules --file - --if-version 3",
            "config resolve webhook_config --keep pending",
            "config export all.json",
            "config import - --dry-run --json",
            "config migrate --dry-run --verify --require-redis --only webhook_config --only nonsense",
            "config check --keys processing_prefs routing_rules --raw",
            "rules test --mails m --file routing_rules.json",
            "rules test --since 2026-11-01 --file - --key detectors --json --journal x.db",
            "rules test --since 2026-11-01T08:00:00+01:00 --config d --all --fail-on-change --at 2026-11-22T19:30:00Z",
            "mails list",
            "mails list --state skipped --json -n 5",
            "mails release a b --journal x.db",
            "mails ignore a b",
            "links list --json -n 5",
            "links rebuild --file links.json --journal x.db",
            "hash-password",
            "health",
            "health --ready --json --port 8000",
            "oauth authorize --provider google --client-id 1 --flow browser --port 4711 --json",
            "oauth authorize --provider microsoft --tenant example.fr --user me@example.fr --lang fr",
            "oauth check --to me@example.fr --record",
            "doctor --json",
            "doctor --variables",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
        }
    }

    #[test]
    fn wrong_usage_ends_with_2() {
        for line in [
            "nonsense",
            "hash-password s3cret",
            "health --port 0",
            "oauth",
            "oauth authorize --provider yahoo",
            "oauth authorize --minutes 0",
            "oauth authorize --client-secret s3cret",
            "explain",
            "explain --at yesterday mail.eml",
            "deliveries retry",
            "deliveries cancel",
            "deliveries retry a/default --all-dead",
            "deliveries list --state gone",
            "rules",
            "rules test",
            "rules test --mails m",
            "rules test --file routing_rules.json",
            "rules test --mails m --since 2026-11-01 --file routing_rules.json",
            "rules test --mails m --file a --config b",
            "rules test --mails m --config b --key detectors",
            "rules test --mails m --file a --key magic_link_tokens",
            "rules test --since yesterday --file a",
            "mails list --state routed",
            "mails release",
            "demo --lang de",
            "events show",
            "config show nonsense",
            "config show --reveal",
            "config set webhook_config",
            "config set webhook_config a=1 --file x",
            "config set webhook_config nothing",
            "config restore webhook_config",
            "config migrate --only",
            "config export",
            "config check --keys nonsense",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        assert_eq!(parse("--help").expect_err("help").kind(), ErrorKind::DisplayHelp);
        assert_eq!(parse("--help").expect_err("help").exit_code(), 0);
    }

    #[test]
    fn an_instant_may_have_any_offset() {
        let Ok(Cli { command: Command::Explain(args) }) =
            parse("explain --at 2026-11-22T19:30:00+01:00 mail.eml")
        else {
            panic!("not understood")
        };
        assert_eq!(args.at.map(|at| at.to_rfc3339()), Some("2026-11-22T18:30:00+00:00".to_owned()));
    }
}
