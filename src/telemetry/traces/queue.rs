//! Finished spans on their way to the collector.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::otlp::FinishedSpan;

/// Spans that may wait; more are dropped and counted.
pub(super) const MAX_WAITING: usize = 8_192;
/// Spans of one request.
pub(super) const MAX_BATCH: usize = 512;

/// Spans that wait to be sent. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct SpanQueue(Arc<WaitingSpans>);

#[derive(Debug, Default)]
struct WaitingSpans {
    spans: Mutex<VecDeque<FinishedSpan>>,
    /// A batch is full.
    full: Notify,
}

impl SpanQueue {
    /// Takes one, unless too many wait: whoever finishes a span never waits for a collector.
    pub(super) fn push(&self, span: FinishedSpan) {
        let mut spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() >= MAX_WAITING {
            drop(spans);
            count("dropped", 1);
            return;
        }
        spans.push_back(span);
        if spans.len() >= MAX_BATCH {
            self.0.full.notify_one();
        }
    }

    /// Until there is a batch, or `patience` is over.
    pub(super) async fn until_full(&self, patience: Duration) {
        drop(tokio::time::timeout(patience, self.0.full.notified()).await);
    }

    /// The next ones, at most a batch.
    pub(super) fn batch(&self) -> Vec<FinishedSpan> {
        let mut spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let count = spans.len().min(MAX_BATCH);
        spans.drain(..count).collect()
    }
}

/// Counts spans by what became of them.
pub(super) fn count(result: &'static str, spans: usize) {
    metrics::counter!("render_signal_trace_spans_total", "result" => result).increment(spans as u64);
}
