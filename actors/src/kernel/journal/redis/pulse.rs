//! Tells the others that this worker lives, and releases claims that nobody works on: those
//! of workers that do not live, and those whose answer was lost on its way.

use std::sync::Arc;
use std::time::Duration;

use super::link::{Link, Text, Trouble};

/// A worker is heard of so many times before it counts as silent.
const BEATS: u32 = 5;

/// Released claims per queue, and vanished workers.
type Released = (u64, u64, u64, u64, u64);

/// Beats until it is aborted. A process that never asks for work is no worker.
pub(super) async fn beat(link: Arc<Link>, silence: Duration) {
    loop {
        tokio::time::sleep(link.world.jitter.spread(silence / BEATS)).await;
        if !link.is_worker() {
            continue;
        }
        match run(&link, silence, false).await {
            Ok((0, 0, 0, 0, 0)) => {}
            Ok((hold, offload, deliver, flag, workers)) => {
                tracing::warn!(
                    claims = hold + offload + deliver + flag,
                    workers,
                    "claims were released, of workers that are not heard of any more, or of which the answer was lost"
                );
                // render_signal_workers_vanished_total: workers whose claims this one released.
                metrics::counter!("render_signal_workers_vanished_total").increment(workers);
                // In the order of `Queue::ALL`, as the script counts them.
                link.noted(None, 0, [hold, offload, deliver, flag].map(|claims| u64::from(claims > 0)));
            }
            Err(trouble) => tracing::warn!(?trouble, "the others could not be told that this worker lives"),
        }
    }
}

/// Takes leave: what is still claimed is due again at once.
pub(super) async fn leave(link: &Link) {
    if !link.is_worker() {
        return;
    }
    if let Err(trouble) = run(link, Duration::MAX, true).await {
        tracing::debug!(?trouble, "the journal in Redis was left without a word");
    }
}

async fn run(link: &Link, silence: Duration, leaves: bool) -> Result<Released, Trouble> {
    let silence = silence.as_millis().min(u128::from(u32::MAX));
    let astray = link.stems_astray();
    let mut args = vec![
        Text::from(link.origin.as_str()),
        Text::from(silence.to_string()),
        Text::from(if leaves { "1" } else { "0" }),
        Text::from(astray.len().to_string()),
    ];
    args.extend(astray);
    link.run(&link.scripts.beat, &args).await
}
