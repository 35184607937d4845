//! How much is done at a time.

/// How many deliveries are claimed and attempted at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryLimits {
    /// Attempts under way per target.
    pub per_target: usize,
    /// Attempts under way in all.
    pub total: usize,
    /// Of those to one target, at most so many of deliveries that have failed before; the other
    /// slots are kept for new ones. In all: the same share of `total`.
    pub retries: usize,
    /// Rows claimed ahead for a target that answers fast.
    pub ahead: usize,
    /// Rows of one claim.
    pub claim: usize,
    /// Rows owned in all, with those whose outcome is being stored.
    pub owned: usize,
}

impl Default for DeliveryLimits {
    fn default() -> Self {
        Self { per_target: 8, total: 64, retries: 4, ahead: 24, claim: 64, owned: 512 }
    }
}

impl DeliveryLimits {
    /// Attempts under way in all of deliveries that have failed before.
    pub(super) fn retries_in_all(&self) -> usize {
        (self.total * self.retries).div_ceil(self.per_target.max(1))
    }
}

/// Two values: of deliveries that were not tried yet, and of those that have failed before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ByHistory<T> {
    pub(super) fresh: T,
    pub(super) retried: T,
}
