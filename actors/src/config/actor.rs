//! The actor: documents that were read become the policy in force, here and everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult, ResponseFuture, Supervised};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::active::{ActiveDocuments, InForce, ReadOutcome};
use super::documents::Key;
use super::status::{ConfigStatus, GetConfigStatus, ReadAgain};
use super::store::{self, Ack, ChangeId, StoreError, StoreReading};
use super::{ConfigDeps, WireConfig, effects, rollout};
use crate::kernel::guardian::depend_on;
use crate::kernel::port::Port;
use crate::kernel::said::Said;
use crate::mail::policy::Policy;
use crate::messages::{Drain, PolicyChanged};

/// How long the effect tasks wait for their own actor.
const SELF_ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a question about the configuration waits for what the other workers said.
const ROLLOUT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// A change that was seen is recorded after this time: another process of ours that made it
/// records it itself, with its author, which takes a slow disk a while. It acts before.
const AUTHOR_GRACE: Duration = Duration::from_secs(2);

/// Pauses before a change is offered to a failing journal again.
const RECORD_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Origin of a document that is recorded again because the journal had lost it.
const RECOVERY: &str = "recovery";

/// From the watcher: the documents as they were at the start.
#[derive(Clone, Message)]
#[rtype(result = "FollowUp")]
pub(super) struct DocumentsLoaded(pub(super) ActiveDocuments);

/// From the watcher: what the store holds now.
#[derive(Clone, Message)]
#[rtype(result = "FollowUp")]
pub(super) struct DocumentsRead(pub(super) Vec<(Key, Result<StoreReading, StoreError>)>);

/// From the watcher: the journal knows that somebody removed these.
#[derive(Clone, Message)]
#[rtype(result = "Ack")]
pub(super) struct DocumentsRemoved(pub(super) Vec<Key>);

/// From the watcher: the journal has lost commits, perhaps the documents' history.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(super) struct HistoryLost;

/// What the watcher has to do about it.
pub(super) struct FollowUp {
    /// Read again soon.
    pub(super) again: bool,
    /// Put these back: the store has lost them.
    pub(super) lost: Vec<(Key, String)>,
    /// Find out whether somebody removed these.
    pub(super) vanished: Vec<Key>,
    /// Tell the others.
    pub(super) ack: Ack,
}

/// What the recorder has to do.
pub(super) struct RecordingBatch {
    /// The newest change of the store's list that is in the journal.
    pub(super) followed: Option<ChangeId>,
    /// What was seen, for stores that keep no list.
    pub(super) seen: Vec<(Key, &'static str, Option<InForce>)>,
}

/// From the recorder: it is done, except for these.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(super) struct RecordingDone {
    pub(super) followed: Option<ChangeId>,
    pub(super) failed: Vec<(Key, &'static str)>,
}

/// Keeps the policy in force up to date with the documents: reads them, judges them, tells the
/// other actors, and has changes recorded.
pub struct ConfigActor {
    deps: ConfigDeps,
    subscribers: Vec<Port<PolicyChanged>>,
    active: ActiveDocuments,
    /// Changes that are not in the journal yet, with their origin.
    unrecorded: BTreeMap<Key, &'static str>,
    /// The newest change of the store's list that is in the journal.
    followed: Option<ChangeId>,
    /// There was another reading while the recorder was at work.
    record_once_more: bool,
    /// Whether a recorder is at work.
    recording: watch::Sender<bool>,
    record_again: Duration,
    draining: bool,
    /// Wakes the watcher.
    read_again: Arc<Notify>,
    watcher: Option<AbortOnDropHandle<()>>,
    loss_watcher: Option<AbortOnDropHandle<()>>,
    recorder: Option<AbortOnDropHandle<()>>,
    broadcast: Option<AbortOnDropHandle<()>>,
}

impl ConfigActor {
    /// An actor that has read nothing yet.
    #[must_use]
    pub fn new(deps: ConfigDeps) -> Self {
        Self {
            deps,
            subscribers: Vec::new(),
            active: ActiveDocuments::default(),
            unrecorded: BTreeMap::new(),
            followed: None,
            record_once_more: false,
            recording: watch::Sender::new(false),
            record_again: RECORD_RETRY.0,
            draining: false,
            read_again: Arc::default(),
            watcher: None,
            loss_watcher: None,
            recorder: None,
            broadcast: None,
        }
    }

    /// Puts the policy of the active documents in force, here and everywhere.
    fn publish(&mut self, changed: &[Key], ctx: &mut Context<Self>) {
        let version = self.deps.policy.load().version + 1;
        let policy = Arc::new(self.active.policy(&self.deps.env, version));
        self.deps.policy.store(Arc::clone(&policy));
        // render_signal_config_version: version of the policy in force in this process.
        metrics::gauge!("render_signal_config_version").set(version as f64);
        let documents = changed.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", ");
        tracing::info!(version, documents, "configuration in force");
        self.broadcast(policy, ctx);
    }

    /// Tells everybody; a broadcast that is still under way is superseded.
    fn broadcast(&mut self, policy: Arc<Policy>, ctx: &mut Context<Self>) {
        let tellings: Vec<_> = self
            .subscribers
            .iter()
            .map(|port| effects::tell(port.clone(), self.deps.world.clone(), Arc::clone(&policy)))
            .collect();
        let telling = async move {
            futures::future::join_all(tellings).await;
        };
        self.broadcast = Some(depend_on(ctx, telling));
    }

    /// Logs and counts what a reading came to.
    fn report(&self, key: Key, taken: &ReadOutcome) {
        let refused = if self.active.is_refused(key) { 1.0 } else { 0.0 };
        // render_signal_config_refused{key}: 1 while the stored document is not the one in force.
        metrics::gauge!("render_signal_config_refused", "key" => key.as_str()).set(refused);
        let result = match taken {
            ReadOutcome::Unchanged | ReadOutcome::Wait | ReadOutcome::Lost | ReadOutcome::Vanished => return,
            ReadOutcome::Applied => "applied",
            ReadOutcome::Refused => "refused",
        };
        // render_signal_config_changes_total{key,result}: changes seen in the store.
        metrics::counter!("render_signal_config_changes_total", "key" => key.as_str(), "result" => result)
            .increment(1);
        let problems = self.active.what_is_wrong(key).english;
        match taken {
            ReadOutcome::Refused => self.say_refused(key, &problems),
            _ if problems.is_empty() => tracing::info!(%key, "document applied"),
            _ => tracing::warn!(%key, problems, "document applied in part"),
        }
        if *taken == ReadOutcome::Applied {
            self.say_what_is_idle(key);
        }
    }

    /// Says what of a document in force changes nothing.
    fn say_what_is_idle(&self, key: Key) {
        let remarks = Said::joined(&self.active.remarks(key), "; ").english;
        if !remarks.is_empty() {
            tracing::warn!(%key, remarks, "fields of the document have no effect");
        }
    }

    /// Says that a document has vanished, or is back.
    fn say_missing(&self, key: Key, was_missing: bool) {
        let is_missing = self.active.is_missing(key);
        if is_missing && !was_missing {
            tracing::error!(%key, "the document is not stored any more, and nobody is known to have removed it: the last good one stays in force until `config remove` removes it");
        } else if was_missing && !is_missing {
            tracing::info!(%key, "the document that was missing is stored again");
        }
        // render_signal_config_missing{key}: 1 while the document in force is not stored any more.
        metrics::gauge!("render_signal_config_missing", "key" => key.as_str()).set(if is_missing {
            1.0
        } else {
            0.0
        });
    }

    fn say_refused(&self, key: Key, problems: &str) {
        match self.active.withholds(key) {
            None => tracing::error!(%key, problems, "document refused, the one before stays in force"),
            Some(stops) => tracing::error!(
                %key,
                problems,
                "document refused, and there is no good one before it: {} until it is mended",
                stops.said()
            ),
        }
        if self.active.is_switched_off(key) {
            tracing::warn!(%key, "the switch of the refused document says off, which is obeyed");
        }
    }

    /// What to tell the other workers.
    fn ack(&self) -> Ack {
        let (worker, at) = (self.deps.worker.clone(), self.deps.world.now());
        Ack { worker, at, documents: self.active.states() }
    }

    /// Starts a recorder, when none is at work.
    fn record(&mut self, ctx: &mut Context<Self>) {
        if *self.recording.borrow() {
            self.record_once_more = true;
            return;
        }
        self.record_once_more = false;
        let seen = std::mem::take(&mut self.unrecorded)
            .into_iter()
            .map(|(key, origin)| (key, origin, self.active.in_force(key).cloned()))
            .collect();
        let batch = RecordingBatch { followed: self.followed.clone(), seen };
        self.recording.send_replace(true);
        let report = Port::new("config recorder", &ctx.address(), 1, SELF_ASK_TIMEOUT);
        let task = effects::record_all(self.deps.clone(), batch, report);
        self.recorder = Some(depend_on(ctx, task));
    }
}

impl Actor for ConfigActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let loaded = Port::new("config loader", &ctx.address(), 1, SELF_ASK_TIMEOUT);
        let seen = Port::new("config watcher", &ctx.address(), 1, SELF_ASK_TIMEOUT);
        let gone = Port::new("config removals", &ctx.address(), 1, SELF_ASK_TIMEOUT);
        let read_again = Arc::clone(&self.read_again);
        let task = effects::watch_store(self.deps.clone(), read_again, loaded, seen, gone);
        self.watcher = Some(depend_on(ctx, task));
        let told = Port::new("config history", &ctx.address(), 1, SELF_ASK_TIMEOUT);
        let task = effects::watch_losses(self.deps.journal.losses(), told);
        self.loss_watcher = Some(depend_on(ctx, task));
    }
}

impl Supervised for ConfigActor {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        let subscribers = std::mem::take(&mut self.subscribers);
        *self = Self { subscribers, ..Self::new(self.deps.clone()) };
    }
}

impl Handler<WireConfig> for ConfigActor {
    type Result = ();

    fn handle(&mut self, WireConfig(subscribers): WireConfig, ctx: &mut Self::Context) {
        self.subscribers = subscribers;
        self.broadcast(self.deps.policy.load_full(), ctx);
    }
}

impl Handler<DocumentsLoaded> for ConfigActor {
    type Result = MessageResult<DocumentsLoaded>;

    fn handle(&mut self, DocumentsLoaded(active): DocumentsLoaded, ctx: &mut Self::Context) -> Self::Result {
        self.active = active;
        for key in Key::ALL {
            self.say_missing(key, false);
            if self.active.is_refused(key) {
                self.report(key, &ReadOutcome::Refused);
            } else if !self.active.is_missing(key) {
                let problems = self.active.what_is_wrong(key).english;
                if !problems.is_empty() {
                    tracing::warn!(%key, problems, "document applied in part");
                }
                self.say_what_is_idle(key);
                self.unrecorded.insert(key, "startup");
            }
        }
        let present: Vec<Key> =
            Key::ALL.into_iter().filter(|key| self.active.in_force(*key).is_some()).collect();
        self.publish(&present, ctx);
        self.record(ctx);
        MessageResult(FollowUp { again: false, lost: Vec::new(), vanished: Vec::new(), ack: self.ack() })
    }
}

impl Handler<DocumentsRead> for ConfigActor {
    type Result = MessageResult<DocumentsRead>;

    fn handle(&mut self, DocumentsRead(readings): DocumentsRead, ctx: &mut Self::Context) -> Self::Result {
        let now = self.deps.world.now();
        let (mut again, mut applied, mut lost) = (false, false, Vec::new());
        let (mut changed, mut vanished) = (Vec::new(), Vec::new());
        let before = self.active.standstill();
        for (key, read) in readings {
            let was_missing = self.active.is_missing(key);
            let taken = self.active.take(key, read, &self.deps.env, now);
            self.report(key, &taken);
            if taken == ReadOutcome::Vanished {
                // Once more soon: who removed it may be about to say so.
                again |= !was_missing;
                vanished.push(key);
            }
            self.say_missing(key, was_missing);
            again |= taken == ReadOutcome::Wait;
            if matches!(taken, ReadOutcome::Applied | ReadOutcome::Refused) {
                changed.push(key);
            }
            if taken == ReadOutcome::Applied {
                applied = true;
                self.unrecorded.insert(key, "external");
            }
            if taken == ReadOutcome::Lost {
                lost.extend(self.active.in_force(key).map(|document| (key, document.text.clone())));
            }
        }
        if applied || before != self.active.standstill() {
            self.publish(&changed, ctx);
        }
        if applied {
            // In force at once; who did it may be about to say so.
            ctx.run_later(AUTHOR_GRACE, Self::record);
        } else {
            // A store's list may tell of changes that are history already.
            self.record(ctx);
        }
        MessageResult(FollowUp { again, lost, vanished, ack: self.ack() })
    }
}

impl Handler<DocumentsRemoved> for ConfigActor {
    type Result = MessageResult<DocumentsRemoved>;

    fn handle(&mut self, DocumentsRemoved(keys): DocumentsRemoved, ctx: &mut Self::Context) -> Self::Result {
        let now = self.deps.world.now();
        let keys: Vec<Key> = keys.into_iter().filter(|key| self.active.is_missing(*key)).collect();
        for key in &keys {
            tracing::info!(%key, "the document was removed");
            self.active.remove(*key, &self.deps.env, now);
            self.unrecorded.remove(key);
        }
        if !keys.is_empty() {
            self.publish(&keys, ctx);
        }
        MessageResult(self.ack())
    }
}

impl Handler<HistoryLost> for ConfigActor {
    type Result = ();

    /// What is in force is recorded again, where it is not what the journal still has.
    fn handle(&mut self, _: HistoryLost, ctx: &mut Self::Context) {
        self.followed = None;
        for key in Key::ALL {
            if self.active.in_force(key).is_some() {
                self.unrecorded.entry(key).or_insert(RECOVERY);
            }
        }
        self.record(ctx);
    }
}

impl Handler<RecordingDone> for ConfigActor {
    type Result = ();

    fn handle(&mut self, RecordingDone { followed, failed }: RecordingDone, ctx: &mut Self::Context) {
        self.recording.send_replace(false);
        // A loss that came meanwhile has undone what was followed.
        let lost = self.unrecorded.values().any(|origin| *origin == RECOVERY);
        self.followed = followed.filter(|_| !lost);
        let all_well = failed.is_empty();
        for (key, origin) in failed {
            self.unrecorded.entry(key).or_insert(origin);
        }
        if all_well {
            self.record_again = RECORD_RETRY.0;
            if self.record_once_more {
                self.record(ctx);
            }
        } else if !self.draining {
            let pause = self.deps.world.jitter.spread(self.record_again);
            self.record_again = self.record_again.saturating_mul(2).min(RECORD_RETRY.1);
            ctx.run_later(pause, |actor, ctx| actor.record(ctx));
        }
    }
}

impl Handler<ReadAgain> for ConfigActor {
    type Result = ();

    fn handle(&mut self, _: ReadAgain, _ctx: &mut Self::Context) {
        self.read_again.notify_one();
    }
}

impl Handler<GetConfigStatus> for ConfigActor {
    type Result = ResponseFuture<ConfigStatus>;

    fn handle(&mut self, _: GetConfigStatus, _ctx: &mut Self::Context) -> Self::Result {
        let (active, own, store) = (self.active.clone(), self.ack(), Arc::clone(&self.deps.store));
        let policy = self.deps.policy.load();
        let (version, mut remarks) = (policy.version, policy.remarks());
        remarks.extend(active.stand_ins());
        Box::pin(async move {
            let mut documents = active.status();
            let told = tokio::time::timeout(ROLLOUT_TIMEOUT, store::workers(store.as_ref())).await;
            let workers = match told {
                // Nobody else is there, as far as this store can tell.
                Ok(Ok(acks)) if acks.is_empty() => {
                    rollout::alone(&mut documents, &active, &own);
                    1
                }
                Ok(Ok(mut acks)) => {
                    if let Some(here) = acks.iter_mut().find(|ack| ack.worker == own.worker) {
                        *here = own;
                    } else {
                        acks.push(own);
                    }
                    rollout::compare(&mut documents, &active, &acks);
                    acks.len()
                }
                // How many there are is not known.
                Ok(Err(_)) | Err(_) => 0,
            };
            ConfigStatus { version, documents, workers, stores: store::health(store.as_ref()), remarks }
        })
    }
}

impl Handler<Drain> for ConfigActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        self.draining = true;
        self.watcher = None;
        // What waits for its author is recorded without him.
        if !self.unrecorded.is_empty() {
            self.record(ctx);
        }
        let mut recording = self.recording.subscribe();
        let (store, worker) = (Arc::clone(&self.deps.store), self.deps.worker.clone());
        Box::pin(async move {
            if let Some(rollout) = store.rollout() {
                rollout.leave(&worker).await;
            }
            // A sender that is gone has nothing under way either.
            drop(recording.wait_for(|at_work| !at_work).await);
        })
    }
}
