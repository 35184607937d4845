//! `deliveries show`: what has happened to one delivery, with what its receiver said.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use render_signal_actors::kernel::event::DomainEvent as _;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::work::answer_body_key;
use render_signal_actors::webhook::state::{Attempted, Deferred, DeliveryEvent, delivery_stream};
use serde::Serialize;

use crate::cli::DeliveryShowArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal::refused;
use crate::output::{Output, Style};

/// Something that happened to it.
#[derive(Debug, Serialize)]
struct Step {
    at: DateTime<Utc>,
    #[serde(flatten)]
    what: What,
}

/// What it was.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum What {
    Attempted {
        attempt: u32,
        url: String,
        status: Option<u16>,
        error: Option<String>,
        took_ms: u64,
        /// The beginning of what the receiver said, while it is kept.
        answer: Option<String>,
    },
    Delivered {
        status: u16,
    },
    Deferred {
        until: DateTime<Utc>,
        why: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    DeadLettered {
        why: String,
    },
    Requeued {
        by: String,
    },
}

/// Prints the story of a delivery.
pub(crate) async fn show(journal: Arc<dyn Journal>, args: &DeliveryShowArgs, out: &mut Output) -> Outcome {
    let unknown = || {
        Failure::found(format!(
            "no attempt of {} is known; `deliveries list` shows what waits, as <email_id>/<target>",
            args.id
        ))
    };
    let (email_id, target) = args.id.split_once('/').ok_or_else(unknown)?;
    let steps = steps(journal.as_ref(), email_id, target).await?;
    if steps.is_empty() {
        return Err(unknown());
    }
    if args.json {
        out.json_pretty(&steps)?;
        return Ok(Exit::Ok);
    }
    for step in &steps {
        let at = out.styled(Style::Dim, &step.at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let (style, word, text) = step.what.told();
        let word = out.styled(style, &format!("{word:<12}"));
        out.line(format!("{at}  {word}  {text}"))?;
        if let What::Attempted { answer: Some(answer), .. } = &step.what {
            for line in answer.lines() {
                out.line(format!("    {} {line}", out.styled(Style::Dim, "|")))?;
            }
        }
    }
    Ok(Exit::Ok)
}

impl What {
    fn told(&self) -> (Style, &'static str, String) {
        match self {
            Self::Attempted { attempt, url, error, took_ms, .. } => {
                let style = if error.is_some() { Style::Warn } else { Style::Dim };
                let came_to = error.as_deref().unwrap_or("taken");
                (style, "attempted", format!("number {attempt} to {url}, {took_ms} ms: {came_to}"))
            }
            Self::Delivered { status } => (Style::Good, "delivered", format!("HTTP {status}")),
            Self::Deferred { until, why, detail } => {
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                let detail = detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
                (Style::Dim, "waits", format!("until {until} ({why}{detail})"))
            }
            Self::DeadLettered { why } => (Style::Bad, "given up", why.clone()),
            Self::Requeued { by } => (Style::Dim, "sent again", format!("wanted by {by}")),
        }
    }
}

async fn steps(journal: &dyn Journal, email_id: &str, target: &str) -> Result<Vec<Step>, Failure> {
    let stream = delivery_stream(email_id, target);
    let events = journal.read_stream(&stream, 0).await.map_err(|error| refused(&error))?;
    let mut steps = Vec::with_capacity(events.len());
    for event in &events {
        let known =
            DeliveryEvent::from_recorded(event).map_err(|error| Failure::journal(error.to_string()))?;
        let what = match known {
            DeliveryEvent::Attempted(Attempted { attempt, url, status, error, took_ms, .. }) => {
                let key = answer_body_key(email_id, target, event.version);
                let kept = journal.body(&key).await.map_err(|error| refused(&error))?;
                let answer = kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                What::Attempted { attempt, url, status, error, took_ms, answer }
            }
            DeliveryEvent::Succeeded(succeeded) => What::Delivered { status: succeeded.status },
            DeliveryEvent::Deferred(Deferred { until, why, detail, .. }) => {
                What::Deferred { until, why, detail }
            }
            DeliveryEvent::DeadLettered(dead) => What::DeadLettered { why: dead.why },
            DeliveryEvent::Requeued(requeued) => What::Requeued { by: requeued.by },
        };
        steps.push(Step { at: event.at, what });
    }
    Ok(steps)
}
