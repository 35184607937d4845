//! The rate limit of a target: so many deliveries in any 3,600 seconds. What is over it
//! waits for its turn; nothing is dropped. Pure.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Duration, Utc};

use crate::mail::policy::Priority;

/// Length of the window.
pub(super) const WINDOW: Duration = Duration::hours(1);

/// The deliveries of the last hour, and the turns already given to those that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateWindow {
    /// When each delivery of the last hour was first tried, oldest first.
    sent: VecDeque<DateTime<Utc>>,
    /// Turns in the future that were given away, earliest first, by [`Priority::ALL`].
    turns: [VecDeque<DateTime<Utc>>; 3],
}

/// Whether a delivery may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Now; it is counted.
    Go,
    /// Not before then.
    Wait(DateTime<Utc>),
}

impl RateWindow {
    /// A window as it was left by an earlier run. `sent` in any order.
    #[must_use]
    pub fn restored(mut sent: Vec<DateTime<Utc>>) -> Self {
        sent.sort_unstable();
        Self { sent: sent.into(), turns: Default::default() }
    }

    /// Asks for one delivery under `limit` per hour; 0 = unlimited.
    ///
    /// Those that must wait get different turns, so that a long queue is not tried as a
    /// whole whenever one place becomes free. A more urgent one does not stand behind the turns
    /// of those less urgent: it takes the first of theirs, a moment before them, and whoever
    /// finds the place taken when the turn comes asks for another.
    pub fn admit(&mut self, limit: u32, priority: Priority, now: DateTime<Utc>) -> Admission {
        self.forget(now);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if limit == 0 || self.sent.len() < limit {
            self.sent.push_back(now);
            return Admission::Go;
        }
        // The delivery that must have left the window: the `limit`-th before this one. Just
        // after it has left: at the very instant it still counts.
        let turn = self.leaving(limit, priority).unwrap_or(now) + WINDOW + lateness(priority);
        if let Some(turns) = self.turns.get_mut(priority as usize) {
            let after = turns.partition_point(|given| *given <= turn);
            turns.insert(after, turn);
        }
        Admission::Wait(turn)
    }

    /// The `limit`-th last of those that were sent or go before somebody of this priority.
    fn leaving(&self, limit: usize, priority: Priority) -> Option<DateTime<Utc>> {
        let ahead = self.turns.iter().skip(priority as usize);
        let (count, groups) = ahead
            .clone()
            .fold((0, 0), |(n, groups), turns| (n + turns.len(), groups + usize::from(!turns.is_empty())));
        let before = self.sent.len() + count - limit;
        let Some(nth) = before.checked_sub(self.sent.len()) else { return self.sent.get(before).copied() };
        if groups == 1 {
            return ahead.flatten().nth(nth).copied();
        }
        let mut merged: Vec<_> = ahead.flatten().copied().collect();
        merged.sort_unstable();
        merged.get(nth).copied()
    }

    /// Takes a [`Admission::Go`] of `at` back: there was no place after all.
    pub fn take_back(&mut self, at: DateTime<Utc>) {
        if let Some(place) = self.sent.iter().rposition(|sent| *sent == at) {
            self.sent.remove(place);
        }
    }

    /// Takes in when deliveries were counted, those of other workers too. What is known
    /// already has the same time there, and is not counted twice.
    pub fn heard(&mut self, counted: &[DateTime<Utc>]) {
        let mut known: HashMap<DateTime<Utc>, usize> = HashMap::new();
        for at in &self.sent {
            *known.entry(*at).or_default() += 1;
        }
        for at in counted {
            match known.get_mut(at).filter(|times| **times > 0) {
                Some(times) => *times -= 1,
                None => self.sent.push_back(*at),
            }
        }
        self.sent.make_contiguous().sort_unstable();
    }

    /// How many more may go now; `None` = unlimited.
    #[must_use]
    pub fn free(&self, limit: u32, now: DateTime<Utc>) -> Option<usize> {
        let counted = self.sent.iter().filter(|at| **at + WINDOW >= now).count();
        (limit > 0).then(|| usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(counted))
    }

    /// Takes all turns back: the limit has changed and whoever waits asks again.
    pub fn forget_turns(&mut self) {
        self.turns = Default::default();
    }

    fn forget(&mut self, now: DateTime<Utc>) {
        while self.sent.front().is_some_and(|at| *at + WINDOW < now) {
            self.sent.pop_front();
        }
        for turns in &mut self.turns {
            while turns.front().is_some_and(|turn| *turn <= now) {
                turns.pop_front();
            }
        }
    }
}

/// How long after a place became free the turn comes: those of one place in order.
fn lateness(priority: Priority) -> Duration {
    match priority {
        Priority::High => Duration::microseconds(1),
        Priority::Medium => Duration::milliseconds(1),
        Priority::Low => Duration::milliseconds(2),
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

    fn turn(seconds: i64) -> Admission {
        Admission::Wait(at(seconds) + Duration::milliseconds(1))
    }

    #[test]
    fn eight_deliveries_at_five_an_hour() {
        let mut window = RateWindow::default();
        for second in 0..5 {
            assert_eq!(window.admit(5, Priority::Medium, at(second)), Admission::Go);
        }
        assert_eq!(window.free(5, at(5)), Some(0));
        assert_eq!(window.admit(5, Priority::Medium, at(5)), turn(3_600));
        assert_eq!(window.admit(5, Priority::Medium, at(6)), turn(3_601));
        assert_eq!(window.admit(5, Priority::Medium, at(7)), turn(3_602));
        // Their turns come.
        for second in 3_601..3_604 {
            assert_eq!(window.admit(5, Priority::Medium, at(second)), Admission::Go);
        }
    }

    #[test]
    fn a_long_queue_gets_turns_hour_after_hour() {
        let mut window = RateWindow::default();
        assert_eq!(window.admit(1, Priority::Medium, at(0)), Admission::Go);
        let turns: Vec<_> = (0..3).map(|_| window.admit(1, Priority::Medium, at(1))).collect();
        let step = WINDOW + Duration::milliseconds(1);
        assert_eq!(turns, (1..=3).map(|n| Admission::Wait(at(0) + step * n)).collect::<Vec<_>>());
    }

    #[test]
    fn a_changed_limit_counts_what_was_sent() {
        let mut window = RateWindow::restored(vec![at(2), at(0), at(1)]);
        assert_eq!(window.admit(2, Priority::Medium, at(3)), turn(3_601));
        window.forget_turns();
        assert_eq!(window.free(4, at(3)), Some(1));
        assert_eq!(window.admit(4, Priority::Medium, at(3)), Admission::Go);
        assert_eq!(window.admit(4, Priority::Medium, at(3)), turn(3_600));
        assert_eq!(window.admit(0, Priority::Medium, at(3)), Admission::Go);
        assert_eq!(window.free(0, at(3)), None);
    }

    #[test]
    fn what_others_sent_is_counted_once() {
        let mut window = RateWindow::restored(vec![at(0)]);
        assert_eq!(window.admit(4, Priority::Medium, at(2)), Admission::Go);
        assert_eq!(window.admit(4, Priority::Medium, at(2)), Admission::Go);
        // The journal has four: one of these had no place.
        window.take_back(at(2));
        window.heard(&[at(0), at(1), at(1), at(2)]);
        assert_eq!(window.free(5, at(3)), Some(1));
        assert_eq!(window.admit(4, Priority::Medium, at(3)), turn(3_600));
        window.heard(&[at(0), at(1), at(1), at(2)]);
        assert_eq!(window.free(5, at(3)), Some(1));
    }

    #[test]
    fn the_more_urgent_takes_the_first_turn() {
        let mut window = RateWindow::default();
        assert_eq!(window.admit(1, Priority::Low, at(0)), Admission::Go);
        let micro = Duration::microseconds(1);
        let milli = Duration::milliseconds(1);
        assert_eq!(window.admit(1, Priority::Medium, at(1)), Admission::Wait(at(3_600) + milli));
        assert_eq!(window.admit(1, Priority::High, at(2)), Admission::Wait(at(3_600) + micro));
        assert_eq!(window.admit(1, Priority::High, at(3)), Admission::Wait(at(7_200) + micro * 2));
        // Behind all of them.
        assert_eq!(
            window.admit(1, Priority::Low, at(4)),
            Admission::Wait(at(7_200) + micro * 2 + WINDOW + milli * 2)
        );
        // The first turn is that of the first urgent one; whom it displaced asks for another.
        assert_eq!(window.admit(1, Priority::High, at(3_600) + micro), Admission::Go);
        let displaced = window.admit(1, Priority::Medium, at(3_600) + milli);
        assert_eq!(displaced, Admission::Wait(at(7_200) + micro * 2 + WINDOW + milli));
    }

    proptest! {
        /// Whoever waits comes back at their turn; in no hour go more than the limit, and all go.
        #[test]
        fn never_over_the_limit_and_never_lost(
            limit in 1_u32..6,
            arrivals in proptest::collection::vec((0_i64..9_000, 0_usize..3), 1..40),
        ) {
            let mut window = RateWindow::default();
            let mut waiting: std::collections::BTreeMap<(DateTime<Utc>, usize), ()> =
                arrivals.iter().enumerate().map(|(n, (second, _))| ((at(*second), n), ())).collect();
            let mut gone: Vec<DateTime<Utc>> = Vec::new();
            let mut asked = 0;
            while let Some(((now, n), ())) = waiting.pop_first() {
                asked += 1;
                prop_assert!(asked < 40 * 41, "somebody asks for ever");
                match window.admit(limit, Priority::ALL[arrivals[n].1], now) {
                    Admission::Go => gone.push(now),
                    Admission::Wait(until) => {
                        prop_assert!(until > now);
                        waiting.insert((until, n), ());
                    }
                }
            }
            prop_assert_eq!(gone.len(), arrivals.len());
            for start in &gone {
                let within = gone.iter().filter(|at| *at >= start && **at <= *start + WINDOW).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
