//! LockActor: who polls. A lease says who may; its fence makes the journal refuse everybody
//! who may no longer.
//!
//! * [`state`]: the lease as the journal tells it; pure.
//! * [`store`]: where the lease lives; [`mod@redis`] keeps it on a server, [`mod@file`] as an
//!   OS file lock.
//! * `holder`: try, hold and renew, step down, try again.

pub mod file;
mod holder;
pub mod redis;
pub mod state;
mod status;
pub mod store;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::holder::Holder;
pub use self::holder::POLLER;
pub use self::status::{GetLockStatus, LeaseTrouble, LockStatus};
use self::store::LeaseStore;
use crate::kernel::clock::World;
use crate::kernel::guardian::depend_on;
use crate::kernel::journal::{Fence, Journal};
use crate::kernel::port::Port;
use crate::messages::{Drain, LeaseChanged};

/// What the actor needs.
#[derive(Clone)]
pub struct LockDeps {
    /// Time, ids, jitter.
    pub world: World,
    /// Keeps the fence and the events.
    pub journal: Arc<dyn Journal>,
    /// Where the lease lives.
    pub store: Arc<dyn LeaseStore>,
    /// `<host>/<pid>/<start id>`.
    pub worker: String,
    /// `POLLER_LOCK_TTL_SECONDS`: how long the lease outlives its last renewal.
    pub ttl: Duration,
}

/// Whom to tell. Sent once by the root, after the poller is started; until then the lease
/// may be held already, and the poller hears of it at once.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct WireLock(pub Port<LeaseChanged>);

/// Gets and keeps the lease for this worker. See the module page.
pub struct LockActor {
    deps: LockDeps,
    poller: Option<Port<LeaseChanged>>,
    fence: watch::Sender<Option<Fence>>,
    heard: watch::Sender<Option<Fence>>,
    refused: watch::Sender<Option<Fence>>,
    status: watch::Sender<LockStatus>,
    stop: CancellationToken,
    holder: Option<AbortOnDropHandle<()>>,
    teller: Option<AbortOnDropHandle<()>>,
}

impl LockActor {
    /// An actor that holds nothing yet.
    #[must_use]
    pub fn new(deps: LockDeps) -> Self {
        let status = LockStatus { warning: deps.store.warning(), ..LockStatus::default() };
        Self {
            deps,
            poller: None,
            fence: watch::Sender::new(None),
            heard: watch::Sender::new(None),
            refused: watch::Sender::new(None),
            status: watch::Sender::new(status),
            stop: CancellationToken::new(),
            holder: None,
            teller: None,
        }
    }

    fn start_teller(&mut self, ctx: &mut Context<Self>) {
        let Some(poller) = self.poller.clone() else { return };
        let task = tell(poller, self.fence.subscribe(), self.heard.clone(), self.refused.clone());
        self.teller = Some(depend_on(ctx, task));
    }
}

/// Tells the poller at every change and every renewal. One that does not answer (it may be
/// on its way through a restart) hears it again with the next renewal; losing the lease is
/// repeated until it was heard.
async fn tell(
    poller: Port<LeaseChanged>,
    mut fence: watch::Receiver<Option<Fence>>,
    heard: watch::Sender<Option<Fence>>,
    refused: watch::Sender<Option<Fence>>,
) {
    const RETRY_PAUSE: Duration = Duration::from_millis(500);
    loop {
        let now = fence.borrow_and_update().clone();
        let told = poller.ask(LeaseChanged { fence: now.clone() }).await;
        let changed = match told {
            Ok(accepted) => {
                if !accepted {
                    refused.send_replace(now.clone());
                }
                heard.send_replace(now);
                fence.changed().await
            }
            Err(error) => {
                tracing::warn!(%error, "the poller did not hear of the lease, telling again");
                match tokio::time::timeout(RETRY_PAUSE, fence.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => continue,
                }
            }
        };
        if changed.is_err() {
            return;
        }
    }
}

impl Actor for LockActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(warning) = self.deps.store.warning() {
            tracing::warn!(%warning, "lease store");
        }
        let holder = Holder {
            world: self.deps.world.clone(),
            journal: Arc::clone(&self.deps.journal),
            store: Arc::clone(&self.deps.store),
            worker: self.deps.worker.clone(),
            ttl: self.deps.ttl,
            fence: self.fence.clone(),
            heard: self.heard.subscribe(),
            refused: self.refused.subscribe(),
            status: self.status.clone(),
            stop: self.stop.clone(),
        };
        self.holder = Some(depend_on(ctx, holder.run()));
        self.start_teller(ctx);
    }
}

impl Supervised for LockActor {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        let poller = self.poller.take();
        // A worker that stops does not take the lease again.
        let stop = self.stop.clone();
        *self = Self { poller, stop, ..Self::new(self.deps.clone()) };
    }
}

impl Handler<WireLock> for LockActor {
    type Result = ();

    fn handle(&mut self, WireLock(poller): WireLock, ctx: &mut Self::Context) {
        self.poller = Some(poller);
        self.start_teller(ctx);
    }
}

impl Handler<GetLockStatus> for LockActor {
    type Result = actix::MessageResult<GetLockStatus>;

    fn handle(&mut self, _: GetLockStatus, _ctx: &mut Self::Context) -> Self::Result {
        let mut status = self.status.borrow().clone();
        // Without news for a TTL somebody else may have it by now, or nobody.
        let ttl = chrono::Duration::from_std(self.deps.ttl).unwrap_or(chrono::Duration::MAX);
        let now = self.deps.world.now();
        if !status.held && status.seen.is_none_or(|seen| now - seen >= ttl) {
            status.holder = None;
        }
        actix::MessageResult(status)
    }
}

impl Handler<Drain> for LockActor {
    type Result = ResponseFuture<()>;

    /// Answered when the lease is given back and the release is in the journal.
    fn handle(&mut self, _: Drain, _ctx: &mut Self::Context) -> Self::Result {
        self.stop.cancel();
        let holder = self.holder.take();
        Box::pin(async move {
            if let Some(holder) = holder
                && let Err(error) = holder.await
            {
                tracing::error!(%error, "the task that held the lease failed");
            }
        })
    }
}

#[cfg(test)]
mod tests;
