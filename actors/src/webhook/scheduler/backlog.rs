//! The claimed deliveries of a target that wait for a permit. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::super::claimed::ClaimedDelivery;
use super::ByHistory;
use crate::mail::policy::Priority;

/// A claimed delivery that waits, as far as the scheduler needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDelivery {
    /// Key of its row.
    pub key: String,
    /// Id of its target.
    pub target: String,
    /// Who goes first.
    pub priority: Priority,
    /// Since when it has been failing; `None` = it was not tried yet.
    pub failing_since: Option<DateTime<Utc>>,
    /// It goes only while the delivery window is open.
    pub needs_window: bool,
    /// When its claim runs out.
    pub claimed_until: DateTime<Utc>,
}

impl From<&ClaimedDelivery> for WaitingDelivery {
    fn from(claimed: &ClaimedDelivery) -> Self {
        let meta = &claimed.meta;
        let first = meta.first_attempt_at.unwrap_or(DateTime::UNIX_EPOCH);
        Self {
            key: claimed.key.clone(),
            target: meta.target.clone(),
            priority: meta.priority,
            failing_since: (meta.attempts > 0).then_some(first),
            needs_window: !meta.window.is_free(),
            claimed_until: claimed.claimed_until,
        }
    }
}

/// The most urgent first. Those that have failed before have a queue of their own: they stand
/// before nobody.
#[derive(Debug, Default)]
pub(super) struct Backlog(ByHistory<VecDeque<WaitingDelivery>>);

impl Backlog {
    pub(super) fn len(&self) -> usize {
        self.0.fresh.len() + self.0.retried.len()
    }

    pub(super) fn lens(&self) -> ByHistory<usize> {
        ByHistory { fresh: self.0.fresh.len(), retried: self.0.retried.len() }
    }

    /// Behind those that are as urgent or more.
    pub(super) fn push(&mut self, waiting: WaitingDelivery) {
        let is_retry = waiting.failing_since.is_some();
        let queue = if is_retry { &mut self.0.retried } else { &mut self.0.fresh };
        let ahead = queue.iter().rposition(|other| other.priority >= waiting.priority);
        queue.insert(ahead.map_or(0, |last| last + 1), waiting);
    }

    /// The next to be attempted. One that was not tried yet tells more about the target (`probe`); else
    /// those that have failed before come first, if they may (`may_retry`): their share is small, and
    /// new ones could keep them waiting for ever.
    pub(super) fn next(&mut self, probe: bool, may_retry: bool) -> Option<WaitingDelivery> {
        let ByHistory { fresh, retried } = &mut self.0;
        if probe {
            fresh.pop_front().or_else(|| retried.pop_front())
        } else if may_retry {
            retried.pop_front().or_else(|| fresh.pop_front())
        } else {
            fresh.pop_front()
        }
    }

    /// Takes out those that `which` says, in order.
    pub(super) fn take(&mut self, which: impl Fn(&WaitingDelivery) -> bool) -> Vec<WaitingDelivery> {
        let mut taken = Vec::new();
        for queue in [&mut self.0.fresh, &mut self.0.retried] {
            // Mostly there is none, and nothing is moved.
            if queue.iter().any(&which) {
                let (out, stay): (VecDeque<_>, VecDeque<_>) = queue.drain(..).partition(&which);
                taken.extend(out);
                *queue = stay;
            }
        }
        taken
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = WaitingDelivery> {
        self.0.fresh.drain(..).chain(self.0.retried.drain(..))
    }
}
