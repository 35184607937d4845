//! `health`: what it is asked with.

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Asks the server that runs on this machine with the same environment (BIND, PORT).

Examples:
  render-signal health                 does it live? For the health check of a container
  render-signal health --ready         every check of /readyz, and why it is as it is
  render-signal health --ready --json  the server's answer as it is

Exit codes: 0 = well; 1 = not, or nobody answers within 5 seconds; 3 = a variable is malformed.
A server that is not ready lives: mails are not lost while it waits, and a restart would
not help. So a platform that starts it again should ask without --ready.
With METRICS_TOKEN the server also says why; without, it tells the states alone.";

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Whether new work may come there (/readyz), and every check; without it: whether it lives
    #[arg(long)]
    pub(crate) ready: bool,
    /// Print the server's answer as JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Port of the server, when it is not that of this environment
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
}
