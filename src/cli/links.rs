//! What `links` takes: the list of copied files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::JournalArgs;

/// The `links` commands.
#[derive(Debug, Subcommand)]
pub(crate) enum LinksCommand {
    /// Print the copies that the journal knows, newest first
    List(LinksListArgs),
    /// Rebuild webhook_links.json from the journal
    Rebuild(LinksRebuildArgs),
    /// Count what webhook_links.json holds, by format and provider
    Stats(LinksStatsArgs),
}

/// Arguments of `links list`.
#[derive(Debug, Args)]
pub(crate) struct LinksListArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// At most this many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `links rebuild`.
#[derive(Debug, Args)]
pub(crate) struct LinksRebuildArgs {
    /// The list; by default that of WEBHOOK_LINKS_FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `links stats`.
#[derive(Debug, Args)]
pub(crate) struct LinksStatsArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// The list; by default that of WEBHOOK_LINKS_FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
