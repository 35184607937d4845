//! `oauth check`: whether access tokens are given, in the words of the reference system.

use render_signal_actors::kernel::clock::World;

use crate::cli::oauth::OauthCheckArgs;
use crate::commands::{environment, lang, malformed};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::output::{Output, complain};
use crate::settings::Settings;
use crate::wiring;

/// Checks, prints, and records if that is wanted.
pub(super) async fn run(args: &OauthCheckArgs, out: &mut Output) -> CommandResult {
    let settings = Settings::from_env(environment).map_err(malformed)?;
    let world = World::real();
    let tokens = wiring::oauth::tokens(&settings, &world)?;
    let Some(check) = wiring::oauth::check(&settings, tokens.as_ref(), &world)? else {
        return Err(CommandFailure::new(
            Exit::Config,
            lang().pick(
                "il n'y a rien à contrôler\u{a0}: IMAP_OAUTH_CLIENT_ID et IMAP_OAUTH_REFRESH_TOKEN ne sont pas définis",
                "there is nothing to check: IMAP_OAUTH_CLIENT_ID and IMAP_OAUTH_REFRESH_TOKEN are not set",
            ),
        ));
    };
    let found = check.check(args.to.as_deref()).await;
    if args.record
        && let Err(why) = check.record(&found).await
    {
        complain(&lang().say("le contrôle n'a pas pu être noté", "the check could not be recorded", &why));
    }
    out.json_pretty(&found.answer())?;
    Ok(if found.success { Exit::Ok } else { Exit::Found })
}
