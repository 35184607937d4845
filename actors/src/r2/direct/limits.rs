//! Concurrency limits of downloads: memory is bounded, and no file waits for ever behind
//! slow ones.
//!
//! | permit | for | at once | memory of each |
//! |---|---|---|---|
//! | fast | a file of less than one part, as long as its host is quick | [`MAX_FAST`] | the bytes that have arrived |
//! | slow | any other file | [`MAX_SLOW`] | two parts |
//!
//! Every file begins with a fast permit. One that turns out to be longer, or has not arrived
//! within [`Pace::quick`], exchanges it for a slow one if one is free. If none is, it closes
//! the connection, gives its permit back, and asks its host again when it has a slow one.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// Small files under way at once.
const MAX_FAST: usize = 16;
/// Files of more than one part, or from slow hosts, under way at once.
const MAX_SLOW: usize = 4;

/// How slow a host may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So long a file may take, from the request to its last byte, with a fast permit.
    pub quick: Duration,
    /// A source is not judged by its speed before this.
    pub run_up: Duration,
    /// Slower than this on average, in bytes per second, a source is given up.
    pub least: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { quick: Duration::from_secs(10), run_up: Duration::from_secs(60), least: 16 * 1024 }
    }
}

impl Pace {
    /// Whether a source that has given `bytes` in `waited` is too slow to be waited for.
    pub(super) fn is_too_slow(&self, bytes: u64, waited: Duration) -> bool {
        waited > self.run_up && u128::from(bytes) * 1000 < u128::from(self.least) * waited.as_millis()
    }
}

/// The permits of one process.
#[derive(Debug)]
pub(super) struct TransferLimits {
    fast: Semaphore,
    slow: Semaphore,
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self { fast: Semaphore::new(MAX_FAST), slow: Semaphore::new(MAX_SLOW) }
    }
}

impl TransferLimits {
    /// A fast permit, in order of request. `None`: there was none within `patience`, the time
    /// that is left; the wait is taken from it.
    pub(super) async fn fast(&self, patience: &mut Duration) -> Option<SemaphorePermit<'_>> {
        within(patience, self.fast.acquire()).await?.ok()
    }

    /// A slow permit, by the same rule.
    pub(super) async fn slow(&self, patience: &mut Duration) -> Option<SemaphorePermit<'_>> {
        within(patience, self.slow.acquire()).await?.ok()
    }

    /// A slow permit, if one is free and nobody waits for it.
    pub(super) fn try_slow(&self) -> Option<SemaphorePermit<'_>> {
        self.slow.try_acquire().ok()
    }
}

/// What `work` comes to within what is left of `budget`, which becomes less by what it takes.
pub(super) async fn within<T>(budget: &mut Duration, work: impl Future<Output = T>) -> Option<T> {
    let begun = Instant::now();
    let end = timeout(*budget, work).await.ok();
    *budget = budget.saturating_sub(begun.elapsed());
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_given_up_and_a_slow_start_is_not() {
        let pace = Pace::default();
        assert!(!pace.is_too_slow(1, Duration::from_secs(60)));
        assert!(pace.is_too_slow(100_000, Duration::from_secs(61)));
        assert!(!pace.is_too_slow(2_000_000, Duration::from_secs(61)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_used_up_by_what_is_waited_for() {
        let mut budget = Duration::from_secs(10);
        assert_eq!(within(&mut budget, tokio::time::sleep(Duration::from_secs(4))).await, Some(()));
        assert_eq!(budget, Duration::from_secs(6));
        assert_eq!(within(&mut budget, std::future::pending::<()>()).await, None);
        assert_eq!(budget, Duration::ZERO);
    }
}
