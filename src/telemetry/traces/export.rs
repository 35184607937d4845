//! Posts finished spans to the collector.

use std::time::Duration;

use bytes::Bytes;
use render_signal_actors::chore::Chore;
use render_signal_actors::egress::{Collector, CollectorError};
use render_signal_actors::kernel::backoff::Backoff;
use render_signal_actors::kernel::clock::World;

use super::otlp::{self, FinishedSpan};
use super::queue::{SpanQueue, count};

/// How long a span waits for others.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often spans are posted before they are dropped: by then many others wait.
const MAX_TRIES: u32 = 6;
/// Waits between the tries: about half a minute in all.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(16));
/// What the last spans of a process may take.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Posts the spans of this process. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct TraceExporter {
    queue: SpanQueue,
    collector: Collector,
    service: String,
    worker: String,
    world: World,
}

impl TraceExporter {
    pub(super) fn new(
        queue: SpanQueue,
        collector: Collector,
        (service, worker): (String, String),
        world: World,
    ) -> Self {
        Self { queue, collector, service, worker, world }
    }

    /// Posts for as long as the program runs.
    pub(crate) fn chore(&self) -> Chore {
        let exporter = self.clone();
        Chore::new("traces", move || {
            let exporter = exporter.clone();
            async move { exporter.run().await }
        })
    }

    /// Posts what is left, once the program has stopped working.
    pub(crate) async fn finish(&self) {
        let rest = async {
            loop {
                let spans = self.queue.batch();
                if spans.is_empty() {
                    return;
                }
                let posted = self.post(&spans).await;
                count(if posted.is_ok() { "exported" } else { "dropped" }, spans.len());
            }
        };
        if tokio::time::timeout(LAST_TIMEOUT, rest).await.is_err() {
            tracing::warn!("the last traces could not be exported in time");
        }
    }

    async fn run(&self) {
        let mut troubled = false;
        loop {
            self.queue.until_full(PATIENCE).await;
            loop {
                let spans = self.queue.batch();
                if spans.is_empty() {
                    break;
                }
                match self.post_again_and_again(&spans).await {
                    Ok(()) => {
                        count("exported", spans.len());
                        if std::mem::take(&mut troubled) {
                            tracing::info!("traces are exported again");
                        }
                    }
                    Err(error) => {
                        count("dropped", spans.len());
                        if !std::mem::replace(&mut troubled, true) {
                            tracing::warn!(%error, "traces cannot be exported, they are dropped until they can");
                        }
                    }
                }
            }
        }
    }

    async fn post_again_and_again(&self, spans: &[FinishedSpan]) -> Result<(), CollectorError> {
        let mut tries = 1;
        loop {
            match self.post(spans).await {
                Err(error) if error.passing && tries < MAX_TRIES => {
                    tokio::time::sleep(BACKOFF.wait(tries, self.world.jitter.as_ref())).await;
                    tries += 1;
                }
                posted => return posted,
            }
        }
    }

    async fn post(&self, spans: &[FinishedSpan]) -> Result<(), CollectorError> {
        let body = otlp::request(&self.service, &self.worker, spans).to_string();
        self.collector.post(Bytes::from(body)).await
    }
}
