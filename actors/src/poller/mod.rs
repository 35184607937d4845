//! PollerActor: reads the mailbox, hands every mail to the admission, and marks as read
//! what is settled.
//!
//! ```text
//! LeaseChanged, PolicyChanged, Drain ─▶ PollerActor ─(watch)─▶ Keeper: one task
//!                                                               │ standby · schedule · back-off
//!                                                               ▼
//!                                              Visit: one connection to the mailbox
//!                                      list ─▶ describe ─▶ fetch ─▶ Admit (many at once)
//!                                      flag rows ─▶ \Seen ─▶ settle + mailbox.flagged
//! ```
//!
//! A mail is a candidate when it is unread, or when its UID is above the one that was next
//! at first sight, and the journal does not have it. The `Date:` header decides nothing.
//! The whole mailbox is swept at every connection, so nothing depends on a notice by the
//! server, on memory, or on a clean end of the connection before.
//!
//! The actor holds no state that matters: the keeper rebuilds everything from the journal
//! and the mailbox. Whoever wants it looked at now says so in the journal ([`check`]). A panic in it is one of the actor, which its guardian starts anew.

mod board;
pub mod check;
mod cursor;
mod first;
mod flags;
pub mod imap;
mod keeper;
mod log;
pub mod maildir;
mod round;
pub mod source;
pub mod state;
mod status;
#[cfg(test)]
mod tests;
pub mod tokens;
mod trouble;
mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix::{Actor, Context, Handler, ResponseFuture, Supervised};
use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use self::board::PollerBoard;
use self::keeper::Keeper;
use self::source::MailSource;
pub use self::status::{GetPollerStatus, PollerStatus};
use crate::kernel::clock::World;
use crate::kernel::guardian::depend_on;
use crate::kernel::journal::{Fence, Journal};
use crate::kernel::port::Port;
use crate::mail::policy::PolicyCell;
use crate::messages::{Admit, Drain, LeaseChanged, PolicyChanged};

/// How long [`Drain`] waits for mails that are being admitted, flags that are being set and the
/// server's goodbye, which have limits of their own. Below what the system waits for an actor.
const DRAIN_LIMIT: Duration = Duration::from_secs(7);

/// What the lease was last said to be. Shared by all lives of the actor, because the lease
/// does not change when the poller is restarted. The journal checks the fence in any case.
pub type LeaseCell = Arc<ArcSwapOption<Fence>>;

/// What the poller needs.
#[derive(Clone)]
pub struct PollerDeps {
    /// Time, ids, jitter.
    pub world: World,
    /// Where flag rows come from and mailbox events go.
    pub journal: Arc<dyn Journal>,
    /// The policy in force: schedule, interval, size limit.
    pub policy: PolicyCell,
    /// Name of this worker, for the log.
    pub worker: String,
    /// The mailbox.
    pub source: Arc<dyn MailSource>,
    /// The admission. Fewer than 128 permits slow a backlog down.
    pub admit: Port<Admit>,
    /// Start with `LeaseCell::default()`: no lease.
    pub lease: LeaseCell,
}

/// What the actor tells its keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Control {
    fence: Option<Fence>,
    /// Version of the policy; only its changes matter.
    policy: u64,
    draining: bool,
}

/// Polls the mailbox while this worker holds the lease; marks mails as read.
pub struct PollerActor {
    deps: PollerDeps,
    board: Arc<PollerBoard>,
    /// What the journal did not accept.
    refused: LeaseCell,
    control: watch::Sender<Control>,
    /// Becomes true when the keeper has drained.
    drained: watch::Receiver<bool>,
    /// Lives in a row that ended by a panic.
    panics: Arc<AtomicU32>,
    /// `None` until started.
    keeper: Option<AbortOnDropHandle<()>>,
}

impl PollerActor {
    /// An actor that has not started yet.
    #[must_use]
    pub fn new(deps: PollerDeps) -> Self {
        let fence = deps.lease.load().as_deref().cloned();
        let policy = deps.policy.load().version;
        let (control, _) = watch::channel(Control { fence, policy, draining: false });
        let (_, drained) = watch::channel(false);
        Self {
            deps,
            board: Arc::default(),
            refused: LeaseCell::default(),
            control,
            drained,
            panics: Arc::default(),
            keeper: None,
        }
    }
}

impl Actor for PollerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (drained, watched) = watch::channel(false);
        self.drained = watched;
        let keeper = Keeper::new(
            self.deps.clone(),
            Arc::clone(&self.board),
            Arc::clone(&self.refused),
            self.control.subscribe(),
            drained,
            Arc::clone(&self.panics),
        );
        self.keeper = Some(depend_on(ctx, keeper.run()));
    }
}

impl Supervised for PollerActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        let draining = self.control.borrow().draining;
        let panics = Arc::clone(&self.panics);
        panics.fetch_add(1, Ordering::Relaxed);
        *self = Self { panics, ..Self::new(self.deps.clone()) };
        self.control.send_modify(|control| control.draining = draining);
    }
}

impl Handler<LeaseChanged> for PollerActor {
    type Result = bool;

    fn handle(&mut self, message: LeaseChanged, _: &mut Context<Self>) -> bool {
        let refused = self.refused.load_full();
        let accepted = message.fence.is_none() || message.fence.as_ref() != refused.as_deref();
        self.deps.lease.store(message.fence.clone().map(Arc::new));
        self.control.send_if_modified(|control| {
            let changed = control.fence != message.fence;
            control.fence = message.fence;
            changed
        });
        accepted
    }
}

impl Handler<PolicyChanged> for PollerActor {
    type Result = ();

    fn handle(&mut self, message: PolicyChanged, _: &mut Context<Self>) {
        // The cell is what counts; the message says that it is worth looking.
        self.control.send_modify(|control| control.policy = message.0.version);
    }
}

impl Handler<Drain> for PollerActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Self::Result {
        self.control.send_modify(|control| control.draining = true);
        let mut drained = self.drained.clone();
        let worker = self.deps.worker.clone();
        Box::pin(async move {
            // An error means that the keeper is gone, and so has nothing under way.
            let waited = tokio::time::timeout(DRAIN_LIMIT, drained.wait_for(|drained| *drained)).await;
            if waited.is_err() {
                tracing::warn!(worker, "the poller did not finish in time, what is under way is given up");
            }
        })
    }
}

impl Handler<GetPollerStatus> for PollerActor {
    type Result = actix::MessageResult<GetPollerStatus>;

    fn handle(&mut self, _: GetPollerStatus, _: &mut Context<Self>) -> Self::Result {
        let interval = self.deps.policy.load().schedule.interval;
        let status: PollerStatus =
            self.board.status(self.deps.source.mailbox(), interval, self.deps.world.now());
        actix::MessageResult(status)
    }
}
