//! Marking mails as read, in batches.
//!
//! Rows of the `flag` queue are claimed, their mails marked with one command per batch,
//! and then settled together with `mailbox.flagged` in one commit. A row that is lost on
//! the way comes due again, and marking twice is the same as marking once.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::source::{MailboxSession, SourceError};
use super::state::MailboxCommand;
use super::visit::{Visit, VisitEnd};
use crate::kernel::clock::World;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{
    AppendError, BodyBudget, ClaimRequest, Claimed, Commit, Defer, Due, Hint, Journal, Queue, Settle,
};
use crate::mail::outbox_rows::FlagMeta;

/// Mails per command.
const BATCH: usize = 500;
/// Batches in a row before fetching gets its turn again.
const BATCHES: usize = 4;
/// From the first row until it is acted upon, so that many go together.
const BATCH_WINDOW: Duration = Duration::from_millis(500);
/// How often the queue is looked at without a hint.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long a claim holds; longer than any exchange may take.
const CLAIM: Duration = Duration::from_secs(120);
/// A journal that is away may take this long to come back for them; the lease is often lost
/// because it is.
const GIVING_BACK: Duration = Duration::from_secs(5);
/// When a mailbox that declined is asked again.
const DECLINED_PAUSE: chrono::Duration = chrono::Duration::seconds(60);

/// When to look at the queue.
#[derive(Debug)]
pub(super) struct Flags {
    hints: watch::Receiver<Hint>,
    seen: u64,
    /// When the batch is to be stored; `None` = nothing is known to wait.
    ready_at: Option<Instant>,
}

impl Flags {
    /// Rows may be waiting from before.
    pub(super) fn new(journal: &dyn Journal) -> Self {
        let hints = journal.hints();
        let seen = count(&hints.borrow());
        Self { hints, seen, ready_at: Some(Instant::now()) }
    }

    /// Whether a batch is due. Does not wait.
    pub(super) fn overdue(&mut self) -> bool {
        self.glance();
        self.ready_at.is_some_and(|at| at <= Instant::now())
    }

    /// Waits until a batch is due. May be dropped and called again without loss.
    pub(super) async fn ready(&mut self, journal: &dyn Journal, world: &World) {
        loop {
            self.glance();
            if let Some(at) = self.ready_at {
                return sleep_until(at).await;
            }
            let hinted = tokio::select! {
                biased;
                // A closed channel is no hint; the timer remains.
                Ok(()) = self.hints.changed() => true,
                () = sleep(POLL_INTERVAL) => false,
            };
            if !hinted {
                match journal.next_due(Queue::Flag).await {
                    Ok(due) if due.is_some_and(|due| due <= world.now()) => {
                        self.ready_at = Some(Instant::now());
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "the flag queue could not be looked at"),
                }
            }
        }
    }

    fn glance(&mut self) {
        let now = count(&self.hints.borrow_and_update());
        if now != self.seen {
            self.seen = now;
            self.ready_at.get_or_insert_with(|| Instant::now() + BATCH_WINDOW);
        }
    }
}

/// How often rows were added to the flag queue.
fn count(hint: &Hint) -> u64 {
    let place = Queue::ALL.iter().position(|queue| *queue == Queue::Flag);
    place.and_then(|place| hint.queues.get(place)).copied().unwrap_or_default()
}

/// A batch, sorted by what is to be done.
#[derive(Debug, Default)]
struct FlagBatch {
    /// Items of this UIDVALIDITY: to be marked.
    ours: Vec<String>,
    /// Items of an earlier one: nothing can be marked any more.
    stale: BTreeMap<u64, Vec<String>>,
}

impl Visit<'_> {
    /// Marks what waits to be marked. A mailbox that declines is asked again later.
    pub(super) async fn store_flags(&mut self, session: &mut dyn MailboxSession) -> Result<(), VisitEnd> {
        for _ in 0..BATCHES {
            self.flags.ready_at = None;
            let rows = match self.claim_flags().await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(%error, "flag rows could not be claimed");
                    return Ok(());
                }
            };
            if rows.is_empty() {
                return Ok(());
            }
            let full = rows.len() == BATCH;
            if let Err(end) = self.store_batch(session, &rows).await {
                // Whoever may mark next is not to wait until the claims run out.
                self.give_back(rows, chrono::Duration::zero()).await;
                return Err(end);
            }
            if !full {
                return Ok(());
            }
        }
        self.flags.ready_at = Some(Instant::now());
        Ok(())
    }

    /// Marks one batch and settles it.
    async fn store_batch(
        &mut self,
        session: &mut dyn MailboxSession,
        rows: &[Claimed],
    ) -> Result<(), VisitEnd> {
        let batch = sort(rows, self.opened.validity);
        if !batch.ours.is_empty() {
            match self.ask("marking mails as read", session.mark_seen(&batch.ours)).await {
                Err(VisitEnd::Failed(SourceError::Declined(why))) => {
                    tracing::warn!(why, mails = batch.ours.len(), "mails could not be marked as read");
                    self.give_back(rows.to_vec(), DECLINED_PAUSE).await;
                    return Ok(());
                }
                marked => marked?,
            }
        }
        self.settle_flags(rows, batch).await
    }

    async fn claim_flags(&self) -> Result<Vec<Claimed>, crate::kernel::journal::JournalError> {
        let mailbox = self.deps.source.mailbox().to_owned();
        self.deps
            .journal
            .claim(ClaimRequest {
                queue: Queue::Flag,
                now: self.deps.world.now(),
                lease: CLAIM,
                limit: BATCH,
                partition_default: 0,
                per_partition: HashMap::from([(mailbox, BATCH)]),
                bodies: BodyBudget::default(),
            })
            .await
    }

    async fn settle_flags(&mut self, rows: &[Claimed], batch: FlagBatch) -> Result<(), VisitEnd> {
        let marked = batch.ours.len();
        let mailbox = self.deps.source.mailbox().to_owned();
        let flag = |validity, items| MailboxCommand::Flag { mailbox: mailbox.clone(), validity, items };
        let commands: Vec<MailboxCommand> = batch
            .stale
            .into_iter()
            .chain(std::iter::once((self.opened.validity, batch.ours)))
            .map(|(validity, items)| flag(validity, items))
            .collect();
        let settle = rows
            .iter()
            .map(|row| Settle { queue: Queue::Flag, key: row.key.clone(), claim: Some(row.claim) })
            .collect();
        let journal = Arc::clone(&self.deps.journal);
        let world = self.deps.world.clone();
        tokio::select! {
            biased;
            stop = self.stopping.clone() => return Err(VisitEnd::Stopped(stop)),
            done = self.log.commit(journal.as_ref(), &world, &self.fence, &commands, settle) => done?,
        }
        // Mails marked `\Seen`.
        metrics::counter!("render_signal_mailbox_flagged_total")
            .increment(u64::try_from(marked).unwrap_or_default());
        for row in rows {
            tracing::debug!(
                email_id = row.meta.get("email_id").and_then(serde_json::Value::as_str),
                "a mail is marked as read"
            );
        }
        Ok(())
    }

    /// Makes claimed rows due again without waiting for the claims to run out. They run out
    /// in any case, so a failure is no loss.
    ///
    /// Not fenced: this is what a worker does last when it has lost the lease, and the claim
    /// shows that a row is its own to give back. Rows that are not any more are left alone.
    async fn give_back(&self, mut rows: Vec<Claimed>, pause: chrono::Duration) {
        while !rows.is_empty() {
            let now = self.deps.world.now();
            let row = |row: &Claimed| Defer {
                queue: Queue::Flag,
                key: row.key.clone(),
                claim: Some(row.claim),
                due: Due::At(now + pause),
                meta: None,
                partition: None,
            };
            let commit = Commit { at: now, defer: rows.iter().map(row).collect(), ..Commit::default() };
            let done = persist(self.deps.journal.as_ref(), &self.deps.world, commit);
            match timeout(GIVING_BACK, done).await {
                Ok(Err(AppendError::ClaimLost { key, .. })) if rows.iter().any(|row| row.key == key) => {
                    rows.retain(|row| row.key != key);
                }
                Ok(_) => return,
                Err(_) => {
                    tracing::warn!(rows = rows.len(), "mails wait to be marked until their claims run out");
                    return;
                }
            }
        }
    }
}

fn sort(rows: &[Claimed], validity: u64) -> FlagBatch {
    let mut batch = FlagBatch::default();
    for row in rows {
        match FlagMeta::deserialize(&row.meta) {
            Ok(meta) if meta.location.validity == validity => batch.ours.push(meta.location.item),
            Ok(meta) => batch.stale.entry(meta.location.validity).or_default().push(meta.location.item),
            // It can never be acted upon; settled with the others.
            Err(error) => tracing::error!(key = row.key, %error, "a flag row is unreadable, dropped"),
        }
    }
    batch
}
