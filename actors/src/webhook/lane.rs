//! One target's lane: its slots, its breaker, its rate. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::address;
use super::breaker::{Gate, TargetCommand, TargetState};
use super::rate::{RateWindow, WINDOW};
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
    /// Rows claimed ahead for a target that answers fast.
    pub ahead: usize,
    /// Rows of one claim.
    pub claim: usize,
    /// Rows under way in all, with those whose outcome is being stored.
    pub open: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_target: 8, total: 64, ahead: 24, claim: 64, open: 512 }
    }
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
    pub(super) failures: u32,
    pub(super) posting: usize,
    /// Its address has changed: an open breaker may be probed at once.
    pub(super) probe_now: bool,
    pub(super) ready: VecDeque<Row>,
    pub(super) rate: RateWindow,
    /// Mails whose deliveries were counted before this worker started, and not tried.
    pub(super) placed: HashMap<String, DateTime<Utc>>,
    /// Smoothed duration of an attempt.
    pub(super) pace: Option<Duration>,
    /// The last claim left rows behind.
    pub(super) more: bool,
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
    pub(super) fn room(&self, limits: &Limits, now: DateTime<Utc>) -> usize {
        let have = self.posting + self.ready.len();
        match self.gate(now) {
            None | Some(Gate::Open(_) | Gate::Disabled) => 0,
            Some(Gate::HalfOpen) => usize::from(have == 0),
            // In batches: a claim for every free slot would cost more than it brings.
            Some(Gate::Closed) if self.fast() && self.ready.len() > limits.ahead / 2 => 0,
            Some(Gate::Closed) => {
                let ahead = if self.fast() { limits.ahead } else { 0 };
                (limits.per_target + ahead).saturating_sub(have)
            }
        }
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
