//! The hourly limit of a target: so many first attempts in any 3,600 seconds, of all workers
//! together. What is over it waits; nothing is dropped.
//!
//! The journal's hour is the truth. Before its first attempt a delivery takes a place: a
//! `delivery.counted` in the stream of the hour, committed under the versions of the streams that
//! count. Of two workers that want the last place one gets it, and the other meets a conflict and
//! reads what it did not know. Streams are short, one per target and hour. Those of the hour
//! before and of the hour after count, too: the window rolls, and clocks differ.
//!
//! Memory is a cache of that, and gives those that must wait different times to ask again
//! ([`window`]). It is dropped when the limit changes.

mod window;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::OwnedMutexGuard;

use self::window::{HOUR, HourWindow};
use super::events::{DeliveryCounted, DeliveryEvent, RateEvent, delivery_stream, rate_stream};
use super::{WebhookDeps, reads};
use crate::kernel::event::{DomainEvent as _, EventError};
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{AppendError, Commit, StreamWrite};
use crate::mail::outbox_rows::DeliverMeta;

/// Hours whose streams count, from that of the delivery on.
const COUNTING_HOURS: [i64; 3] = [-1, 0, 1];

/// Whether a delivery may go, as far as the limit is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reservation {
    /// It has a place, or there is no limit.
    Granted,
    /// All places are taken.
    Exhausted {
        /// When to ask again.
        until: DateTime<Utc>,
        /// The limit that it is over.
        limit: u32,
    },
}

/// The limits of all targets. See the module page.
#[derive(Debug, Default)]
pub(super) struct RateLimiter {
    /// One delivery of a target at a time: in one process they need not find out from the journal
    /// that they were in each other's way.
    targets: Mutex<HashMap<String, Arc<tokio::sync::Mutex<TargetHour>>>>,
}

/// A delivery's position among those of its target that ask for a place.
pub(super) enum QueuedReservation {
    /// It is the next.
    Next(OwnedMutexGuard<TargetHour>),
    /// It is behind others.
    Behind(BoxFuture<'static, OwnedMutexGuard<TargetHour>>),
}

impl RateLimiter {
    /// Queues for a place. Whoever grants permits to the more urgent first has them ask first,
    /// whichever task is scheduled first.
    pub(super) fn queue(&self, deps: &WebhookDeps, target: &str) -> Option<QueuedReservation> {
        if deps.policy.load().rate_limit_per_hour == 0 {
            return None;
        }
        let mut lock = self.hour_of(target).lock_owned().boxed();
        Some(match (&mut lock).now_or_never() {
            Some(hour) => QueuedReservation::Next(hour),
            None => QueuedReservation::Behind(lock),
        })
    }

    /// Takes a place for a delivery, unless it has one already that it has not used. Waits for the
    /// journal as long as it takes.
    pub(super) async fn reserve(
        &self,
        deps: &WebhookDeps,
        meta: &DeliverMeta,
        queued: Option<QueuedReservation>,
    ) -> Reservation {
        if deps.policy.load().rate_limit_per_hour == 0 {
            return Reservation::Granted;
        }
        let mut hour = match queued {
            Some(QueuedReservation::Next(hour)) => hour,
            Some(QueuedReservation::Behind(lock)) => lock.await,
            None => self.hour_of(&meta.target).lock_owned().await,
        };
        loop {
            hour.read_once(deps, &meta.target).await;
            // Late: whoever waited here may have waited long.
            let limit = deps.policy.load().rate_limit_per_hour;
            let at = whole_millis(deps.world.now());
            if limit == 0 || hour.has_unused_place(deps, meta, at).await {
                return Reservation::Granted;
            }
            if let Some(until) = hour.window.next_try(limit, meta.priority, at) {
                return Reservation::Exhausted { until, limit };
            }
            match hour.take_place(deps, meta, at).await {
                Ok(()) => return Reservation::Granted,
                // Another worker was quicker, or the journal has lost what was known.
                Err(Untaken::Conflict) => hour.is_read = false,
                Err(Untaken::Uncountable(why)) => {
                    // It cannot be counted, which is no reason not to send it.
                    tracing::error!(why, "a delivery could not be counted");
                    return Reservation::Granted;
                }
            }
        }
    }

    /// How many deliveries of a target may go now.
    pub(super) async fn free(&self, deps: &WebhookDeps, target: &str) -> usize {
        let limit = deps.policy.load().rate_limit_per_hour;
        if limit == 0 {
            return usize::MAX;
        }
        let hour = self.hour_of(target);
        let mut hour = hour.lock().await;
        hour.read_once(deps, target).await;
        hour.window.free(limit, deps.world.now())
    }

    /// The limit has changed: whoever waits asks again, and what was sent without a limit counts.
    pub(super) fn forget(&self) {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn hour_of(&self, target: &str) -> Arc<tokio::sync::Mutex<TargetHour>> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        match targets.get(target) {
            Some(hour) => Arc::clone(hour),
            None => Arc::clone(targets.entry(target.to_owned()).or_default()),
        }
    }
}

/// Why no place was taken.
enum Untaken {
    /// What is known of the hour is not what the journal has.
    Conflict,
    /// The journal will never take it.
    Uncountable(String),
}

/// What is known of the last hour of a target.
#[derive(Debug, Default)]
pub(super) struct TargetHour {
    /// It was read. After that it is only written, until a conflict shows that it is not all.
    is_read: bool,
    /// Versions of the streams, by begin of the hour.
    versions: BTreeMap<DateTime<Utc>, u64>,
    window: HourWindow,
}

impl TargetHour {
    async fn read_once(&mut self, deps: &WebhookDeps, target: &str) {
        if self.is_read {
            return;
        }
        // What is in the window stays: it was sent, even if the journal has lost it.
        self.versions.clear();
        let now = deps.world.now();
        for begin in counting_hours(now) {
            let stream = rate_stream(target, begin);
            for event in reads::stream(deps, &stream, 0).await {
                self.versions.insert(begin, event.version);
                match RateEvent::from_recorded(&event) {
                    Ok(RateEvent::Counted(counted)) => self.window.take(counted.at, counted.email_id),
                    Err(error) => {
                        tracing::error!(%error, %stream, "an event of the rate limit cannot be read")
                    }
                }
            }
        }
        self.read_uncounted(deps, target, now).await;
        self.is_read = true;
    }

    /// Takes in what was sent while there was no limit, which no stream counts.
    async fn read_uncounted(&mut self, deps: &WebhookDeps, target: &str, now: DateTime<Utc>) {
        let (since, id) = ((now - HOUR).timestamp_millis(), target.to_owned());
        let views = deps.journal.views();
        let read = views.read(move |db| {
            let mut query = db.prepare_cached(
                "SELECT at_ms, email_id FROM sends WHERE target = ?1 AND at_ms >= ?2 AND tried",
            )?;
            let rows = query.query_map((id, since), |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, String)>>>()
        });
        match read.await {
            Ok(sent) => {
                for (at_ms, email_id) in sent {
                    if let Some(at) = DateTime::from_timestamp_millis(at_ms) {
                        self.window.take(at, email_id);
                    }
                }
            }
            // Holding every delivery for want of a count would be worse than an hour over the limit.
            Err(error) => {
                tracing::warn!(%error, "what was sent without a limit is unknown, and does not count");
            }
        }
    }

    /// Whether the delivery took a place and was not attempted since: before this worker had it, or
    /// because this machine could not.
    async fn has_unused_place(&self, deps: &WebhookDeps, meta: &DeliverMeta, now: DateTime<Utc>) -> bool {
        let Some(taken) = self.window.latest_of(&meta.email_id, now) else { return false };
        if meta.delivery_version == 0 {
            return true;
        }
        // A dead letter that is sent again within the hour has used its place.
        let history = reads::stream(deps, &delivery_stream(&meta.email_id, &meta.target), 0).await;
        let used = history.iter().rev().any(|event| {
            // A place is taken at a whole millisecond, up to one later than the clock said.
            event.at >= taken - TimeDelta::milliseconds(1)
                && matches!(DeliveryEvent::from_recorded(event), Ok(DeliveryEvent::Attempted(_)))
        });
        !used
    }

    /// Takes a place at `at`, if nothing has happened in any of the hours that was not read.
    async fn take_place(
        &mut self,
        deps: &WebhookDeps,
        meta: &DeliverMeta,
        at: DateTime<Utc>,
    ) -> Result<(), Untaken> {
        let commit = self.commit(deps, meta, at).map_err(|error| Untaken::Uncountable(error.to_string()))?;
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => {
                self.versions.retain(|begin, _| *begin + HOUR * 3 >= at);
                *self.versions.entry(begin_of_hour(at)).or_default() += 1;
                self.window.take(at, meta.email_id.clone());
                Ok(())
            }
            Err(AppendError::Conflict { .. }) => Err(Untaken::Conflict),
            Err(error) => Err(Untaken::Uncountable(error.to_string())),
        }
    }

    fn commit(
        &self,
        deps: &WebhookDeps,
        meta: &DeliverMeta,
        at: DateTime<Utc>,
    ) -> Result<Commit, EventError> {
        let (email_id, target) = (meta.email_id.clone(), meta.target.clone());
        let counted = RateEvent::Counted(DeliveryCounted { email_id, target, at });
        let mut commit = Commit { at: deps.world.now(), ..Commit::default() };
        for begin in counting_hours(at) {
            let is_own = begin == begin_of_hour(at);
            let events = if is_own { vec![counted.to_new(deps.world.ids.next())?] } else { Vec::new() };
            let version = self.versions.get(&begin).copied().unwrap_or_default();
            commit.writes.push(StreamWrite::after(version, rate_stream(&meta.target, begin), events));
        }
        Ok(commit)
    }
}

/// Begins of the hours whose streams count for a delivery at `at`.
fn counting_hours(at: DateTime<Utc>) -> [DateTime<Utc>; 3] {
    COUNTING_HOURS.map(|hours| begin_of_hour(at + TimeDelta::hours(hours)))
}

fn begin_of_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

/// The next whole millisecond: what is counted has the same time wherever it is kept.
fn whole_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::milliseconds(1))
        .map_or(at, |floor| if floor == at { at } else { floor + TimeDelta::milliseconds(1) })
}
