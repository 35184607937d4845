//! `config remove`: the one way to do without a document that was in force. One that merely
//! vanishes from its store stays in force.

use render_signal_actors::said;

use super::ConfigContext;
use crate::cli::config::RemoveArgs;
use crate::commands;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::output::{Output, Style};

/// Removes a document. Exit code 1 when there is none.
pub(super) async fn run(args: &RemoveArgs, out: &mut Output) -> CommandResult {
    let lang = commands::lang();
    let documents = ConfigContext::open_to_change(&args.journal).await?;
    if let Some(why) = &documents.away {
        // A worker would take it for one that has vanished.
        return Err(CommandFailure::journal(lang.say(
            "la suppression ne peut pas être enregistrée, rien n'a été changé",
            "the removal cannot be recorded, nothing was changed",
            why,
        )));
    }
    let removed = documents.configuration().remove(args.key, "cli").await;
    documents.close().await;
    let key = args.key.as_str();
    match removed? {
        true => {
            let done = lang.one(said!(
                "{key} est supprimé\u{a0}: l'environnement ou une valeur par défaut décide",
                "{key} is removed: the environment or a built-in default decides"
            ));
            out.line(out.styled(Style::Good, &done))?;
            Ok(Exit::Ok)
        }
        false => Err(CommandFailure::found(lang.one(said!("il n'y a pas de {key}", "there is no {key}")))),
    }
}
