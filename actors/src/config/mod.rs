//! ConfigActor: documents, stores, hot reload.
//!
//! ```text
//! store ─read─▶ Book (what is in force) ─build─▶ Policy ─▶ PolicyCell + PolicyChanged
//!                                       └─▶ config.changed, with a copy of the document
//! ```
//!
//! * [`documents`]: what is stored, and what it means.
//! * [`policy`]: documents + environment = policy; pure.
//! * [`book`]: what is in force, what is refused and why; pure.
//! * [`store`]: where documents are kept.
//! * [`history`]: every change is an event.
//! * [`load`]: everything read once, without an actor.

pub mod book;
pub mod documents;
pub mod history;
pub mod load;
pub mod policy;
pub mod rules;
pub mod state;
pub mod store;
pub mod urls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use self::book::{Book, GRACE, InForce, Taken};
use self::documents::Key;
use self::policy::EnvDefaults;
use self::store::{DocumentStore, Read, StoreError};
use crate::kernel::clock::World;
use crate::kernel::guardian::depend_on;
use crate::kernel::journal::Journal;
use crate::kernel::port::Port;
use crate::mail::policy::{Policy, PolicyCell};
use crate::messages::{ConfigStatus, Drain, GetConfigStatus, PolicyChanged};

/// Id of the default target; no rule may have it.
pub const DEFAULT_TARGET: &str = "default";

/// The documents are read at least this often, whatever the store's hints say.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// How long the effect tasks wait for their own actor.
const OWN_DEADLINE: Duration = Duration::from_secs(5);

/// Pauses before a change is offered to a failing journal again.
const RECORD_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Pauses before an actor that did not answer is told again.
const TELL_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What the actor needs.
#[derive(Clone)]
pub struct ConfigDeps {
    /// Time, ids, jitter.
    pub world: World,
    /// Where changes are recorded.
    pub journal: Arc<dyn Journal>,
    /// Where the policy in force is put. Filled from [`load::load`] before the start.
    pub policy: PolicyCell,
    /// Where the documents are.
    pub store: Arc<dyn DocumentStore>,
    /// What holds where the documents say nothing.
    pub env: Arc<EnvDefaults>,
}

/// Whom to tell about changes. Sent once by the root, after the others are started; each
/// of them is told the policy in force at once.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct WireConfig(pub Vec<Port<PolicyChanged>>);

/// From the watcher: the documents as they were at the start.
#[derive(Clone, Message)]
#[rtype(result = "()")]
struct Loaded(Book);

/// From the watcher: what the store holds now. Answers whether to read again soon.
#[derive(Clone, Message)]
#[rtype(result = "bool")]
struct Seen(Vec<(Key, Result<Read, StoreError>)>);

/// From the recorder: it is done, except for these.
#[derive(Clone, Message)]
#[rtype(result = "()")]
struct Recorded {
    failed: Vec<(Key, &'static str)>,
}

/// Keeps the policy in force up to date with the documents. See the module page.
pub struct ConfigActor {
    deps: ConfigDeps,
    subscribers: Vec<Port<PolicyChanged>>,
    book: Book,
    /// Changes that are not in the journal yet, with their origin.
    unrecorded: BTreeMap<Key, &'static str>,
    /// Whether a recorder is at work.
    recording: watch::Sender<bool>,
    record_again: Duration,
    draining: bool,
    watcher: Option<AbortOnDropHandle<()>>,
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
            book: Book::default(),
            unrecorded: BTreeMap::new(),
            recording: watch::Sender::new(false),
            record_again: RECORD_AGAIN.0,
            draining: false,
            watcher: None,
            recorder: None,
            broadcast: None,
        }
    }

    /// Puts the policy that follows from the book in force, here and everywhere.
    fn publish(&mut self, ctx: &mut Context<Self>) {
        let version = self.deps.policy.load().version + 1;
        let policy = Arc::new(self.book.policy(&self.deps.env, version));
        self.deps.policy.store(Arc::clone(&policy));
        // render_signal_config_version: version of the policy in force in this process.
        metrics::gauge!("render_signal_config_version").set(version as f64);
        tracing::info!(version, "configuration in force");
        self.broadcast(policy, ctx);
    }

    /// Tells everybody; a broadcast that is still under way is superseded.
    fn broadcast(&mut self, policy: Arc<Policy>, ctx: &mut Context<Self>) {
        let tellings: Vec<_> = self
            .subscribers
            .iter()
            .map(|port| tell(port.clone(), self.deps.world.clone(), Arc::clone(&policy)))
            .collect();
        let telling = async move {
            futures::future::join_all(tellings).await;
        };
        self.broadcast = Some(depend_on(ctx, telling));
    }

    /// Logs and counts what a reading came to.
    fn note(&self, key: Key, taken: &Taken) {
        let refused = if self.book.is_refused(key) { 1.0 } else { 0.0 };
        // render_signal_config_refused{key}: 1 while the stored document is not the one in force.
        metrics::gauge!("render_signal_config_refused", "key" => key.as_str()).set(refused);
        let result = match taken {
            Taken::Unchanged | Taken::Wait => return,
            Taken::Applied => "applied",
            Taken::Refused => "refused",
        };
        // render_signal_config_changes_total{key,result}: changes seen in the store.
        metrics::counter!("render_signal_config_changes_total", "key" => key.as_str(), "result" => result)
            .increment(1);
        let problems = self.book.problems(key).join("; ");
        match taken {
            Taken::Refused => {
                tracing::error!(%key, problems, "document refused, the one before stays in force");
            }
            _ if problems.is_empty() => tracing::info!(%key, "document applied"),
            _ => tracing::warn!(%key, problems, "document applied in part"),
        }
    }

    /// Starts a recorder, when there is something to record and none is at work.
    fn record(&mut self, ctx: &mut Context<Self>) {
        if self.unrecorded.is_empty() || *self.recording.borrow() {
            return;
        }
        let batch: Vec<(Key, &'static str, Option<InForce>)> = std::mem::take(&mut self.unrecorded)
            .into_iter()
            .map(|(key, origin)| (key, origin, self.book.in_force(key).cloned()))
            .collect();
        self.recording.send_replace(true);
        let report = Port::new("config recorder", &ctx.address(), 1, OWN_DEADLINE);
        let task = record_all(self.deps.clone(), batch, report);
        self.recorder = Some(depend_on(ctx, task));
    }
}

/// Tells one actor until it has heard.
async fn tell(port: Port<PolicyChanged>, world: World, policy: Arc<Policy>) {
    let mut pause = TELL_AGAIN.0;
    while let Err(error) = port.ask(PolicyChanged(Arc::clone(&policy))).await {
        tracing::warn!(%error, version = policy.version, "an actor did not hear of the configuration, telling again");
        tokio::time::sleep(world.jitter.spread(pause)).await;
        pause = pause.saturating_mul(2).min(TELL_AGAIN.1);
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
                tokio::time::sleep(TELL_AGAIN.0).await;
            }
        }
    }
}

/// Reads the documents at the start, at every hint of the store, and on a timer.
async fn watch_store(deps: ConfigDeps, loaded: Port<Loaded>, seen: Port<Seen>) {
    let book =
        load::load(deps.store.as_ref(), &deps.env, Some(deps.journal.as_ref()), deps.world.now()).await;
    until_answered(&loaded, Loaded(book)).await;
    loop {
        // Whichever comes first: a hint may be lost.
        drop(tokio::time::timeout(READ_AGAIN, deps.store.changed()).await);
        while until_answered(&seen, Seen(load::read_all(deps.store.as_ref()).await)).await {
            tokio::time::sleep(GRACE).await;
        }
    }
}

async fn record_all(
    deps: ConfigDeps,
    batch: Vec<(Key, &'static str, Option<InForce>)>,
    report: Port<Recorded>,
) {
    let mut failed = Vec::new();
    for (key, origin, in_force) in batch {
        let recorded =
            history::record(deps.journal.as_ref(), &deps.world, key, in_force.as_ref(), origin).await;
        if let Err(error) = recorded {
            tracing::warn!(%key, error, "a change of the configuration is in force but not yet in the journal");
            failed.push((key, origin));
        }
    }
    until_answered(&report, Recorded { failed }).await;
}

impl Actor for ConfigActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let loaded = Port::new("config loader", &ctx.address(), 1, OWN_DEADLINE);
        let seen = Port::new("config watcher", &ctx.address(), 1, OWN_DEADLINE);
        let task = watch_store(self.deps.clone(), loaded, seen);
        self.watcher = Some(depend_on(ctx, task));
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

impl Handler<Loaded> for ConfigActor {
    type Result = ();

    fn handle(&mut self, Loaded(book): Loaded, ctx: &mut Self::Context) {
        self.book = book;
        for key in Key::ALL {
            if self.book.is_refused(key) {
                self.note(key, &Taken::Refused);
            } else {
                let problems = self.book.problems(key);
                if !problems.is_empty() {
                    tracing::warn!(%key, problems = problems.join("; "), "document applied in part");
                }
                self.unrecorded.insert(key, "startup");
            }
        }
        self.publish(ctx);
        self.record(ctx);
    }
}

impl Handler<Seen> for ConfigActor {
    type Result = bool;

    fn handle(&mut self, Seen(readings): Seen, ctx: &mut Self::Context) -> bool {
        let now = self.deps.world.now();
        let (mut again, mut applied) = (false, false);
        for (key, read) in readings {
            let taken = self.book.take(key, read, &self.deps.env, now);
            self.note(key, &taken);
            again |= taken == Taken::Wait;
            if taken == Taken::Applied {
                applied = true;
                self.unrecorded.insert(key, "external");
            }
        }
        if applied {
            self.publish(ctx);
            self.record(ctx);
        }
        again
    }
}

impl Handler<Recorded> for ConfigActor {
    type Result = ();

    fn handle(&mut self, Recorded { failed }: Recorded, ctx: &mut Self::Context) {
        self.recording.send_replace(false);
        let all_well = failed.is_empty();
        for (key, origin) in failed {
            self.unrecorded.entry(key).or_insert(origin);
        }
        if all_well {
            self.record_again = RECORD_AGAIN.0;
            self.record(ctx);
        } else if !self.draining {
            let pause = self.deps.world.jitter.spread(self.record_again);
            self.record_again = self.record_again.saturating_mul(2).min(RECORD_AGAIN.1);
            ctx.run_later(pause, |actor, ctx| actor.record(ctx));
        }
    }
}

impl Handler<GetConfigStatus> for ConfigActor {
    type Result = actix::MessageResult<GetConfigStatus>;

    fn handle(&mut self, _: GetConfigStatus, _ctx: &mut Self::Context) -> Self::Result {
        let policy = self.deps.policy.load();
        actix::MessageResult(ConfigStatus {
            version: policy.version,
            documents: self.book.status(),
            remarks: policy.prefs.remarks(),
        })
    }
}

impl Handler<Drain> for ConfigActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _ctx: &mut Self::Context) -> Self::Result {
        self.draining = true;
        self.watcher = None;
        let mut recording = self.recording.subscribe();
        Box::pin(async move {
            // A sender that is gone has nothing under way either.
            drop(recording.wait_for(|at_work| !at_work).await);
        })
    }
}

/// Cases of `tests/golden/config.json`: recorded from the reference system, with a
/// `differs` where this program differs on purpose.
#[cfg(test)]
pub(crate) fn golden(area: &str) -> Vec<serde_json::Value> {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../tests/golden/config.json")).unwrap();
    let cases: Vec<_> = cases.into_iter().filter(|case| case["area"] == area).collect();
    assert!(!cases.is_empty(), "no golden case of {area}");
    cases
}

#[cfg(test)]
mod tests;
