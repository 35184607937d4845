//! What the actor does to the world: posting, claiming, storing. Each effect is a future of
//! its own that reports back with a [`Report`]; none of them keeps anything.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use serde::Deserialize;
use uuid::Uuid;

use super::breaker::TargetCommand;
use super::lanes::{ClaimPlan, Earlier, Row};
use super::{Report, Shared, WebhookDeps, target};
use crate::kernel::backoff::Backoff;
use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::journal::{ClaimRequest, Claimed, Commit, Defer, Due, OutboxRow, Queue, lost};
use crate::kernel::port::PortError;
use crate::mail::policy::{Policy, Priority};
use crate::mail::windows;
use crate::mail::work::{DeliverMeta, InWindow, delivery_partition};

/// A claim holds this much longer than an attempt may take: time to store its outcome.
const CLAIM_MARGIN: Duration = Duration::from_secs(30);
/// Pause before something that could not be read is read again.
pub(super) const AGAIN: Duration = Duration::from_millis(500);

/// How long a claim holds under `policy`.
pub(super) fn lease(policy: &Policy) -> Duration {
    policy.webhook_timeout + CLAIM_MARGIN
}

/// How long a claim must still hold for an attempt to begin: longer than the attempt.
pub(super) fn needed(policy: &Policy) -> TimeDelta {
    TimeDelta::from_std(policy.webhook_timeout + CLAIM_MARGIN / 4).unwrap_or(TimeDelta::MAX)
}

impl Shared {
    /// Tells the actor, however long it takes: what it is not told it does not know.
    pub(super) async fn tell(&self, report: Report) {
        // Failed: the report was for the value that made this effect, and that one is gone.
        drop(self.told(report).await);
    }

    /// The same; the report comes back when the actor has failed over it.
    async fn told(&self, report: Report) -> Result<(), Report> {
        let mut retries = Backoff::new(Duration::from_millis(10), AGAIN).retries();
        loop {
            match self.port.ask(report.clone()).await {
                Ok(()) => return Ok(()),
                Err(PortError::Closed(_)) => return Err(report),
                Err(PortError::Busy(_)) => {
                    retries.pause(self.deps.world.jitter.as_ref()).await;
                }
                // A message whose asker has gone is not handled. The reports bear repetition.
                Err(PortError::Deadline(_)) => {}
            }
        }
    }
}

/// The events of a stream after a version, as soon as the journal can tell.
pub(super) async fn read(deps: &WebhookDeps, stream: &StreamId, after: u64) -> Vec<Recorded> {
    loop {
        match deps.journal.read_stream(stream, after).await {
            Ok(events) => return events,
            Err(error) => {
                tracing::warn!(%error, %stream, "a stream could not be read, trying again");
                tokio::time::sleep(deps.world.jitter.spread(AGAIN)).await;
            }
        }
    }
}

/// What the actor must know after a start.
pub(super) async fn recover(shared: Arc<Shared>) {
    let since = shared.deps.world.now() - TimeDelta::hours(1);
    let views = shared.deps.journal.views();
    let read = views.read(move |db| {
        let mut query = db.prepare("SELECT target, at_ms, email_id, tried FROM sends WHERE at_ms >= ?1")?;
        let rows = query.query_map([since.timestamp_millis()], |row| {
            let email_id: String = row.get(2)?;
            let placed = if row.get(3)? { None } else { Some(email_id) };
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, placed))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    let mut sent: HashMap<String, Vec<Earlier>> = HashMap::new();
    match read.await {
        Ok(rows) => {
            for (target, at, placed) in rows {
                let at = DateTime::from_timestamp_millis(at);
                sent.entry(target).or_default().extend(at.map(|at| Earlier { at, placed }));
            }
        }
        // Holding every delivery for want of a count would be worse than an hour over the limit.
        Err(error) => {
            tracing::warn!(%error, "the deliveries of the last hour are unknown, the rate limit starts anew")
        }
    }
    shared.tell(Report::Recovered(sent)).await;
}

/// Passes hints of new or released rows on.
pub(super) async fn hints(shared: Arc<Shared>) {
    let index = Queue::ALL.iter().position(|queue| *queue == Queue::Deliver).unwrap_or_default();
    let mut hints = shared.deps.journal.hints();
    let mut seen = None;
    loop {
        let count = hints.borrow_and_update().queues.get(index).copied();
        if count != seen {
            seen = count;
            shared.tell(Report::Look).await;
        }
        if hints.changed().await.is_err() {
            // The journal is closed; the process is on its way out.
            std::future::pending::<()>().await;
        }
    }
}

/// Passes on that the journal has lost commits.
pub(super) async fn losses(shared: Arc<Shared>) {
    let mut losses = shared.deps.journal.losses();
    loop {
        lost(&mut losses).await;
        shared.tell(Report::Lost).await;
    }
}

/// Looks without a hint, too.
pub(super) async fn ticks(shared: Arc<Shared>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        shared.tell(Report::Tick).await;
    }
}

/// Claims due rows.
pub(super) async fn claim(shared: Arc<Shared>, serial: u64, plan: ClaimPlan) {
    let deps = &shared.deps;
    let now = deps.world.now();
    let lease = lease(&deps.policy.load());
    let request = ClaimRequest {
        queue: Queue::Deliver,
        now,
        lease,
        limit: plan.limit,
        partition_default: plan.default,
        per_partition: plan.per_partition.clone(),
        bodies: shared.load.allows(|target| [false, true].map(|tried| delivery_partition(target, tried))),
    };
    let claimed = match deps.journal.claim(request).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(%error, "due deliveries could not be claimed, trying again");
            shared.tell(Report::ClaimFailed(serial)).await;
            return;
        }
    };
    let claimed_until = now + TimeDelta::from_std(lease).unwrap_or_default();
    let full = claimed.len() >= plan.limit;
    let mut rows = Vec::with_capacity(claimed.len());
    for row in claimed {
        match serde_json::from_value::<DeliverMeta>(row.meta.clone()) {
            Ok(mut meta) => {
                meta.window = meta.window.due();
                let held = shared.load.hold(&meta.target, row.body.as_ref().map_or(0, Bytes::len));
                rows.push(Row { key: row.key, claim: row.claim, claimed_until, meta, body: row.body, held });
            }
            Err(error) => park_unreadable(&shared, row, &error).await,
        }
    }
    let next_due = if full { None } else { deps.journal.next_due(Queue::Deliver).await.ok().flatten() };
    let mut told = shared.told(Report::Claimed { serial, plan, rows, next_due }).await;
    // What it had begun before it failed goes on; nobody knows of the others.
    while let Err(Report::Claimed { rows, .. } | Report::Unclaimed(rows)) = told {
        tokio::time::sleep(deps.world.jitter.spread(AGAIN)).await;
        told = shared.told(Report::Unclaimed(rows)).await;
    }
}

async fn park_unreadable(shared: &Shared, row: Claimed, error: &serde_json::Error) {
    tracing::error!(key = row.key, %error, "a delivery's row cannot be read, it is put aside");
    give_back(shared, &row.key, row.claim, Due::Parked).await;
}

/// Gives a row back unchanged. When the journal cannot take that, the claim runs out by itself.
async fn give_back(shared: &Shared, key: &str, claim: Uuid, due: Due) {
    let defer = Defer {
        queue: Queue::Deliver,
        key: key.to_owned(),
        claim: Some(claim),
        due,
        meta: None,
        partition: None,
    };
    let commit = Commit { at: shared.deps.world.now(), defer: vec![defer], ..Commit::default() };
    if let Err(error) = shared.deps.journal.append(commit).await {
        tracing::debug!(%error, key, "a claimed delivery was not given back");
    }
}

/// Gives a row back, due at once.
pub(super) async fn release(shared: Arc<Shared>, flight: u64, key: String, claim: Uuid) {
    let now = shared.deps.world.now();
    give_back(&shared, &key, claim, Due::At(now)).await;
    shared.tell(Report::Ended { key, flight, claim }).await;
}

/// Reads a target, carries the command out if there is one, and reports what it is then.
pub(super) async fn target(shared: Arc<Shared>, id: String, command: Option<TargetCommand>) {
    let deps = &shared.deps;
    let state = loop {
        match target::carry_out(deps.journal.as_ref(), &deps.world, &id, command.as_ref()).await {
            Ok(state) => break state,
            Err(error) => {
                tracing::warn!(%error, target = id, "the health of a target could not be stored, trying again");
                tokio::time::sleep(deps.world.jitter.spread(AGAIN)).await;
            }
        }
    };
    shared.tell(Report::TargetRead { target: id, state }).await;
}

/// A word of a row's meta. Not the whole of it: there may be very many rows.
fn word<'de, T: Deserialize<'de> + Default>(row: &'de OutboxRow, name: &str) -> T {
    row.meta.get(name).and_then(|word| T::deserialize(word).ok()).unwrap_or_default()
}

/// Makes deliveries that wait due: for the rate limit, of each target so many, oldest first; for
/// the window, those that were told a later time than it opens now.
pub(super) async fn hasten_waiting(shared: Arc<Shared>, mut room: HashMap<String, usize>) {
    let deps = &shared.deps;
    let now = deps.world.now();
    let mut rows = loop {
        match deps.journal.outbox(Queue::Deliver, usize::MAX).await {
            Ok(rows) => break rows,
            Err(error) => {
                tracing::warn!(%error, "the deliveries that wait could not be read, trying again");
                tokio::time::sleep(deps.world.jitter.spread(AGAIN)).await;
            }
        }
    };
    let opens = windows::opens(&deps.policy.load(), now);
    // Only a first attempt waits for the limit; it waits for nothing else but the window.
    // The most urgent first; the others as they came.
    rows.sort_by_key(|row| std::cmp::Reverse(word::<Priority>(row, "priority")));
    let mut may_go = |row: &OutboxRow| {
        let Due::At(due) = row.due else { return false };
        if due <= now || row.claimed {
            return false;
        }
        if word::<InWindow>(row, "window") == InWindow::Waits {
            return due > opens;
        }
        if word::<u32>(row, "attempts") > 0 {
            return false;
        }
        let Some(room) = room.get_mut(&row.partition).filter(|room| **room > 0) else { return false };
        *room -= 1;
        true
    };
    let keys: Vec<String> = rows.into_iter().filter(|row| may_go(row)).map(|row| row.key).collect();
    if !keys.is_empty() {
        hasten(&shared, &keys).await;
    }
}

/// Makes deliveries that wait due now, as soon as the journal can: nobody looks for them again,
/// and their time may be days away. Those that somebody has claimed meanwhile stay as they are.
pub(super) async fn hasten(shared: &Shared, keys: &[String]) {
    let deps = &shared.deps;
    while let Err(error) = deps.journal.hasten(Queue::Deliver, Some(keys), deps.world.now()).await {
        tracing::warn!(%error, "deliveries that wait could not be made due, trying again");
        tokio::time::sleep(deps.world.jitter.spread(AGAIN)).await;
    }
}
