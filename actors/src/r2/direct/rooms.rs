//! How many files are read at once, and where: bounded memory, and no file waits for ever
//! behind slow ones.
//!
//! | room | for | at once | memory of each |
//! |---|---|---|---|
//! | lane | a file of less than one part, as long as its host is quick | [`LANE`] | what has come of it |
//! | place | any other one | [`PLACES`] | two parts |
//!
//! Every file begins in the lane. One that turns out to be longer, or has not come within
//! [`Pace::quick`], goes on in a place if one is free. If none is, it hangs up, leaves the
//! lane to others, and asks its host again when it has got one.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// Small files under way at once.
const LANE: usize = 16;
/// Files of more than one part, or from slow hosts, under way at once.
const PLACES: usize = 4;

/// How slow a host may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So long a file may take, from the request to its last byte, without a place.
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

/// See the module page.
#[derive(Debug)]
pub(super) struct Rooms {
    lane: Semaphore,
    places: Semaphore,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { lane: Semaphore::new(LANE), places: Semaphore::new(PLACES) }
    }
}

impl Rooms {
    /// A way into the lane, in turn; `None` = not within `patience`, which is used up.
    pub(super) async fn lane(&self, patience: &mut Duration) -> Option<SemaphorePermit<'_>> {
        within(patience, self.lane.acquire()).await?.ok()
    }

    /// A place, in turn; `None` = not within `patience`, which is used up.
    pub(super) async fn place(&self, patience: &mut Duration) -> Option<SemaphorePermit<'_>> {
        within(patience, self.places.acquire()).await?.ok()
    }

    /// A place, if one is free and nobody waits for it.
    pub(super) fn place_now(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
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
