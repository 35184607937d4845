//! Mails of senders that are not in the list: kept for a while, within bounds, and decided
//! again when the list changes.
//!
//! Each is a row of the queue `hold` that nobody claims, with its content
//! ([`stranger_row`](crate::mail::outbox_rows::stranger_row)). Anybody can send such mails, so their number and their bytes are
//! bounded where they come in: the commit that takes one in makes the room it needs, the oldest
//! first. A worker that polls counts them in memory, from what the journal said when its lease
//! began; what another worker does meanwhile is put right by the next [`Strangers::sweep`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;

use super::DedupDeps;
use crate::kernel::journal::{
    AppendError, Body, Commit, Defer, Due, Journal, JournalError, OutboxRow, Queue, Settle,
};
use crate::mail::decide;
use crate::mail::outbox_rows::{DraftMeta, Stranger, is_stranger};
use crate::mail::policy::Policy;

/// Mails that are kept at the most: more than a month's of most mailboxes.
const MAX_MAILS: usize = 1_000;
/// Their bytes in all. A disk of 1 GB, the smallest there is to rent, holds them beside all else.
const BYTES: u64 = 64 * 1024 * 1024;
/// A larger one is not kept: it would drive out too many others.
const LARGEST: u64 = BYTES / 16;
/// How often they are looked through without a change of the list, for those whose time is over.
const ROUND: TimeDelta = TimeDelta::hours(1);
/// Rows that one commit changes.
const BATCH: usize = 100;

/// The strangers' mails that are kept, the oldest first, as far as this worker knows.
#[derive(Debug, Default)]
struct StrangerLedger {
    kept: VecDeque<(String, u64)>,
    bytes: u64,
}

impl StrangerLedger {
    /// Takes one in and names those that make room.
    fn seat(&mut self, key: String, bytes: u64) -> Vec<(String, u64)> {
        let mut gone = Vec::new();
        while self.kept.len() >= MAX_MAILS || self.bytes.saturating_add(bytes) > BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.1);
            gone.push(oldest);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.kept.push_back((key, bytes));
        gone
    }

    /// As if it had never come.
    fn unseat(&mut self, key: &str, gone: Vec<(String, u64)>) {
        self.forget(key);
        for one in gone.into_iter().rev() {
            self.bytes = self.bytes.saturating_add(one.1);
            self.kept.push_front(one);
        }
    }

    fn forget(&mut self, key: &str) {
        if let Some(place) = self.kept.iter().rposition(|(kept, _)| kept == key)
            && let Some((_, bytes)) = self.kept.remove(place)
        {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

/// A place that was taken for a mail which is not in the journal yet.
pub(super) struct Seat {
    key: String,
    gone: Vec<(String, u64)>,
}

/// When they were looked through last, and under which list.
struct LastSweep {
    at: DateTime<Utc>,
    senders: Vec<String>,
}

/// What the pipeline and the watch over held mails share.
#[derive(Clone, Default)]
pub(super) struct Strangers {
    /// The grant of the lease under which it was read; `None` = to be read.
    ledger: Arc<Mutex<Option<(u64, StrangerLedger)>>>,
    swept: Arc<Mutex<Option<LastSweep>>>,
    /// One was decided under a list that is not in force any more.
    again: Arc<AtomicBool>,
}

impl Strangers {
    /// If the commit takes a stranger's mail in: adds what makes room for it, or takes its
    /// content out when it is too large, or when nobody can say how much room there is.
    pub(super) async fn seat(&self, journal: &dyn Journal, commit: &mut Commit) -> Option<Seat> {
        let row = commit.add.iter().find(|row| row.queue == Queue::Hold && is_stranger(&row.key))?;
        let key = row.key.clone();
        let bytes =
            commit.bodies.iter().find(|body| body.key == key).map_or(0, |body| body.bytes.len() as u64);
        // A pushed mail comes under no grant, and takes the count as it is.
        let grant = commit.fence.as_ref().map(|fence| fence.token);
        let mut ledger = self.ledger.lock().await;
        if ledger.as_ref().is_none_or(|(under, _)| grant.is_some_and(|grant| grant != *under)) {
            *ledger = match read(journal).await {
                Ok(rows) => Some((grant.unwrap_or_default(), of_rows(&rows))),
                Err(error) => {
                    tracing::warn!(%error, "the content of a mail whose sender is not in the list was not kept");
                    None
                }
            };
        }
        let Some((_, ledger)) = ledger.as_mut().filter(|_| bytes <= LARGEST) else {
            commit.add.retain(|row| row.key != key);
            commit.bodies.retain(|body| body.key != key);
            return None;
        };
        let gone = ledger.seat(key.clone(), bytes);
        for (key, _) in &gone {
            drop_content(commit, key);
        }
        Some(Seat { key, gone })
    }

    /// What became of the commit: `None` = it is in the journal.
    pub(super) async fn seated(&self, seat: Seat, failed: Option<&AppendError>) {
        let mut ledger = self.ledger.lock().await;
        match failed {
            None => {
                let dropped = seat.gone.len() as u64;
                metrics::counter!("render_signal_strangers_dropped_total").increment(dropped);
            }
            // Nobody knows: the journal is asked again.
            Some(AppendError::Indeterminate(_)) => *ledger = None,
            Some(_) => {
                if let Some((_, ledger)) = ledger.as_mut() {
                    ledger.unseat(&seat.key, seat.gone);
                }
            }
        }
    }

    /// The next sweep comes at once.
    pub(super) fn look_again(&self) {
        self.again.store(true, Relaxed);
    }

    /// Makes those due whose senders the list has now, and drops those whose time is over or that
    /// are too many. Does nothing most of the time. Answers whether some are due.
    pub(super) async fn sweep(&self, deps: &DedupDeps) -> bool {
        let policy = deps.policy.load_full();
        let now = deps.world.now();
        let mut swept = self.swept.lock().await;
        let again = self.again.swap(false, Relaxed);
        let idle = swept
            .as_ref()
            .is_some_and(|swept| swept.senders == policy.allowed_senders && now - swept.at < ROUND);
        if idle && !again {
            return false;
        }
        match self.look_through(deps, &policy, now).await {
            Ok(due) => {
                *swept = Some(LastSweep { at: now, senders: policy.allowed_senders.clone() });
                due
            }
            Err(why) => {
                tracing::warn!(
                    why,
                    "mails of senders that were not in the list could not be looked through, trying again"
                );
                *swept = None;
                false
            }
        }
    }

    async fn look_through(
        &self,
        deps: &DedupDeps,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<bool, String> {
        let rows = read(deps.journal.as_ref()).await.map_err(|error| error.to_string())?;
        let (accepted, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, stranger)| decide::is_accepted(policy, &stranger.sender));
        let (over, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(_, stranger)| stranger.until <= now);
        let mut ledger = StrangerLedger::default();
        let surplus: Vec<String> = others
            .iter()
            .flat_map(|(row, stranger)| ledger.seat(row.key.clone(), stranger.bytes))
            .map(|(key, _)| key)
            .collect();
        {
            let mut known = self.ledger.lock().await;
            for key in accepted.iter().chain(&over).map(|(row, _)| &row.key).chain(&surplus) {
                if let Some((_, known)) = known.as_mut() {
                    known.forget(key);
                }
            }
        }
        let due = !accepted.is_empty();
        for batch in accepted.chunks(BATCH) {
            let again = batch.iter().map(|(row, _)| Defer {
                queue: Queue::Hold,
                key: row.key.clone(),
                claim: None,
                due: Due::At(now),
                meta: None,
                partition: None,
            });
            let commit = Commit { at: now, defer: again.collect(), ..Commit::default() };
            deps.journal.append(commit).await.map_err(|error| error.to_string())?;
        }
        let gone: Vec<String> = over.into_iter().map(|(row, _)| row.key).chain(surplus).collect();
        for batch in gone.chunks(BATCH) {
            let mut commit = Commit { at: now, ..Commit::default() };
            batch.iter().for_each(|key| drop_content(&mut commit, key));
            deps.journal.append(commit).await.map_err(|error| error.to_string())?;
        }
        Ok(due)
    }
}

/// Those that wait for a change of the list, the oldest first.
async fn read(journal: &dyn Journal) -> Result<Vec<(OutboxRow, Stranger)>, JournalError> {
    let rows = journal.outbox(Queue::Hold, usize::MAX).await?;
    let strangers = rows.into_iter().filter(|row| is_stranger(&row.key) && row.due == Due::Parked);
    Ok(strangers
        .filter_map(|row| Some((stranger(&row)?, row)))
        .map(|(stranger, row)| (row, stranger))
        .collect())
}

fn stranger(row: &OutboxRow) -> Option<Stranger> {
    serde_json::from_value::<DraftMeta>(row.meta.clone()).ok()?.stranger
}

fn of_rows(rows: &[(OutboxRow, Stranger)]) -> StrangerLedger {
    let mut ledger = StrangerLedger::default();
    for (row, stranger) in rows {
        // More than there may be: the next sweep drops them.
        ledger.kept.push_back((row.key.clone(), stranger.bytes));
        ledger.bytes = ledger.bytes.saturating_add(stranger.bytes);
    }
    ledger
}

/// Ends a row, and leaves nothing of its content: the key alone stays until the next purge.
fn drop_content(commit: &mut Commit, key: &str) {
    commit.settle.push(Settle { queue: Queue::Hold, key: key.to_owned(), claim: None });
    commit.bodies.push(Body { key: key.to_owned(), bytes: Bytes::new(), keep_until: commit.at });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(gone: &[(String, u64)]) -> Vec<&str> {
        gone.iter().map(|(key, _)| key.as_str()).collect()
    }

    #[test]
    fn the_oldest_make_room_by_number_and_by_bytes() {
        let mut ledger = StrangerLedger::default();
        for n in 0..MAX_MAILS {
            assert!(ledger.seat(n.to_string(), 1).is_empty());
        }
        assert_eq!(keys(&ledger.seat("one more".to_owned(), 1)), ["0"]);
        assert_eq!((ledger.kept.len(), ledger.bytes), (MAX_MAILS, MAX_MAILS as u64));
        let gone = ledger.seat("all of it".to_owned(), BYTES);
        assert_eq!((gone.len(), ledger.kept.len(), ledger.bytes), (MAX_MAILS, 1, BYTES));
    }

    #[test]
    fn a_mail_that_was_not_taken_in_leaves_the_ledger_as_it_was() {
        let mut ledger = StrangerLedger::default();
        for (key, bytes) in [("a", BYTES / 2), ("b", BYTES / 4), ("c", BYTES / 4)] {
            ledger.seat(key.to_owned(), bytes);
        }
        let gone = ledger.seat("d".to_owned(), BYTES / 2 + 1);
        assert_eq!(keys(&gone), ["a", "b"]);
        ledger.unseat("d", gone);
        let left: Vec<&str> = ledger.kept.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!((left, ledger.bytes), (vec!["a", "b", "c"], BYTES));
        ledger.forget("b");
        ledger.forget("nobody");
        assert_eq!((ledger.kept.len(), ledger.bytes), (2, BYTES / 4 * 3));
    }
}
