//! The dispatcher: the rows that this worker owns, each with its task, and the scheduler that
//! grants them permits. It survives a restart of the actor; see [`Dispatcher::restart`].
//!
//! Everything happens under one lock that is never held across an await, and the clock is asked
//! before it is taken: a clock that fails must not leave half of a change behind.

mod ownership;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::state::{DispatchDecisions, DispatchState, LoopWork, OwnedRow};
use super::claimed::ClaimedDelivery;
use super::deliver::{self, Clearance, LocalFaults, Permit};
use super::limit::RateLimiter;
use super::scheduler::{AttemptKind, ClaimPlan, DispatchConditions, Instruction, Scheduler, Signal};
use super::status::WebhookStatus;
use super::target::breaker::TargetState;
use super::{WebhookDeps, claims};
use crate::kernel::heavy::Heavy;
use crate::kernel::load::Load;
use crate::mail::policy::Policy;
use crate::mail::windows;

pub(super) use self::ownership::Ownership;

/// Bytes of bodies that wait or are posted, but for the last one: an eighth of the memory of
/// a small machine (512 MiB). A body that is posted is held once more in part by its connection.
const BODY_BUDGET: usize = 64 << 20;
/// A target that has as much gets no more. A slow one holds its bodies for as long as an attempt
/// may take, and leaves the rest to others; its light deliveries, and those of others, go on.
const BODY_BUDGET_PER_TARGET: usize = 16 << 20;
/// How long, and how often, a lost claim may turn out to have been given to this worker anew.
const RECLAIM_POLL: Duration = Duration::from_millis(100);
const RECLAIM_POLLS: usize = 10;

/// See the module page.
pub(super) struct Dispatcher {
    pub(super) deps: WebhookDeps,
    pub(super) limiter: RateLimiter,
    pub(super) local_faults: LocalFaults,
    /// Where large bodies are signed.
    pub(super) heavy: Heavy,
    /// Bodies that wait or are posted.
    pub(super) load: Load,
    /// Attempts that are under way are given up.
    pub(super) abandon: CancellationToken,
    /// The loop that claims has something to do.
    pub(super) wake: Notify,
    /// Nothing is owned or being claimed any more.
    idle: Notify,
    state: Mutex<DispatchState>,
}

impl Dispatcher {
    pub(super) fn new(deps: WebhookDeps) -> Arc<Self> {
        let scheduler = Scheduler::new(deps.limits);
        let state = DispatchState { scheduler, may_have_rows: true, ..DispatchState::default() };
        Arc::new(Self {
            deps,
            limiter: RateLimiter::default(),
            local_faults: LocalFaults::default(),
            heavy: Heavy::default(),
            load: Load::new(BODY_BUDGET, BODY_BUDGET_PER_TARGET),
            abandon: CancellationToken::new(),
            wake: Notify::new(),
            idle: Notify::new(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, DispatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conditions(&self) -> DispatchConditions {
        let policy = self.deps.policy.load();
        let now = self.deps.world.now();
        DispatchConditions {
            now,
            paused: windows::sending(&policy, now).is_err(),
            window_open: windows::is_open(&policy, now),
            attempt_takes: claims::attempt_takes(&policy),
        }
    }

    /// Changes something, and does whatever can be done after it.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut DispatchState, DateTime<Utc>)) {
        let conditions = self.conditions();
        let decided = {
            let mut state = self.state();
            change(&mut state, conditions.now);
            state.advance(conditions)
        };
        self.carry_out(decided);
    }

    fn carry_out(self: &Arc<Self>, decided: DispatchDecisions) {
        for (waiting, instruction, waiter) in decided.clearances {
            let clearance = match instruction {
                Instruction::Attempt(kind) => Clearance::Attempt(Permit::new(self, waiting.target, kind)),
                Instruction::AwaitWindow => Clearance::AwaitWindow,
                Instruction::GiveBack => Clearance::GiveBack,
            };
            // A task that is gone needs none, and its permit goes back as it is dropped.
            drop(waiter.send(clearance));
        }
        if decided.wakes_loop {
            self.wake.notify_one();
        }
    }

    /// Does whatever can be done now.
    pub(super) fn advance(self: &Arc<Self>) {
        self.change(|_, _| {});
    }

    /// There may be due rows. For the loop, which looks for them next.
    pub(super) fn rows_may_be_due(&self) {
        self.state().may_have_rows = true;
    }

    /// The next row has come due.
    pub(super) fn next_row_is_due(&self) {
        let mut state = self.state();
        (state.may_have_rows, state.next_due) = (true, None);
    }

    /// Does whatever can be done, and returns what is left for the loop. Whoever is given a plan
    /// claims, and calls [`Self::claimed`] and [`Self::claim_ended`].
    pub(super) fn loop_work(self: &Arc<Self>) -> LoopWork {
        let conditions = self.conditions();
        // Heavy deliveries may have been left behind.
        let was_freed = self.load.was_freed();
        let (decided, work) = {
            let mut state = self.state();
            state.may_have_rows |= was_freed;
            let mut decided = state.advance(conditions);
            decided.wakes_loop = false;
            let targets = state.scheduler.targets_to_sync();
            let claim = state.plan(&conditions);
            if claim.is_some() {
                (state.is_claiming, state.may_have_rows) = (true, false);
            }
            (decided, LoopWork { targets, claim, next_due: state.next_due })
        };
        self.carry_out(decided);
        work
    }

    /// A claim is under way, by this task.
    pub(super) fn claimer(&self, task: AbortHandle) {
        let mut state = self.state();
        if state.is_closed {
            task.abort();
        }
        state.claimer = Some(task);
    }

    /// Rows were claimed, perhaps none: each gets a task that owns it. `next_due`: when the next row
    /// comes due.
    pub(super) fn claimed(
        self: &Arc<Self>,
        plan: &ClaimPlan,
        rows: Vec<ClaimedDelivery>,
        next_due: Option<Instant>,
    ) {
        self.change(|state, _| {
            if state.is_closed {
                return;
            }
            state.may_have_rows |= rows.len() >= plan.limit;
            state.next_due = next_due;
            let mut fresh = Vec::with_capacity(rows.len());
            for row in rows {
                match state.owned.get_mut(&row.key) {
                    // Either its old claim has run out while its task is still busy: a second attempt
                    // never begins before the first has ended. Or it has just been given back.
                    Some(owned) => owned.successor = Some(row),
                    None => fresh.push(row),
                }
            }
            state.scheduler.claimed(plan, &fresh);
            for row in fresh {
                let key = row.key.clone();
                let (waiter, clearance) = oneshot::channel();
                let task = tokio::spawn(deliver::own(Arc::clone(self), row, clearance)).abort_handle();
                state.owned.insert(key, OwnedRow { waiter: Some(waiter), successor: None, task });
            }
        });
    }

    /// The claim is over, however it ended.
    pub(super) fn claim_ended(&self) {
        let is_idle = {
            let mut state = self.state();
            (state.is_claiming, state.claimer) = (false, None);
            state.is_idle()
        };
        if is_idle {
            self.idle.notify_waiters();
        }
    }

    /// See [`Permit`].
    pub(super) fn attempt_ended(
        self: &Arc<Self>,
        target: &str,
        kind: AttemptKind,
        signal: Signal,
        took: Duration,
    ) {
        self.change(|state, now| state.scheduler.ended(target, kind, signal, took, now));
    }

    /// See [`Permit`]. Asks no clock: it may be called while a task panics.
    pub(super) fn attempt_dropped(&self, target: &str, kind: AttemptKind) {
        self.state().scheduler.released(target, kind);
        self.wake.notify_one();
    }

    /// A target as the journal has it.
    pub(super) fn target_read(self: &Arc<Self>, target: &str, health: TargetState) {
        self.change(|state, _| state.scheduler.target_read(target, health));
    }

    /// The policy has changed.
    pub(super) fn configure(self: &Arc<Self>, policy: &Policy) {
        self.change(|state, _| {
            state.scheduler.configure(policy);
            state.may_have_rows = true;
        });
    }

    /// The journal has lost commits: rows that wait here may be gone from it, and the targets are
    /// what it says now. What is under way goes on; its outcome finds out by itself whether it is
    /// still wanted.
    pub(super) fn journal_lost_commits(self: &Arc<Self>) {
        self.change(|state, _| {
            state.may_have_rows = true;
            let waiting = state.scheduler.forget();
            state.give_back(waiting);
        });
    }

    /// The actor has failed: what waits for a permit is given back, and all that was remembered of
    /// targets is forgotten. The tasks that have a permit go on, and keep their slots.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        state.may_have_rows = true;
        let waiting = state.scheduler.restart();
        state.give_back(waiting);
    }

    /// A second has passed: looks for rows, and asks for targets that are not well to be read again.
    pub(super) fn recheck(&self) {
        let mut state = self.state();
        state.scheduler.recheck();
        state.may_have_rows = true;
    }

    pub(super) fn status(&self) -> WebhookStatus {
        let DispatchConditions { now, paused, .. } = self.conditions();
        let state = self.state();
        WebhookStatus { in_flight: state.scheduler.posting(), targets: state.scheduler.status(now), paused }
    }

    /// Nothing is begun any more. What is under way may go on for so long.
    pub(super) fn drain(self: &Arc<Self>, grace: Duration) {
        let was_draining = std::mem::replace(&mut self.state().is_draining, true);
        if !was_draining {
            let abandon = self.abandon.clone();
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                abandon.cancel();
            });
        }
        self.advance();
    }

    /// Waits until nothing is owned or being claimed.
    pub(super) async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            if self.state().is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// The claim under which this worker got a row anew whose claim was lost, if it did.
    pub(super) async fn reclaimed(&self, key: &str) -> Option<Uuid> {
        for _ in 0..RECLAIM_POLLS {
            let successor = self.state().owned.get_mut(key).and_then(|owned| owned.successor.take());
            if let Some(successor) = successor {
                return Some(successor.claim);
            }
            tokio::time::sleep(RECLAIM_POLL).await;
        }
        None
    }

    /// The actor is gone: ends all tasks, as a crash would.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let tasks = std::mem::take(&mut state.owned).into_values().map(|owned| owned.task);
        tasks.chain(state.claimer.take()).for_each(|task| task.abort());
        state.is_claiming = false;
        drop(state);
        self.idle.notify_waiters();
    }
}
