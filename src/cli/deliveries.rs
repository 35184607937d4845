//! What `deliveries` takes.

#![allow(
    rustdoc::invalid_html_tags,
    reason = "the comments are the help texts too, which show backticks as they are"
)]

use clap::{Args, Subcommand, ValueEnum};

use super::JournalArgs;

/// The `deliveries` commands.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// Print what has not been delivered, and why
    List(ListArgs),
    /// Print every attempt of one delivery, with what its receiver said
    Show(DeliveryShowArgs),
    /// Send dead letters again
    Retry(RetryArgs),
    /// Let a target that said it is gone (410), or that is being spared, take deliveries again
    Enable(EnableArgs),
    /// Cancel webhooks that wait, are retried or were given up
    Cancel(WhichArgs),
    /// Send webhooks once more that were delivered or cancelled
    Again(WhichArgs),
}

/// Arguments of `deliveries list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<DeliveryStateArg>,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// At most this many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `deliveries show`.
#[derive(Debug, Args)]
pub(crate) struct DeliveryShowArgs {
    /// As printed by `deliveries list`: <email_id>/<target>
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryStateArg {
    /// Decided and not tried yet
    Waiting,
    /// Failed, and will be tried again
    Retrying,
    /// Over the rate limit
    RateLimited,
    /// The mail waits for a window, a switch or a day, or its webhook for the window
    Held,
    /// Given up after the last retry; kept until you retry it
    Dead,
    /// The receiver took it (only listed when asked for)
    Delivered,
    /// Somebody cancelled it (only listed when asked for)
    Cancelled,
}

/// Arguments of `deliveries retry`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(false)))]
pub(crate) struct RetryArgs {
    /// Ids as printed by `deliveries list`: <email_id>/<target>
    #[arg(value_name = "ID", group = "which")]
    pub(crate) ids: Vec<String>,
    /// Every dead letter
    #[arg(long, group = "which")]
    pub(crate) all_dead: bool,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `deliveries cancel` and `deliveries again`.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Ids: <email_id>/<target>; for `again` also <email_id>, which means all its targets
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Arguments of `deliveries enable`.
#[derive(Debug, Args)]
pub(crate) struct EnableArgs {
    /// Id of the target: default, or that of a routing rule
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}
