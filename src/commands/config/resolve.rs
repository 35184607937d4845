//! `config resolve`: which side of a conflict is to be in force.

use render_signal_actors::config::store::ConflictWinner;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;

use super::ConfigContext;
use crate::cli::config::{ConflictSideArg, ResolveArgs};
use crate::commands;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::output::{Output, Style};

/// Decides a conflict. Exit code 1 when there is none.
pub(super) async fn run(args: &ResolveArgs, out: &mut Output) -> CommandResult {
    let documents = ConfigContext::open_to_change(&args.journal).await?;
    let keep = match args.keep {
        ConflictSideArg::Authority => ConflictWinner::Authority,
        ConflictSideArg::Pending => ConflictWinner::Pending,
    };
    let decided = documents.configuration().resolve(args.key, keep, "cli").await;
    documents.close().await;
    let (lang, key) = (commands::lang(), args.key);
    match decided {
        Ok(true) => {
            let done = match keep {
                ConflictWinner::Authority => said!(
                    "{key}\u{a0}: la version du stockage est en vigueur",
                    "{key}: the store's version is in force"
                ),
                ConflictWinner::Pending => {
                    said!(
                        "{key}\u{a0}: l'autre version est en vigueur",
                        "{key}: the other version is in force"
                    )
                }
            };
            out.line(out.styled(Style::Good, lang.said(&done)))?;
            Ok(Exit::Ok)
        }
        Ok(false) => Err(CommandFailure::found(
            lang.one(said!("{key} n'est pas en conflit ici", "{key} is not in conflict here")),
        )),
        Err(refused) => {
            let Said { french, english } = refused.said();
            Err(CommandFailure::found(
                lang.one(said!("{french}\u{a0}; rien n'a été décidé", "{english}; nothing was decided")),
            ))
        }
    }
}
