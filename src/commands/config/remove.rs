//! `config remove`: the one way to do without a document that was in force. One that merely
//! vanishes from its store stays in force.

use super::{Documents, not_changed};
use crate::cli::config::RemoveArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, Style};

/// Removes a document. Exit code 1 when there is none.
pub(super) async fn run(args: &RemoveArgs, out: &mut Output) -> Outcome {
    let documents = Documents::change(&args.journal).await?;
    if let Some(why) = &documents.away {
        // A worker would take it for one that has vanished.
        return Err(Failure::journal(format!("the removal cannot be recorded, nothing was changed: {why}")));
    }
    let removed = documents.editor().remove(args.key, "cli").await;
    documents.close().await;
    let key = args.key.as_str();
    match removed.map_err(|error| not_changed(key, error))? {
        true => {
            let done = format!("{key} is removed: the environment or a built-in default decides");
            out.line(out.styled(Style::Good, &done))?;
            Ok(Exit::Ok)
        }
        false => Err(Failure::found(format!("there is no {key}"))),
    }
}
