//! One target: its slots, its breaker, its backlog. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::status::TargetStatus;
use super::super::target::address;
use super::super::target::breaker::{BreakerState, THRESHOLD, TargetCommand, TargetState};
use super::backlog::Backlog;
use super::{AttemptKind, ByHistory, DeliveryLimits, Signal};
use crate::mail::rules::mask_url;

/// A target that answers within this is fast.
const FAST_RESPONSE: Duration = Duration::from_millis(250);

/// See the module page.
#[derive(Debug, Default)]
pub(super) struct TargetQueue {
    /// `None` until it has been read.
    pub(super) health: Option<TargetState>,
    /// Its stream is being read or written: nothing starts meanwhile.
    pub(super) syncing: bool,
    /// It is to be read again.
    pub(super) stale: bool,
    pub(super) commands: VecDeque<TargetCommand>,
    /// Its address as configured or, without that, as last routed to.
    pub(super) url: String,
    pub(super) configured: bool,
    /// It keeps an order among its deliveries.
    pub(super) ordered: bool,
    /// Failures in a row that say something about the target: see [`Self::blames_target`].
    failures: u32,
    /// When it last took something, or said that it wants none of it.
    reached_at: Option<DateTime<Utc>>,
    /// Attempts under way.
    pub(super) posting: usize,
    /// Of these, attempts of deliveries that have failed before.
    pub(super) retrying: usize,
    /// Its address has changed: an open breaker may be probed at once.
    pub(super) probe_now: bool,
    pub(super) backlog: Backlog,
    /// Smoothed duration of an attempt.
    response_time: Option<Duration>,
    /// The last claim left rows behind.
    pub(super) left_behind: ByHistory<bool>,
}

impl TargetQueue {
    /// Nothing is known but the attempts under way.
    pub(super) fn with_slots_taken(posting: usize, retrying: usize) -> Self {
        Self { posting, retrying, ..Self::default() }
    }

    /// `None` = unknown at the moment.
    pub(super) fn breaker(&self, now: DateTime<Utc>) -> Option<BreakerState> {
        if self.syncing {
            return None;
        }
        match self.health.as_ref()?.breaker(now) {
            BreakerState::Open(_) if self.probe_now => Some(BreakerState::HalfOpen),
            breaker => Some(breaker),
        }
    }

    fn is_fast(&self) -> bool {
        self.response_time.is_some_and(|took| took < FAST_RESPONSE)
    }

    /// How many rows to claim.
    pub(super) fn room(&self, limits: &DeliveryLimits, now: DateTime<Utc>) -> ByHistory<usize> {
        let waiting = self.backlog.lens();
        match self.breaker(now) {
            None | Some(BreakerState::Open(_) | BreakerState::Disabled) => ByHistory::default(),
            Some(BreakerState::HalfOpen) if self.posting + self.backlog.len() > 0 => ByHistory::default(),
            // The probe is one that has not failed yet, if there is one. Ordered rows do not move
            // to the partition of those that have failed: there it is one among several.
            Some(BreakerState::HalfOpen) => {
                ByHistory { fresh: if self.ordered { limits.per_target } else { 1 }, retried: 1 }
            }
            Some(BreakerState::Closed) => {
                let retried = limits.retries.saturating_sub(self.retrying + waiting.retried);
                // In batches: a claim for every free slot would cost more than it brings.
                if self.is_fast() && waiting.fresh > limits.ahead / 2 {
                    return ByHistory { fresh: 0, retried };
                }
                let ahead = if self.is_fast() { limits.ahead } else { 0 };
                let fresh = (limits.per_target + ahead).saturating_sub(self.posting + waiting.fresh);
                ByHistory { fresh, retried }
            }
        }
    }

    /// Whether it has both rows that were left behind and room for them.
    pub(super) fn wants_more(&self, limits: &DeliveryLimits, now: DateTime<Utc>) -> bool {
        let room = self.room(limits, now);
        (self.left_behind.fresh && room.fresh > 0) || (self.left_behind.retried && room.retried > 0)
    }

    /// Whether the failure of a delivery that has been failing since then is one of the target:
    /// a delivery that fails while others pass is to blame itself.
    fn blames_target(&self, failing_since: Option<DateTime<Utc>>) -> bool {
        failing_since.is_none_or(|since| self.reached_at.is_none_or(|reached| reached < since))
    }

    /// An attempt occupies a slot from now on.
    pub(super) fn began(&mut self, kind: AttemptKind) {
        self.posting += 1;
        self.retrying += usize::from(kind.is_retry());
    }

    /// An attempt has ended: its slot is free.
    pub(super) fn ended(&mut self, kind: AttemptKind) {
        self.posting = self.posting.saturating_sub(1);
        self.retrying = self.retrying.saturating_sub(usize::from(kind.is_retry()));
    }

    /// What an attempt has said about the target's health.
    pub(super) fn heard(&mut self, kind: AttemptKind, signal: Signal, took: Duration, now: DateTime<Utc>) {
        if signal == Signal::NotTried {
            return;
        }
        self.response_time = Some(self.response_time.map_or(took, |smoothed| (smoothed * 7 + took) / 8));
        self.probe_now &= !kind.probe;
        match signal {
            Signal::Delivered | Signal::Alive => {
                self.failures = 0;
                self.reached_at = Some(now);
                if self.health.as_ref().is_some_and(|health| health.open.is_some()) {
                    self.commands.push_back(TargetCommand::Reached);
                }
            }
            Signal::Failed if kind.probe || self.blames_target(kind.failing_since) => {
                self.failures = self.failures.saturating_add(1);
                if kind.probe || self.failures.is_multiple_of(THRESHOLD) {
                    let (failures, fresh) = (self.failures, !kind.is_retry());
                    self.commands.push_back(TargetCommand::Failed { failures, fresh });
                }
            }
            Signal::Gone { url_hash } => self.commands.push_back(TargetCommand::Gone { url_hash }),
            Signal::Failed | Signal::NotTried => {}
        }
    }

    /// The target as the journal has it.
    pub(super) fn read(&mut self, health: TargetState) {
        self.syncing = false;
        let is_well = health == TargetState::default();
        if is_well && self.health.as_ref().is_some_and(|known| *known != health) {
            self.failures = 0;
        }
        self.health = Some(health);
        self.follow_address();
    }

    /// A target that is gone comes back with another address.
    pub(super) fn follow_address(&mut self) {
        let Some(gone) = self.health.as_ref().and_then(|health| health.disabled.as_ref()) else { return };
        let url_hash = address::url_hash(&self.url);
        if self.configured && *gone != url_hash {
            self.commands.push_back(TargetCommand::Address { url_hash });
        }
    }

    /// Whether its stream is to be read, or written to.
    pub(super) fn needs_sync(&self) -> bool {
        !self.syncing && (self.stale || self.health.is_none() || !self.commands.is_empty())
    }

    pub(super) fn status(&self, id: &str, now: DateTime<Utc>) -> TargetStatus {
        let breaker = self.health.as_ref().map_or(BreakerState::Closed, |health| health.breaker(now));
        TargetStatus {
            id: id.to_owned(),
            url: mask_url(&self.url),
            breaker: breaker.as_str().to_owned(),
            probe_at: if let BreakerState::Open(until) = breaker { Some(until) } else { None },
            failures: self.failures,
            in_flight: self.posting,
        }
    }
}
