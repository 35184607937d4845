//! A delivery that this machine could not even try: too many open files, no memory, no network.
//!
//! That says nothing about the receiver, so it is no attempt: nothing is counted towards a dead
//! letter or the breaker, and the place in the hourly limit stays its own. The delivery waits,
//! visibly, and longer as long as nothing else gets through.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::dispatch::Dispatcher;
use super::super::events::{Deferred, DeliveryEvent};
use super::super::outcome::{DeliveryOutcome, Resolution};
use crate::kernel::backoff::Backoff;
use crate::mail::outbox_rows::DeliverMeta;

/// Waits from one try to the next. Each is an event: a few hundred per delivery and day.
const FAULT_BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));

/// How long this machine has been at fault. Restarting it forgets that.
#[derive(Debug, Default)]
pub(in super::super) struct LocalFaults(Mutex<FaultSpell>);

#[derive(Debug, Default)]
struct FaultSpell {
    times: u32,
    until: Option<DateTime<Utc>>,
}

impl LocalFaults {
    /// One more. When to try again: those that fail side by side wait for the same time, and
    /// each time it is over without success the next one is twice as long. `chance` is in
    /// `0.0..1.0`.
    pub(super) fn next_try(&self, now: DateTime<Utc>, chance: f64) -> DateTime<Utc> {
        let mut spell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spell.until.is_none_or(|until| now >= until) {
            spell.times = spell.times.saturating_add(1);
            spell.until =
                Some(now + TimeDelta::from_std(FAULT_BACKOFF.exact(spell.times)).unwrap_or_default());
        }
        // A little apart, or they would take the last descriptors from one another again.
        let spread = TimeDelta::from_std(Duration::from_secs(1).mul_f64(chance)).unwrap_or_default();
        spell.until.unwrap_or(now) + spread
    }

    /// A connection was made, or refused by the other side.
    pub(super) fn over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = FaultSpell::default();
    }
}

/// What becomes of a delivery that this machine could not try: it waits.
pub(super) fn put_off(dispatcher: &Dispatcher, meta: &DeliverMeta, why: &str) -> DeliveryOutcome {
    let world = &dispatcher.deps.world;
    let until = dispatcher.local_faults.next_try(world.now(), world.jitter.fraction());
    metrics::counter!("render_signal_local_faults_total").increment(1);
    tracing::warn!(why, %until, "this machine cannot post a webhook: it waits, and no attempt is spent");
    let deferred = DeliveryEvent::Deferred(Deferred {
        email_id: meta.email_id.clone(),
        target: meta.target.clone(),
        until,
        why: "local_fault".to_owned(),
        detail: Some(why.to_owned()),
    });
    DeliveryOutcome {
        events: vec![deferred],
        resolution: Resolution::Deferred(until),
        meta: meta.clone(),
        answer: None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn those_that_fail_together_wait_together_and_longer_each_time() {
        let faults = LocalFaults::default();
        let mut now = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            let until = now + TimeDelta::seconds(seconds);
            for _ in 0..9 {
                assert_eq!(faults.next_try(now, 0.0), until);
                now += TimeDelta::milliseconds(10);
            }
            now = until;
        }
        faults.over();
        assert_eq!(faults.next_try(now, 0.5), now + TimeDelta::milliseconds(5_500));
    }
}
