//! The links of one mail are copied, those that lie there already used again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::super::outcome::{End, Obtained};
use super::super::plan::{SourceLink, Unplanned};
use super::super::single_flight::{Lead, Part};
use super::super::{Copied, Job, NoCopy, R2Deps, reuse};
use super::{OVERRUN, Opened, SLOT_WAIT, SharedTransfers};
use crate::mail::policy::Policy;
use crate::mail::providers::Providers;

/// All links that are planned to be copied, at once, each within its limits.
pub(super) async fn copy_all(
    deps: &R2Deps,
    shared: &SharedTransfers,
    policy: &Policy,
    opened: &Opened,
) -> (Vec<End>, Vec<Lead>) {
    if policy.offload {
        copy_planned(deps, shared, &opened.sources, &opened.meta.email_id, &policy.providers).await
    } else {
        let off = |_| Err(NoCopy::lasting("the offload is switched off"));
        (opened.sources.iter().map(off).collect(), Vec::new())
    }
}

/// One line for any number of links.
pub(super) fn tell_untried(planned: &[Result<SourceLink, Unplanned>], email_id: &str) {
    let kept = |wanted: fn(&Unplanned) -> bool| {
        planned.iter().filter(|planned| planned.as_ref().is_err_and(wanted)).count()
    };
    let too_long = kept(|why| matches!(why, Unplanned::TooLong));
    let too_many = kept(|why| matches!(why, Unplanned::TooMany(_)));
    if too_long + too_many > 0 {
        metrics::counter!("render_signal_r2_links_total", "outcome" => "kept")
            .increment((too_long + too_many) as u64);
        tracing::warn!(
            email_id,
            too_long,
            too_many,
            "links of a mail were not tried and are sent as they are (R2_MAX_LINKS_PER_MAIL)"
        );
    }
}

async fn copy_planned(
    deps: &R2Deps,
    shared: &SharedTransfers,
    sources: &[SourceLink],
    email_id: &str,
    providers: &Providers,
) -> (Vec<End>, Vec<Lead>) {
    // Before the look at earlier copies: what another mail has landed since is among them.
    let parts: Vec<Part> = sources.iter().map(|source| shared.flights.join(source, email_id)).collect();
    let known = reuse::known(deps, sources).await;
    let copies = sources.iter().zip(parts).zip(known).map(async |((source, part), known)| match part {
        Part::Lead(lead) => {
            let end = match known {
                Some(obtained) => use_again(source, obtained),
                None => {
                    let reach = providers.named(&source.provider).map(|provider| Arc::clone(&provider.reach));
                    let job = Job { source: source.clone(), email_id: email_id.to_owned(), reach };
                    copy_one(deps, &shared.slots, job).await.map(Obtained::from)
                }
            };
            lead.land(&end);
            (end, Some(lead))
        }
        Part::Follow(follow) => (followed(source, follow.landed(email_id).await), None),
    });
    let (ends, leads): (Vec<End>, Vec<Option<Lead>>) =
        futures::future::join_all(copies).await.into_iter().unzip();
    (ends, leads.into_iter().flatten().collect())
}

/// What another mail's copy of the link means for this one.
fn followed(source: &SourceLink, end: End) -> End {
    match end {
        Ok(obtained) => use_again(source, obtained),
        Err(failure) => {
            tell_failed(source, &failure);
            Err(failure)
        }
    }
}

fn use_again(source: &SourceLink, obtained: Obtained) -> End {
    metrics::counter!("render_signal_r2_links_total", "outcome" => "reused").increment(1);
    let reused_from = obtained.reused_from.as_deref();
    tracing::info!(provider = source.provider, reused_from, "a link's earlier copy is used again");
    Ok(obtained)
}

async fn copy_one(deps: &R2Deps, slots: &Semaphore, job: Job) -> Result<Copied, NoCopy> {
    let source = job.source.clone();
    let Ok(Ok(_slot)) = timeout(SLOT_WAIT, slots.acquire()).await else {
        return Err(NoCopy::lasting("too many transfers were under way"));
    };
    let started = Instant::now();
    let limit = deps.store.limit(&source) + OVERRUN;
    // A panic of the store fails this link only.
    let copying = AssertUnwindSafe(deps.store.offload(job)).catch_unwind();
    let end = match timeout(limit, copying).await {
        Ok(Ok(end)) => end,
        Ok(Err(_)) => Err(NoCopy::lasting("the transfer failed unexpectedly")),
        Err(_) => Err(NoCopy::lasting("the transfer did not end in time")),
    };
    let outcome = if end.is_ok() { "copied" } else { "kept" };
    // How long the store took for each link.
    metrics::histogram!("render_signal_r2_transfer_seconds", "outcome" => outcome)
        .record(started.elapsed().as_secs_f64());
    match &end {
        // Links that ended, by outcome: copied, kept, put_off, reused.
        Ok(_) => metrics::counter!("render_signal_r2_links_total", "outcome" => "copied").increment(1),
        Err(failure) => tell_failed(&source, failure),
    }
    end
}

/// A line, and a count, for a link that has no copy yet, or will have none.
fn tell_failed(source: &SourceLink, failure: &NoCopy) {
    let (provider, why) = (source.provider.as_str(), failure.why.as_str());
    let outcome = if failure.passing { "put_off" } else { "kept" };
    metrics::counter!("render_signal_r2_links_total", "outcome" => outcome).increment(1);
    if failure.passing {
        tracing::warn!(provider, why, "a link cannot be copied at the moment");
    } else {
        tracing::warn!(provider, why, "a link was not copied and is sent as it is");
    }
}
