//! Held mails: decided again when their time comes or the configuration changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use tokio::sync::{Notify, watch};

use super::DedupDeps;
use super::admit::known_group;
use super::commit::{self, Cx};
use super::heavy::Thinking;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{AppendError, ClaimRequest, Claimed, Commit, Defer, Due, Queue, Settle};
use crate::mail::decide;
use crate::mail::groups::{self, KnownGroup};
use crate::mail::life::{Location, mail_stream, rehydrate};
use crate::mail::work::{Draft, DraftMeta};

/// How long a claim on a held mail lasts. Deciding takes no time; the rest is a slow disk.
const LEASE: Duration = Duration::from_secs(60);
/// Held mails claimed at once.
const BATCH: usize = 64;
/// Decisions under way at once.
const AT_ONCE: usize = 16;
/// A lost hint costs at most this.
const LOOK: Duration = Duration::from_secs(1);

/// Makes every held mail due now, because the configuration changed.
pub(super) async fn reconsider(deps: &DedupDeps) {
    if let Err(error) = deps.journal.hasten(Queue::Hold, None, deps.world.now()).await {
        // The timer finds them at their own time.
        tracing::warn!(%error, "held mails could not be made due after a change of configuration");
    }
}

/// Decides due mails again, for ever; stops when draining.
pub(super) async fn watch(deps: DedupDeps, look: Arc<Notify>, mut draining: watch::Receiver<bool>) {
    let thinking = Thinking::default();
    // What was held under the configuration of an earlier run is looked at once.
    reconsider(&deps).await;
    loop {
        if *draining.borrow() {
            return;
        }
        let found = round(&deps, &thinking).await;
        if found == BATCH {
            continue;
        }
        tokio::select! {
            biased;
            changed = draining.changed() => if changed.is_err() { return },
            () = look.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn round(deps: &DedupDeps, thinking: &Thinking) -> usize {
    let request = ClaimRequest {
        queue: Queue::Hold,
        now: deps.world.now(),
        lease: LEASE,
        limit: BATCH,
        partition_default: BATCH,
        per_partition: HashMap::new(),
    };
    let claimed = match deps.journal.claim(request).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(%error, "held mails could not be claimed");
            return 0;
        }
    };
    let found = claimed.len();
    // `buffered` starts them in the order they were held.
    stream::iter(claimed)
        .map(|row| decide_again(deps, thinking, row))
        .buffered(AT_ONCE)
        .for_each(|()| std::future::ready(()))
        .await;
    found
}

async fn decide_again(deps: &DedupDeps, thinking: &Thinking, row: Claimed) {
    let key = row.key.clone();
    if let Err(why) = try_decide(deps, thinking, row).await {
        tracing::error!(email_id = key, why, "a held mail could not be decided again, it stays held");
    }
}

async fn try_decide(deps: &DedupDeps, thinking: &Thinking, row: Claimed) -> Result<(), String> {
    let meta: DraftMeta = serde_json::from_value(row.meta.clone()).map_err(|error| error.to_string())?;
    let Some(body) = row.body.clone() else {
        park(deps, &row).await;
        return Err("its kept facts are gone; the row was put aside".to_owned());
    };
    let draft: Draft = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let mut version = meta.mail_version;
    let mut locations = meta.locations.clone();
    let mut group = None;
    loop {
        let draft = draft.clone();
        let commit =
            redecide(deps, thinking, &row, &meta, draft, (version, &locations), group.as_ref()).await?;
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) | Err(AppendError::ClaimLost { .. }) => return Ok(()),
            Err(AppendError::Conflict { stream, .. }) if stream.category() == groups::CATEGORY => {
                group = Some(known_group(deps.journal.as_ref(), stream).await?);
            }
            Err(AppendError::Conflict { .. }) => {
                (version, locations) = reload(deps, &meta.email_id).await?;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

async fn redecide(
    deps: &DedupDeps,
    thinking: &Thinking,
    row: &Claimed,
    meta: &DraftMeta,
    draft: Draft,
    (version, locations): (u64, &[Location]),
    group: Option<&KnownGroup>,
) -> Result<Commit, String> {
    let key = meta.email_id.clone();
    let policy = deps.policy.load_full();
    let now = deps.world.now();
    let bytes = draft.mail.plain.len() + draft.mail.html.len();
    let (mail, under, name) = (draft.mail.clone(), Arc::clone(&policy), key.clone());
    let (released, group) = (meta.released, group.cloned());
    let deciding = thinking.about(&policy, bytes, move || {
        let (mail, policy, group) = (&mail, under.as_ref(), group.as_ref());
        if released {
            let verdict = decide::release(mail, policy, now);
            groups::claim_released(verdict, &name, &mail.subject, policy, now, group)
        } else {
            groups::claim(decide::decide(mail, policy, now), &name, &mail.subject, policy, now, group)
        }
    });
    let decided = deciding.await.map_err(|error| error.to_string())?;
    let cx = Cx { policy: &policy, now, ids: deps.world.ids.as_ref() };
    let settle = Settle { queue: Queue::Hold, key: row.key.clone(), claim: Some(row.claim) };
    commit::redecision(&key, version, draft, decided, locations, settle, cx)
        .map_err(|error| error.to_string())
}

async fn reload(deps: &DedupDeps, key: &str) -> Result<(u64, Vec<Location>), String> {
    let events = deps.journal.read_stream(&mail_stream(key), 0).await.map_err(|error| error.to_string())?;
    let (life, version) = rehydrate(&events).map_err(|error| error.to_string())?;
    Ok((version, life.locations))
}

/// A row that can never be decided must not come back every minute.
async fn park(deps: &DedupDeps, row: &Claimed) {
    let commit = Commit {
        at: deps.world.now(),
        defer: vec![Defer {
            queue: Queue::Hold,
            key: row.key.clone(),
            claim: Some(row.claim),
            due: Due::Parked,
            meta: None,
        }],
        ..Commit::default()
    };
    if let Err(error) = persist(deps.journal.as_ref(), &deps.world, commit).await {
        tracing::warn!(%error, key = row.key, "a held row without a body could not be put aside");
    }
}
