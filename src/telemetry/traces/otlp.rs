//! Spans as a collector reads them: `ExportTraceServiceRequest` of OTLP, in its JSON form (ids as
//! hexadecimal digits, times as texts of nanoseconds). Pure.

use serde_json::{Value, json};

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FinishedSpan {
    pub(super) name: &'static str,
    pub(super) kind: SpanKind,
    /// Hexadecimal digits, as both others.
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: Option<String>,
    /// Nanoseconds since 1970, as all times here.
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<SpanField>,
    pub(super) events: Vec<SpanEvent>,
    /// What went wrong in it.
    pub(super) failure: Option<String>,
}

/// Who is on the other side, with OTLP's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanKind {
    /// Nobody.
    Internal = 1,
    /// Whoever asked us.
    Server = 2,
    /// Whom we asked.
    Client = 3,
}

/// A field of a span or an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpanField {
    pub(super) name: &'static str,
    pub(super) value: FieldValue,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldValue {
    Text(String),
    Number(i64),
    Flag(bool),
}

/// Something that was logged in a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpanEvent {
    pub(super) at: u64,
    pub(super) message: String,
    pub(super) attributes: Vec<SpanField>,
}

/// The body of a request with these spans.
pub(super) fn request(service: &str, worker: &str, spans: &[FinishedSpan]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let text = |name: &str, value: &str| json!({"key": name, "value": {"stringValue": value}});
    let resource = json!({"attributes": [
        text("service.name", service),
        text("service.version", version),
        text("service.instance.id", worker),
    ]});
    let scope = json!({"name": "render-signal", "version": version});
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]})
}

fn span(span: &FinishedSpan) -> Value {
    let mut written = json!({
        "traceId": span.trace,
        "spanId": span.id,
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": fields(&span.attributes),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        // 1 = it went well, 2 = it did not.
        "status": match &span.failure {
            None => json!({"code": 1}),
            Some(why) => json!({"code": 2, "message": why}),
        },
    });
    if let (Some(parent), Value::Object(fields)) = (&span.parent, &mut written) {
        fields.insert("parentSpanId".to_owned(), Value::from(parent.as_str()));
    }
    written
}

fn event(event: &SpanEvent) -> Value {
    json!({
        "timeUnixNano": event.at.to_string(),
        "name": event.message,
        "attributes": fields(&event.attributes),
    })
}

fn fields(fields: &[SpanField]) -> Vec<Value> {
    let value = |value: &FieldValue| match value {
        FieldValue::Text(text) => json!({"stringValue": text}),
        // 64 bits are a text in JSON.
        FieldValue::Number(number) => json!({"intValue": number.to_string()}),
        FieldValue::Flag(flag) => json!({"boolValue": flag}),
    };
    fields.iter().map(|field| json!({"key": field.name, "value": value(&field.value)})).collect()
}
