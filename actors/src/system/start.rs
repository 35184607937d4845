//! Starts the actors, each with what it depends on, and has a guardian watch over each.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, Supervised};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::root::record_losses;
use super::{ADMITS, ASK, DRAIN, PUSH, PUSHED, Parts, Probe, Root, System};
use crate::chore::ChoreActor;
use crate::config::{ConfigActor, ConfigDeps, WireConfig};
use crate::dedup::{DedupActor, DedupDeps};
use crate::ingress::Ingress;
use crate::kernel::guardian::{Guardian, GuardianNotice, Notices};
use crate::kernel::port::Port;
use crate::lock::{LockActor, LockDeps, POLLER, WireLock};
use crate::make::ScenarioControl;
use crate::messages::{Drain, PolicyChanged};
use crate::poller::{LeaseCell, PollerActor, PollerDeps};
use crate::r2::{R2Actor, R2Deps};
use crate::webhook::{WebhookActor, WebhookDeps};
use crate::worker::{ActorRestarted, Started, WorkerEvent};

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
            traced: parts.traced,
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
        if let Some(make) = &parts.scenarios {
            let control = ScenarioControl {
                world: world("scenarios"),
                journal: Arc::clone(journal),
                policy: Arc::clone(policy),
                lock: Port::new("lock", &lock, 1, ASK),
                lease: POLLER,
                make: make.clone(),
            };
            starter.start("scenarios", ChoreActor::new(control.chore()));
        }
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
pub(super) async fn drain((name, port): &(&'static str, Port<Drain>)) {
    if let Err(error) = port.ask(Drain).await {
        tracing::warn!(actor = name, %error, "did not finish in time, its claims are given back with the journal");
    }
}
