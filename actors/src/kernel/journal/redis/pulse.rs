//! Tells the others that this worker lives and what its environment is, and releases claims that
//! nobody works on: those of workers that do not live, and those whose answer was lost on its way.

use std::sync::Arc;
use std::time::Duration;

use super::link::{JournalServer, ScriptText, Trouble};
use super::profile::Profile;
use crate::kernel::journal::{Difference, Queue};

/// A worker is heard of so many times before it counts as silent.
const BEATS: u32 = 5;

/// How many workers have vanished, and how many claims were released, queue by queue.
type ReleasedClaims = (u64, [u64; Queue::COUNT]);

/// Beats until it is aborted. A process that never asks for work is no worker.
pub(super) async fn beat(link: Arc<JournalServer>, silence: Duration) {
    let mut said = Vec::new();
    loop {
        tokio::time::sleep(link.world.jitter.spread(silence / BEATS)).await;
        if !link.is_worker() {
            continue;
        }
        match run(&link, silence, false).await {
            Ok((0, released)) if released == [0; Queue::COUNT] => {}
            Ok((workers, released)) => {
                tracing::warn!(
                    claims = released.iter().sum::<u64>(),
                    workers,
                    "claims were released, of workers that are not heard of any more, or of which the answer was lost"
                );
                // render_signal_workers_vanished_total: workers whose claims this one released.
                metrics::counter!("render_signal_workers_vanished_total").increment(workers);
                link.noted(None, 0, released.map(|claims| u64::from(claims > 0)));
            }
            Err(trouble) => {
                tracing::warn!(?trouble, "the others could not be told that this worker lives");
                continue;
            }
        }
        remark(&link, silence, &mut said).await;
    }
}

/// Says in the log which worker has another environment, when that is news.
async fn remark(link: &JournalServer, silence: Duration, said: &mut Vec<Difference>) {
    let Ok(differences) = others(link, silence).await else { return };
    for news in differences.iter().filter(|one| !said.contains(one)) {
        tracing::warn!(
            "{news}: they share one journal, and each sends what it takes from it by its own environment"
        );
    }
    *said = differences;
}

/// In what the other workers that live differ from this process.
pub(super) async fn others(link: &JournalServer, silence: Duration) -> Result<Vec<Difference>, Trouble> {
    let Some(profile) = &link.profile else { return Ok(Vec::new()) };
    let silence = ScriptText::from(silence.as_millis().to_string());
    let said: Vec<(String, String)> = link.run(&link.scripts.others, &[silence]).await?;
    // One of another version may say it in other words.
    let known = said.iter().filter(|(origin, _)| *origin != link.origin);
    let mut differences: Vec<Difference> = known
        .filter_map(|(_, text)| serde_json::from_str::<Profile>(text).ok())
        .filter_map(|other| profile.against(&other))
        .collect();
    differences.sort_unstable();
    Ok(differences)
}

/// Takes leave: what is still claimed is due again at once.
pub(super) async fn leave(link: &JournalServer) {
    if !link.is_worker() {
        return;
    }
    if let Err(trouble) = run(link, Duration::MAX, true).await {
        tracing::debug!(?trouble, "the journal in Redis was left without a word");
    }
}

async fn run(link: &JournalServer, silence: Duration, leaves: bool) -> Result<ReleasedClaims, Trouble> {
    let silence = silence.as_millis().min(u128::from(u32::MAX));
    let astray = link.stems_astray();
    let profile = link.profile.as_ref().and_then(|profile| serde_json::to_string(profile).ok());
    let mut args = vec![
        ScriptText::from(link.origin.as_str()),
        ScriptText::from(silence.to_string()),
        ScriptText::from(if leaves { "1" } else { "0" }),
        profile.map(ScriptText::from).unwrap_or_default(),
        ScriptText::from(astray.len().to_string()),
    ];
    args.extend(astray);
    let counts: Vec<u64> = link.run(&link.scripts.beat, &args).await?;
    let mut counts = counts.into_iter();
    let vanished = counts.next().unwrap_or_default();
    // In the order of `Queue::ALL`, as the script counts them.
    Ok((vanished, std::array::from_fn(|_| counts.next().unwrap_or_default())))
}
