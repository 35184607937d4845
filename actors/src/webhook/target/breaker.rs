//! The health of a target: circuit breaker and "gone" (410). Pure.
//!
//! ```text
//! closed ──5 failures in a row──▶ open ──wait──▶ half-open: one probe
//!   ▲                              ▲                │
//!   └──────── probe got through ───┼────────────────┤
//!                                  └─ probe failed ─┘  (the wait doubles, 30 s … 5 min)
//! ```
//!
//! It judges the target, not a delivery: one that has failed while others passed counts for
//! nothing ([`super::super::scheduler`]), the probe is a delivery that was not tried yet where there is one,
//! and the wait grows only when such a one fails.

use std::convert::Infallible;

use chrono::{DateTime, Duration, Utc};

use super::super::events::{BreakerClosed, BreakerOpened, TargetDisabled, TargetEnabled, TargetEvent};
use crate::kernel::aggregate::{Aggregate, Evolve};
use crate::kernel::backoff::Backoff;

/// Failures in a row that open the breaker.
pub const THRESHOLD: u32 = 5;
/// Waits of an open breaker.
const WAITS: Backoff = Backoff::new(std::time::Duration::from_secs(30), std::time::Duration::from_secs(300));

/// What the events of a `target-<id>` stream add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetState {
    /// Hash of the address that answered 410.
    pub disabled: Option<String>,
    /// The open breaker.
    pub open: Option<OpenBreaker>,
}

/// An open breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenBreaker {
    /// When a probe is allowed.
    pub until: DateTime<Utc>,
    /// How often it has opened without closing in between, as far as deliveries are to blame
    /// the target for it that had not failed before.
    pub times: u32,
}

/// Whether deliveries may go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// As many as there are slots.
    Closed,
    /// One, to see.
    HalfOpen,
    /// None until then.
    Open(DateTime<Utc>),
    /// None until its address changes or somebody enables it.
    Disabled,
}

impl BreakerState {
    /// The name as shown, see [`crate::webhook::TargetStatus::breaker`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open(_) => "open",
            Self::Disabled => "disabled",
        }
    }
}

impl TargetState {
    /// Whether deliveries may go at `now`.
    #[must_use]
    pub fn breaker(&self, now: DateTime<Utc>) -> BreakerState {
        if self.disabled.is_some() {
            return BreakerState::Disabled;
        }
        match self.open {
            None => BreakerState::Closed,
            Some(open) if now >= open.until => BreakerState::HalfOpen,
            Some(open) => BreakerState::Open(open.until),
        }
    }
}

/// What happened to a target, or is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetCommand {
    /// The last of `failures` failures in a row, or a probe that failed.
    Failed {
        /// Failures in a row.
        failures: u32,
        /// It was the first attempt of its delivery.
        fresh: bool,
    },
    /// A delivery got through.
    Reached,
    /// It answered 410.
    Gone {
        /// Hash of the address that did.
        url_hash: String,
    },
    /// This is its address now.
    Address {
        /// Hash of it.
        url_hash: String,
    },
    /// Somebody wants it enabled.
    Enable {
        /// Who.
        by: String,
    },
}

/// What a decision about a target depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetCx {
    /// Id of the target.
    pub target: String,
    /// The time.
    pub now: DateTime<Utc>,
    /// Chance, `0.0..1.0`.
    pub chance: f64,
}

impl Evolve for TargetState {
    type Event = TargetEvent;

    fn evolve(&mut self, event: &TargetEvent) {
        match event {
            TargetEvent::Disabled(disabled) => self.disabled = Some(disabled.url_hash.clone()),
            TargetEvent::Enabled(_) => *self = Self::default(),
            TargetEvent::BreakerOpened(opened) => {
                let one_more = self.open.map_or(0, |open| open.times).saturating_add(1);
                let times = opened.times.unwrap_or(one_more);
                self.open = Some(OpenBreaker { until: opened.until, times });
            }
            TargetEvent::BreakerClosed(_) => self.open = None,
        }
    }
}

impl Aggregate for TargetState {
    type Command = TargetCommand;
    type Cx = TargetCx;
    type Reject = Infallible;

    fn decide(&self, command: &TargetCommand, cx: &TargetCx) -> Result<Vec<TargetEvent>, Infallible> {
        let target = cx.target.clone();
        let event = match command {
            TargetCommand::Failed { failures, fresh } => self.failed(target, *failures, *fresh, cx),
            TargetCommand::Reached => self.open.map(|_| TargetEvent::BreakerClosed(BreakerClosed { target })),
            TargetCommand::Gone { url_hash } => (self.disabled.as_ref() != Some(url_hash)).then(|| {
                TargetEvent::Disabled(TargetDisabled {
                    target,
                    url_hash: url_hash.clone(),
                    why: "it answered 410 Gone".to_owned(),
                })
            }),
            TargetCommand::Address { url_hash } => self
                .disabled
                .as_ref()
                .filter(|gone| *gone != url_hash)
                .map(|_| TargetEvent::Enabled(TargetEnabled { target, why: "new_address".to_owned() })),
            TargetCommand::Enable { by } => (self.disabled.is_some() || self.open.is_some())
                .then(|| TargetEvent::Enabled(TargetEnabled { target, why: by.clone() })),
        };
        Ok(event.into_iter().collect())
    }
}

impl TargetState {
    fn failed(&self, target: String, failures: u32, fresh: bool, cx: &TargetCx) -> Option<TargetEvent> {
        let before = match self.open {
            // Another worker has opened it already, or a straggler failed.
            Some(open) if cx.now < open.until => return None,
            Some(open) => open.times,
            None => 0,
        };
        let times = if fresh { before.saturating_add(1) } else { before.max(1) };
        let wait = WAITS.spread(times, cx.chance).as_millis();
        let wait = Duration::milliseconds(i64::try_from(wait).unwrap_or(i64::MAX));
        Some(TargetEvent::BreakerOpened(BreakerOpened {
            target,
            failures,
            until: cx.now + wait,
            times: Some(times),
        }))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + seconds, 0).unwrap()
    }

    fn apply(state: &mut TargetState, command: TargetCommand, now: DateTime<Utc>) -> Vec<&'static str> {
        use crate::kernel::event::DomainEvent as _;
        let cx = TargetCx { target: "default".to_owned(), now, chance: 0.5 };
        let Ok(events) = state.decide(&command, &cx);
        events.iter().for_each(|event| state.evolve(event));
        events.iter().map(|event| event.kind()).collect()
    }

    fn failed(failures: u32) -> TargetCommand {
        TargetCommand::Failed { failures, fresh: true }
    }

    #[test]
    fn what_had_failed_before_does_not_make_the_wait_longer() {
        let mut state = TargetState::default();
        let mut now = at(0);
        for (fresh, wait) in [(false, 30), (false, 30), (true, 60), (false, 60), (true, 120), (false, 120)] {
            apply(&mut state, TargetCommand::Failed { failures: 5, fresh }, now);
            now += Duration::seconds(wait);
            assert_eq!(state.breaker(now - Duration::seconds(1)), BreakerState::Open(now));
            assert_eq!(state.breaker(now), BreakerState::HalfOpen);
        }
        // As an earlier version has recorded it.
        let until = now + Duration::seconds(1);
        let old = BreakerOpened { target: "default".to_owned(), failures: 5, until, times: None };
        state.evolve(&TargetEvent::BreakerOpened(old));
        assert_eq!(state.open, Some(OpenBreaker { until, times: 4 }));
    }

    #[test]
    fn the_wait_doubles_up_to_five_minutes_and_starts_anew() {
        let mut state = TargetState::default();
        let mut now = at(0);
        for wait in [30, 60, 120, 240, 300, 300] {
            assert_eq!(apply(&mut state, failed(5), now), ["target.breaker_opened"]);
            assert_eq!(state.breaker(now), BreakerState::Open(now + Duration::seconds(wait)));
            // A straggler changes nothing.
            assert!(apply(&mut state, failed(9), now).is_empty());
            now += Duration::seconds(wait);
            assert_eq!(state.breaker(now), BreakerState::HalfOpen);
        }
        assert_eq!(apply(&mut state, TargetCommand::Reached, now), ["target.breaker_closed"]);
        assert_eq!(state.breaker(now), BreakerState::Closed);
        assert!(apply(&mut state, TargetCommand::Reached, now).is_empty());
        apply(&mut state, failed(5), now);
        assert_eq!(state.breaker(now), BreakerState::Open(now + Duration::seconds(30)));
    }

    #[test]
    fn a_target_that_is_gone_waits_for_another_address_or_for_somebody() {
        let gone = || TargetCommand::Gone { url_hash: "a".to_owned() };
        let address = |hash: &str| TargetCommand::Address { url_hash: hash.to_owned() };
        let mut state = TargetState::default();
        assert!(apply(&mut state, address("a"), at(0)).is_empty());
        assert_eq!(apply(&mut state, gone(), at(0)), ["target.disabled"]);
        assert_eq!(state.breaker(at(9_999_999)), BreakerState::Disabled);
        assert!(apply(&mut state, gone(), at(1)).is_empty());
        assert!(apply(&mut state, address("a"), at(2)).is_empty());
        assert_eq!(apply(&mut state, address("b"), at(3)), ["target.enabled"]);
        assert_eq!(state.breaker(at(3)), BreakerState::Closed);
        apply(&mut state, gone(), at(4));
        assert_eq!(
            apply(&mut state, TargetCommand::Enable { by: "cli".to_owned() }, at(5)),
            ["target.enabled"]
        );
        assert!(apply(&mut state, TargetCommand::Enable { by: "cli".to_owned() }, at(5)).is_empty());
    }

    proptest! {
        /// Whatever happens in whatever order: a wait is 24 s to 360 s, and a target that is
        /// not disabled is always probed again.
        #[test]
        fn an_open_breaker_always_probes_again(
            steps in proptest::collection::vec((0_u8..5, 0_i64..600, 0.0..1.0_f64), 0..60)
        ) {
            let mut state = TargetState::default();
            let mut now = at(0);
            for (kind, seconds, chance) in steps {
                now += Duration::seconds(seconds);
                let command = match kind {
                    0 | 1 => TargetCommand::Failed { failures: 5, fresh: kind == 0 },
                    2 => TargetCommand::Reached,
                    3 => TargetCommand::Gone { url_hash: "a".to_owned() },
                    _ => TargetCommand::Address { url_hash: "b".to_owned() },
                };
                let cx = TargetCx { target: "t".to_owned(), now, chance };
                let Ok(events) = state.decide(&command, &cx);
                for event in &events {
                    if let TargetEvent::BreakerOpened(opened) = event {
                        let wait = (opened.until - now).num_seconds();
                        prop_assert!((24..=360).contains(&wait), "{}", wait);
                    }
                    state.evolve(event);
                }
                if state.disabled.is_none() {
                    let later = state.breaker(now + Duration::seconds(360));
                    prop_assert!(matches!(later, BreakerState::Closed | BreakerState::HalfOpen));
                }
            }
        }
    }
}
