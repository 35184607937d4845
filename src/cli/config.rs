//! The `config` commands, as `--help` explains them.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand, ValueEnum};
use render_signal_actors::config::documents::Key;

use super::JournalArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  render-signal config show                              every document at a glance
  render-signal config show webhook_config               one document; addresses are masked
  render-signal config set webhook_config webhook_sending_enabled=false
  render-signal config set polling_config 'active_days=[0,1,2,3,4]' --unset vacation_start
  render-signal config set routing_rules --file rules.json
  render-signal config history webhook_config            who changed what, and when
  render-signal config diff webhook_config 3             version 3 and what is stored now
  render-signal config restore webhook_config 3
  render-signal config remove detectors                  the built-in ones are in force again
  render-signal config resolve webhook_config --keep authority
  render-signal config export all.json                   every document in one file
  render-signal config import all.json --dry-run         what that would change here
  render-signal config migrate --dry-run                 files of CONFIG_DIR into Redis
  render-signal config check --keys processing_prefs --raw

A running server obeys a change within a second; it need not be restarted. Only a change
that somebody makes on a PHP host itself takes up to 20 s. A document that would not be
valid is refused with everything that is wrong, and nothing is changed.";

const SET_EXAMPLES: &str = "\
A value is JSON; a text needs no quotes unless it looks like JSON. Fields that are not
named stay as they are, and so do those that somebody else changes at the same time. A
field that no program reads is refused, with the nearest that one does read; a name that
begins with _ is a note, and --allow-unknown stores any.

Examples:
  render-signal config set webhook_config webhook_time_start=9h00 webhook_time_end=18h00
  render-signal config set processing_prefs rate_limit_per_hour=0 'sender_priority={}'
  render-signal config set webhook_config webhook_url=https://hook.example/x --if-version 7
  render-signal config show routing_rules --reveal > rules.json
  render-signal config set routing_rules --file rules.json
  render-signal config set routing_rules --file - < rules.json";

const MIGRATE_EXAMPLES: &str = "\
Writes the files of CONFIG_DIR (and MAGIC_LINK_TOKENS_FILE) into Redis, or, unless
--require-redis is given, into the PHP host when Redis does not take them. One line per
document; why one failed is said on standard error. detectors and providers, which only
this program knows, are passed over in silence where there are none. --verify reads each back, and fails
when it is not what was sent, but for _updated_at.

Examples:
  render-signal config migrate --dry-run
  render-signal config migrate --require-redis --verify
  render-signal config migrate --only webhook_config --only processing_prefs

Exit codes: 0 all were written or skipped, 1 a write or a verification failed, 2 usage.";

const CHECK_EXAMPLES: &str = "\
Reads from Redis itself when it is configured, else from the PHP host; never from files.
A document is judged as `serve` and `config set` judge it; _updated_at may be absent.
routing_rules, runtime_flags, detectors and providers may be missing; of the last two
nothing is said then unless --keys names them.

Examples:
  render-signal config check
  render-signal config check --keys processing_prefs webhook_config --raw

Exit codes: 0 every document that must be there is, and all are sound, 1 one is not, 2 usage.";

/// The `config` commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print what is in force, where it is kept and which workers run it
    Show(ConfigShowArgs),
    /// Change fields of a document, or replace it
    #[command(after_long_help = SET_EXAMPLES)]
    Set(SetArgs),
    /// Print who changed a document, when and what
    History(HistoryArgs),
    /// Print what two versions of a document differ in
    Diff(DiffArgs),
    /// Write an earlier version of a document as a new one
    Restore(RestoreArgs),
    /// Remove a document, so that the environment or a built-in default decides
    Remove(RemoveArgs),
    /// Decide between two versions that were made while a store did not answer
    Resolve(ResolveArgs),
    /// Write all documents but the sign-in links to a file, with their addresses
    Export(ConfigExportArgs),
    /// Write the documents of such a file; none, when one of them is not valid
    Import(ConfigImportArgs),
    /// Write the documents of files into Redis
    #[command(after_long_help = MIGRATE_EXAMPLES)]
    Migrate(MigrateArgs),
    /// Check the documents in Redis
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
}

/// Arguments of `config show`.
#[derive(Debug, Args)]
pub(crate) struct ConfigShowArgs {
    /// Only this document, with its content
    #[arg(value_name = "KEY", value_parser = key())]
    pub(crate) key: Option<Key>,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but the stored document, with its addresses and tokens
    #[arg(long, requires = "key", conflicts_with = "json")]
    pub(crate) reveal: bool,
    /// Print this version of its history instead, as `mails show` and `config history` number them
    #[arg(long, value_name = "N", requires = "key")]
    pub(crate) version: Option<u64>,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config set`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
pub(crate) struct SetArgs {
    /// Which document
    #[arg(value_name = "KEY", value_parser = key())]
    pub(crate) key: Key,
    /// Fields to change, each with its new value
    #[arg(value_name = "FIELD=JSON", group = "what", value_parser = field)]
    pub(crate) fields: Vec<(String, serde_json::Value)>,
    /// Remove this field; can be repeated
    #[arg(long, value_name = "FIELD", group = "what")]
    pub(crate) unset: Vec<String>,
    /// Replace the whole document by this file; "-" is standard input
    #[arg(long, value_name = "FILE", group = "what", conflicts_with_all = ["fields", "unset"])]
    pub(crate) file: Option<PathBuf>,
    /// Store fields that are not known, too; they have no effect
    #[arg(long)]
    pub(crate) allow_unknown: bool,
    /// Refuse when somebody has changed these fields since this version
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<u64>,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Which document
    #[arg(value_name = "KEY", value_parser = key())]
    pub(crate) key: Key,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Which document
    #[arg(value_name = "KEY", value_parser = key())]
    pub(crate) key: Key,
    /// A version; by default the one before the newest
    #[arg(value_name = "FROM")]
    pub(crate) from: Option<u64>,
    /// Another version; by default what is stored now
    #[arg(value_name = "TO", requires = "from")]
    pub(crate) to: Option<u64>,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Which document
    #[arg(value_name = "KEY", value_parser = key())]
    pub(crate) key: Key,
    /// Which version, as `config history` numbers them
    #[arg(value_name = "VERSION")]
    pub(crate) version: u64,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Which document
    #[arg(value_name = "KEY", value_parser = key())]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config resolve`.
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// Which document
    #[arg(value_name = "KEY", value_parser = key())]
    pub(crate) key: Key,
    /// The version that is to be in force; the other one stays in the history
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(crate) keep: ConflictSideArg,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// A side of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConflictSideArg {
    /// What the authority holds: the store that has the last word
    Authority,
    /// The pending change, which was made while the authority did not answer
    Pending,
}

/// Arguments of `config export`.
#[derive(Debug, Args)]
pub(crate) struct ConfigExportArgs {
    /// The file, which must not exist yet; "-" is standard output
    #[arg(value_name = "FILE.json")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config import`.
#[derive(Debug, Args)]
pub(crate) struct ConfigImportArgs {
    /// What `config export` wrote; "-" is standard input
    #[arg(value_name = "FILE.json")]
    pub(crate) file: PathBuf,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Read every document back, and compare it with what was written
    #[arg(long)]
    pub(crate) verify: bool,
    /// Write into Redis or nowhere
    #[arg(long)]
    pub(crate) require_redis: bool,
    /// Only this document; can be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `config check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Only these documents
    #[arg(long, value_name = "KEY", num_args = 1.., value_parser = key())]
    pub(crate) keys: Vec<Key>,
    /// Print the documents as JSON instead of a summary, with their addresses and tokens
    #[arg(long)]
    pub(crate) raw: bool,
}

/// The name of a document; `--help` lists them.
fn key() -> impl clap::builder::TypedValueParser<Value = Key> {
    PossibleValuesParser::new(Key::ALL.map(Key::as_str))
        .try_map(|name| Key::named(&name).ok_or_else(|| format!("{name} is no document")))
}

/// `FIELD=JSON`; what does not look like JSON is a text.
fn field(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it like field=value")?;
    if name.trim().is_empty() {
        return Err("the name before = is missing".to_owned());
    }
    let value = match serde_json::from_str(value) {
        Ok(value) => value,
        Err(error) if value.trim_start().starts_with(['{', '[', '"']) => {
            return Err(format!("this is no JSON: {error}"));
        }
        Err(_) => value.into(),
    };
    Ok((name.trim().to_owned(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_json_or_a_text() {
        for (text, expected) in [
            ("a=1.0", Some(("a", json!(1.0)))),
            ("a=9h00", Some(("a", json!("9h00")))),
            ("a=https://h/x?y=1", Some(("a", json!("https://h/x?y=1")))),
            ("a=", Some(("a", json!("")))),
            ("a=null", Some(("a", json!(null)))),
            ("a=\"1\"", Some(("a", json!("1")))),
            ("a={}", Some(("a", json!({})))),
            ("a=[1", None),
            ("a={", None),
            ("=1", None),
            ("a", None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value));
            assert_eq!(field(text).ok(), expected, "{text}");
        }
    }
}
