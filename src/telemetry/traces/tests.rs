use serde_json::{Value, json};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt as _;

use render_signal_actors::kernel::trace::{TraceStep, span_id, trace_id};

use super::layer::TraceLayer;
use super::otlp::{FinishedSpan, request};
use super::queue::{MAX_BATCH, MAX_WAITING, SpanQueue};

/// What is finished while `steps` runs, under the filter of the program.
fn watched(steps: impl FnOnce()) -> Vec<FinishedSpan> {
    use tracing_subscriber::Layer as _;
    let queue = SpanQueue::default();
    let layer = TraceLayer::new(queue.clone())
        .with_filter(tracing_subscriber::filter::filter_fn(super::layer::is_wanted));
    with_default(tracing_subscriber::registry().with(layer), steps);
    queue.batch()
}

macro_rules! step {
    ($name:literal $($fields:tt)*) => {
        tracing::info_span!(target: "render_signal_actors::x", $name $($fields)*)
    };
}

#[test]
fn a_mail_is_one_trace_whoever_does_which_step() {
    let spans = watched(|| {
        let fetch = step!("fetch", waited_ms = 250_u64, email_id = tracing::field::Empty);
        step!("admit", email_id = "e", decision = "routed").in_scope(|| {
            tracing::info!(target: "render_signal_actors::x", reason = "none", "a mail was taken in");
        });
        fetch.record("email_id", "e");
        drop(fetch);
        drop(step!("offload", email_id = "e"));
        step!("deliver", email_id = "e", target = "default", attempt = 1_u32).in_scope(|| {
            tracing::warn!(target: "render_signal_actors::x", took_ms = 5_u64, "webhook not delivered");
            tracing::debug!(target: "render_signal_actors::x", "more than anybody wants");
        });
        // Of no mail; of a mail that was known; of another room; no step.
        drop(step!("fetch", email_id = tracing::field::Empty));
        drop(step!("admit", email_id = "e"));
        drop(tracing::info_span!(target: "another", "admit", email_id = "e", decision = "routed"));
        drop(step!("sweep", email_id = "e"));
    });
    let told: Vec<(&str, &str, Option<&str>)> =
        spans.iter().map(|span| (span.name, span.id.as_str(), span.parent.as_deref())).collect();
    let (arrival, admission) = (span_id("e", TraceStep::Arrival), span_id("e", TraceStep::Admission));
    let attempt = span_id("e", TraceStep::Attempt { target: "default", number: 1 });
    assert_eq!(told[0], ("admit", admission.as_str(), Some(arrival.as_str())));
    assert_eq!(told[1], ("fetch", arrival.as_str(), None));
    assert_eq!((told[2].0, told[2].2), ("offload", Some(admission.as_str())));
    assert_eq!(told[3], ("deliver", attempt.as_str(), Some(admission.as_str())));
    assert_eq!((told[4].0, told[4].2), ("admit", Some(arrival.as_str())));
    assert_eq!(told.len(), 5);
    let ids: std::collections::BTreeSet<&str> = told.iter().map(|(_, id, _)| *id).collect();
    assert_eq!(ids.len(), told.len(), "no id is used twice");
    assert!(spans.iter().all(|span| span.trace == trace_id("e") && span.ended >= span.began));
    let fetch = &spans[1];
    assert!(fetch.ended - fetch.began >= 250_000_000, "it began when its bytes were asked for");
    let failures: Vec<Option<&str>> = spans.iter().map(|span| span.failure.as_deref()).collect();
    assert_eq!(failures, [None, None, None, Some("webhook not delivered"), None]);
    assert_eq!(spans[3].events.len(), 1);
}

#[test]
fn a_request_is_what_a_collector_reads() {
    let spans = watched(|| {
        step!("deliver", email_id = "e", target = "default", attempt = 2_u32).in_scope(|| {
            tracing::warn!(target: "render_signal_actors::x", took_ms = 5_u64, again = true, "webhook not delivered");
        });
    });
    let written = request("signal", "one", &spans);
    let (span, known) = (&written["resourceSpans"][0]["scopeSpans"][0]["spans"][0], &spans[0]);
    assert_eq!(
        written["resourceSpans"][0]["resource"]["attributes"][0],
        json!({"key": "service.name", "value": {"stringValue": "signal"}})
    );
    assert_eq!((&span["name"], &span["kind"]), (&json!("deliver"), &json!(3)));
    assert_eq!(span["traceId"], json!(known.trace));
    assert_eq!((&span["spanId"], &span["parentSpanId"]), (&json!(known.id), &json!(known.parent)));
    assert_eq!(span["startTimeUnixNano"], json!(known.began.to_string()), "64 bits are a text");
    let attributes: Vec<&Value> = span["attributes"].as_array().unwrap().iter().collect();
    assert!(attributes.contains(&&json!({"key": "attempt", "value": {"intValue": "2"}})), "{attributes:?}");
    assert_eq!(span["status"], json!({"code": 2, "message": "webhook not delivered"}));
    assert_eq!(span["events"][0]["name"], "webhook not delivered");
    assert_eq!(
        span["events"][0]["attributes"],
        json!([{"key": "took_ms", "value": {"intValue": "5"}}, {"key": "again", "value": {"boolValue": true}}])
    );
}

#[tokio::test(start_paused = true)]
async fn spans_wait_within_bounds_and_go_in_batches() {
    let some = watched(|| drop(step!("offload", email_id = "e")));
    let queue = SpanQueue::default();
    let begun = tokio::time::Instant::now();
    queue.until_full(std::time::Duration::from_secs(2)).await;
    assert_eq!(begun.elapsed().as_secs(), 2, "a few wait for others, and not for ever");
    for _ in 0..MAX_WAITING + 10 {
        queue.push(some[0].clone());
    }
    queue.until_full(std::time::Duration::from_secs(2)).await;
    assert_eq!(begun.elapsed().as_secs(), 2, "a batch goes at once");
    let mut sizes = Vec::new();
    loop {
        let batch = queue.batch();
        if batch.is_empty() {
            break;
        }
        sizes.push(batch.len());
    }
    assert_eq!(sizes, vec![MAX_BATCH; MAX_WAITING / MAX_BATCH]);
}
