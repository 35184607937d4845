//! How long a mail waits for copies that cannot be made at the moment. Pure.
//!
//! A Worker that is deployed anew, a bucket that answers 503 or a host that limits requests is
//! back within seconds or minutes. The mail waits for it, for a bounded time in all; then its
//! links are sent as they were found.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::outcome::{End, passing};
use crate::kernel::backoff::Backoff;
use crate::mail::outbox_rows::CopyWait;

/// Waits after each try.
const WAITS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

/// A mail that is to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PutOff {
    /// When.
    pub(super) due: DateTime<Utc>,
    /// What its row tells then.
    pub(super) waiting: CopyWait,
    /// At the latest then its links are sent, copied or not.
    pub(super) at_the_latest: DateTime<Utc>,
    /// What the first of the links waits for.
    pub(super) why: String,
    /// How many links wait.
    pub(super) links: u64,
}

/// Whether a mail whose links ended like this is tried again: one of them failed for a reason
/// that passes, and there is time left. `chance` in `0.0..1.0` spreads the waits by ±20 %.
pub(super) fn put_off(
    ends: &[End],
    before: Option<CopyWait>,
    patience: Duration,
    now: DateTime<Utc>,
    chance: f64,
) -> Option<PutOff> {
    let passing: Vec<_> = ends.iter().filter_map(passing).collect();
    let why = passing.first()?.why.clone();
    let CopyWait { since, tries } = before.unwrap_or(CopyWait { since: now, tries: 0 });
    let at_the_latest = since + TimeDelta::from_std(patience).unwrap_or(TimeDelta::MAX);
    if now >= at_the_latest {
        return None;
    }
    let wait = WAITS.spread(tries.saturating_add(1), chance);
    let due = now + TimeDelta::from_std(wait).unwrap_or_default();
    let asked = passing.iter().filter_map(|failure| failure.not_before).max();
    // The last try is made when the time is over.
    let due = asked.map_or(due, |asked| due.max(asked)).min(at_the_latest);
    let (waiting, links) = (CopyWait { since, tries: tries.saturating_add(1) }, passing.len() as u64);
    Some(PutOff { due, waiting, at_the_latest, why, links })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r2::NoCopy;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_770_000_000 + second, 0).unwrap()
    }

    fn away(not_before: Option<i64>) -> End {
        Err(NoCopy::passing("503", not_before.map(at)))
    }

    /// Seconds at which a mail is tried, if it never goes better.
    fn tries(patience: u64, not_before: Option<i64>) -> Vec<i64> {
        let (mut before, mut now, mut tries) = (None, at(0), vec![0]);
        while let Some(next) = put_off(&[away(not_before)], before, Duration::from_secs(patience), now, 0.5) {
            assert_eq!(next.at_the_latest, at(i64::try_from(patience).unwrap()));
            (before, now) = (Some(next.waiting), next.due);
            tries.push((now - at(0)).num_seconds());
        }
        tries
    }

    #[test]
    fn the_waits_grow_and_end() {
        assert_eq!(tries(600, None), [0, 5, 15, 35, 75, 135, 195, 255, 315, 375, 435, 495, 555, 600]);
        assert_eq!(tries(20, None), [0, 5, 15, 20], "the last try comes when the time is over");
        assert_eq!(tries(0, None), [0], "no patience at all");
        assert_eq!(tries(600, Some(100)), [0, 100, 110, 130, 170, 230, 290, 350, 410, 470, 530, 590, 600]);
        assert_eq!(tries(600, Some(86_400)), [0, 600], "asked for more than there is time");
    }

    #[test]
    fn only_what_passes_is_waited_for() {
        let patience = Duration::from_secs(600);
        let lasting: End = Err(NoCopy::lasting("404"));
        assert_eq!(put_off(std::slice::from_ref(&lasting), None, patience, at(0), 0.5), None);
        assert_eq!(put_off(&[], None, patience, at(0), 0.5), None);
        let mixed = put_off(&[lasting, away(None), away(Some(9))], None, patience, at(0), 0.5).unwrap();
        assert_eq!((mixed.links, mixed.due, mixed.why.as_str()), (2, at(9), "503"));
    }
}
