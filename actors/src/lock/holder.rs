//! The life of a worker with respect to the lease: try, hold and renew, step down, try
//! again. One task, owned by the actor; it tells nobody itself but puts what is so into
//! watch cells.

mod record;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::state::LeaseCommand;
use super::status::{LeaseTrouble, LockStatus};
use super::store::{LeaseAnswer, LeaseStore, Renewal};
use crate::kernel::backoff::Backoff;
use crate::kernel::clock::World;
use crate::kernel::journal::{Fence, Journal, Loss, lost};

/// Name of the lease.
pub const POLLER: &str = "poller";

/// How long a stopping worker waits for a journal that refuses the release. The next
/// holder then takes the lease over, which says the same with another word.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// How often a worker looks whether the lease has become free (or every third of the TTL,
/// when that is sooner): mails wait while nobody holds it.
const STANDBY: Duration = Duration::from_millis(500);

/// Longest wait after an error, and for an answer, whatever the TTL. The first wait is
/// [`STANDBY`], and each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a stopping worker waits for the end of an attempt to take the lease, and for the
/// store to take the lease back. Together with [`RELEASE_PATIENCE`] less than what the root
/// gives an actor to finish.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Everything the task needs.
pub(super) struct Holder {
    pub(super) world: World,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) store: Arc<dyn LeaseStore>,
    pub(super) worker: String,
    pub(super) ttl: Duration,
    /// What the poller is to be told; sent at every renewal, changed or not.
    pub(super) fence: watch::Sender<Option<Fence>>,
    /// What the poller has heard.
    pub(super) heard: watch::Receiver<Option<Fence>>,
    /// What the journal did not accept from the poller.
    pub(super) refused: watch::Receiver<Option<Fence>>,
    /// What is shown.
    pub(super) status: watch::Sender<LockStatus>,
    /// Ends the task, in an orderly way.
    pub(super) stop: CancellationToken,
}

/// Why there is no answer.
const TIMED_OUT: &str = "the lease store did not answer in time";

/// Tells when the journal has lost commits.
type Losses = watch::Receiver<Option<Loss>>;

/// How an attempt to take the lease ended.
enum AttemptOutcome {
    /// It is ours, counted from the moment.
    Granted(Fence, ClockReading),
    /// Somebody else has it.
    Busy,
    /// An error. The lease may be ours all the same: an answer can be lost.
    Failed,
}

/// An instant on both clocks: that of the runtime stands still while a machine sleeps, that of
/// the world may follow a server whose clock is set. A lease is as old as the older of the two says.
#[derive(Clone, Copy)]
struct ClockReading {
    monotonic: Instant,
    world: DateTime<Utc>,
}

impl ClockReading {
    fn now(world: &World) -> Self {
        Self { monotonic: Instant::now(), world: world.now() }
    }

    fn age(self, world: &World) -> Duration {
        let age = (world.now() - self.world).to_std().unwrap_or_default();
        self.monotonic.elapsed().max(age)
    }
}

impl Holder {
    /// Runs until told to stop; the lease is released then.
    pub(super) async fn run(self) {
        let mut failures = 0;
        // An actor that fell before may have left the lease to us.
        let mut perhaps_ours = true;
        while !self.stop.is_cancelled() {
            // Before the grant: what is lost later may be the grant.
            let losses = self.journal.losses();
            let outcome = self.acquire_until_stopped().await;
            perhaps_ours = !matches!(outcome, AttemptOutcome::Busy);
            let pause = match outcome {
                AttemptOutcome::Granted(fence, granted) => {
                    failures = 0;
                    self.hold(fence, granted, losses).await;
                    continue;
                }
                AttemptOutcome::Busy => {
                    failures = 0;
                    STANDBY
                }
                AttemptOutcome::Failed => {
                    failures += 1;
                    backoff(failures)
                }
            };
            self.pause(self.world.jitter.spread(pause.min(self.step()))).await;
        }
        if perhaps_ours {
            self.give_back().await;
        }
    }

    /// Tries to take the lease. A worker that is told to stop meanwhile does not wait for long.
    async fn acquire_until_stopped(&self) -> AttemptOutcome {
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(STOP_PATIENCE).await;
        };
        tokio::select! {
            biased;
            outcome = self.acquire() => outcome,
            () = stopped => AttemptOutcome::Failed,
        }
    }

    /// A third of the TTL: three chances to renew.
    fn step(&self) -> Duration {
        self.ttl / 3
    }

    /// How long the store may take to answer.
    fn patience(&self) -> Duration {
        LONGEST_PAUSE.min(self.step())
    }

    /// Sleeps, unless told to stop.
    async fn pause(&self, pause: Duration) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Takes the lease when it is free: grant, fence, event, in this order.
    async fn acquire(&self) -> AttemptOutcome {
        // Counted from before the question: the store's TTL cannot have started earlier.
        let asked = ClockReading::now(&self.world);
        let attempt = match tokio::time::timeout(self.patience(), self.store.try_acquire(self.ttl)).await {
            Ok(Ok(attempt)) => attempt,
            Ok(Err(error)) => return self.not_now(error.to_string()),
            Err(_) => return self.not_now(TIMED_OUT.to_owned()),
        };
        if let LeaseAnswer::HeldBy(holder) = attempt {
            self.confirmed(Some(holder));
            return AttemptOutcome::Busy;
        }
        let fence = match self.journal.raise_fence(POLLER).await {
            Ok(token) => Fence { lease: POLLER.to_owned(), token },
            Err(error) => {
                self.give_back().await;
                return self.not_now(error.to_string());
            }
        };
        let command = LeaseCommand::Grant { holder: self.worker.clone(), fence: fence.token };
        if let Err(error) = self.record(&command, &fence, self.ttl / 2).await {
            self.give_back().await;
            return self.not_now(error);
        }
        AttemptOutcome::Granted(fence, asked)
    }

    fn not_now(&self, why: String) -> AttemptOutcome {
        // render_signal_lease_failures_total: attempts to take the lease that ended in an error.
        metrics::counter!("render_signal_lease_failures_total").increment(1);
        tracing::warn!(why, "the lease could not be taken, trying again");
        self.troubled(why);
        AttemptOutcome::Failed
    }

    /// The store has said who has the lease (`None`: nobody).
    fn confirmed(&self, holder: Option<String>) {
        let now = self.world.now();
        self.status.send_modify(|status| {
            status.seen = holder.is_some().then_some(now).or(status.seen);
            status.holder = holder;
            status.trouble = None;
        });
    }

    /// The lease can be neither taken nor confirmed.
    fn troubled(&self, why: String) {
        let now = self.world.now();
        self.status.send_modify(|status| {
            let since = status.trouble.as_ref().map_or(now, |trouble| trouble.since);
            status.trouble = Some(LeaseTrouble { since, why });
        });
    }

    /// Holds the lease until it is lost or the task is told to stop.
    async fn hold(&self, fence: Fence, granted: ClockReading, losses: Losses) {
        tracing::info!(fence = fence.token, worker = self.worker, "lease granted, this worker polls");
        // render_signal_lease_held: 1 on the worker that polls.
        metrics::gauge!("render_signal_lease_held").set(1.0);
        // render_signal_lease_fence: fence of the last grant to this worker.
        metrics::gauge!("render_signal_lease_fence").set(fence.token as f64);
        let since = self.world.now();
        self.status.send_modify(|status| {
            status.held = true;
            status.fence = Some(fence.token);
            status.since = Some(since);
        });
        self.confirmed(Some(self.worker.clone()));
        self.fence.send_replace(Some(fence.clone()));
        let lost = self.keep(&fence, granted, losses).await;
        self.fence.send_replace(None);
        metrics::gauge!("render_signal_lease_held").set(0.0);
        self.status.send_modify(|status| {
            status.held = false;
            status.fence = None;
            status.since = None;
            status.holder = None;
        });
        match lost {
            Some(why) => tracing::warn!(fence = fence.token, why, "lease lost, this worker stops polling"),
            None => return self.record_release(&fence).await,
        }
        self.until_heard().await;
    }

    /// Waits until the poller knows that it may not poll, so that it never takes a new grant
    /// for the old one; not for ever, since the fence protects the journal from it anyway.
    async fn until_heard(&self) {
        let mut heard = self.heard.clone();
        drop(tokio::time::timeout(self.step(), heard.wait_for(Option::is_none)).await);
    }

    /// Renews until the lease is lost (why), or the task is told to stop (`None`).
    async fn keep(&self, fence: &Fence, granted: ClockReading, mut losses: Losses) -> Option<String> {
        let mut confirmed = granted;
        let mut refused = self.refused.clone();
        let mut failures = 0;
        loop {
            let left = self.ttl.saturating_sub(confirmed.age(&self.world));
            let pause = if failures == 0 { self.step() } else { backoff(failures).min(self.step()) };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                // In both cases the lease may still be ours: then it is granted anew.
                () = lost(&mut losses) => return Some("the journal does not know of it any more".to_owned()),
                Ok(_) = refused.wait_for(|refused| refused.as_ref() == Some(fence)) => {
                    return Some("the journal refuses its fence".to_owned());
                }
                () = tokio::time::sleep(pause.min(left)) => {}
            }
            // Asleep for longer than the lease lasts (a stopped process, a busy machine):
            // somebody else may have had it, even when it looks free now.
            if confirmed.age(&self.world) >= self.ttl {
                return Some(format!("it could not be renewed for {} ms", self.ttl.as_millis()));
            }
            let asked = ClockReading::now(&self.world);
            let why = match self.renew().await? {
                Ok(Renewal::Renewed) => {
                    confirmed = asked;
                    failures = 0;
                    self.confirmed(Some(self.worker.clone()));
                    self.fence.send_replace(Some(fence.clone()));
                    continue;
                }
                Ok(Renewal::Lost) => return Some("somebody else has it".to_owned()),
                Err(why) => why,
            };
            tracing::warn!(why, "the lease could not be renewed, trying again");
            failures += 1;
            self.troubled(why);
        }
    }

    /// Asks the store once, or why there is no answer; `None` = told to stop meanwhile.
    async fn renew(&self) -> Option<Result<Renewal, String>> {
        tokio::select! {
            biased;
            renewal = tokio::time::timeout(self.patience(), self.store.renew(self.ttl)) => Some(match renewal {
                Ok(Ok(renewal)) => Ok(renewal),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(TIMED_OUT.to_owned()),
            }),
            () = self.stop.cancelled() => None,
        }
    }

    async fn give_back(&self) {
        match tokio::time::timeout(STOP_PATIENCE.min(self.step()), self.store.release()).await {
            Ok(Ok(())) => {
                tracing::info!("lease given back");
                self.status.send_modify(|status| status.holder = None);
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease could not be released, it runs out by itself")
            }
            Err(_) => tracing::warn!("the lease store did not answer in time, the lease runs out by itself"),
        }
    }
}

/// How long to wait after so many failures in a row.
fn backoff(failures: u32) -> Duration {
    Backoff::new(STANDBY, LONGEST_PAUSE).exact(failures)
}
