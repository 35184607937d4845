//! The places of the last hour, and the times given to those that wait for one. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use crate::mail::policy::Priority;

/// Length of the window.
pub(super) const HOUR: TimeDelta = TimeDelta::hours(1);

/// A place of the limit, taken by the delivery of a mail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct TakenPlace {
    at: DateTime<Utc>,
    email_id: String,
}

/// See the module page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HourWindow {
    /// Oldest first.
    taken: VecDeque<TakenPlace>,
    /// Times in the future at which somebody asks again, earliest first, by [`Priority::ALL`].
    next_tries: [VecDeque<DateTime<Utc>>; 3],
}

impl HourWindow {
    /// Counts a place. The same place counts once, however often it is read.
    pub(super) fn take(&mut self, at: DateTime<Utc>, email_id: String) {
        let place = TakenPlace { at, email_id };
        if let Err(position) = self.taken.binary_search(&place) {
            self.taken.insert(position, place);
        }
    }

    /// When the delivery of a mail last took a place that still counts.
    pub(super) fn latest_of(&self, email_id: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut counting = self.taken.iter().rev().take_while(|place| place.at + HOUR >= now);
        counting.find(|place| place.email_id == email_id).map(|place| place.at)
    }

    /// How many more may go now. `limit` is at least 1.
    pub(super) fn free(&self, limit: u32, now: DateTime<Utc>) -> usize {
        let counted = self.taken.iter().filter(|place| place.at + HOUR >= now).count();
        usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(counted)
    }

    /// When somebody is to ask again for a place under `limit` per hour; `None` = one is free.
    ///
    /// Those that must wait get different times, so that a long queue is not tried as a whole
    /// whenever one place becomes free. A more urgent one does not stand behind the times of
    /// those less urgent: it takes the first of theirs, a moment before them, and whoever finds
    /// the place taken when its time comes asks for another.
    pub(super) fn next_try(
        &mut self,
        limit: u32,
        priority: Priority,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        self.forget_before(now);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.taken.len() < limit {
            return None;
        }
        // The delivery that must have left the window: the `limit`-th before this one. Just
        // after it has left: at the very instant it still counts.
        let next = self.leaving(limit, priority).unwrap_or(now) + HOUR + lateness(priority);
        if let Some(next_tries) = self.next_tries.get_mut(priority as usize) {
            let after = next_tries.partition_point(|given| *given <= next);
            next_tries.insert(after, next);
        }
        Some(next)
    }

    /// The `limit`-th last of those that were sent or go before somebody of this priority.
    fn leaving(&self, limit: usize, priority: Priority) -> Option<DateTime<Utc>> {
        let ahead = self.next_tries.iter().skip(priority as usize);
        let (count, groups) = ahead
            .clone()
            .fold((0, 0), |(n, groups), tries| (n + tries.len(), groups + usize::from(!tries.is_empty())));
        let before = self.taken.len() + count - limit;
        let Some(nth) = before.checked_sub(self.taken.len()) else {
            return self.taken.get(before).map(|place| place.at);
        };
        if groups == 1 {
            return ahead.flatten().nth(nth).copied();
        }
        let mut merged: Vec<_> = ahead.flatten().copied().collect();
        merged.sort_unstable();
        merged.get(nth).copied()
    }

    fn forget_before(&mut self, now: DateTime<Utc>) {
        while self.taken.front().is_some_and(|place| place.at + HOUR < now) {
            self.taken.pop_front();
        }
        for next_tries in &mut self.next_tries {
            while next_tries.front().is_some_and(|next| *next <= now) {
                next_tries.pop_front();
            }
        }
    }
}

/// How long after a place became free somebody asks for it: those of one place in order.
fn lateness(priority: Priority) -> TimeDelta {
    match priority {
        Priority::High => TimeDelta::microseconds(1),
        Priority::Medium => TimeDelta::milliseconds(1),
        Priority::Low => TimeDelta::milliseconds(2),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;

    /// Whether a delivery may go.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Admission {
        Go,
        Wait(DateTime<Utc>),
    }

    impl HourWindow {
        /// As it was left by an earlier run.
        fn restored(taken: &[DateTime<Utc>]) -> Self {
            let mut window = Self::default();
            taken.iter().enumerate().for_each(|(n, at)| window.take(*at, format!("earlier{n}")));
            window
        }

        /// Asks for a place, and takes it when it is free.
        fn admit(&mut self, limit: u32, priority: Priority, now: DateTime<Utc>) -> Admission {
            if let Some(until) = self.next_try(limit, priority, now) {
                return Admission::Wait(until);
            }
            self.take(now, format!("m{}", self.taken.len()));
            Admission::Go
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + seconds, 0).unwrap()
    }

    fn wait(seconds: i64) -> Admission {
        Admission::Wait(at(seconds) + TimeDelta::milliseconds(1))
    }

    #[test]
    fn eight_deliveries_at_five_an_hour() {
        let mut window = HourWindow::default();
        for second in 0..5 {
            assert_eq!(window.admit(5, Priority::Medium, at(second)), Admission::Go);
        }
        assert_eq!(window.free(5, at(5)), 0);
        assert_eq!(window.admit(5, Priority::Medium, at(5)), wait(3_600));
        assert_eq!(window.admit(5, Priority::Medium, at(6)), wait(3_601));
        assert_eq!(window.admit(5, Priority::Medium, at(7)), wait(3_602));
        // Their times come.
        for second in 3_601..3_604 {
            assert_eq!(window.admit(5, Priority::Medium, at(second)), Admission::Go);
        }
    }

    #[test]
    fn a_long_queue_gets_times_hour_after_hour() {
        let mut window = HourWindow::default();
        assert_eq!(window.admit(1, Priority::Medium, at(0)), Admission::Go);
        let times: Vec<_> = (0..3).map(|_| window.admit(1, Priority::Medium, at(1))).collect();
        let step = HOUR + TimeDelta::milliseconds(1);
        assert_eq!(times, (1..=3).map(|n| Admission::Wait(at(0) + step * n)).collect::<Vec<_>>());
    }

    #[test]
    fn a_changed_limit_counts_what_was_sent() {
        let mut window = HourWindow::restored(&[at(2), at(0), at(1)]);
        assert_eq!(window.admit(2, Priority::Medium, at(3)), wait(3_601));
        // The times that were given are forgotten with the limit, by a window that is read anew.
        let mut window = HourWindow::restored(&[at(2), at(0), at(1)]);
        assert_eq!(window.free(4, at(3)), 1);
        assert_eq!(window.admit(4, Priority::Medium, at(3)), Admission::Go);
        assert_eq!(window.admit(4, Priority::Medium, at(3)), wait(3_600));
    }

    #[test]
    fn what_others_sent_is_counted_once() {
        let mut window = HourWindow::default();
        // The journal has four, one of them taken here.
        let journal = [(0, "a"), (1, "b"), (1, "c"), (2, "d")];
        window.take(at(2), "d".to_owned());
        for _ in 0..2 {
            journal.iter().for_each(|(second, id)| window.take(at(*second), (*id).to_owned()));
            assert_eq!(window.free(5, at(3)), 1);
        }
        assert_eq!(window.admit(4, Priority::Medium, at(3)), wait(3_600));
    }

    #[test]
    fn the_place_of_a_mail_is_its_last_and_counts_for_an_hour() {
        let mut window = HourWindow::default();
        for second in [0, 10] {
            window.take(at(second), "a".to_owned());
        }
        window.take(at(20), "b".to_owned());
        assert_eq!(window.latest_of("a", at(30)), Some(at(10)));
        assert_eq!(window.latest_of("a", at(3_610)), Some(at(10)));
        assert_eq!(window.latest_of("a", at(3_611)), None);
        assert_eq!(window.latest_of("c", at(30)), None);
    }

    #[test]
    fn the_more_urgent_takes_the_first_time() {
        let mut window = HourWindow::default();
        assert_eq!(window.admit(1, Priority::Low, at(0)), Admission::Go);
        let micro = TimeDelta::microseconds(1);
        let milli = TimeDelta::milliseconds(1);
        assert_eq!(window.admit(1, Priority::Medium, at(1)), Admission::Wait(at(3_600) + milli));
        assert_eq!(window.admit(1, Priority::High, at(2)), Admission::Wait(at(3_600) + micro));
        assert_eq!(window.admit(1, Priority::High, at(3)), Admission::Wait(at(7_200) + micro * 2));
        // Behind all of them.
        assert_eq!(
            window.admit(1, Priority::Low, at(4)),
            Admission::Wait(at(7_200) + micro * 2 + HOUR + milli * 2)
        );
        // The first time is that of the first urgent one; whom it displaced asks for another.
        assert_eq!(window.admit(1, Priority::High, at(3_600) + micro), Admission::Go);
        let displaced = window.admit(1, Priority::Medium, at(3_600) + milli);
        assert_eq!(displaced, Admission::Wait(at(7_200) + micro * 2 + HOUR + milli));
    }

    proptest! {
        /// Whoever waits comes back at its time; in no hour go more than the limit, and all go.
        #[test]
        fn never_over_the_limit_and_never_lost(
            limit in 1_u32..6,
            arrivals in proptest::collection::vec((0_i64..9_000, 0_usize..3), 1..40),
        ) {
            let mut window = HourWindow::default();
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
                let within = gone.iter().filter(|at| *at >= start && **at <= *start + HOUR).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
