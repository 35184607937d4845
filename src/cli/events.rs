//! What `events` takes: the log as a list, a copy of it, and back.

#![allow(
    rustdoc::invalid_html_tags,
    reason = "the comments are the help texts too, which show backticks as they are"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::JournalArgs;

/// The `events` commands.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print the last events, and with --follow those to come
    Tail(TailArgs),
    /// Print one stream, such as mail-<email_id>
    Show(EventsShowArgs),
    /// Read the whole journal and check it
    Verify(VerifyArgs),
    /// Write the whole journal to a file, as JSON Lines
    Export(EventsExportArgs),
    /// Fill an empty journal from such a file, and compare
    Import(EventsImportArgs),
    /// Say that the journal in Redis is that of this installation, after its mailbox or its
    /// CONFIG_STORE_REDIS_PREFIX got another name
    Adopt,
}

/// Arguments of `events export`.
#[derive(Debug, Args)]
pub(crate) struct EventsExportArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// The file, which must not exist yet; "-" is standard output
    #[arg(value_name = "FILE.jsonl")]
    pub(crate) file: PathBuf,
}

/// Arguments of `events import`.
#[derive(Debug, Args)]
pub(crate) struct EventsImportArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// The file; "-" is standard input
    #[arg(value_name = "FILE.jsonl")]
    pub(crate) file: PathBuf,
}

/// Arguments of `events tail`.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// How many events to start with
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
    pub(crate) lines: usize,
    /// Keep printing as events happen
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only streams that begin with this, such as delivery-
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) stream_prefix: String,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `events show`.
#[derive(Debug, Args)]
pub(crate) struct EventsShowArgs {
    /// Name of the stream
    #[arg(value_name = "STREAM")]
    pub(crate) stream: String,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `events verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}
