//! One mail: from its claimed row to the commit that makes its deliveries due.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::flights::{Flights, Lead, Part};
use super::normalize::FOLDER_LIMIT;
use super::outcome::{End, Obtained, settle_links};
use super::{Copied, Job, R2Deps, reuse};
use crate::kernel::event::{DomainEvent, NewEvent};
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{
    AppendError, Claimed, Commit, Defer, Due, Expected, Queue, Settle, StreamWrite,
};
use crate::mail::life::{MailEvent, mail_stream, rehydrate};
use crate::mail::work::{Draft, DraftMeta, deliver_rows};
use crate::mail::{Link, policy::Policy};

/// Longest wait for a free slot; after that a link is sent as it is.
const SLOT_WAIT: Duration = FOLDER_LIMIT;
/// A store that overruns its own limit by this much is given up on.
const OVERRUN: Duration = Duration::from_secs(5);
/// Time for everything else that a mail needs before its commit.
const COMMIT: Duration = Duration::from_secs(30);
/// Pause between tries to read a stream.
const READ_PAUSE: Duration = Duration::from_millis(500);

/// How long a claim holds: longer than a mail can take before its commit.
pub(super) fn claim_lease(deps: &R2Deps) -> Duration {
    SLOT_WAIT + deps.store.longest() + OVERRUN + COMMIT
}

/// How a mail ended, as far as this actor is concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Links copied.
    pub(super) copied: u64,
    /// Links whose earlier copy was used again.
    pub(super) reused: u64,
    /// Links kept.
    pub(super) kept: u64,
    /// 1 when the row was put aside.
    pub(super) parked: u64,
}

/// Copies the links of one mail and commits the outcome. Answers when the row is no longer ours.
pub(super) async fn offload_mail(
    deps: R2Deps,
    slots: Arc<Semaphore>,
    flights: Flights,
    row: Claimed,
) -> Tally {
    match read_row(&row) {
        Ok((meta, draft)) => {
            let policy = deps.policy.load_full();
            let (ends, leads) = copy_all(&deps, &slots, &flights, &policy, &draft, &meta.email_id).await;
            let tally = finish(&deps, &row, meta, &draft, &policy, ends).await;
            // From now on the journal knows of the copies.
            drop(leads);
            tally
        }
        Err(why) => park(&deps, &row, &why).await,
    }
}

fn read_row(row: &Claimed) -> Result<(DraftMeta, Draft), String> {
    let meta = DraftMeta::deserialize(&row.meta).map_err(|error| format!("its meta: {error}"))?;
    let body = row.body.as_ref().ok_or_else(|| "its draft is gone".to_owned())?;
    let draft = serde_json::from_slice(body).map_err(|error| format!("its draft: {error}"))?;
    Ok((meta, draft))
}

/// All links at once, each within its limits.
async fn copy_all(
    deps: &R2Deps,
    slots: &Semaphore,
    flights: &Flights,
    policy: &Policy,
    draft: &Draft,
    email_id: &str,
) -> (Vec<End>, Vec<Lead>) {
    if !policy.offload {
        let off = || Err("the offload is switched off".to_owned());
        return (draft.verdict.links.iter().map(|_| off()).collect(), Vec::new());
    }
    let links = &draft.verdict.links;
    // Before the look at earlier copies: what another mail has landed since is among them.
    let parts: Vec<Part> = links.iter().map(|link| flights.join(link, email_id)).collect();
    let known = reuse::known(deps, links).await;
    let copies = links.iter().zip(parts).zip(known).map(async |((link, part), known)| match part {
        Part::Lead(lead) => {
            let end = match known {
                Some(obtained) => use_again(link, email_id, obtained),
                None => copy_one(deps, slots, link, email_id).await.map(Obtained::from),
            };
            lead.land(&end);
            (end, Some(lead))
        }
        Part::Follow(follow) => (followed(link, email_id, follow.landed(email_id).await), None),
    });
    let (ends, leads): (Vec<End>, Vec<Option<Lead>>) =
        futures::future::join_all(copies).await.into_iter().unzip();
    (ends, leads.into_iter().flatten().collect())
}

/// What another mail's copy of the link means for this one.
fn followed(link: &Link, email_id: &str, end: End) -> End {
    match end {
        Ok(obtained) => use_again(link, email_id, obtained),
        Err(why) => {
            metrics::counter!("render_signal_r2_links_total", "outcome" => "kept").increment(1);
            tracing::warn!(
                email_id,
                provider = link.provider,
                why,
                "a link that another mail was copying was not copied and is sent as it is"
            );
            Err(why)
        }
    }
}

fn use_again(link: &Link, email_id: &str, obtained: Obtained) -> End {
    metrics::counter!("render_signal_r2_links_total", "outcome" => "reused").increment(1);
    let reused_from = obtained.reused_from.as_deref();
    tracing::info!(email_id, provider = link.provider, reused_from, "a link's earlier copy is used again");
    Ok(obtained)
}

async fn copy_one(deps: &R2Deps, slots: &Semaphore, link: &Link, email_id: &str) -> Result<Copied, String> {
    let Ok(Ok(_slot)) = timeout(SLOT_WAIT, slots.acquire()).await else {
        return Err("too many transfers were under way".to_owned());
    };
    let started = Instant::now();
    let limit = deps.store.limit(link) + OVERRUN;
    let job = Job { link: link.clone(), email_id: email_id.to_owned() };
    // A panic of the store fails this link only.
    let copying = AssertUnwindSafe(deps.store.offload(job)).catch_unwind();
    let end = match timeout(limit, copying).await {
        Ok(Ok(end)) => end,
        Ok(Err(_)) => Err("the transfer failed unexpectedly".to_owned()),
        Err(_) => Err("the transfer did not end in time".to_owned()),
    };
    let outcome = if end.is_ok() { "copied" } else { "kept" };
    // Links that ended, by outcome (copied, kept, reused); and how long the store took for each.
    metrics::counter!("render_signal_r2_links_total", "outcome" => outcome).increment(1);
    metrics::histogram!("render_signal_r2_transfer_seconds", "outcome" => outcome)
        .record(started.elapsed().as_secs_f64());
    if let Err(why) = &end {
        tracing::warn!(email_id, provider = link.provider, why, "a link was not copied and is sent as it is");
    }
    end
}

/// Commits the ends of the links, the deliveries and the end of the row, all or nothing.
async fn finish(
    deps: &R2Deps,
    row: &Claimed,
    mut meta: DraftMeta,
    draft: &Draft,
    policy: &Policy,
    ends: Vec<End>,
) -> Tally {
    let tally = count(&ends);
    let (links, facts) = settle_links(&draft.verdict.links, ends);
    let events: Result<Vec<NewEvent>, _> =
        facts.iter().map(|fact: &MailEvent| fact.to_new(deps.world.ids.next())).collect();
    let events = match events {
        Ok(events) => events,
        Err(error) => return park(deps, row, &error.to_string()).await,
    };
    loop {
        let commit = commit_of(deps, row, &meta, draft, policy, &links, events.clone());
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => return tally,
            Err(AppendError::Conflict { .. }) => {
                // Somebody noted a further copy of the mail: its deliveries must know it.
                if let Err(why) = refresh(deps, &mut meta).await {
                    return park(deps, row, &why).await;
                }
            }
            Err(error) => {
                tracing::warn!(email_id = meta.email_id, %error, "another worker has taken the offload over");
                return Tally::default();
            }
        }
    }
}

fn count(ends: &[End]) -> Tally {
    let mut tally = Tally::default();
    for end in ends {
        match end {
            Ok(Obtained { reused_from: None, .. }) => tally.copied += 1,
            Ok(Obtained { reused_from: Some(_), .. }) => tally.reused += 1,
            Err(_) => tally.kept += 1,
        }
    }
    tally
}

fn commit_of(
    deps: &R2Deps,
    row: &Claimed,
    meta: &DraftMeta,
    draft: &Draft,
    policy: &Policy,
    links: &[Link],
    events: Vec<NewEvent>,
) -> Commit {
    let now = deps.world.now();
    let after = DraftMeta { mail_version: meta.mail_version + events.len() as u64, ..meta.clone() };
    let (add, bodies) = deliver_rows(&draft.mail, &draft.verdict, links, policy, &after, Due::At(now), now);
    Commit {
        at: now,
        writes: vec![StreamWrite {
            stream: mail_stream(&meta.email_id),
            expected: Expected::Exact(meta.mail_version),
            events,
        }],
        add,
        bodies,
        settle: vec![Settle { queue: Queue::Offload, key: row.key.clone(), claim: Some(row.claim) }],
        ..Commit::default()
    }
}

/// Brings version and locations up to what the stream says now.
async fn refresh(deps: &R2Deps, meta: &mut DraftMeta) -> Result<(), String> {
    let stream = mail_stream(&meta.email_id);
    let events = loop {
        match deps.journal.read_stream(&stream, 0).await {
            Ok(events) => break events,
            Err(error) => {
                tracing::warn!(email_id = meta.email_id, %error, "a mail's stream could not be read, trying again");
                tokio::time::sleep(deps.world.jitter.spread(READ_PAUSE)).await;
            }
        }
    };
    let (life, version) = rehydrate(&events).map_err(|error| error.to_string())?;
    if version == 0 {
        return Err("its stream does not exist".to_owned());
    }
    meta.mail_version = version;
    for location in life.locations {
        if !meta.locations.contains(&location) {
            meta.locations.push(location);
        }
    }
    Ok(())
}

/// Puts a row aside that cannot be worked on: visible, and nothing is lost.
async fn park(deps: &R2Deps, row: &Claimed, why: &str) -> Tally {
    if !give_back(deps, row.key.clone(), row.claim, Due::Parked).await {
        tracing::warn!(email_id = row.key, why, "an offload was given up, its row is not ours any more");
        return Tally::default();
    }
    tracing::error!(
        email_id = row.key,
        why,
        "an offload could not be worked on and was put aside; its mail waits until the row is looked at"
    );
    // Mails put aside; each needs an operator.
    metrics::counter!("render_signal_r2_parked_total").increment(1);
    Tally { parked: 1, ..Tally::default() }
}

/// Ends our claim on a row without ending the row. False = it is not ours any more: another
/// worker has it, or the journal has lost it.
pub(super) async fn give_back(deps: &R2Deps, key: String, claim: uuid::Uuid, due: Due) -> bool {
    let row = Defer { queue: Queue::Offload, key, claim: Some(claim), due, meta: None, partition: None };
    let commit = Commit { at: deps.world.now(), defer: vec![row], ..Commit::default() };
    // The only errors that end the repetition say that the row is not ours any more.
    persist(deps.journal.as_ref(), &deps.world, commit).await.is_ok()
}
