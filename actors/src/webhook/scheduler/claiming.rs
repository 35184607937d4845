//! How many rows to claim, and of which targets. Pure.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::super::claimed::ClaimedDelivery;
use super::queue::TargetQueue;
use super::{ByHistory, Scheduler};
use crate::mail::outbox_rows::delivery_partition;

/// What to ask the journal for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPlan {
    /// Rows in all.
    pub limit: usize,
    /// Rows of a partition of a target that is not known.
    pub default: usize,
    /// Rows by partition, of which a target has two: see [`delivery_partition`].
    pub per_partition: HashMap<String, usize>,
}

impl ClaimPlan {
    /// Whether a claim of so many rows of a partition may have left some behind.
    fn may_leave_behind(&self, claimed: usize, target: &str, tried: bool) -> bool {
        let asked = self.per_partition.get(&delivery_partition(target, tried)).copied();
        claimed >= asked.unwrap_or(self.default)
    }
}

impl Scheduler {
    /// How many rows may be claimed now. `owned`: rows that this worker has in hand.
    #[must_use]
    pub fn claimable(&self, owned: usize) -> usize {
        let slots = self.limits.total.saturating_sub(self.posting);
        if slots == 0 {
            return 0;
        }
        let waiting: usize = self.targets.values().map(|queue| queue.backlog.len()).sum();
        self.limits
            .claim
            .min((slots + self.limits.ahead).saturating_sub(waiting))
            .min(self.limits.owned.saturating_sub(owned))
    }

    /// What a claim should ask for. `owned`: as for [`Self::claimable`], which is not 0.
    #[must_use]
    pub fn plan(&self, now: DateTime<Utc>, owned: usize) -> ClaimPlan {
        ClaimPlan {
            limit: self.claimable(owned),
            default: self.limits.per_target,
            per_partition: self.targets.iter().flat_map(|(id, queue)| self.rooms(id, queue, now)).collect(),
        }
    }

    fn rooms(&self, id: &str, queue: &TargetQueue, now: DateTime<Utc>) -> [(String, usize); 2] {
        let room = queue.room(&self.limits, now);
        [(delivery_partition(id, false), room.fresh), (delivery_partition(id, true), room.retried)]
    }

    /// Whether a target has both rows that were left behind and room for them.
    #[must_use]
    pub fn wants_more(&self, now: DateTime<Utc>) -> bool {
        self.targets.values().any(|queue| queue.wants_more(&self.limits, now))
    }

    /// Takes claimed deliveries in; they wait until [`Self::advance`] says what they are to do.
    pub fn claimed(&mut self, plan: &ClaimPlan, deliveries: &[ClaimedDelivery]) {
        let mut counts: HashMap<&str, ByHistory<usize>> = HashMap::new();
        for delivery in deliveries {
            let count = counts.entry(&delivery.meta.target).or_default();
            *(if delivery.meta.attempts > 0 { &mut count.retried } else { &mut count.fresh }) += 1;
        }
        for id in counts.keys() {
            self.target(id);
        }
        let full = deliveries.len() >= plan.limit;
        for (id, queue) in &mut self.targets {
            let count = counts.get(id.as_str()).copied().unwrap_or_default();
            queue.left_behind = ByHistory {
                fresh: full || plan.may_leave_behind(count.fresh, id, false),
                retried: full || plan.may_leave_behind(count.retried, id, true),
            };
        }
        deliveries.iter().for_each(|delivery| self.push(delivery));
    }

    /// Takes one claimed delivery in.
    pub fn push(&mut self, delivery: &ClaimedDelivery) {
        let target = &delivery.meta.target;
        let queue = match self.targets.get_mut(target) {
            Some(queue) => queue,
            None => self.targets.entry(target.clone()).or_default(),
        };
        if !queue.configured {
            queue.url.clone_from(&delivery.meta.url);
        }
        queue.backlog.push(delivery.into());
    }
}
