//! Traces: what became of a mail, from the fetch to the receiver's answer, for a collector that speaks
//! OTLP over HTTP. Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set; then nothing of it is installed.
//!
//! | file | what it does |
//! |---|---|
//! | [`layer`] | watches the spans that the rooms open for their log lines, and finishes them |
//! | [`queue`] | keeps finished spans until they are sent, within bounds |
//! | [`otlp`] | writes them down (pure) |
//! | [`export`] | posts them |

mod export;
mod layer;
mod otlp;
mod queue;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use render_signal_actors::egress::Collector;
use render_signal_actors::kernel::clock::World;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;

pub(crate) use self::export::TraceExporter;
use self::layer::TraceLayer;
use self::queue::SpanQueue;

/// The variable that switches traces on.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The spans of this process, once they are watched.
static SPANS: OnceLock<SpanQueue> = OnceLock::new();

/// What watches spans; `None` = nobody wants traces.
pub(super) fn watch<S>() -> Option<impl Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.trim().is_empty())?;
    let queue = SPANS.get_or_init(SpanQueue::default).clone();
    // What happens within a step is told at `info`; the first step is a span at `debug`, so that no
    // line of the log is longer because of it.
    let wanted = filter_fn(layer::is_wanted).and(LevelFilter::DEBUG);
    Some(TraceLayer::new(queue).with_filter(wanted))
}

/// What posts the spans that are watched, under these names of the service and the worker.
pub(crate) fn exporter(collector: Collector, told: (String, String), world: &World) -> Option<TraceExporter> {
    SPANS.get().map(|queue| TraceExporter::new(queue.clone(), collector, told, world.clone()))
}
