//! Claims mails and keeps a bounded number of them under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use uuid::Uuid;

use super::R2Deps;
use super::status::R2Status;
use super::transfer::{SharedTransfers, Tally, claim_lease, give_back, offload_mail};
use crate::alone::{heed, returned};
use crate::kernel::journal::{ClaimRequest, Claimed, Due, Hint, Queue};
use crate::mail::outbox_rows::{DraftMeta, to_value};

/// Mails under way at once.
const MAILS: usize = 64;
/// Fewer free places than this are left to gather for [`BATCH_WINDOW`], so that rows are claimed in batches.
const BATCH: usize = MAILS / 4;
/// See [`BATCH`].
const BATCH_WINDOW: Duration = Duration::from_millis(2);
/// Pause between looks when no hint says that there is something.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// What is under way may still finish for so long after a [`EngineOrder::Drain`].
const DRAIN: Duration = Duration::from_secs(4);
/// What is given back then, or after an engine that failed, may take so long.
const GIVING_BACK: Duration = Duration::from_secs(3);
/// Delay of a mail whose work panicked, times the number of its claims.
const SETBACK: chrono::Duration = chrono::Duration::seconds(10);
/// Longest such delay.
const MAX_SETBACK: chrono::Duration = chrono::Duration::minutes(10);

/// A mail that was put off until so long ago was taken up by another worker.
const OVERDUE: chrono::Duration = chrono::Duration::seconds(120);

/// What the engine is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineOrder {
    /// Claim and work.
    Work,
    /// Finish or give back what is claimed, and end.
    Drain,
}

/// What the engine has done.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// For readers.
    pub(super) status: R2Status,
    /// Nothing is claimed any more, and nothing will be.
    pub(super) drained: bool,
}

/// A claim we hold.
#[derive(Debug)]
pub(super) struct HeldClaim {
    key: String,
    claim: Uuid,
    claims: u32,
    /// Of the row when it is given back.
    meta: Value,
}

/// The claims of engines that were dropped. They last for as long as the largest file may
/// take, so the next engine gives them back.
pub(super) type Orphans = Arc<Mutex<Vec<HeldClaim>>>;

/// The work of the actor, in a task of its own. Dropping its future drops all work under
/// way, and leaves its claims to the next engine.
pub(super) struct Engine {
    deps: R2Deps,
    orders: watch::Receiver<EngineOrder>,
    report: watch::Sender<Progress>,
    shared: SharedTransfers,
    jobs: JoinSet<Tally>,
    held: HashMap<Id, HeldClaim>,
    orphans: Orphans,
    status: R2Status,
    /// Mails that were put off here, with until when and why.
    put_off: HashMap<String, (DateTime<Utc>, String)>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let held = self.held.drain().map(|(_, held)| held);
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).extend(held);
    }
}

impl Engine {
    pub(super) fn new(
        deps: R2Deps,
        orders: watch::Receiver<EngineOrder>,
        report: watch::Sender<Progress>,
        orphans: Orphans,
    ) -> Self {
        Self {
            deps,
            orders,
            report,
            shared: SharedTransfers::default(),
            jobs: JoinSet::new(),
            held: HashMap::new(),
            orphans,
            status: R2Status::default(),
            put_off: HashMap::new(),
        }
    }

    /// Works until it is told to drain, or its actor is gone.
    pub(super) async fn run(mut self) {
        let mut hints = self.deps.journal.hints();
        let mut seen = *hints.borrow_and_update();
        let mut hints_open = true;
        let mut timer = interval(POLL_INTERVAL);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut worth_a_look = true;
        while !self.is_to_drain() {
            let free = MAILS.saturating_sub(self.jobs.len());
            if worth_a_look && free > 0 {
                let gathered = if free < BATCH { self.gather().await } else { free };
                worth_a_look = self.claim(gathered).await == gathered;
                self.tell(false);
                continue;
            }
            tokio::select! {
                biased;
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    worth_a_look = true;
                }
                // Before what a busy journal could keep ready for ever.
                _ = timer.tick() => {
                    self.give_back_orphans().await;
                    self.tell(false);
                    worth_a_look = true;
                }
                Some(ended) = self.jobs.join_next_with_id() => {
                    self.ended(ended).await;
                    self.reap().await;
                    self.tell(false);
                }
                changed = hints.changed(), if hints_open => {
                    hints_open = changed.is_ok();
                    let hint = *hints.borrow_and_update();
                    worth_a_look |= offload_count(&hint) != offload_count(&seen);
                    seen = hint;
                }
                // Heavy mails may have been left behind.
                () = self.shared.load.freed() => worth_a_look = true,
            }
        }
        self.drain().await;
    }

    fn is_to_drain(&self) -> bool {
        *self.orders.borrow() == EngineOrder::Drain
    }

    /// Lets a few more mails end, and returns how many places are free then.
    async fn gather(&mut self) -> usize {
        tokio::time::sleep(BATCH_WINDOW).await;
        self.reap().await;
        MAILS.saturating_sub(self.jobs.len())
    }

    /// Claims up to `limit` mails and starts them. Returns how many there were.
    async fn claim(&mut self, limit: usize) -> usize {
        let request = ClaimRequest {
            queue: Queue::Offload,
            now: self.deps.world.now(),
            lease: claim_lease(&self.deps),
            limit,
            partition_default: limit,
            per_partition: HashMap::new(),
            bodies: self.shared.load.allows_with_care(),
        };
        match self.deps.journal.claim(request).await {
            Ok(rows) => {
                let count = rows.len();
                heed(&self.shared.load, &rows);
                for row in rows {
                    self.start(row);
                }
                count
            }
            Err(error) => {
                tracing::warn!(worker = self.deps.worker, %error, "offloads could not be claimed");
                0
            }
        }
    }

    fn start(&mut self, row: Claimed) {
        // A meta that cannot be read is parked; until then it stays as it is.
        let meta = DraftMeta::deserialize(&row.meta)
            .map_or_else(|_| row.meta.clone(), |meta| to_value(&returned(&meta, row.claims)));
        let held = HeldClaim { key: row.key.clone(), claim: row.claim, claims: row.claims, meta };
        let draft = self.shared.load.hold("", row.body.as_ref().map_or(0, Bytes::len));
        let job = offload_mail(self.deps.clone(), self.shared.clone(), row, draft);
        let task = self.jobs.spawn(job);
        self.held.insert(task.id(), held);
    }

    /// Takes in everything that has ended already.
    async fn reap(&mut self) {
        while let Some(ended) = self.jobs.try_join_next_with_id() {
            self.ended(ended).await;
        }
    }

    async fn ended(&mut self, ended: Result<(Id, Tally), JoinError>) {
        match ended {
            Ok((id, tally)) => {
                let held = self.held.remove(&id);
                self.note_put_off(held, tally.put_off);
                self.status.copied += tally.copied;
                self.status.reused += tally.reused;
                self.status.kept += tally.kept;
                self.status.parked += tally.parked;
            }
            Err(error) => {
                let Some(held) = self.held.remove(&error.id()) else { return };
                tracing::error!(
                    email_id = held.key,
                    %error,
                    "the offload of a mail failed unexpectedly and will be tried again later"
                );
                let due = Due::At(self.deps.world.now() + setback(held.claims));
                give_back(&self.deps, held.key, held.claim, due, held.meta).await;
            }
        }
    }

    /// What waits for copies, as far as it was put off here: another worker may have gone on.
    fn note_put_off(&mut self, held: Option<HeldClaim>, put_off: Option<(DateTime<Utc>, String)>) {
        let Some(HeldClaim { key, .. }) = held else { return };
        match put_off {
            Some(put_off) => drop(self.put_off.insert(key, put_off)),
            None => drop(self.put_off.remove(&key)),
        }
    }

    fn tell(&mut self, drained: bool) {
        let now = self.deps.world.now();
        self.put_off.retain(|_, (due, _)| now < *due + OVERDUE);
        self.status.put_off = self.put_off.len();
        self.status.trouble = self.put_off.values().max_by_key(|(due, _)| *due).map(|(_, why)| why.clone());
        metrics::gauge!("render_signal_r2_mails_put_off").set(self.status.put_off as f64);
        self.status.in_flight = self.jobs.len();
        // Mails whose links are being copied now.
        metrics::gauge!("render_signal_r2_mails_in_flight").set(self.status.in_flight as f64);
        self.report.send_replace(Progress { status: self.status.clone(), drained });
    }

    /// Lets what is under way finish for a while, gives the rest back at once, and says so.
    async fn drain(&mut self) {
        let end = Instant::now() + DRAIN;
        while let Ok(Some(ended)) = timeout_at(end, self.jobs.join_next_with_id()).await {
            self.ended(ended).await;
        }
        self.jobs.shutdown().await;
        let held = self.held.drain().map(|(_, held)| held);
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).extend(held);
        self.give_back_orphans().await;
        self.tell(true);
    }

    /// Whatever was claimed and is worked on by nobody comes due at once.
    async fn give_back_orphans(&self) {
        let mut orphans: Vec<HeldClaim> =
            std::mem::take(self.orphans.lock().unwrap_or_else(PoisonError::into_inner).as_mut());
        if orphans.is_empty() {
            return;
        }
        // A map has no order of its own, and a simulation must replay.
        orphans.sort_by(|one, other| one.key.cmp(&other.key));
        let now: DateTime<Utc> = self.deps.world.now();
        let rows = orphans
            .into_iter()
            .map(|held| give_back(&self.deps, held.key, held.claim, Due::At(now), held.meta));
        // The journal may be out of order; the claims run out in any case.
        drop(tokio::time::timeout(GIVING_BACK, futures::future::join_all(rows)).await);
    }
}

fn offload_count(hint: &Hint) -> Option<u64> {
    Queue::ALL.iter().zip(hint.queues).find(|(queue, _)| **queue == Queue::Offload).map(|(_, count)| count)
}

fn setback(claims: u32) -> chrono::Duration {
    let times = i32::try_from(claims).unwrap_or(i32::MAX).max(1);
    SETBACK.checked_mul(times).map_or(MAX_SETBACK, |delay| delay.min(MAX_SETBACK))
}
