//! `deliveries show`: what has happened to one delivery, with what its receiver said.

use std::sync::Arc;

use chrono::SecondsFormat;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::story::{DeliveryWhat, delivery_steps};

use crate::cli::DeliveryShowArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, Style};

/// Prints the story of a delivery.
pub(crate) async fn show(journal: Arc<dyn Journal>, args: &DeliveryShowArgs, out: &mut Output) -> Outcome {
    let unknown = || {
        Failure::found(format!(
            "no attempt of {} is known; `deliveries list` shows what waits, as <email_id>/<target>",
            args.id
        ))
    };
    let (email_id, target) = args.id.split_once('/').ok_or_else(unknown)?;
    let steps = delivery_steps(journal.as_ref(), email_id, target).await;
    let steps = steps.map_err(|error| Failure::journal(error.to_string()))?;
    if steps.is_empty() {
        return Err(unknown());
    }
    if args.json {
        out.json_pretty(&steps)?;
        return Ok(Exit::Ok);
    }
    for step in &steps {
        let at = out.styled(Style::Dim, &step.at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let (style, word, text) = told(&step.what);
        let word = out.styled(style, &format!("{word:<12}"));
        out.line(format!("{at}  {word}  {text}"))?;
        if let DeliveryWhat::Attempted { answer: Some(answer), .. } = &step.what {
            for line in answer.lines() {
                out.line(format!("    {} {line}", out.styled(Style::Dim, "|")))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn told(what: &DeliveryWhat) -> (Style, &'static str, String) {
    match what {
        DeliveryWhat::Attempted { attempt, url, error, took_ms, .. } => {
            let style = if error.is_some() { Style::Warn } else { Style::Dim };
            let came_to = error.as_deref().unwrap_or("taken");
            (style, "attempted", format!("number {attempt} to {url}, {took_ms} ms: {came_to}"))
        }
        DeliveryWhat::Delivered { status } => (Style::Good, "delivered", format!("HTTP {status}")),
        DeliveryWhat::Deferred { until, why, detail } => {
            let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
            let detail = detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
            (Style::Dim, "waits", format!("until {until} ({why}{detail})"))
        }
        DeliveryWhat::DeadLettered { why } => (Style::Bad, "given up", why.clone()),
        DeliveryWhat::Requeued { by, again } => {
            (Style::Dim, if *again { "once more" } else { "sent again" }, format!("wanted by {by}"))
        }
        DeliveryWhat::Cancelled { by } => (Style::Dim, "cancelled", format!("by {by}")),
    }
}
