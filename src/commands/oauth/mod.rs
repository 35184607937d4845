//! `oauth`: the consent of a person, and whether it still counts.

mod authorize;
mod check;
mod words;

use crate::cli::oauth::OauthCommand;
use crate::exit::CommandResult;
use crate::output::Output;

/// Runs one of them.
pub(super) async fn run(command: OauthCommand, out: &mut Output) -> CommandResult {
    match command {
        OauthCommand::Authorize(args) => authorize::run(&args, out).await,
        OauthCommand::Check(args) => check::run(&args, out).await,
    }
}
