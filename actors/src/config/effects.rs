//! What the actor does to the world: reading, telling, recording. Each effect is a future of
//! its own that reports back; none of them keeps anything.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use tokio::sync::{Notify, watch};

use super::active::{GRACE, InForce};
use super::actor::{
    DocumentsLoaded, DocumentsRead, DocumentsRemoved, HistoryLost, RecordingBatch, RecordingDone,
};
use super::documents::Key;
use super::history::import::import_changes;
use super::history::{self, ObservedIn};
use super::state::{DocumentCommand, HeardAbsent};
use super::store::{self, Ack, Revision, StoreError};
use super::{ConfigDeps, load};
use crate::kernel::backoff::Backoff;
use crate::kernel::clock::World;
use crate::kernel::journal::{Loss, lost};
use crate::kernel::port::Port;
use crate::mail::policy::Policy;
use crate::messages::PolicyChanged;

/// The documents are read at least this often, whatever the store's hints say.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Pauses before an actor that did not answer is told again.
const ASK_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Tells one actor until it has heard.
pub(super) async fn tell(port: Port<PolicyChanged>, world: World, policy: Arc<Policy>) {
    let mut retries = ASK_BACKOFF.retries();
    while let Err(error) = port.ask(PolicyChanged(Arc::clone(&policy))).await {
        tracing::warn!(%error, version = policy.version, "an actor did not hear of the configuration, telling again");
        retries.pause(world.jitter.as_ref()).await;
    }
}

/// Asks the actor until it has answered; it may be on its way through a restart.
async fn until_answered<M>(port: &Port<M>, message: M) -> M::Result
where
    M: Message + Clone + Send + 'static,
    M::Result: Send,
{
    loop {
        match port.ask(message.clone()).await {
            Ok(answer) => return answer,
            Err(error) => {
                tracing::debug!(%error, "the configuration actor did not answer");
                tokio::time::sleep(ASK_BACKOFF.exact(1)).await;
            }
        }
    }
}

/// Reads the documents at the start, at every hint of the store, when told to, and on a timer.
pub(super) async fn watch_store(
    deps: ConfigDeps,
    read_again: Arc<Notify>,
    loaded: Port<DocumentsLoaded>,
    seen: Port<DocumentsRead>,
    gone: Port<DocumentsRemoved>,
) {
    let active =
        load::load(deps.store.as_ref(), &deps.env, Some(deps.journal.as_ref()), deps.world.now()).await;
    let judged = until_answered(&loaded, DocumentsLoaded(active)).await;
    acknowledge(&deps, &judged.ack).await;
    loop {
        // Whichever comes first: a hint may be lost.
        tokio::select! {
            _ = tokio::time::timeout(POLL_INTERVAL, deps.store.changed()) => {}
            () = read_again.notified() => {}
        }
        loop {
            let readings = load::read_all(deps.store.as_ref()).await;
            let reached =
                !readings.iter().any(|(_, read)| matches!(read, Err(StoreError::Unreadable { .. })));
            let judged = until_answered(&seen, DocumentsRead(readings)).await;
            put_back(&deps, &judged.lost).await;
            let removed = removed(&deps, &judged.vanished).await;
            let ack = if removed.is_empty() {
                judged.ack
            } else {
                until_answered(&gone, DocumentsRemoved(removed)).await
            };
            if reached {
                acknowledge(&deps, &ack).await;
            }
            if offer_pending(&deps).await {
                continue;
            }
            if !judged.again {
                break;
            }
            tokio::time::sleep(GRACE).await;
        }
    }
}

/// Tells the actor of every loss of commits.
pub(super) async fn watch_losses(mut losses: watch::Receiver<Option<Loss>>, told: Port<HistoryLost>) {
    loop {
        lost(&mut losses).await;
        until_answered(&told, HistoryLost).await;
    }
}

async fn acknowledge(deps: &ConfigDeps, ack: &Ack) {
    let Some(rollout) = deps.store.rollout() else { return };
    if let Err(error) = rollout.acknowledge(ack).await {
        tracing::debug!(%error, "the other workers do not know yet what this one runs");
    }
}

/// Those of the documents that are not stored any more that somebody has removed.
async fn removed(deps: &ConfigDeps, vanished: &[Key]) -> Vec<Key> {
    let mut removed = Vec::new();
    for key in vanished {
        match history::last(deps.journal.as_ref(), *key).await {
            Ok(Some(last)) if last.hash.is_empty() => {
                if let Some(stores) = deps.store.fallbacks() {
                    stores.removed(*key);
                }
                removed.push(*key);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%key, error, "it is not known whether somebody removed this document");
            }
        }
    }
    removed
}

/// Gives a store that was emptied the documents in force. All workers try; one succeeds.
async fn put_back(deps: &ConfigDeps, lost: &[(Key, String)]) {
    let Some(log) = deps.store.change_log() else { return };
    for (key, text) in lost {
        match log.recover(*key, text).await {
            Ok(true) => {
                // render_signal_config_recovered_total{key}: documents put back into a store
                // that had lost them.
                metrics::counter!("render_signal_config_recovered_total", "key" => key.as_str()).increment(1);
                tracing::warn!(%key, "the store had lost this document; the one in force is put back");
            }
            Ok(false) => tracing::info!(%key, "the store had lost this document; another worker put it back"),
            Err(error) => {
                tracing::error!(%key, %error, "the store has lost this document; the one in force stays");
            }
        }
    }
}

/// Follows the store's own list, or records what was seen when it keeps none.
pub(super) async fn record_all(deps: ConfigDeps, batch: RecordingBatch, report: Port<RecordingDone>) {
    let (journal, world) = (deps.journal.as_ref(), &deps.world);
    let mut failed = Vec::new();
    let mut followed = batch.followed.clone();
    record_absent(&deps).await;
    let changes = match deps.store.change_log() {
        Some(log) => Some(log.changes(batch.followed.as_ref()).await),
        None => None,
    };
    if let Some(Ok(changes)) = &changes {
        match import_changes(journal, world, &deps.env, (deps.store.name(), &changes.listed)).await {
            Ok(()) => followed = changes.listed.last().map(|change| change.id.clone()).or(followed),
            Err(error) => {
                tracing::warn!(error, "changes of the configuration are not yet in the journal");
                failed.extend(changes.listed.iter().map(|change| (change.key, "external")));
            }
        }
    }
    for (key, origin, in_force) in batch.seen {
        let known = in_force.as_ref().and_then(|document| origin_of(&deps, key, document));
        match &changes {
            // The list tells all there is to know of it.
            Some(Ok(changes)) if changes.held.contains(&key) => continue,
            // Who made it is in the list, unless that was this process.
            Some(Err(error)) if known.is_none() => {
                tracing::warn!(%key, %error, "a change of the configuration is in force but not yet in the journal");
                failed.push((key, origin));
                continue;
            }
            Some(Ok(_) | Err(_)) | None => {}
        }
        let stored_in =
            in_force.as_ref().map(|document| store::holder(deps.store.as_ref(), key, &document.text));
        let by = known.as_deref().unwrap_or(origin);
        let command = DocumentCommand::seen(in_force.as_ref(), by, stored_in.unwrap_or_default());
        let observed = ObservedIn { store: deps.store.as_ref(), env: &deps.env };
        if let Err(error) = history::record((journal, world), key, &command, Some(observed)).await {
            tracing::warn!(%key, error, "a change of the configuration is in force but not yet in the journal");
            failed.push((key, origin));
        }
    }
    until_answered(&report, RecordingDone { followed, failed }).await;
}

/// Enters which documents the authority does not have, so that a worker that starts while it is silent
/// can tell them from those that are out of reach.
async fn record_absent(deps: &ConfigDeps) {
    let Some(stores) = deps.store.fallbacks() else { return };
    let heard = HeardAbsent { store: deps.store.name().to_owned(), documents: stores.absent() };
    if heard.documents.is_empty() {
        return;
    }
    if let Err(error) = history::record_absent((deps.journal.as_ref(), &deps.world), &heard).await {
        tracing::warn!(error, "which documents there are not is not yet in the journal");
    }
}

/// Offers the store with the last word what waits for it. Answers whether something does not wait any
/// more: what is in force may be another document now.
async fn offer_pending(deps: &ConfigDeps) -> bool {
    let Some(stores) = deps.store.fallbacks() else { return false };
    let pending: Vec<Key> = stores.health().into_iter().flat_map(|store| store.pending).collect();
    let mut settled = false;
    for key in pending {
        match stores.offer(key).await {
            Ok(done) => settled |= done,
            Err(error) => tracing::debug!(%key, %error, "a change still waits for the configuration store"),
        }
    }
    settled
}

/// Who made a version, when it was this process, or the version waits for the authority.
fn origin_of(deps: &ConfigDeps, key: Key, document: &InForce) -> Option<String> {
    deps.store.fallbacks()?.origin_of(key, &Revision::of(&document.text))
}
