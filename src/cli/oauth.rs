//! The `oauth` commands.

use clap::{Args, Subcommand, ValueEnum};

use crate::lang::Lang;

pub(crate) const EXAMPLES: &str = "\
A mailbox of Google or Microsoft 365 can be opened by access tokens instead of a password. You
register a program at the provider once, which gives it an id (and with Google a secret), and agree
once that it reads the mailbox. docs/OAUTH.md says how, step by step, in French and in English.

Examples:
  IMAP_OAUTH_CLIENT_ID=… IMAP_OAUTH_CLIENT_SECRET=… render-signal oauth authorize --provider google
  IMAP_OAUTH_CLIENT_ID=… render-signal oauth authorize --provider microsoft
  render-signal oauth authorize --json             with the variables of serve
  render-signal oauth check                        are access tokens given?
  render-signal oauth check --to me@example.fr     is a mail sent by Gmail's API, too?

`authorize` changes nothing: it prints what to set. Run it on the machine you sit at, it needs
neither the journal nor the mailbox.
  browser   an address to open on this machine, which comes back to a port of it (Google's way)
  device    a code to type in on any device, such as your telephone (Microsoft's way)

`check` prints the answer of the reference system, {\"success\", \"message\", \"details\"}, and ends with 0
when tokens are given, else with 1. A running server makes it by itself, every
GMAIL_OAUTH_CHECK_INTERVAL_DAYS.";

/// The `oauth` commands.
#[derive(Debug, Subcommand)]
pub(crate) enum OauthCommand {
    /// Agree that this program reads the mailbox, and see what to set
    Authorize(AuthorizeArgs),
    /// See whether access tokens are given
    Check(OauthCheckArgs),
}

/// How a person agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConsentFlow {
    /// In a browser on this machine
    Browser,
    /// By a code, on any device
    Device,
}

/// Whose the mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderArg {
    /// Gmail, Google Workspace
    Google,
    /// Microsoft 365, outlook.com
    Microsoft,
    /// Another one, by IMAP_OAUTH_TOKEN_URL and its relatives
    Other,
}

impl ProviderArg {
    /// As IMAP_OAUTH_PROVIDER says it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Other => "other",
        }
    }
}

/// Arguments of `oauth authorize`.
#[derive(Debug, Args)]
pub(crate) struct AuthorizeArgs {
    /// Whose the mailbox is; by default as IMAP_OAUTH_PROVIDER, IMAP_SERVER or EMAIL_ADDRESS say
    #[arg(long, value_enum)]
    pub(crate) provider: Option<ProviderArg>,
    /// Id of the program at the provider; by default IMAP_OAUTH_CLIENT_ID. Its secret, if it has one, is
    /// read from IMAP_OAUTH_CLIENT_SECRET only: arguments can be seen by everybody on a machine
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// With Microsoft: common, organizations, consumers, a domain or an id
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// The mailbox, for the provider to suggest; by default EMAIL_ADDRESS
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) user: Option<String>,
    /// How you agree; by default by a code where the provider has that for mailboxes
    #[arg(long, value_enum)]
    pub(crate) flow: Option<ConsentFlow>,
    /// Port of this machine that the browser comes back to; 0 = any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// Minutes to wait for you
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) minutes: u64,
    /// Print JSON Lines instead of text: what to open, then what to set
    #[arg(long)]
    pub(crate) json: bool,
    /// Language of what it says; by default that of LC_ALL, LC_MESSAGES or LANG
    #[arg(long, value_enum)]
    pub(crate) lang: Option<Lang>,
}

/// Arguments of `oauth check`.
#[derive(Debug, Args)]
pub(crate) struct OauthCheckArgs {
    /// Also send a mail to this address through Gmail's API
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<String>,
    /// Write what was found into the files of GMAIL_OAUTH_CHECK_DIR, as the regular check does
    #[arg(long)]
    pub(crate) record: bool,
}
