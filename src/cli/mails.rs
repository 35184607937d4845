//! What `mails` takes.

use clap::{Args, Subcommand, ValueEnum};

use super::JournalArgs;

/// The `mails` commands.
#[derive(Debug, Subcommand)]
pub(crate) enum MailsCommand {
    /// Print the mails that nothing is sent for, and why
    List(MailsListArgs),
    /// Print what has happened to a mail, and which configuration decided
    Show(MailShowArgs),
    /// Have mails sent that are held, were skipped or were ignored, or further copies of a mail
    Release(ReleaseArgs),
    /// Ignore mails that are held, were skipped, could not be read or were set aside
    Ignore(ReleaseArgs),
}

/// Arguments of `mails list`.
#[derive(Debug, Args)]
pub(crate) struct MailsListArgs {
    /// Only those in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<MailStateArg>,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// At most this many, the newest
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `mails show`.
#[derive(Debug, Args)]
pub(crate) struct MailShowArgs {
    /// Which mail: its email_id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Where a mail stands that nothing is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MailStateArg {
    /// Waits for a window, a switch or a day
    Held,
    /// Came outside the window, and its detector does not let it wait
    Skipped,
    /// Not wanted
    Ignored,
    /// Could not be read
    Quarantined,
    /// Workers ended over it, again and again
    SetAside,
    /// A further copy of a mail (only listed when asked for)
    Duplicate,
}

/// Arguments of `mails release` and `mails ignore`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// Ids as printed by `mails list`
    #[arg(value_name = "EMAIL_ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}
