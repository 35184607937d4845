//! Claims due rows, and keeps the dispatcher informed: hints of new rows, losses of the journal,
//! targets as they are read. The loop is what the actor cannot do without; the claim is not, and
//! goes on when the loop fails: what it claims nobody else could have until the claim ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::claimed::ClaimedDelivery;
use super::deliver::give_back;
use super::dispatch::Dispatcher;
use super::reads::READ_RETRY_PAUSE;
use super::scheduler::ClaimPlan;
use super::status::WebhookStatus;
use super::target::breaker::TargetCommand;
use super::target::carry_out;
use super::waits::{self, HeldByLimit};
use crate::kernel::journal::{ClaimRequest, Claimed, Due, Hint, Queue, lost};
use crate::mail::outbox_rows::{DeliverMeta, delivery_partition};
use crate::mail::policy::Policy;

/// Due rows are looked for at least this often, hint or no hint.
const CLAIM_INTERVAL: Duration = Duration::from_secs(1);
/// A claim holds this much longer than an attempt may take: time to store its outcome.
const CLAIM_MARGIN: Duration = Duration::from_secs(30);

/// How long a claim holds under `policy`.
pub(super) fn lease(policy: &Policy) -> Duration {
    policy.webhook_timeout + CLAIM_MARGIN
}

/// How long a claim must still hold for an attempt to begin: longer than the attempt.
pub(super) fn attempt_takes(policy: &Policy) -> TimeDelta {
    TimeDelta::from_std(policy.webhook_timeout + CLAIM_MARGIN / 4).unwrap_or(TimeDelta::MAX)
}

/// Claims rows for as long as it is polled. See the module page.
pub(super) async fn run(dispatcher: Arc<Dispatcher>) {
    let journal = Arc::clone(&dispatcher.deps.journal);
    let (mut hints, mut losses) = (journal.hints(), journal.losses());
    let mut due_count = None;
    let mut ticks = interval_at(Instant::now() + CLAIM_INTERVAL, CLAIM_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut claim: Option<JoinHandle<()>> = None;
    let mut effects = JoinSet::new();
    // The limit may have been raised, or the window opened, while nobody was here.
    let at_start = Arc::clone(&dispatcher);
    effects.spawn(async move { waits::hasten(&at_start, HeldByLimit::ForFreePlaces).await });
    loop {
        let work = dispatcher.loop_work();
        for (target, command) in work.targets {
            effects.spawn(sync_target(Arc::clone(&dispatcher), target, command));
        }
        if let Some(plan) = work.claim {
            let task = tokio::spawn(claim_rows(ClaimInProgress(Arc::clone(&dispatcher)), plan));
            dispatcher.claimer(task.abort_handle());
            claim = Some(task);
        }
        tokio::select! {
            biased;
            _ = ticks.tick() => {
                dispatcher.recheck();
                show(&dispatcher.status());
            }
            () = lost(&mut losses) => dispatcher.journal_lost_commits(),
            count = next_hint(&mut hints, due_count) => {
                due_count = count;
                dispatcher.rows_may_be_due();
            }
            () = due(work.next_due) => dispatcher.next_row_is_due(),
            () = finished(&mut claim) => {}
            Some(ended) = effects.join_next() => resume_panic(ended),
            () = dispatcher.load.freed() => dispatcher.rows_may_be_due(),
            () = dispatcher.wake.notified() => {}
        }
    }
}

/// Waits until the number of hints about deliveries is another one.
async fn next_hint(hints: &mut watch::Receiver<Hint>, known: Option<u64>) -> Option<u64> {
    let index = Queue::ALL.iter().position(|queue| *queue == Queue::Deliver).unwrap_or_default();
    loop {
        let count = hints.borrow_and_update().queues.get(index).copied();
        if count != known {
            return count;
        }
        if hints.changed().await.is_err() {
            // The journal is closed; the process is on its way out.
            std::future::pending::<()>().await;
        }
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits until a claim is over, and fails with it.
async fn finished(claim: &mut Option<JoinHandle<()>>) {
    match claim {
        Some(task) => {
            let ended = task.await;
            *claim = None;
            resume_panic(ended);
        }
        None => std::future::pending().await,
    }
}

fn resume_panic(ended: Result<(), JoinError>) {
    if let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) {
        std::panic::resume_unwind(panic);
    }
}

fn show(status: &WebhookStatus) {
    #[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
    metrics::gauge!("render_signal_delivery_in_flight").set(status.in_flight as f64);
    for target in &status.targets {
        let level = match target.breaker.as_str() {
            "closed" => 0.0,
            "half_open" => 1.0,
            "open" => 2.0,
            _ => 3.0,
        };
        metrics::gauge!("render_signal_target_breaker", "target" => target.id.clone()).set(level);
    }
}

/// Says that a claim is over, however it ends.
struct ClaimInProgress(Arc<Dispatcher>);

impl Drop for ClaimInProgress {
    fn drop(&mut self) {
        self.0.claim_ended();
    }
}

/// Claims due rows and hands them over.
async fn claim_rows(claiming: ClaimInProgress, plan: ClaimPlan) {
    let dispatcher = &claiming.0;
    let deps = &dispatcher.deps;
    let now = deps.world.now();
    let lease = lease(&deps.policy.load());
    let request = ClaimRequest {
        queue: Queue::Deliver,
        now,
        lease,
        limit: plan.limit,
        partition_default: plan.default,
        per_partition: plan.per_partition.clone(),
        bodies: dispatcher.load.allows(|target| [false, true].map(|tried| delivery_partition(target, tried))),
    };
    let claimed = match deps.journal.claim(request).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(%error, "due deliveries could not be claimed, trying again");
            return tokio::time::sleep(deps.world.jitter.spread(READ_RETRY_PAUSE)).await;
        }
    };
    let claimed_until = now + TimeDelta::from_std(lease).unwrap_or_default();
    let is_full = claimed.len() >= plan.limit;
    let mut rows = Vec::with_capacity(claimed.len());
    for row in claimed {
        rows.extend(read_row(dispatcher, row, claimed_until).await);
    }
    let next_due = if is_full { None } else { deps.journal.next_due(Queue::Deliver).await.ok().flatten() };
    let next_due = next_due.and_then(|due| before_next_tick(due, deps.world.now()));
    dispatcher.claimed(&plan, rows, next_due);
}

/// A claimed row as its task needs it. One that cannot be read is put aside.
async fn read_row(
    dispatcher: &Dispatcher,
    row: Claimed,
    claimed_until: DateTime<Utc>,
) -> Option<ClaimedDelivery> {
    match serde_json::from_value::<DeliverMeta>(row.meta) {
        Ok(mut meta) => {
            meta.window = meta.window.due();
            let held = dispatcher.load.hold(&meta.target, row.body.as_ref().map_or(0, Bytes::len));
            let (key, claim, body) = (row.key, row.claim, row.body);
            Some(ClaimedDelivery { key, claim, claimed_until, meta, body, held })
        }
        Err(error) => {
            tracing::error!(key = row.key, %error, "a delivery's row cannot be read, it is put aside");
            give_back(dispatcher, &row.key, row.claim, Due::Parked).await;
            None
        }
    }
}

/// When to look again because a row comes due; `None` = the next tick is soon enough.
fn before_next_tick(due: DateTime<Utc>, now: DateTime<Utc>) -> Option<Instant> {
    let wait = (due - now).to_std().ok().filter(|wait| *wait < CLAIM_INTERVAL)?;
    // A little late rather than a little early.
    Some(Instant::now() + wait + Duration::from_millis(1))
}

/// Reads a target, and carries the command out if there is one.
async fn sync_target(dispatcher: Arc<Dispatcher>, target: String, command: Option<TargetCommand>) {
    let deps = &dispatcher.deps;
    let health = loop {
        match carry_out(deps.journal.as_ref(), &deps.world, &target, command.as_ref()).await {
            Ok(health) => break health,
            Err(error) => {
                tracing::warn!(%error, target, "the health of a target could not be stored, trying again");
                tokio::time::sleep(deps.world.jitter.spread(READ_RETRY_PAUSE)).await;
            }
        }
    };
    dispatcher.target_read(&target, health);
}
