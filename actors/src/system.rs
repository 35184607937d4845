//! The supervision tree: who starts, watches and stops whom.
//!
//! ```text
//! root (this file) ── records restarts, decides on escalation
//!  ├─ ConfigActor   documents, hot reload
//!  ├─ LockActor     who polls            ┐ only in a worker
//!  ├─ PollerActor   mailbox ─▶ Admit    ┘ that may poll
//!  ├─ DedupActor    Admit ─▶ journal
//!  ├─ R2Actor       offload queue
//!  ├─ WebhookActor  deliver queue
//!  └─ ChoreActor…   what must be done now and then: retention, a look at Redis' settings
//! ```
//!
//! Every actor is started by a [`Guardian`] and receives its world through a `Deps`
//! struct: there are no globals, so several systems live in one process (the tests do
//! that), and dropping a [`System`] ends all of it at once, as a crash would.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, Supervised};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::chore::{Chore, ChoreActor};
use crate::config::policy::EnvDefaults;
use crate::config::store::DocumentStore;
use crate::config::{ConfigActor, ConfigDeps, WireConfig};
use crate::config::{GetConfigStatus, ReadAgain};
use crate::dedup::{DedupActor, DedupDeps};
use crate::ingress::Ingress;
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::guardian::{Guardian, GuardianNotice, Notices, Restarts};
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{Commit, Expected, Journal, Loss, StreamWrite, lost};
use crate::kernel::port::Port;
use crate::lock::GetLockStatus;
use crate::lock::store::LeaseStore;
use crate::lock::{LockActor, LockDeps, WireLock};
use crate::mail::policy::PolicyCell;
use crate::messages::{Drain, PolicyChanged};
use crate::poller::GetPollerStatus;
use crate::poller::source::MailSource;
use crate::poller::{LeaseCell, PollerActor, PollerDeps};
use crate::r2::GetR2Status;
use crate::r2::{Copies, LinkStore, R2Actor, R2Deps};
use crate::signing::SigningKeys;
use crate::webhook::GetWebhookStatus;
use crate::webhook::port::Receiver;
use crate::webhook::scheduler::DeliveryLimits;
use crate::webhook::{WebhookActor, WebhookDeps};
use crate::worker::{ActorRestarted, JournalRegressed, Started, Stopped, WorkerEvent, worker_stream};

/// A question between actors is answered within this, or its answer is unknown.
const ASK: Duration = Duration::from_secs(30);
/// Mails between the poller and the journal.
const ADMITS: usize = 256;
/// Mails that are handed over by HTTP at a time. More wait for [`PUSH`], and are refused.
const PUSHED: usize = 16;
/// Whoever hands one over is told within twice this; it may be in the journal all the same, and
/// is known then when it comes again.
const PUSH: Duration = Duration::from_secs(10);
/// How long one actor may take to finish what is under way. Each gives up on its own before,
/// so that what it cannot finish is given back by itself. Twice this is what a stop takes.
const DRAIN: Duration = Duration::from_secs(8);

/// Gives each actor its world, by name.
pub type Worlds = Arc<dyn Fn(&'static str) -> World + Send + Sync>;

/// Everything a system is made of.
#[derive(Clone)]
pub struct Parts {
    /// Name of this worker: `<host>/<pid>/<start id>`.
    pub worker: String,
    /// Version of the program, for the record.
    pub version: String,
    /// Time, ids and chance of each actor.
    pub worlds: Worlds,
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// The policy in force; the configuration room replaces it.
    pub policy: PolicyCell,
    /// What the environment says, for documents that leave it open.
    pub defaults: Arc<EnvDefaults>,
    /// Where the documents are.
    pub documents: Arc<dyn DocumentStore>,
    /// Who may poll.
    pub lease: Arc<dyn LeaseStore>,
    /// How long a lease lasts without renewal.
    pub lease_ttl: Duration,
    /// The mailbox; `None` = this worker never polls, and takes no lease.
    pub source: Option<Arc<dyn MailSource>>,
    /// Where linked files are copied to.
    pub links: Arc<dyn LinkStore>,
    /// What is known of the copies.
    pub copies: Copies,
    /// Links of one mail that are copied.
    pub links_per_mail: usize,
    /// How long a mail waits for copies that cannot be made at the moment.
    pub copies_patience: Duration,
    /// How webhooks are posted.
    pub receiver: Arc<dyn Receiver>,
    /// Keys to sign them with; `None` = unsigned.
    pub keys: Option<SigningKeys>,
    /// How many webhooks at a time.
    pub limits: DeliveryLimits,
    /// What must be done now and then.
    pub chores: Vec<Chore>,
    /// How often an actor may be restarted.
    pub restarts: Restarts,
}

/// The questions that may be asked from outside.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The poller; `None` when this worker never polls.
    pub poller: Option<Port<GetPollerStatus>>,
    /// The delivery.
    pub webhook: Port<GetWebhookStatus>,
    /// The copies.
    pub r2: Port<GetR2Status>,
    /// The lease; `None` when this worker never polls.
    pub lock: Option<Port<GetLockStatus>>,
    /// The configuration.
    pub config: Port<GetConfigStatus>,
}

/// A running system. Dropping it ends every actor at once, with all effects.
pub struct System {
    /// See [`Probe`].
    pub probe: Probe,
    /// Has the documents read at once.
    pub read_again: Port<ReadAgain>,
    /// Where mails are handed over that lie in no mailbox.
    pub ingress: Ingress,
    drains: Vec<(&'static str, Port<Drain>)>,
    root: Root,
    escalation: watch::Receiver<Option<String>>,
    _watch: [AbortOnDropHandle<()>; 2],
    _guardians: Vec<AbortOnDropHandle<()>>,
}

/// What the root needs to write its own records.
#[derive(Clone)]
struct Root {
    world: World,
    journal: Arc<dyn Journal>,
    worker: String,
    version: String,
}

impl Root {
    /// Records a fact about this worker. Its loss would cost a line of history, never a
    /// mail, so a journal that does not take it is only logged.
    async fn record(&self, event: WorkerEvent) {
        let Some(commit) = self.fact(&event) else { return };
        if let Err(error) = self.journal.append(commit).await {
            tracing::warn!(%error, "a fact about this worker was not recorded");
        }
    }

    fn fact(&self, event: &WorkerEvent) -> Option<Commit> {
        let new = event
            .to_new(self.world.ids.next())
            .inspect_err(|error| tracing::error!(%error, "a worker event could not be written"))
            .ok()?;
        Some(Commit {
            at: self.world.now(),
            writes: vec![StreamWrite {
                stream: worker_stream(&self.worker),
                // A log of facts by one writer; nothing is decided from it.
                expected: Expected::Any,
                events: vec![new],
            }],
            ..Commit::default()
        })
    }
}

/// Records every loss of commits that this worker notices. The server may still be on its
/// way back, so until the journal takes it.
async fn record_losses(root: Root, mut losses: watch::Receiver<Option<Loss>>) {
    loop {
        lost(&mut losses).await;
        let Some(loss) = losses.borrow_and_update().clone() else { continue };
        let event = WorkerEvent::JournalRegressed(JournalRegressed {
            worker: root.worker.clone(),
            version: root.version.clone(),
            noticed_at: loss.at,
            known_log: loss.known_log,
            known_position: loss.known_head,
            found_log: loss.found_log,
            found_position: loss.found_head,
        });
        let Some(commit) = root.fact(&event) else { continue };
        if let Err(error) = persist(root.journal.as_ref(), &root.world, commit).await {
            tracing::warn!(%error, "the loss was not recorded");
        }
    }
}

/// Starts and guards one actor, and gives it its ports.
struct Starter<'a> {
    parts: &'a Parts,
    notices: Notices,
    guardians: Vec<AbortOnDropHandle<()>>,
    drains: Vec<(&'static str, Port<Drain>)>,
}

impl Starter<'_> {
    fn start<A>(&mut self, name: &'static str, actor: A) -> Addr<A>
    where
        A: Actor<Context = Context<A>> + Supervised + Handler<Drain>,
    {
        let world = (self.parts.worlds)(name);
        let (address, guardian) =
            Guardian::start(name, self.parts.restarts, world, self.notices.clone(), |_| actor);
        self.guardians.push(guardian);
        self.drains.push((name, Port::new(name, &address, 1, DRAIN)));
        address
    }
}

/// Starts every actor, in the order in which they need each other.
///
/// Must be called on a thread with an actix system.
#[must_use]
pub fn start(parts: &Parts) -> System {
    let (notices, notified) = mpsc::unbounded_channel();
    let mut starter = Starter { parts, notices, guardians: Vec::new(), drains: Vec::new() };
    let world = |name| (parts.worlds)(name);
    let (journal, policy, worker) = (&parts.journal, &parts.policy, &parts.worker);

    // Started first, drained last: whoever is upstream of others stops before them.
    let webhook = starter.start(
        "webhook",
        WebhookActor::new(WebhookDeps {
            world: world("webhook"),
            journal: Arc::clone(journal),
            policy: Arc::clone(policy),
            receiver: Arc::clone(&parts.receiver),
            keys: parts.keys.clone(),
            limits: parts.limits,
        }),
    );
    let r2 = starter.start(
        "r2",
        R2Actor::new(R2Deps {
            world: world("r2"),
            journal: Arc::clone(journal),
            policy: Arc::clone(policy),
            worker: worker.clone(),
            store: Arc::clone(&parts.links),
            copies: parts.copies.clone(),
            links_per_mail: parts.links_per_mail,
            patience: parts.copies_patience,
        }),
    );
    let dedup = starter.start(
        "dedup",
        DedupActor::new(DedupDeps {
            world: world("dedup"),
            journal: Arc::clone(journal),
            policy: Arc::clone(policy),
        }),
    );
    let mut followers = vec![
        Port::<PolicyChanged>::new("webhook", &webhook, 4, ASK),
        Port::new("r2", &r2, 4, ASK),
        Port::new("dedup", &dedup, 4, ASK),
    ];
    let (mut poller_probe, mut lock_probe) = (None, None);
    if let Some(source) = &parts.source {
        let poller = starter.start(
            "poller",
            PollerActor::new(PollerDeps {
                world: world("poller"),
                journal: Arc::clone(journal),
                policy: Arc::clone(policy),
                worker: worker.clone(),
                source: Arc::clone(source),
                admit: Port::new("dedup", &dedup, ADMITS, ASK),
                lease: LeaseCell::default(),
            }),
        );
        followers.push(Port::new("poller", &poller, 4, ASK));
        poller_probe = Some(Port::new("poller", &poller, 8, ASK));
        // A worker without a mailbox must not keep the lease from one that has it.
        let lock = starter.start(
            "lock",
            LockActor::new(LockDeps {
                world: world("lock"),
                journal: Arc::clone(journal),
                worker: worker.clone(),
                store: Arc::clone(&parts.lease),
                ttl: parts.lease_ttl,
            }),
        );
        wire(Port::new("lock", &lock, 1, ASK), WireLock(Port::new("poller", &poller, 4, ASK)));
        lock_probe = Some(Port::new("lock", &lock, 8, ASK));
    }
    let config = starter.start(
        "config",
        ConfigActor::new(ConfigDeps {
            world: world("config"),
            journal: Arc::clone(journal),
            policy: Arc::clone(policy),
            worker: worker.clone(),
            store: Arc::clone(&parts.documents),
            env: Arc::clone(&parts.defaults),
        }),
    );
    wire(Port::new("config", &config, 1, ASK), WireConfig(followers));

    for chore in &parts.chores {
        starter.start(chore.name, ChoreActor::new(chore.clone()));
    }

    let probe = Probe {
        poller: poller_probe,
        webhook: Port::new("webhook", &webhook, 8, ASK),
        r2: Port::new("r2", &r2, 8, ASK),
        lock: lock_probe,
        config: Port::new("config", &config, 8, ASK),
    };
    let root = Root {
        world: world("root"),
        journal: Arc::clone(journal),
        worker: worker.clone(),
        version: parts.version.clone(),
    };
    let (escalate, escalation) = watch::channel(None);
    let started = WorkerEvent::Started(Started { worker: worker.clone(), version: parts.version.clone() });
    let losses = tokio::spawn(record_losses(root.clone(), journal.losses()));
    let watch = tokio::spawn(watch_over(root.clone(), started, notified, escalate));
    let Starter { guardians, drains, .. } = starter;
    let watch = [watch, losses].map(AbortOnDropHandle::new);
    let read_again = Port::new("config", &config, 1, ASK);
    let ingress = Ingress::new(Port::new("dedup", &dedup, PUSHED, PUSH), Arc::clone(policy));
    System { probe, read_again, ingress, drains, root, escalation, _watch: watch, _guardians: guardians }
}

/// Hands an actor its ports to others. It keeps them over restarts.
fn wire<M>(port: Port<M>, ports: M)
where
    M: Message<Result = ()> + Send + 'static,
{
    // Ends by itself, with the answer or with the deadline.
    drop(tokio::spawn(async move {
        if let Err(error) = port.ask(ports).await {
            tracing::error!(%error, "an actor could not be given its ports");
        }
    }));
}

/// The root's own work: records what the guardians tell it.
async fn watch_over(
    root: Root,
    started: WorkerEvent,
    mut notified: mpsc::UnboundedReceiver<GuardianNotice>,
    escalate: watch::Sender<Option<String>>,
) {
    root.record(started).await;
    while let Some(notice) = notified.recv().await {
        match notice {
            GuardianNotice::Restarting { actor, reason, .. } => {
                let event = ActorRestarted { worker: root.worker.clone(), actor: actor.to_owned(), reason };
                root.record(WorkerEvent::ActorRestarted(event)).await;
            }
            GuardianNotice::Escalated { actor, reason } => {
                escalate.send_replace(Some(format!("actor {actor} failed too often, last with: {reason}")));
            }
        }
    }
}

/// Has one actor finish what is under way.
async fn drain((name, port): &(&'static str, Port<Drain>)) {
    if let Err(error) = port.ask(Drain).await {
        tracing::warn!(actor = name, %error, "did not finish in time, its claims are given back with the journal");
    }
}

impl System {
    /// Waits until an actor has failed too often. The process must stop then: a restart
    /// by the platform is a better cure than a half-dead worker.
    pub async fn escalated(&self) -> String {
        let mut escalation = self.escalation.clone();
        match escalation.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the root of the supervision tree is gone".to_owned(),
        }
    }

    /// Stops in order: no new mail, what is under way finishes or is released, the lease
    /// is given back. The journal is left to the caller, who opened it.
    pub async fn stop(self, reason: &str) {
        // The poller first: its last admissions need the others, and its last flags the lease,
        // for the fence of the next holder would refuse them. Then all others at once; a row
        // that one of them adds for another comes due elsewhere, or after the next start.
        let (poller, others): (Vec<_>, Vec<_>) = self.drains.iter().partition(|(name, _)| *name == "poller");
        for drains in [poller, others] {
            futures::future::join_all(drains.into_iter().map(drain)).await;
        }
        let stopped = Stopped { worker: self.root.worker.clone(), reason: reason.to_owned() };
        self.root.record(WorkerEvent::Stopped(stopped)).await;
    }
}
