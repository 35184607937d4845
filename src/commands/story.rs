//! `deliveries show`: what has happened to one delivery, with what its receiver said.

use std::sync::Arc;

use chrono::SecondsFormat;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::said;
use render_signal_actors::story::{DeliveryWhat, delivery_steps};

use crate::cli::DeliveryShowArgs;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style};
use crate::words::story::{Teller, column};

/// Prints the story of a delivery.
pub(crate) async fn show(
    journal: Arc<dyn Journal>,
    args: &DeliveryShowArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let id = &args.id;
    let unknown = || {
        CommandFailure::found(lang.one(said!(
            "aucun essai de {id} n'est connu ; `deliveries list` montre ce qui attend, sous la forme <email_id>/<target>",
            "no attempt of {id} is known; `deliveries list` shows what waits, as <email_id>/<target>"
        )))
    };
    let (email_id, target) = id.split_once('/').ok_or_else(unknown)?;
    let steps = delivery_steps(journal.as_ref(), email_id, target).await;
    let steps = steps.map_err(|error| CommandFailure::journal(error.to_string()))?;
    if steps.is_empty() {
        return Err(unknown());
    }
    if args.json {
        out.json_pretty(&steps)?;
        return Ok(Exit::Ok);
    }
    let (teller, width) = (Teller::exact(lang), column(lang));
    for step in &steps {
        let at = out.styled(Style::Dim, &step.at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let told = teller.delivery_step(step);
        let word = out.styled(told.tone.into(), &format!("{:<width$}", told.word));
        out.line(format!("{at}  {word}  {}", told.text))?;
        if let DeliveryWhat::Attempted { answer: Some(answer), .. } = &step.what {
            for line in answer.lines() {
                out.line(format!("    {} {line}", out.styled(Style::Dim, "|")))?;
            }
        }
    }
    Ok(Exit::Ok)
}
