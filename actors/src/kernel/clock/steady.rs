//! The clock of this process. Nobody can set it: it goes by a clock that only ever counts, and
//! a retry that is to come in ten minutes comes in ten minutes, whatever happens to the wall clock.
//!
//! Alone, it begins at the machine's wall clock and draws near to it again when that was set.
//! Where workers share a server, it is that server's clock, so that all of them agree on what is due
//! and whose claim has run out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nix::time::{ClockId, clock_gettime};

use super::Clock;

/// Set to another time, the wall clock is drawn near to by this part of the time that passes: a
/// wait of a minute may be 1.2 s shorter or longer for it.
const DRAWN_NEAR: i32 = 50;
/// A wall clock that is off by so much was set, or is that of a machine that is not looked after.
const REMARKABLE: TimeDelta = TimeDelta::seconds(2);
/// Off by less than this, it is not worth a word any more.
const UNREMARKABLE: TimeDelta = TimeDelta::milliseconds(200);

/// Where time comes from.
pub(super) trait Sources: Send + Sync {
    /// The wall clock of the machine.
    fn wall(&self) -> DateTime<Utc>;
    /// Time since some moment, counted also while the machine sleeps.
    fn counted(&self) -> Duration;
}

/// Those of the system.
pub(super) struct SystemClocks;

impl Sources for SystemClocks {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn wall(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn counted(&self) -> Duration {
        let read =
            clock_gettime(ClockId::CLOCK_BOOTTIME).or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC));
        // Linux has both since version 2.6.39.
        read.map(Duration::from).unwrap_or_default()
    }
}

/// A clock that counts, and draws near to its reference: the wall clock, or that of the shared server.
pub(super) struct SteadyClock<S = SystemClocks> {
    sources: S,
    state: Mutex<ClockState>,
}

struct ClockState {
    /// What was said last, and when by the count.
    now: DateTime<Utc>,
    counted: Duration,
    /// A server's clock is followed.
    follows: bool,
    /// The log says that the wall clock is off.
    told: bool,
}

impl ClockState {
    /// Goes on with the count. How long that was.
    fn advance(&mut self, counted: Duration) -> TimeDelta {
        let passed = TimeDelta::from_std(counted.saturating_sub(self.counted)).unwrap_or_default();
        self.counted = self.counted.max(counted);
        self.now += passed;
        passed
    }
}

impl<S: Sources> SteadyClock<S> {
    pub(super) fn new(sources: S) -> Self {
        let state =
            ClockState { now: sources.wall(), counted: sources.counted(), follows: false, told: false };
        Self { sources, state: Mutex::new(state) }
    }
}

impl<S: Sources> Clock for SteadyClock<S> {
    fn now(&self) -> DateTime<Utc> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = state.advance(self.sources.counted());
        if state.follows {
            return state.now;
        }
        let gap = self.sources.wall() - state.now;
        let most = passed / DRAWN_NEAR;
        let step = gap.clamp(-most, most);
        state.now += step;
        let (now, left) = (state.now, gap - step);
        let news = match left.abs() {
            off if off >= REMARKABLE => !std::mem::replace(&mut state.told, true),
            off if off < UNREMARKABLE => std::mem::take(&mut state.told),
            _ => false,
        };
        drop(state);
        if news {
            say(left);
        }
        now
    }

    fn stamp(&self) -> DateTime<Utc> {
        let follows = self.state.lock().unwrap_or_else(PoisonError::into_inner).follows;
        if follows { self.now() } else { self.sources.wall() }
    }

    fn counted(&self) -> Duration {
        self.sources.counted()
    }

    fn follow(&self, server: DateTime<Utc>, asked: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = self.sources.counted();
        state.advance(counted);
        let way = TimeDelta::from_std(counted.saturating_sub(asked)).unwrap_or_default();
        let first = !std::mem::replace(&mut state.follows, true);
        // The server spoke at some moment between question and answer. What is believed stays as
        // it is if it fits, so that one slow answer does not spoil what quick ones have told.
        let before = state.now;
        state.now = if first { server + way / 2 } else { before.clamp(server, server + way) };
        let (now, step) = (state.now, state.now - before);
        drop(state);
        let off = now - self.sources.wall();
        // render_signal_clock_offset_seconds: how far the clock of the journal's server is ahead of this machine's.
        metrics::gauge!("render_signal_clock_offset_seconds").set(seconds(off));
        if first && off.abs() >= REMARKABLE {
            tracing::warn!(
                seconds = seconds(off),
                "the clock of the journal's server is ahead of this machine's by so much; work goes by the server's"
            );
        } else if !first && step.abs() >= REMARKABLE {
            tracing::warn!(
                seconds = seconds(step),
                "the clock of the journal's server was set; every worker goes by it, so waits change by as much"
            );
        }
    }
}

fn seconds(span: TimeDelta) -> f64 {
    span.as_seconds_f64()
}

/// `left`: by how much the wall clock is ahead.
fn say(left: TimeDelta) {
    if left.abs() < UNREMARKABLE {
        tracing::info!("the time of this worker is that of the machine's clock again");
        return;
    }
    tracing::warn!(
        seconds = seconds(left),
        "the clock of this machine was set by so much: waits go on as they were, and the time of this worker draws near \
         to it by a fiftieth; a restart takes it at once"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Clocks that are set by hand.
    #[derive(Clone, Default)]
    struct ByHand(Arc<Mutex<(TimeDelta, Duration)>>);

    impl ByHand {
        fn pass(&self, time: Duration) {
            let mut state = self.0.lock().unwrap();
            state.0 += TimeDelta::from_std(time).unwrap();
            state.1 += time;
        }
        fn set(&self, by: TimeDelta) {
            self.0.lock().unwrap().0 += by;
        }
    }

    impl Sources for ByHand {
        fn wall(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH + self.0.lock().unwrap().0
        }
        fn counted(&self) -> Duration {
            self.0.lock().unwrap().1
        }
    }

    fn after(time: TimeDelta) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + time
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_wall_clock_that_is_not_set_is_the_time() {
        let hands = ByHand::default();
        let clock = SteadyClock::new(hands.clone());
        for _ in 0..10 {
            hands.pass(MINUTE);
            // Some machines' clocks are corrected all the time.
            hands.set(TimeDelta::milliseconds(20));
            assert_eq!(clock.now(), hands.wall());
        }
    }

    #[test]
    fn a_wall_clock_that_was_set_changes_no_wait_by_more_than_a_fiftieth() {
        for hours in [3, -3, 24 * 365] {
            let hands = ByHand::default();
            let clock = SteadyClock::new(hands.clone());
            hands.set(TimeDelta::hours(hours));
            assert_eq!(clock.now(), after(TimeDelta::zero()), "{hours}");
            hands.pass(MINUTE);
            let off = clock.now() - after(TimeDelta::seconds(60));
            assert_eq!(off, TimeDelta::milliseconds(1_200 * hours.signum()), "{hours}");
            assert_eq!(clock.stamp(), hands.wall(), "who checks a signature goes by the wall clock");
        }
    }

    #[test]
    fn it_draws_near_and_gets_there() {
        let hands = ByHand::default();
        let clock = SteadyClock::new(hands.clone());
        hands.set(TimeDelta::minutes(-1));
        let mut last = clock.now();
        for _ in 0..60 {
            hands.pass(MINUTE);
            let now = clock.now();
            assert!(now > last, "it never goes back");
            last = now;
        }
        assert_eq!(last, hands.wall());
    }

    #[test]
    fn two_machines_that_follow_one_server_agree() {
        let server = after(TimeDelta::days(100));
        let hands = [ByHand::default(), ByHand::default()];
        hands[1].set(TimeDelta::hours(1));
        let clocks = hands.clone().map(SteadyClock::new);
        for (hand, clock) in hands.iter().zip(&clocks) {
            let asked = clock.counted();
            hand.pass(Duration::from_millis(10));
            clock.follow(server, asked);
            // A wall clock that is set now changes nothing.
            hand.set(TimeDelta::hours(-3));
            assert_eq!(clock.now(), server + TimeDelta::milliseconds(5));
            assert_eq!(clock.stamp(), clock.now());
        }
    }

    #[test]
    fn a_slow_answer_spoils_nothing_and_a_server_whose_clock_was_set_is_followed() {
        let hands = ByHand::default();
        let clock = SteadyClock::new(hands.clone());
        let server = after(TimeDelta::days(100));
        clock.follow(server, clock.counted());
        let asked = clock.counted();
        hands.pass(Duration::from_secs(4));
        clock.follow(server, asked);
        assert_eq!(clock.now(), server + TimeDelta::seconds(4), "it fits, so it stays");
        let set = server + TimeDelta::hours(3);
        clock.follow(set, clock.counted());
        assert_eq!(clock.now(), set);
    }
}
