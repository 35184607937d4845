//! How long to wait between tries: longer after each failure, bounded, spread. Pure.

use std::time::Duration;

use super::clock::{Jitter, spread};

/// A rule for the waits between tries of what has failed.
///
/// The wait after the first failure is `first`; each further failure multiplies it by `factor`,
/// up to `longest`. It is then spread by ±20 %, so that many workers do not try again in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    factor: u32,
}

impl Backoff {
    /// Waits that double from `first` to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, factor: 2 }
    }

    /// Waits that grow by another factor.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        Self { factor, ..self }
    }

    /// The wait after so many failures in a row, not spread; 0 counts as 1.
    #[must_use]
    pub fn exact(self, failures: u32) -> Duration {
        let growth = self.factor.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(growth).min(self.longest)
    }

    /// The same, spread. `chance` is in `0.0..1.0`, for pure code that is given it.
    #[must_use]
    pub fn spread(self, failures: u32, chance: f64) -> Duration {
        spread(self.exact(failures), chance)
    }

    /// The same, with a chance of its own.
    #[must_use]
    pub fn wait(self, failures: u32, jitter: &dyn Jitter) -> Duration {
        self.spread(failures, jitter.fraction())
    }

    /// A count of failures under this rule.
    #[must_use]
    pub const fn retries(self) -> Retries {
        Retries { backoff: self, failures: 0 }
    }
}

/// How often something has failed in a row, for loops that try until it succeeds.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    backoff: Backoff,
    failures: u32,
}

impl Retries {
    /// Counts one more failure, and waits.
    pub async fn pause(&mut self, jitter: &dyn Jitter) {
        tokio::time::sleep(self.failed(jitter)).await;
    }

    /// Counts one more failure; returns how long to wait before the next try.
    pub fn failed(&mut self, jitter: &dyn Jitter) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.backoff.wait(self.failures, jitter)
    }

    /// It has succeeded: the next failure is the first again.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

    struct Chance(f64);
    impl Jitter for Chance {
        fn fraction(&self) -> f64 {
            self.0
        }
    }

    #[test]
    fn waits_grow_to_the_longest() {
        let waits: Vec<u64> = (0..8).map(|failures| RULE.exact(failures).as_secs()).collect();
        assert_eq!(waits, [5, 5, 10, 20, 40, 60, 60, 60]);
        let waits: Vec<u64> = (1..5).map(|failures| RULE.times(4).exact(failures).as_secs()).collect();
        assert_eq!(waits, [5, 20, 60, 60]);
        assert_eq!(RULE.exact(u32::MAX).as_secs(), 60, "it does not overflow");
    }

    #[test]
    fn waits_are_spread_by_a_fifth() {
        assert_eq!(RULE.spread(1, 0.0), Duration::from_secs(4));
        assert_eq!(RULE.spread(1, 0.5), Duration::from_secs(5));
        assert!(RULE.spread(1, 0.999) < Duration::from_secs(6));
    }

    #[test]
    fn a_success_begins_anew() {
        let mut retries = RULE.retries();
        let waits = [retries.failed(&Chance(0.5)), retries.failed(&Chance(0.5))];
        assert_eq!(waits, [Duration::from_secs(5), Duration::from_secs(10)]);
        retries.succeeded();
        assert_eq!(retries.failed(&Chance(0.5)), Duration::from_secs(5));
    }
}
