//! One target's lane: its slots, its breaker, its rate. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::address;
use super::breaker::{Gate, TargetCommand, TargetState};
use super::rate::{RateWindow, WINDOW};
use crate::kernel::load::Held;
use crate::mail::work::DeliverMeta;

/// A target that answers within this is fast.
const FAST: Duration = Duration::from_millis(250);

/// How much at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attempts under way per target.
    pub per_target: usize,
    /// Attempts under way in all.
    pub total: usize,
    /// Of those, at most so many of deliveries that have failed before; the other slots are kept
    /// for new ones. In all: the same share of `total`.
    pub retries: usize,
    /// Rows claimed ahead for a target that answers fast.
    pub ahead: usize,
    /// Rows of one claim.
    pub claim: usize,
    /// Rows under way in all, with those whose outcome is being stored.
    pub open: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_target: 8, total: 64, retries: 4, ahead: 24, claim: 64, open: 512 }
    }
}

impl Limits {
    /// Attempts under way in all of deliveries that have failed before.
    pub(super) fn retries_in_all(&self) -> usize {
        (self.total * self.retries).div_ceil(self.per_target.max(1))
    }
}

/// Two values: of deliveries that were not tried yet, and of those that have failed before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Both<T> {
    pub(super) fresh: T,
    pub(super) tried: T,
}

/// A claimed delivery.
#[derive(Debug, Clone)]
pub struct Row {
    /// Key in the outbox.
    pub key: String,
    /// The claim.
    pub claim: Uuid,
    /// When the claim runs out.
    pub claimed_until: DateTime<Utc>,
    /// The small facts.
    pub meta: DeliverMeta,
    /// The webhook's exact bytes; `None` when they are no longer kept.
    pub body: Option<Bytes>,
    /// Counts the body while it is in memory.
    pub held: Held,
}

impl Row {
    /// Lets the body go, which is not sent any more.
    pub(super) fn drop_body(&mut self) {
        self.body = None;
        self.held = Held::default();
    }

    /// Whether it has failed before.
    #[must_use]
    pub const fn tried(&self) -> bool {
        self.meta.attempts > 0
    }
}

/// The claimed rows of a target that were not begun, the most urgent first. Those that have
/// failed before have a queue of their own: they stand before nobody.
#[derive(Debug, Default)]
pub(super) struct Waiting(Both<VecDeque<Row>>);

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.0.fresh.len() + self.0.tried.len()
    }

    pub(super) fn lens(&self) -> Both<usize> {
        Both { fresh: self.0.fresh.len(), tried: self.0.tried.len() }
    }

    /// Behind those that are as urgent or more.
    pub(super) fn push(&mut self, row: Row) {
        // A claim that ran out while the row waited here was claimed anew.
        self.0.fresh.retain(|waiting| waiting.key != row.key);
        self.0.tried.retain(|waiting| waiting.key != row.key);
        let queue = if row.tried() { &mut self.0.tried } else { &mut self.0.fresh };
        let ahead = queue.iter().rposition(|waiting| waiting.meta.priority >= row.meta.priority);
        queue.insert(ahead.map_or(0, |last| last + 1), row);
    }

    /// The next to be begun. One that was not tried yet tells more about the target (`probe`); else
    /// those that have failed before come first, if they may (`may_retry`): their share is small, and
    /// new ones could keep them waiting for ever.
    pub(super) fn next(&mut self, probe: bool, may_retry: bool) -> Option<Row> {
        let Both { fresh, tried } = &mut self.0;
        if probe {
            fresh.pop_front().or_else(|| tried.pop_front())
        } else if may_retry {
            tried.pop_front().or_else(|| fresh.pop_front())
        } else {
            fresh.pop_front()
        }
    }

    /// Takes out what `which` says, in order.
    pub(super) fn take(&mut self, which: impl Fn(&Row) -> bool) -> Vec<Row> {
        let mut taken = Vec::new();
        for queue in [&mut self.0.fresh, &mut self.0.tried] {
            let (out, stay): (VecDeque<Row>, VecDeque<Row>) = queue.drain(..).partition(&which);
            taken.extend(out);
            *queue = stay;
        }
        taken
    }

    pub(super) fn take_all(&mut self) -> Vec<Row> {
        self.0.fresh.drain(..).chain(self.0.tried.drain(..)).collect()
    }
}

/// One target.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// `None` until it has been read.
    pub(super) state: Option<TargetState>,
    /// It is being read or written: nothing starts meanwhile.
    pub(super) busy: bool,
    /// It is to be read again.
    pub(super) stale: bool,
    pub(super) commands: VecDeque<TargetCommand>,
    /// Its address as configured or, without that, as last routed to.
    pub(super) url: String,
    pub(super) configured: bool,
    /// It keeps an order among its deliveries.
    pub(super) ordered: bool,
    /// Failures in a row that say something about the target: see [`Self::blames`].
    pub(super) failures: u32,
    /// When it last took something, or said that it wants none of it.
    pub(super) reached: Option<DateTime<Utc>>,
    pub(super) posting: usize,
    /// Of these, attempts of deliveries that have failed before.
    pub(super) retrying: usize,
    /// Its address has changed: an open breaker may be probed at once.
    pub(super) probe_now: bool,
    pub(super) ready: Waiting,
    pub(super) rate: RateWindow,
    /// Mails whose deliveries were counted and not tried: before this worker started, or because
    /// this machine could not.
    pub(super) placed: HashMap<String, DateTime<Utc>>,
    /// Smoothed duration of an attempt.
    pub(super) pace: Option<Duration>,
    /// The last claim left rows behind.
    pub(super) more: Both<bool>,
}

impl Lane {
    /// `None` = unknown at the moment.
    pub(super) fn gate(&self, now: DateTime<Utc>) -> Option<Gate> {
        if self.busy {
            return None;
        }
        match self.state.as_ref()?.gate(now) {
            Gate::Open(_) if self.probe_now => Some(Gate::HalfOpen),
            gate => Some(gate),
        }
    }

    /// Whether a delivery has been counted, and still counts.
    pub(super) fn has_place(&self, row: &Row, now: DateTime<Utc>) -> bool {
        self.placed.get(&row.meta.email_id).is_some_and(|at| *at + WINDOW >= now)
    }

    pub(super) fn fast(&self) -> bool {
        self.pace.is_some_and(|pace| pace < FAST)
    }

    /// How many rows to claim.
    pub(super) fn room(&self, limits: &Limits, now: DateTime<Utc>) -> Both<usize> {
        let ready = self.ready.lens();
        match self.gate(now) {
            None | Some(Gate::Open(_) | Gate::Disabled) => Both::default(),
            Some(Gate::HalfOpen) if self.posting + self.ready.len() > 0 => Both::default(),
            // The probe is one that has not failed yet, if there is one. Ordered rows do not move
            // to the partition of those that have failed: there it is one among several.
            Some(Gate::HalfOpen) => {
                Both { fresh: if self.ordered { limits.per_target } else { 1 }, tried: 1 }
            }
            Some(Gate::Closed) => {
                let tried = limits.retries.saturating_sub(self.retrying + ready.tried);
                // In batches: a claim for every free slot would cost more than it brings.
                if self.fast() && ready.fresh > limits.ahead / 2 {
                    return Both { fresh: 0, tried };
                }
                let ahead = if self.fast() { limits.ahead } else { 0 };
                let fresh = (limits.per_target + ahead).saturating_sub(self.posting + ready.fresh);
                Both { fresh, tried }
            }
        }
    }

    /// Whether it has both rows that were left behind and room for them.
    pub(super) fn hungry(&self, limits: &Limits, now: DateTime<Utc>) -> bool {
        let room = self.room(limits, now);
        (self.more.fresh && room.fresh > 0) || (self.more.tried && room.tried > 0)
    }

    /// Whether the failure of a delivery that has been failing since then is one of the target:
    /// a delivery that fails while others pass is to blame itself.
    pub(super) fn blames(&self, failing_since: Option<DateTime<Utc>>) -> bool {
        failing_since.is_none_or(|since| self.reached.is_none_or(|reached| reached < since))
    }
}

impl Lane {
    /// A target that is gone comes back with another address.
    pub(super) fn follow_address(&mut self) {
        let Some(gone) = self.state.as_ref().and_then(|state| state.disabled.as_ref()) else { return };
        let url_hash = address::url_hash(&self.url);
        if self.configured && *gone != url_hash {
            self.commands.push_back(TargetCommand::Address { url_hash });
        }
    }
}
