//! Keeps the mailbox watched for as long as this worker may: waits for the lease, obeys
//! the schedule, connects, and after any failure tries again, for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::board::{PollerBoard, PollerPhase};
use super::check::CheckRequests;
use super::first::FirstReadings;
use super::log::MailboxLog;
use super::source::{BUDGET, SourceError, shown};
use super::trouble::Troubles;
use super::visit::{Visit, VisitEnd};
use super::{Control, LeaseCell, PollerDeps};
use crate::kernel::backoff::Backoff;
use crate::kernel::clock::World;
use crate::kernel::journal::{Fence, Loss, lost};
use crate::mail::windows::{Polling, may_poll};

/// The pause never grows beyond this.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Pauses after failures.
const AFTER_FAILURES: Backoff = Backoff::new(Duration::from_secs(1), MAX_PAUSE);
/// Pauses after panics.
const AFTER_PANICS: Backoff = Backoff::new(Duration::from_secs(4), MAX_PAUSE);
/// How often the schedule is looked at while connected, and gauges are exported.
const TICK: Duration = Duration::from_secs(5);
/// How long the server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a visit to the mailbox is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VisitStop {
    /// The lease changed hands: let go of everything at once.
    Lease,
    /// The schedule says no: finish what is under way.
    Inactive,
    /// The journal has lost commits: begin anew.
    Loss,
    /// The program stops: finish what is under way.
    Drain,
}

/// How long a visit lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// For as long as the schedule says.
    WhileActive,
    /// For one sweep, which somebody asked for.
    OneSweep,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RestEnd {
    /// It is over, or there is news.
    Over,
    /// Somebody wants the mailbox looked at.
    Wished,
    /// The actor is gone.
    Gone,
}

/// Resolves when a visit is to end. Can be awaited in many places.
pub(super) type Stopping = Shared<BoxFuture<'static, VisitStop>>;

/// The task behind the actor.
pub(super) struct Keeper {
    deps: PollerDeps,
    board: Arc<PollerBoard>,
    control: watch::Receiver<Control>,
    drained: watch::Sender<bool>,
    log: MailboxLog,
    troubles: Troubles,
    bytes: Arc<Semaphore>,
    /// Failures in a row.
    failures: u32,
    /// Lives of the actor in a row that ended by a panic.
    panics: Arc<AtomicU32>,
    /// No new try before this.
    pause_until: Option<Instant>,
    /// What failed last.
    reason: Option<String>,
    /// A fence that the journal did not accept.
    refused: LeaseCell,
    /// Tells when the journal has lost commits.
    losses: watch::Receiver<Option<Loss>>,
    /// The admission failed in the visit before.
    cautious: bool,
    /// What the poller before may have died of.
    first: FirstReadings,
    /// Who wants the mailbox looked at now.
    checks: CheckRequests,
}

impl Keeper {
    pub(super) fn new(
        deps: PollerDeps,
        board: Arc<PollerBoard>,
        refused: LeaseCell,
        control: watch::Receiver<Control>,
        drained: watch::Sender<bool>,
        panics: Arc<AtomicU32>,
    ) -> Self {
        let log = MailboxLog::new(deps.source.mailbox());
        let losses = deps.journal.losses();
        let checks = CheckRequests::new(deps.journal.as_ref(), deps.source.mailbox());
        Self {
            board,
            control,
            drained,
            log,
            troubles: Troubles::default(),
            bytes: Arc::new(Semaphore::new(BUDGET)),
            failures: 0,
            pause_until: after_panics(panics.load(Ordering::Relaxed), &deps.world),
            reason: None,
            panics,
            refused,
            losses,
            cautious: false,
            first: FirstReadings::default(),
            checks,
            deps,
        }
    }

    /// Runs until drained, or aborted.
    pub(super) async fn run(mut self) {
        let gauges = export_gauges(self.deps.clone(), Arc::clone(&self.board));
        let keeping = async { while self.cycle().await {} };
        tokio::select! {
            biased;
            () = keeping => {}
            () = gauges => {}
        }
        self.drained.send_replace(true);
    }

    /// One step: a wait, or a visit. False = nothing more is to be done.
    async fn cycle(&mut self) -> bool {
        let control = self.control.borrow_and_update().clone();
        if control.draining {
            self.board.phase(PollerPhase::Standby, Some("stopping".to_owned()), self.deps.world.now());
            return false;
        }
        if self.losses.has_changed().unwrap_or(false) {
            self.losses.mark_unchanged();
            self.forget();
        }
        let refused = self.refused.load_full();
        let Some(fence) = control.fence.filter(|fence| refused.as_deref() != Some(fence)) else {
            self.board.phase(PollerPhase::Standby, None, self.deps.world.now());
            return self.control.changed().await.is_ok();
        };
        let policy = self.deps.policy.load_full();
        if let Polling::Inactive(why) = may_poll(&policy, self.deps.world.now()) {
            self.board.phase(PollerPhase::Inactive, Some(why.to_owned()), self.deps.world.now());
            return match self.rest_until(Instant::now() + policy.schedule.inactive_interval).await {
                // Who asks for it knows the schedule; but while nobody knows whose mails count, none is fetched.
                RestEnd::Wished if policy.withheld.polling.is_empty() => {
                    self.visit(fence, Stay::OneSweep).await;
                    true
                }
                rest => rest != RestEnd::Gone,
            };
        }
        if let Some(until) = self.pause_until.filter(|until| *until > Instant::now()) {
            self.board.phase(PollerPhase::Waiting, self.reason.clone(), self.deps.world.now());
            let rest = self.rest_until(until).await;
            if rest == RestEnd::Wished {
                self.pause_until = None;
            }
            return rest != RestEnd::Gone;
        }
        self.visit(fence, Stay::WhileActive).await;
        true
    }

    /// Forgets what was read in the journal, or follows from it: the next visit sweeps the whole
    /// mailbox, and takes in anew what the journal does not have any more.
    fn forget(&mut self) {
        tracing::warn!(
            mailbox = shown(self.deps.source.mailbox()),
            "the journal has lost commits, the mailbox is read again"
        );
        self.log = MailboxLog::new(self.deps.source.mailbox());
        self.troubles = Troubles::default();
        self.cautious = false;
        self.checks.forget();
    }

    /// Waits until `until`, until the actor says something, or until somebody wants the mailbox
    /// looked at.
    async fn rest_until(&mut self, until: Instant) -> RestEnd {
        tokio::select! {
            biased;
            changed = self.control.changed() => if changed.is_ok() { RestEnd::Over } else { RestEnd::Gone },
            () = sleep_until(until) => RestEnd::Over,
            () = self.checks.wished(self.deps.journal.as_ref()) => RestEnd::Wished,
        }
    }

    async fn visit(&mut self, fence: Fence, stay: Stay) {
        self.board.phase(PollerPhase::Connecting, self.reason.clone(), self.deps.world.now());
        let stopping =
            stopping(self.control.clone(), self.losses.clone(), self.deps.clone(), fence.clone(), stay);
        let mailbox = shown(self.deps.source.mailbox());
        let source = Arc::clone(&self.deps.source);
        let connected = tokio::select! {
            biased;
            stop = stopping.clone() => return self.stopped(stop),
            connected = super::visit::guarded("connecting", source.connect()) => connected,
        };
        let mut session = match connected {
            Ok(session) => session,
            Err(error) => return self.source_failed(&error),
        };
        self.board.heard(self.deps.world.now());
        tracing::info!(mailbox, worker = self.deps.worker, fence = fence.token, "mailbox opened");
        let mut visit = Visit::new(
            self.deps.clone(),
            &self.board,
            &mut self.log,
            &mut self.troubles,
            Arc::clone(&self.bytes),
            fence.clone(),
            stopping,
            self.control.clone(),
            session.opened(),
            self.cautious,
            &mut self.first,
            &self.panics,
            &mut self.checks,
            stay,
        );
        let end = visit.run(session.as_mut()).await;
        self.cautious = matches!(end, VisitEnd::Journal(_)) || (self.cautious && !visit.went_well());
        if visit.went_well() {
            self.failures = 0;
            self.reason = None;
            self.board.failures(0);
        }
        match end {
            // The lease is lost: whatever the session has under way is dropped with it.
            VisitEnd::Stopped(VisitStop::Lease) => tracing::info!(mailbox, "the lease is gone, mailbox left"),
            VisitEnd::Stopped(why) => {
                tracing::info!(mailbox, ?why, "mailbox closed");
                // It knows better than to wait for ever; this is for those that do not.
                drop(tokio::time::timeout(GOODBYE, session.close()).await);
                self.stopped(why);
            }
            VisitEnd::Fenced(why) => {
                tracing::warn!(mailbox, why, "this worker does not hold the lease any more, polling stops");
                self.refused.store(Some(Arc::new(fence)));
            }
            VisitEnd::Failed(error) => self.source_failed(&error),
            VisitEnd::Journal(why) => self.failed("journal", why),
        }
    }

    /// A visit was told to end. Who asked for a sweep is not told that the schedule was in the way.
    fn stopped(&mut self, why: VisitStop) {
        if why == VisitStop::Inactive {
            self.checks.owe();
        }
    }

    fn source_failed(&mut self, error: &SourceError) {
        self.failed(error.kind(), error.to_string());
    }

    /// Notes a failure and sets the pause.
    ///
    /// Counts `render_signal_mailbox_failures_total{kind}`.
    fn failed(&mut self, kind: &'static str, why: String) {
        self.failures = self.failures.saturating_add(1);
        let pause = AFTER_FAILURES.wait(self.failures, self.deps.world.jitter.as_ref()).min(MAX_PAUSE);
        self.pause_until = Some(Instant::now() + pause);
        metrics::counter!("render_signal_mailbox_failures_total", "kind" => kind).increment(1);
        tracing::warn!(
            mailbox = shown(self.deps.source.mailbox()),
            kind,
            why,
            failures = self.failures,
            pause_ms = pause.as_millis(),
            "the mailbox could not be read, trying again"
        );
        self.reason = Some(why);
        self.board.failures(self.failures);
    }
}

/// A poller that panics is started anew by its guardian, which counts how often. What a mailbox
/// can make it do again and again must not end the process, so the next life waits longer each
/// time before it looks at the mailbox: the guardian never counts too many in its window.
fn after_panics(panics: u32, world: &World) -> Option<Instant> {
    (panics > 0).then(|| Instant::now() + AFTER_PANICS.wait(panics, world.jitter.as_ref()))
}

/// Resolves when a visit under `fence` is to end.
fn stopping(
    mut control: watch::Receiver<Control>,
    mut losses: watch::Receiver<Option<Loss>>,
    deps: PollerDeps,
    fence: Fence,
    stay: Stay,
) -> Stopping {
    async move {
        loop {
            let now = control.borrow_and_update().clone();
            if now.draining {
                return VisitStop::Drain;
            }
            if now.fence.as_ref() != Some(&fence) {
                return VisitStop::Lease;
            }
            let policy = deps.policy.load_full();
            if stay == Stay::WhileActive && may_poll(&policy, deps.world.now()) != Polling::Active {
                return VisitStop::Inactive;
            }
            tokio::select! {
                biased;
                changed = control.changed() => if changed.is_err() { return VisitStop::Lease },
                () = lost(&mut losses) => return VisitStop::Loss,
                () = sleep(TICK) => {}
            }
        }
    }
    .boxed()
    .shared()
}

async fn export_gauges(deps: PollerDeps, board: Arc<PollerBoard>) {
    loop {
        let interval = deps.policy.load().schedule.interval;
        board.export(deps.source.mailbox(), interval, deps.world.now());
        // At once when the mailbox is opened or left; what grows with time, now and then.
        tokio::select! {
            () = board.changed() => {}
            () = sleep(TICK) => {}
        }
    }
}
