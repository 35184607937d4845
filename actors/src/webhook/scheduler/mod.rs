//! Which delivery goes next: slots, breaker and urgency, per target. Pure.
//!
//! ```text
//! claimed ─▶ backlog of its target ─▶ permit: an attempt ─▶ ended, the slot is free
//!                                └──▶ or it waits for the window, or is given back
//! ```
//!
//! A target that answers fast has a few rows claimed ahead, so that its slots are not idle while
//! the journal is asked; for a slow one, rows are claimed for free slots only.
//!
//! Deliveries that have failed before are claimed apart and have a share of the slots: they hold
//! up nobody, and nobody holds up them. The hourly limit is none of this: see [`super::limit`].

mod backlog;
mod claiming;
mod limits;
mod queue;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::status::TargetStatus;
use super::target::breaker::{BreakerState, TargetCommand, TargetState};
use crate::mail::policy::{Ordering, Policy};
use limits::ByHistory;
use queue::TargetQueue;

pub use self::backlog::WaitingDelivery;
pub use self::claiming::ClaimPlan;
pub use self::limits::DeliveryLimits;

/// What an attempt says about the health of its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// It took the delivery.
    Delivered,
    /// It did not answer, or said that it cannot now.
    Failed,
    /// It answered 410.
    Gone {
        /// Hash of the address that did.
        url_hash: String,
    },
    /// It answered, so it is alive, but it does not want this delivery.
    Alive,
    /// Nothing: it was not asked.
    NotTried,
}

/// What kind of attempt it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttemptKind {
    /// It probes an open breaker.
    pub probe: bool,
    /// Since when its delivery has been failing; `None` = this is its first attempt.
    pub failing_since: Option<DateTime<Utc>>,
}

impl AttemptKind {
    const fn is_retry(self) -> bool {
        self.failing_since.is_some()
    }
}

/// What a delivery that waits is to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction {
    /// It has a slot: it is attempted.
    Attempt(AttemptKind),
    /// It waits for the delivery window to open.
    AwaitWindow,
    /// Its row is given back: it cannot go now, or not under this claim.
    GiveBack,
}

/// What holds for all targets at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchConditions {
    /// The time.
    pub now: DateTime<Utc>,
    /// Nothing may be sent: switched off, an absence, or a stop.
    pub paused: bool,
    /// The delivery window is open.
    pub window_open: bool,
    /// An attempt begins only under a claim that holds for this long.
    pub attempt_takes: TimeDelta,
}

/// All targets. See the module page.
#[derive(Debug, Default)]
pub struct Scheduler {
    limits: DeliveryLimits,
    targets: BTreeMap<String, TargetQueue>,
    /// Attempts under way.
    posting: usize,
    /// Of these, attempts of deliveries that have failed before.
    retrying: usize,
}

impl Scheduler {
    /// No targets yet.
    #[must_use]
    pub fn new(limits: DeliveryLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    fn target(&mut self, id: &str) -> &mut TargetQueue {
        self.targets.entry(id.to_owned()).or_default()
    }

    /// Takes the configured addresses in.
    pub fn configure(&mut self, policy: &Policy) {
        for queue in self.targets.values_mut() {
            queue.configured = false;
        }
        let rules = policy.rules.iter().map(|rule| &rule.target);
        for target in
            std::iter::once(&policy.default_target).chain(rules).filter(|target| !target.url.is_empty())
        {
            let queue = self.target(&target.id);
            queue.configured = true;
            queue.ordered = target.ordering != Ordering::None;
            if queue.url != target.url {
                // At the start there is nothing to compare with, and the breaker stands.
                queue.probe_now = !queue.url.is_empty();
                queue.url.clone_from(&target.url);
                queue.follow_address();
            }
        }
    }

    /// Decides what the deliveries that wait are to do now, as far as they need not go on waiting.
    pub fn advance(&mut self, conditions: &DispatchConditions) -> Vec<(WaitingDelivery, Instruction)> {
        let mut decided = Vec::new();
        let retries_in_all = self.limits.retries_in_all();
        for queue in self.targets.values_mut().filter(|queue| queue.backlog.len() > 0) {
            let give_back = |waiting| (waiting, Instruction::GiveBack);
            if conditions.paused {
                decided.extend(queue.backlog.take_all().map(give_back));
                continue;
            }
            if !conditions.window_open {
                let bound = queue.backlog.take(|waiting| waiting.needs_window);
                decided.extend(bound.into_iter().map(|waiting| (waiting, Instruction::AwaitWindow)));
            }
            let too_late =
                |waiting: &WaitingDelivery| waiting.claimed_until - conditions.now < conditions.attempt_takes;
            decided.extend(queue.backlog.take(too_late).into_iter().map(give_back));
            while self.posting < self.limits.total {
                let probe = match queue.breaker(conditions.now) {
                    None => break,
                    Some(BreakerState::HalfOpen) if queue.posting == 0 => true,
                    Some(BreakerState::Disabled | BreakerState::Open(_) | BreakerState::HalfOpen) => {
                        decided.extend(queue.backlog.take_all().map(give_back));
                        break;
                    }
                    Some(BreakerState::Closed) => false,
                };
                if queue.posting >= self.limits.per_target {
                    break;
                }
                let may_retry = queue.retrying < self.limits.retries && self.retrying < retries_in_all;
                let Some(waiting) = queue.backlog.next(probe, may_retry) else { break };
                let kind = AttemptKind { probe, failing_since: waiting.failing_since };
                queue.began(kind);
                self.posting += 1;
                self.retrying += usize::from(kind.is_retry());
                decided.push((waiting, Instruction::Attempt(kind)));
            }
        }
        decided
    }

    /// An attempt has ended, after `took`: its slot is free, and its target may be in another
    /// health.
    pub fn ended(
        &mut self,
        target: &str,
        kind: AttemptKind,
        signal: Signal,
        took: Duration,
        now: DateTime<Utc>,
    ) {
        self.released(target, kind);
        if let Some(queue) = self.targets.get_mut(target) {
            queue.heard(kind, signal, took, now);
        }
    }

    /// The slot of an attempt is free, and nothing was found out about its target.
    pub fn released(&mut self, target: &str, kind: AttemptKind) {
        self.posting = self.posting.saturating_sub(1);
        self.retrying = self.retrying.saturating_sub(usize::from(kind.is_retry()));
        if let Some(queue) = self.targets.get_mut(target) {
            queue.ended(kind);
        }
    }

    /// Targets to be read from the journal, or written to with the command. Each must be
    /// answered by [`Self::target_read`].
    pub fn targets_to_sync(&mut self) -> Vec<(String, Option<TargetCommand>)> {
        let mut due = Vec::new();
        for (id, queue) in self.targets.iter_mut().filter(|(_, queue)| queue.needs_sync()) {
            queue.syncing = true;
            queue.stale = false;
            due.push((id.clone(), queue.commands.pop_front()));
        }
        due
    }

    /// Whether [`Self::targets_to_sync`] has something.
    #[must_use]
    pub fn has_targets_to_sync(&self) -> bool {
        self.targets.values().any(TargetQueue::needs_sync)
    }

    /// A target as the journal has it.
    pub fn target_read(&mut self, target: &str, health: TargetState) {
        self.target(target).read(health);
    }

    /// Asks for every target that is not well to be read again: another process may have
    /// changed it.
    pub fn recheck(&mut self) {
        for queue in self.targets.values_mut() {
            queue.stale |= queue.health.as_ref().is_some_and(|health| *health != TargetState::default());
        }
    }

    /// Asks for every target to be read again, and gives out the deliveries that wait. The slots
    /// that are taken stay taken.
    pub fn forget(&mut self) -> Vec<WaitingDelivery> {
        let mut waiting = Vec::new();
        for queue in self.targets.values_mut() {
            queue.stale = true;
            queue.left_behind = ByHistory::default();
            waiting.extend(queue.backlog.take_all());
        }
        waiting
    }

    /// Becomes a scheduler that knows of nothing but the slots that are taken, and gives out the
    /// deliveries that wait.
    pub fn restart(&mut self) -> Vec<WaitingDelivery> {
        let before = std::mem::take(&mut self.targets);
        let mut waiting = Vec::new();
        for (id, mut queue) in before {
            waiting.extend(queue.backlog.take_all());
            let (posting, retrying) = (queue.posting, queue.retrying);
            if posting > 0 {
                self.targets.insert(id, TargetQueue::with_slots_taken(posting, retrying));
            }
        }
        waiting
    }

    /// Attempts under way.
    #[must_use]
    pub const fn posting(&self) -> usize {
        self.posting
    }

    /// One entry per target.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> Vec<TargetStatus> {
        self.targets.iter().map(|(id, queue)| queue.status(id, now)).collect()
    }
}
