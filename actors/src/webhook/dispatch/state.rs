//! What the dispatcher knows, under its lock. No clock and no journal is asked here.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::super::claimed::ClaimedDelivery;
use super::super::deliver::Clearance;
use super::super::scheduler::{ClaimPlan, DispatchConditions, Instruction, Scheduler, WaitingDelivery};
use super::super::target::breaker::TargetCommand;

/// See the module page.
#[derive(Default)]
pub(super) struct DispatchState {
    pub(super) scheduler: Scheduler,
    /// By key of the row; sorted, so that a simulation replays.
    pub(super) owned: BTreeMap<String, OwnedRow>,
    pub(super) is_claiming: bool,
    /// Whoever claims, to be ended with the actor.
    pub(super) claimer: Option<AbortHandle>,
    /// There may be due rows that were not claimed.
    pub(super) may_have_rows: bool,
    /// When the next row comes due, if that is soon.
    pub(super) next_due: Option<Instant>,
    pub(super) is_draining: bool,
    /// The actor is gone.
    pub(super) is_closed: bool,
}

/// A row that a task owns.
pub(super) struct OwnedRow {
    /// Tells the task what to do, while it waits for that.
    pub(super) waiter: Option<oneshot::Sender<Clearance>>,
    /// The row, claimed again while the task was busy with it.
    pub(super) successor: Option<ClaimedDelivery>,
    pub(super) task: AbortHandle,
}

/// What the loop that claims is to do.
pub(in super::super) struct LoopWork {
    /// Targets to read, or to write to.
    pub(in super::super) targets: Vec<(String, Option<TargetCommand>)>,
    /// What to claim.
    pub(in super::super) claim: Option<ClaimPlan>,
    /// When to look again, if that is before the next tick.
    pub(in super::super) next_due: Option<Instant>,
}

/// What was decided under the lock and is done outside of it.
#[must_use]
pub(super) struct DispatchDecisions {
    pub(super) clearances: Vec<(WaitingDelivery, Instruction, oneshot::Sender<Clearance>)>,
    pub(super) wakes_loop: bool,
}

impl DispatchState {
    pub(super) fn advance(&mut self, mut conditions: DispatchConditions) -> DispatchDecisions {
        conditions.paused |= self.is_draining;
        let decided = self.scheduler.advance(&conditions);
        let mut clearances = Vec::with_capacity(decided.len());
        for (waiting, instruction) in decided {
            match self.owned.get_mut(&waiting.key).and_then(|owned| owned.waiter.take()) {
                Some(waiter) => clearances.push((waiting, instruction, waiter)),
                None => {
                    if let Instruction::Attempt(kind) = instruction {
                        self.scheduler.released(&waiting.target, kind);
                    }
                }
            }
        }
        let wakes_loop = self.scheduler.has_targets_to_sync() || self.wants_claim(&conditions);
        DispatchDecisions { clearances, wakes_loop }
    }

    fn wants_claim(&self, conditions: &DispatchConditions) -> bool {
        let may_claim = !conditions.paused && !self.is_draining && !self.is_claiming && !self.is_closed;
        may_claim
            && (self.may_have_rows || self.scheduler.wants_more(conditions.now))
            && self.scheduler.claimable(self.owned.len()) > 0
    }

    pub(super) fn plan(&self, conditions: &DispatchConditions) -> Option<ClaimPlan> {
        let wanted = self.wants_claim(conditions);
        wanted.then(|| self.scheduler.plan(conditions.now, self.owned.len()))
    }

    pub(super) fn give_back(&mut self, waiting: Vec<WaitingDelivery>) {
        for WaitingDelivery { key, .. } in waiting {
            if let Some(waiter) = self.owned.get_mut(&key).and_then(|owned| owned.waiter.take()) {
                // A task that is gone has nothing to give back.
                drop(waiter.send(Clearance::GiveBack));
            }
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.owned.is_empty() && !self.is_claiming
    }
}

impl OwnedRow {
    pub(super) fn take_successor(&mut self, waiter: oneshot::Sender<Clearance>) -> Option<ClaimedDelivery> {
        let row = self.successor.take()?;
        self.waiter = Some(waiter);
        Some(row)
    }
}
