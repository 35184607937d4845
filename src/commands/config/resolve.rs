//! `config resolve`: which side of a conflict is to be in force.

use render_signal_actors::config::store::Keep;

use super::Documents;
use crate::cli::config::{ResolveArgs, Side};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, Style};

/// Decides a conflict. Exit code 1 when there is none.
pub(super) async fn run(args: &ResolveArgs, out: &mut Output) -> Outcome {
    let documents = Documents::change(&args.journal).await?;
    let keep = match args.keep {
        Side::Authority => Keep::Authority,
        Side::Pending => Keep::Pending,
    };
    // Puts the side that loses into the history, if it is not there yet.
    let decided = match documents.store.read(args.key).await {
        Ok(_) => documents.store.resolve(args.key, keep).await,
        Err(error) => Err(error),
    };
    documents.close().await;
    match decided {
        Ok(true) => {
            let side = if keep == Keep::Authority { "the store's version" } else { "the other version" };
            out.line(out.styled(Style::Good, &format!("{}: {side} is in force", args.key)))?;
            Ok(Exit::Ok)
        }
        Ok(false) => Err(Failure::found(format!("{} is not in conflict here", args.key))),
        Err(error) => Err(Failure::found(format!("{error}; nothing was decided"))),
    }
}
