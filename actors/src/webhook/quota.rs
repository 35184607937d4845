//! The hourly limit of a target, kept by all workers together.
//!
//! Before its first attempt a delivery takes a place: a `delivery.counted` in the stream of the
//! hour, committed under the versions of the streams that count. Of two workers that want the
//! last place one gets it, and the other reads what it did not know.
//!
//! Streams are short, one per target and hour, and only what is new of them is read. Those of
//! the hour before and of the hour after count, too: the window rolls, and clocks differ.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use tokio::sync::Mutex;

use super::rate::WINDOW;
use super::state::{Counted, RateEvent, rate_stream};
use super::{WebhookDeps, effects};
use crate::kernel::event::{DomainEvent as _, EventError, StreamId};
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{AppendError, Commit, Expected, StreamWrite};
use crate::mail::work::DeliverMeta;

/// Hours that count, from that of the delivery on.
const HOURS: [i64; 3] = [-1, 0, 1];

/// Whether a delivery may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It has a place.
    Taken,
    /// All places are taken, at these times.
    Full(Vec<DateTime<Utc>>),
}

/// What is known of a stream.
#[derive(Debug, Default)]
struct Hour {
    version: u64,
    taken: Vec<Counted>,
}

/// The places that were taken of late, as far as they were read. See the module page.
#[derive(Debug, Default)]
pub(super) struct Quota {
    /// By target and begin of the hour. One delivery at a time: in one process they need not
    /// find out from the journal that they were in each other's way.
    known: Mutex<BTreeMap<(String, DateTime<Utc>), Hour>>,
}

impl Quota {
    /// Takes a place for the delivery at `at`, a whole millisecond, if there is one under
    /// `limit` per hour (0 = unlimited), or if it has one already. Waits for the journal as long
    /// as it takes.
    pub(super) async fn take(
        &self,
        deps: &WebhookDeps,
        meta: &DeliverMeta,
        at: DateTime<Utc>,
        limit: u32,
    ) -> Place {
        if limit == 0 {
            return Place::Taken;
        }
        let hours: Vec<DateTime<Utc>> =
            HOURS.iter().map(|hours| hour(at + TimeDelta::hours(*hours))).collect();
        let key = |hour: &DateTime<Utc>| (meta.target.clone(), *hour);
        let mut known = self.known.lock().await;
        known.retain(|(_, begin), _| *begin + WINDOW * 3 >= at);
        loop {
            for hour in &hours {
                let stream = rate_stream(&meta.target, *hour);
                catch_up(deps, &stream, known.entry(key(hour)).or_default()).await;
            }
            let taken = known.range(key(&DateTime::<Utc>::MIN_UTC)..=key(&DateTime::<Utc>::MAX_UTC));
            let taken = taken.flat_map(|(_, hour)| &hour.taken).filter(|place| place.at + WINDOW >= at);
            let taken: Vec<&Counted> = taken.collect();
            if taken.iter().any(|place| place.email_id == meta.email_id) {
                return Place::Taken;
            }
            if taken.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                return Place::Full(taken.iter().map(|place| place.at).collect());
            }
            let belief =
                |hour: &DateTime<Utc>| Expected::after(known.get(&key(hour)).map_or(0, |hour| hour.version));
            let commit = match commit(deps, meta, at, hours.iter().map(|hour| (*hour, belief(hour)))) {
                Ok(commit) => commit,
                Err(error) => {
                    // It cannot be counted, which is no reason not to send it.
                    tracing::error!(%error, "a delivery could not be counted");
                    return Place::Taken;
                }
            };
            match persist(deps.journal.as_ref(), &deps.world, commit).await {
                Ok(_) => return Place::Taken,
                Err(AppendError::Conflict { .. }) => {
                    // Another worker was quicker, or the journal has lost what was known.
                    hours.iter().for_each(|hour| drop(known.remove(&key(hour))));
                }
                Err(error) => {
                    tracing::error!(%error, "a delivery could not be counted");
                    return Place::Taken;
                }
            }
        }
    }
}

/// The begin of the hour that an instant is in.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

/// The next whole millisecond: what is counted has the same time wherever it is kept.
pub(super) fn whole_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::milliseconds(1))
        .map_or(at, |floor| if floor == at { at } else { floor + TimeDelta::milliseconds(1) })
}

/// Reads what is new of a stream.
async fn catch_up(deps: &WebhookDeps, stream: &StreamId, hour: &mut Hour) {
    for event in effects::read(deps, stream, hour.version).await {
        hour.version = event.version;
        match RateEvent::from_recorded(&event) {
            Ok(RateEvent::Counted(counted)) => hour.taken.push(counted),
            Err(error) => tracing::error!(%error, %stream, "an event of the rate limit cannot be read"),
        }
    }
}

/// One place in the hour of `at`, if nothing has happened in any of the hours.
fn commit(
    deps: &WebhookDeps,
    meta: &DeliverMeta,
    at: DateTime<Utc>,
    hours: impl Iterator<Item = (DateTime<Utc>, Expected)>,
) -> Result<Commit, EventError> {
    let counted =
        RateEvent::Counted(Counted { email_id: meta.email_id.clone(), target: meta.target.clone(), at });
    let mut commit = Commit { at: deps.world.now(), ..Commit::default() };
    for (begin, expected) in hours {
        let events =
            if begin == hour(at) { vec![counted.to_new(deps.world.ids.next())?] } else { Vec::new() };
        commit.writes.push(StreamWrite { stream: rate_stream(&meta.target, begin), expected, events });
    }
    Ok(commit)
}
