//! Watches the spans that the rooms open around the steps of a mail, and what is logged in them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use render_signal_actors::kernel::digest::short_sha256;
use render_signal_actors::kernel::trace::{TraceStep, span_id, trace_id};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::otlp::{FieldValue, FinishedSpan, SpanEvent, SpanField, SpanKind};
use super::queue::SpanQueue;

/// The crate whose spans are the steps of mails.
const ROOMS: &str = "render_signal_actors::";
/// How long a span was waited for before it was opened; it began that much earlier.
const WAITED: &str = "waited_ms";
/// Events of one span that are kept.
const MAX_EVENTS: usize = 64;

/// A step, by the name of its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MailStep {
    /// Fetched from a mailbox.
    Fetch,
    /// Handed over by HTTP.
    Receive,
    /// Taken in.
    Admit,
    /// Decided again, having been held.
    Decide,
    /// Its links are copied.
    Offload,
    /// An attempt to deliver.
    Deliver,
}

impl MailStep {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "fetch" => Self::Fetch,
            "receive" => Self::Receive,
            "admit" => Self::Admit,
            "decide" => Self::Decide,
            "offload" => Self::Offload,
            "deliver" => Self::Deliver,
            _ => return None,
        })
    }

    const fn kind(self) -> SpanKind {
        match self {
            Self::Fetch | Self::Deliver => SpanKind::Client,
            Self::Receive => SpanKind::Server,
            Self::Admit | Self::Decide | Self::Offload => SpanKind::Internal,
        }
    }
}

/// Whether a span or an event is looked at.
pub(super) fn is_wanted(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().starts_with(ROOMS);
    ours && if metadata.is_span() {
        MailStep::of(metadata.name()).is_some()
    } else {
        *metadata.level() <= Level::INFO
    }
}

/// A span that has not ended yet.
#[derive(Debug)]
struct OpenSpan {
    step: MailStep,
    began: u64,
    fields: Vec<SpanField>,
    events: Vec<SpanEvent>,
    failure: Option<String>,
}

/// The layer.
#[derive(Debug)]
pub(super) struct TraceLayer {
    queue: SpanQueue,
}

impl TraceLayer {
    pub(super) const fn new(queue: SpanQueue) -> Self {
        Self { queue }
    }
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (Some(span), Some(step)) = (context.span(id), MailStep::of(attributes.metadata().name())) else {
            return;
        };
        let mut fields = FieldReader::default();
        attributes.record(&mut fields);
        let waited = fields.take_number(WAITED).and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
        let began = now().saturating_sub(nanoseconds(Duration::from_millis(waited)));
        let open = OpenSpan { step, began, fields: fields.list, events: Vec::new(), failure: None };
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
            let mut fields = FieldReader::default();
            values.record(&mut fields);
            open.fields.append(&mut fields.list);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<OpenSpan>() else { return };
        let mut fields = FieldReader::default();
        event.record(&mut fields);
        let message = fields.message.unwrap_or_default();
        if *event.metadata().level() <= Level::WARN {
            open.failure = Some(message.clone());
        }
        if open.events.len() < MAX_EVENTS {
            open.events.push(SpanEvent { at: now(), message, attributes: fields.list });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let open = context.span(&id).and_then(|span| span.extensions_mut().remove::<OpenSpan>());
        if let Some(span) = open.and_then(|open| finished(open, now())) {
            self.queue.push(span);
        }
    }
}

/// A span as it is told; `None` = it is of no mail, or of a copy of one that is known.
fn finished(open: OpenSpan, ended: u64) -> Option<FinishedSpan> {
    let text = |name: &str| {
        open.fields.iter().find(|field| field.name == name).and_then(|field| match &field.value {
            FieldValue::Text(text) => Some(text.as_str()),
            FieldValue::Number(_) | FieldValue::Flag(_) => None,
        })
    };
    let email_id = text("email_id")?;
    let known = |step| span_id(email_id, step);
    // What may happen again, and what nothing refers to, has an id that is used once.
    let own = || short_sha256(format!("{email_id}\n{:?}\n{}\n{ended}", open.step, open.began), 16);
    let (arrival, admission) = (|| known(TraceStep::Arrival), || known(TraceStep::Admission));
    let (id, parent) = match open.step {
        MailStep::Fetch | MailStep::Receive => (arrival(), None),
        // Only the admission that was decided here is the one that others hang from.
        MailStep::Admit if text("decision").is_some() => (admission(), Some(arrival())),
        MailStep::Admit => (own(), Some(arrival())),
        MailStep::Decide | MailStep::Offload => (own(), Some(admission())),
        MailStep::Deliver => {
            let number = open.fields.iter().find_map(|field| match field.value {
                FieldValue::Number(number) if field.name == "attempt" => u32::try_from(number).ok(),
                _ => None,
            })?;
            let attempt = TraceStep::Attempt { target: text("target")?, number };
            (known(attempt), Some(admission()))
        }
    };
    Some(FinishedSpan {
        name: name_of(open.step),
        kind: open.step.kind(),
        trace: trace_id(email_id),
        id,
        parent,
        began: open.began,
        ended: ended.max(open.began),
        attributes: open.fields,
        events: open.events,
        failure: open.failure,
    })
}

const fn name_of(step: MailStep) -> &'static str {
    match step {
        MailStep::Fetch => "fetch",
        MailStep::Receive => "receive",
        MailStep::Admit => "admit",
        MailStep::Decide => "decide",
        MailStep::Offload => "offload",
        MailStep::Deliver => "deliver",
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a trace is laid beside those of others, who go by the wall clock"
)]
fn now() -> u64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The fields of a span or an event, and its message.
#[derive(Default)]
struct FieldReader {
    list: Vec<SpanField>,
    message: Option<String>,
}

impl FieldReader {
    fn add(&mut self, field: &Field, value: FieldValue) {
        match value {
            FieldValue::Text(text) if field.name() == "message" => self.message = Some(text),
            value => self.list.push(SpanField { name: field.name(), value }),
        }
    }

    fn take_number(&mut self, name: &str) -> Option<i64> {
        let at = self.list.iter().position(|field| field.name == name)?;
        match self.list.remove(at).value {
            FieldValue::Number(number) => Some(number),
            FieldValue::Text(_) | FieldValue::Flag(_) => None,
        }
    }
}

impl Visit for FieldReader {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, FieldValue::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, FieldValue::Text(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, FieldValue::Flag(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, FieldValue::Number(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, FieldValue::Number(i64::try_from(value).unwrap_or(i64::MAX)));
    }
}
