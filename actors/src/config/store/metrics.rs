//! What every store of documents is measured by.

use std::future::Future;

use tokio::time::Instant;

/// Waits for a back end's answer, and counts it.
pub(super) async fn timed<T, E>(
    store: &'static str,
    operation: &'static str,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let start = Instant::now();
    let answer = answer.await;
    // render_signal_config_store_seconds{store,operation}: how long a back end took.
    metrics::histogram!("render_signal_config_store_seconds", "store" => store, "operation" => operation)
        .record(start.elapsed().as_secs_f64());
    if answer.is_ok() {
        metrics::gauge!("render_signal_config_store_consecutive_failures", "store" => store).set(0.0);
    } else {
        // render_signal_config_store_consecutive_failures{store}: no answer since the last one.
        metrics::gauge!("render_signal_config_store_consecutive_failures", "store" => store).increment(1.0);
        // render_signal_config_store_errors_total{store,operation}: answers that were none.
        metrics::counter!("render_signal_config_store_errors_total", "store" => store, "operation" => operation)
            .increment(1);
    }
    answer
}

/// Counts a read that was answered from memory, or not.
pub(super) fn cached(store: &'static str, hit: bool) {
    let result = if hit { "hit" } else { "miss" };
    // render_signal_config_store_cache_total{store,result}: reads answered from memory, or not.
    metrics::counter!("render_signal_config_store_cache_total", "store" => store, "result" => result)
        .increment(1);
}
