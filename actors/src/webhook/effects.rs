//! What the actor does to the world: posting, claiming, storing. Each effect is a future of
//! its own that reports back with a [`Report`]; none of them keeps anything.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::address;
use super::breaker::TargetCommand;
use super::delivery::{self, Attempt, Belief, Decision, DeliveryState};
use super::lanes::{ClaimPlan, Row, Signal};
use super::port::Outgoing;
use super::retry::{self, Class};
use super::state::delivery_stream;
use super::{Report, Shared, target};
use crate::kernel::aggregate;
use crate::kernel::event::StreamId;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{AppendError, ClaimRequest, Claimed, Commit, Defer, Due, OutboxRow, Queue};
use crate::kernel::port::PortError;
use crate::mail::life::{self, mail_stream};
use crate::mail::policy::Policy;
use crate::mail::work::{self, DeliverMeta};

/// A claim holds this much longer than an attempt may take: time to store its outcome.
const CLAIM_MARGIN: Duration = Duration::from_secs(30);
/// Pause before something that could not be read is read again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a lost claim may turn out to have been given to this worker anew.
const RECLAIM: Duration = Duration::from_secs(1);

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

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
        let mut pause = Duration::from_millis(10);
        loop {
            match self.port.ask(report.clone()).await {
                Ok(()) => return,
                // Restarting: the report is for the value that made this effect, and that one is gone.
                Err(PortError::Closed(_)) => return,
                Err(PortError::Busy(_)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(AGAIN);
                }
                // A message whose asker has gone is not handled. The reports bear repetition.
                Err(PortError::Deadline(_)) => {}
            }
        }
    }
}

/// What the actor must know after a start.
pub(super) async fn recover(shared: Arc<Shared>) {
    let since = shared.deps.world.now() - TimeDelta::hours(1);
    let views = shared.deps.journal.views();
    let read = views.read(move |db| {
        let mut query = db.prepare("SELECT target, at_ms FROM sends WHERE at_ms >= ?1")?;
        let rows = query.query_map([since.timestamp_millis()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    let mut sent: HashMap<String, Vec<DateTime<Utc>>> = HashMap::new();
    match read.await {
        Ok(rows) => {
            for (target, at) in rows {
                sent.entry(target).or_default().extend(DateTime::from_timestamp_millis(at));
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
        per_partition: plan.per_target.clone(),
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
            Ok(meta) => {
                rows.push(Row { key: row.key, claim: row.claim, claimed_until, meta, body: row.body })
            }
            Err(error) => park_unreadable(&shared, row, &error).await,
        }
    }
    let next_due = if full { None } else { deps.journal.next_due(Queue::Deliver).await.ok().flatten() };
    shared.tell(Report::Claimed { serial, plan, rows, next_due }).await;
}

async fn park_unreadable(shared: &Shared, row: Claimed, error: &serde_json::Error) {
    tracing::error!(key = row.key, %error, "a delivery's row cannot be read, it is put aside");
    give_back(shared, &row.key, row.claim, Due::Parked).await;
}

/// Gives a row back unchanged. When the journal cannot take that, the claim runs out by itself.
async fn give_back(shared: &Shared, key: &str, claim: Uuid, due: Due) {
    let defer = Defer { queue: Queue::Deliver, key: key.to_owned(), claim: Some(claim), due, meta: None };
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

/// Stores that a row waits for the rate limit.
pub(super) async fn limit(
    shared: Arc<Shared>,
    flight: u64,
    row: Row,
    until: DateTime<Utc>,
    claim: watch::Receiver<Uuid>,
) {
    let claim = store(&shared, &row.key, delivery::over_the_limit(&row.meta, until), claim).await;
    shared.tell(Report::Ended { key: row.key, flight, claim }).await;
}

/// One attempt, from the first byte to the stored outcome.
pub(super) async fn attempt(shared: Arc<Shared>, flight: u64, row: Row, claim: watch::Receiver<Uuid>) {
    let deps = &shared.deps;
    let policy = deps.policy.load_full();
    let url = delivery::address_of(&policy, &row.meta).to_owned();
    let started = Instant::now();
    let (decision, signal) = match request(&shared, &policy, &row, &url) {
        Err(why) => (delivery::unusable(&row.meta, why), Signal::Nothing),
        Ok(outgoing) => {
            let result = deps.receiver.post(outgoing).await;
            let now = deps.world.now();
            let attempt = Attempt {
                class: retry::classify(&result, now),
                url: address::masked(&url),
                status: result.as_ref().ok().map(|answer| answer.status),
                took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            };
            drop(result);
            let signal = signal(&attempt.class, &url);
            // Late, so that a policy changed meanwhile counts.
            let retry = deps.policy.load().retry.clone();
            let chance = deps.world.jitter.fraction();
            let decision = delivery::after_attempt(&row.meta, &attempt, &retry, now, chance);
            note(&row.meta, &attempt, &decision);
            (decision, signal)
        }
    };
    let took = started.elapsed();
    shared.tell(Report::Answered { key: row.key.clone(), flight, signal, took }).await;
    if decision.fate == delivery::Fate::Dead {
        metrics::counter!("render_signal_dead_letters_total", "target" => row.meta.target.clone())
            .increment(1);
    }
    let claim = store(&shared, &row.key, decision, claim).await;
    shared.tell(Report::Ended { key: row.key, flight, claim }).await;
}

fn signal(class: &Class, url: &str) -> Signal {
    match class {
        Class::Delivered => Signal::Delivered,
        Class::Retry { .. } => Signal::Failed,
        Class::Gone => Signal::Gone { url_hash: address::url_hash(url) },
        Class::Permanent { answered: true, .. } => Signal::Alive,
        Class::Permanent { answered: false, .. } => Signal::Nothing,
    }
}

fn note(meta: &DeliverMeta, attempt: &Attempt, decision: &Decision) {
    let outcome = match (&attempt.class, &decision.fate) {
        (Class::Delivered, _) => "delivered",
        (Class::Gone, _) => "gone",
        (_, delivery::Fate::Dead) => "dead_lettered",
        _ => "retry",
    };
    metrics::counter!("render_signal_delivery_attempts_total", "outcome" => outcome).increment(1);
    #[expect(clippy::cast_precision_loss, reason = "a histogram needs no more than 52 bits")]
    metrics::histogram!("render_signal_delivery_seconds").record(attempt.took_ms as f64 / 1_000.0);
    let (email_id, target, url) = (&meta.email_id, &meta.target, &attempt.url);
    let number = decision.meta.attempts;
    match &attempt.class {
        Class::Delivered => {
            tracing::info!(
                email_id,
                target,
                url,
                attempt = number,
                took_ms = attempt.took_ms,
                "webhook delivered"
            );
        }
        Class::Gone => tracing::warn!(email_id, target, url, "the target is gone (410), its deliveries wait"),
        Class::Retry { why, .. } | Class::Permanent { why, .. } => {
            tracing::warn!(email_id, target, url, attempt = number, why, outcome, "webhook not delivered");
        }
    }
}

/// The request of a row, or why there cannot be one.
fn request(shared: &Shared, policy: &Policy, row: &Row, url: &str) -> Result<Outgoing, String> {
    let body = row.body.clone().ok_or("the body is no longer kept, so it cannot be sent")?;
    let url = Url::parse(url).map_err(|error| {
        format!(
            "the address of target {:?} is not a URL ({error}): correct it in the configuration",
            row.meta.target
        )
    })?;
    let id = header_id(&row.meta.email_id, &row.meta.target);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
        .insert(USER_AGENT, HeaderValue::from_static(concat!("render-signal/", env!("CARGO_PKG_VERSION"))));
    if let Some(keys) = &shared.deps.keys {
        let timestamp = shared.deps.world.now().timestamp();
        let signature = keys.signature(&id, timestamp, &body);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp));
        headers.insert(WEBHOOK_SIGNATURE, header(signature)?);
    }
    headers.insert(WEBHOOK_ID, header(id)?);
    Ok(Outgoing {
        url,
        headers,
        body,
        timeout: policy.webhook_timeout,
        verify_certificate: policy.ssl_verify,
    })
}

fn header(value: String) -> Result<HeaderValue, String> {
    HeaderValue::try_from(value).map_err(|error| format!("a header cannot be sent: {error}"))
}

/// `webhook-id` in visible ASCII: the id of a target may hold anything.
fn header_id(email_id: &str, target: &str) -> String {
    const UNSAFE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ');
    percent_encoding::utf8_percent_encode(&work::webhook_id(email_id, target), UNSAFE).to_string()
}

/// Stores a decision about a row, until the journal has it. Returns the claim it last held.
async fn store(shared: &Shared, key: &str, mut decision: Decision, mut claim: watch::Receiver<Uuid>) -> Uuid {
    let deps = &shared.deps;
    let mut belief = Belief::default();
    loop {
        let held = *claim.borrow_and_update();
        let commit =
            match delivery::commit(&decision, &belief, key, held, deps.world.now(), || deps.world.ids.next())
            {
                Ok(commit) => commit,
                Err(error) => {
                    tracing::error!(%error, key, "the outcome of a delivery cannot be written");
                    return held;
                }
            };
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => return held,
            Err(AppendError::Conflict { stream, .. }) => {
                reread(shared, &stream, &mut decision, &mut belief).await
            }
            Err(AppendError::ClaimLost { .. }) => {
                // Outcomes that could not be stored for long (a full disk) outlive their claim. If
                // this worker got it anew, it is as good as before.
                let anew = tokio::time::timeout(RECLAIM, claim.wait_for(|now| *now != held)).await;
                if !matches!(anew, Ok(Ok(_))) {
                    tracing::warn!(key, "another worker took the delivery over, the outcome here is dropped");
                    return held;
                }
            }
            Err(error) => {
                tracing::error!(%error, key, "the outcome of a delivery was refused");
                return held;
            }
        }
    }
}

/// Somebody else wrote to the mail or to the delivery: believes what the journal says.
async fn reread(shared: &Shared, stream: &StreamId, decision: &mut Decision, belief: &mut Belief) {
    let meta = &decision.meta;
    let mail = mail_stream(&meta.email_id);
    let events = read(shared, stream).await;
    if *stream == mail {
        match life::rehydrate(&events) {
            Ok(read) => belief.mail = Some(read),
            Err(error) => {
                tracing::error!(%error, %stream, "a mail's events cannot be read");
                tokio::time::sleep(AGAIN).await;
            }
        }
        return;
    }
    match aggregate::rehydrate::<DeliveryState>(&events) {
        Ok(loaded) => {
            belief.delivery = Some(loaded.version);
            if loaded.state == DeliveryState::Delivered && decision.fate != delivery::Fate::Delivered {
                // It got through before; whatever went wrong after that is of no importance.
                *decision = delivery::done_before(meta);
            }
        }
        Err(error) => {
            tracing::error!(%error, stream = %delivery_stream(&meta.email_id, &meta.target), "a delivery's events cannot be read");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn read(shared: &Shared, stream: &StreamId) -> Vec<crate::kernel::event::Recorded> {
    loop {
        match shared.deps.journal.read_stream(stream, 0).await {
            Ok(events) => return events,
            Err(error) => {
                tracing::warn!(%error, %stream, "a stream could not be read, trying again");
                tokio::time::sleep(shared.deps.world.jitter.spread(AGAIN)).await;
            }
        }
    }
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

/// Makes deliveries that wait for the rate limit due: of each target so many, oldest first.
pub(super) async fn hasten_limited(shared: Arc<Shared>, mut room: HashMap<String, usize>) {
    let deps = &shared.deps;
    let now = deps.world.now();
    let rows = match deps.journal.outbox(Queue::Deliver, usize::MAX).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!(%error, "deliveries over the old rate limit keep their time");
            return;
        }
    };
    // Only a first attempt waits for the limit, and it waits for nothing else.
    let mut limited = |row: &OutboxRow| {
        let first = row.meta.get("attempts").and_then(serde_json::Value::as_u64).unwrap_or(0) == 0;
        let waits = matches!(row.due, Due::At(at) if at > now);
        if !first || !waits || row.claimed {
            return false;
        }
        let Some(room) = room.get_mut(&row.partition).filter(|room| **room > 0) else { return false };
        *room -= 1;
        true
    };
    let defer: Vec<Defer> = rows
        .into_iter()
        .filter(|row| limited(row))
        .map(|row| Defer { queue: Queue::Deliver, key: row.key, claim: None, due: Due::At(now), meta: None })
        .collect();
    if defer.is_empty() {
        return;
    }
    if let Err(error) = deps.journal.append(Commit { at: now, defer, ..Commit::default() }).await {
        tracing::warn!(%error, "deliveries over the old rate limit keep their time");
    }
}
