//! The supervision tree: who starts, watches and stops whom.
//!
//! ```text
//! root (`root.rs`) ── records restarts, decides on escalation
//!  ├─ ConfigActor   documents, hot reload
//!  ├─ LockActor     who polls            ┐ only in a worker
//!  ├─ PollerActor   mailbox ─▶ Admit    ┘ that may poll
//!  ├─ DedupActor    Admit ─▶ journal
//!  ├─ R2Actor       offload queue
//!  ├─ WebhookActor  deliver queue
//!  └─ ChoreActor…   what must be done now and then: retention, a look at Redis' settings
//! ```
//!
//! Every actor is started by a [`Guardian`](crate::kernel::guardian::Guardian) and receives its
//! world through a `Deps` struct: there are no globals, so several systems live in one process (the
//! tests do that), and dropping a [`System`] ends all of it at once, as a crash would.

mod root;
mod start;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use self::root::Root;
use self::start::drain;
pub use self::start::start;
use crate::chore::Chore;
use crate::config::policy::EnvDefaults;
use crate::config::store::DocumentStore;
use crate::config::{GetConfigStatus, ReadAgain};
use crate::ingress::Ingress;
use crate::kernel::clock::World;
use crate::kernel::guardian::Restarts;
use crate::kernel::journal::Journal;
use crate::kernel::port::Port;
use crate::lock::GetLockStatus;
use crate::lock::store::LeaseStore;
use crate::mail::policy::PolicyCell;
use crate::make::ScenarioParts;
use crate::messages::Drain;
use crate::poller::GetPollerStatus;
use crate::poller::source::MailSource;
use crate::r2::{Copies, GetR2Status, LinkStore};
use crate::signing::SigningKeys;
use crate::webhook::GetWebhookStatus;
use crate::webhook::port::Receiver;
use crate::webhook::scheduler::DeliveryLimits;
use crate::worker::{Stopped, WorkerEvent};

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
    /// Receivers are told which trace a webhook belongs to.
    pub traced: bool,
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
    /// Scenarios at Make.com that follow the settings; `None` = there are none.
    pub scenarios: Option<ScenarioParts>,
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
