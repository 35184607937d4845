//! When a failed delivery is tried again, and when it is given up. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::kernel::backoff::Backoff;
use crate::mail::policy::RetryPolicy;

/// The back-off never grows beyond this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3_600);
/// A base of zero must not make a busy loop.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(100);
/// How long the built-in schedule goes on after the first attempt.
const BUILT_IN_PATIENCE: TimeDelta = TimeDelta::days(3);

/// What follows a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another attempt.
    At {
        /// When.
        due: DateTime<Utc>,
        /// The receiver asked for a later time than the back-off.
        asked: bool,
    },
    /// None.
    GiveUp {
        /// Why.
        why: String,
    },
}

/// A delivery that has just failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failed {
    /// Attempts made, this one included; from 1.
    pub attempts: u32,
    /// When the first one was made.
    pub first: DateTime<Utc>,
    /// The receiver asked for no attempt before this instant.
    pub not_before: Option<DateTime<Utc>>,
}

/// Decides on another attempt. `chance` is in `0.0..1.0`.
#[must_use]
pub fn next(policy: &RetryPolicy, failed: Failed, now: DateTime<Utc>, chance: f64) -> Next {
    match policy.retries {
        Some(retries) if failed.attempts > retries => {
            return Next::GiveUp { why: format!("{} attempts failed", failed.attempts) };
        }
        None if now - failed.first >= BUILT_IN_PATIENCE => {
            return Next::GiveUp { why: format!("{} attempts in three days failed", failed.attempts) };
        }
        _ => {}
    }
    let due = now + TimeDelta::from_std(backoff(policy.base, failed.attempts, chance)).unwrap_or_default();
    match failed.not_before {
        Some(asked) if asked > due => Next::At { due: asked, asked: true },
        _ => Next::At { due, asked: false },
    }
}

/// `base * 2^(attempts - 1)`, at most an hour, spread by ±20 %.
fn backoff(base: Duration, attempts: u32, chance: f64) -> Duration {
    Backoff::new(base.max(SHORTEST_BACKOFF), LONGEST_BACKOFF).spread(attempts, chance)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
    }

    fn after(retries: Option<u32>, attempts: u32, hours: i64) -> Next {
        let policy = RetryPolicy { retries, base: Duration::from_secs(2) };
        let failed = Failed { attempts, first: now() - TimeDelta::hours(hours), not_before: None };
        next(&policy, failed, now(), 0.5)
    }

    fn seconds(next: Next) -> Option<i64> {
        match next {
            Next::At { due, .. } => Some((due - now()).num_seconds()),
            Next::GiveUp { .. } => None,
        }
    }

    #[test]
    fn the_schedule() {
        let waits: Vec<_> = (1..=14).map(|n| seconds(after(None, n, 0)).unwrap()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]);
        assert_eq!(seconds(after(None, 80, 71)), Some(3_600));
        assert_eq!(seconds(after(None, 80, 72)), None);
        assert_eq!(seconds(after(Some(3), 3, 1_000)), Some(8));
        assert_eq!(seconds(after(Some(3), 4, 0)), None);
        assert_eq!(seconds(after(Some(0), 1, 0)), None);
    }

    #[test]
    fn the_receiver_may_ask_for_a_later_time_not_for_an_earlier_one() {
        let policy = RetryPolicy { retries: None, base: Duration::from_secs(60) };
        let with = |seconds| {
            let not_before = Some(now() + TimeDelta::seconds(seconds));
            next(&policy, Failed { attempts: 1, first: now(), not_before }, now(), 0.5)
        };
        assert_eq!(with(300), Next::At { due: now() + TimeDelta::seconds(300), asked: true });
        assert_eq!(with(10), Next::At { due: now() + TimeDelta::seconds(60), asked: false });
    }

    proptest! {
        #[test]
        fn a_wait_is_bounded_and_never_zero(
            base_ms in 0_u64..700_000, attempts in 1_u32..u32::MAX, chance in 0.0..1.0_f64,
            asked in proptest::option::of(0_i64..86_400),
        ) {
            let policy = RetryPolicy { retries: None, base: Duration::from_millis(base_ms) };
            let not_before = asked.map(|seconds| now() + TimeDelta::seconds(seconds));
            let failed = Failed { attempts, first: now(), not_before };
            let Next::At { due, .. } = next(&policy, failed, now(), chance) else {
                return Err(TestCaseError::fail("gave up on the first day"));
            };
            prop_assert!(due >= now() + TimeDelta::milliseconds(80));
            prop_assert!(not_before.is_none_or(|asked| due >= asked));
            prop_assert!(due <= now() + TimeDelta::hours(24));
        }

        #[test]
        fn exactly_as_many_retries_as_configured(retries in 0_u32..=10) {
            let policy = RetryPolicy { retries: Some(retries), base: Duration::ZERO };
            let mut attempts = 1;
            while let Next::At { .. } =
                next(&policy, Failed { attempts, first: now(), not_before: None }, now(), 0.0)
            {
                attempts += 1;
            }
            prop_assert_eq!(attempts, retries + 1);
        }
    }
}
