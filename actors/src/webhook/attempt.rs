//! One delivery: the attempt, and its outcome on the way into the journal.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument as _;
use url::Url;
use uuid::Uuid;

use super::delivery::{self, Attempt, Belief, Decision, DeliveryState};
use super::lanes::{Row, Signal};
use super::notice::Notify;
use super::port::Outgoing;
use super::quota::Place;
use super::retry::{self, Class};
use super::state::{DeliveryEvent, delivery_stream};
use super::{Report, Shared, effects};
use super::{address, answer, local_fault, request};
use crate::egress::SendError;
use crate::kernel::aggregate;
use crate::kernel::event::{DomainEvent as _, StreamId};
use crate::kernel::journal::AppendError;
use crate::kernel::journal::persist::persist;
use crate::mail::life::{MailLife, mail_stream};
use crate::mail::policy::Policy;
use crate::mail::rules::mask_url;
use crate::mail::windows;

/// How long a lost claim may turn out to have been given to this worker anew.
const RECLAIM: Duration = Duration::from_secs(1);

/// A claim that is younger is believed.
const FRESH: TimeDelta = TimeDelta::seconds(1);

/// Stores that a row waits until then, because it is over this rate limit.
pub(super) async fn over_the_limit(
    shared: Arc<Shared>,
    flight: u64,
    row: Row,
    (until, limit): (DateTime<Utc>, u32),
    claim: watch::Receiver<Uuid>,
) {
    let claim = store(&shared, &row.key, delivery::over_the_limit(&row.meta, until), claim).await;
    // Whoever made the waiting due when the limit changed did not see a row that was claimed.
    if shared.deps.policy.load().rate_limit_per_hour != limit {
        effects::hasten(&shared, std::slice::from_ref(&row.key)).await;
    }
    shared.tell(Report::Ended { key: row.key, flight, claim }).await;
}

/// Stores that a row waits for the delivery window to open.
pub(super) async fn await_window(shared: Arc<Shared>, flight: u64, row: Row, claim: watch::Receiver<Uuid>) {
    let deps = &shared.deps;
    let until = windows::opens(&deps.policy.load(), deps.world.now());
    let claim = store(&shared, &row.key, delivery::outside_the_window(&row.meta, until), claim).await;
    // As with the limit: it may have been opened meanwhile.
    if windows::opens(&deps.policy.load(), deps.world.now()) < until {
        effects::hasten(&shared, std::slice::from_ref(&row.key)).await;
    }
    shared.tell(Report::Ended { key: row.key, flight, claim }).await;
}

/// One attempt, from the first byte to the stored outcome. `counted`: the time from which on
/// it counts against the rate limit, if it does.
pub(super) async fn attempt(
    shared: Arc<Shared>,
    flight: u64,
    row: Row,
    counted: Option<DateTime<Utc>>,
    claim: watch::Receiver<Uuid>,
) {
    let meta = &row.meta;
    let (email_id, target, attempt) = (&meta.email_id, &meta.target, meta.attempts.saturating_add(1));
    // Whatever is logged below, by whichever room, names the mail.
    let span = tracing::info_span!("deliver", email_id, target, attempt);
    attempt_within(shared, flight, row, counted, claim).instrument(span).await;
}

async fn attempt_within(
    shared: Arc<Shared>,
    flight: u64,
    mut row: Row,
    counted: Option<DateTime<Utc>>,
    claim: watch::Receiver<Uuid>,
) {
    let deps = &shared.deps;
    let policy = deps.policy.load_full();
    if let Some(at) = counted {
        if let Place::Full(counted) = shared.quota.take(deps, &row.meta, at, policy.rate_limit_per_hour).await
        {
            return shared.tell(Report::Over { row, flight, at, counted }).await;
        }
        // A journal that was away may have taken all the time that the claim gave, or that was
        // left of the window.
        let now = deps.world.now();
        let closed = !row.meta.window.is_free() && !windows::is_open(&policy, now);
        if closed || row.claimed_until - now < effects::needed(&policy) {
            let claim = *claim.borrow();
            return effects::release(shared, flight, row.key, claim).await;
        }
    }
    if was_cancelled(&shared, &row, &policy).await {
        tracing::info!("the delivery was cancelled while it waited for its turn");
        let claim = *claim.borrow();
        return shared.tell(Report::Ended { key: row.key, flight, claim }).await;
    }
    let url = delivery::address_of(&policy, &row.meta).to_owned();
    let started = Instant::now();
    let (decision, signal) = match outgoing(&shared, &policy, &row, &url).await {
        Err(why) => (delivery::unusable(&row.meta, why), Signal::Nothing),
        Ok(outgoing) => {
            let to = outgoing.url.clone();
            let result = deps.receiver.post(outgoing).await;
            // Its outcome may have to wait for the journal.
            row.drop_body();
            let now = deps.world.now();
            match &result {
                Err(SendError::Local(why)) => {
                    return local_fault::put_off(&shared, flight, row, counted, why, claim).await;
                }
                // Nothing was tried, so it is not known whether it could have been.
                Err(SendError::Refused(_) | SendError::RefusedNow(_)) => {}
                _ => shared.local_faults.over(),
            }
            let attempt = Attempt {
                class: retry::classify(&result, &to, now),
                url: mask_url(&url),
                status: result.as_ref().ok().map(|answer| answer.status),
                took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            };
            let said = result.as_ref().ok().filter(|_| attempt.class != Class::Delivered);
            let said = said.and_then(|answer| answer::kept(&answer.body, &url));
            drop(result);
            let signal = signal(&attempt.class, &url);
            // Late, so that a policy changed meanwhile counts.
            let policy = deps.policy.load_full();
            let chance = deps.world.jitter.fraction();
            let mut decision = delivery::after_attempt(&row.meta, &attempt, &policy.retry, now, chance);
            let keep_until = now + TimeDelta::from_std(policy.retention).unwrap_or_default();
            decision.said = said.map(|said| (said, keep_until));
            note(&attempt, &decision);
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

/// Whether somebody has cancelled a row that waited here for its turn. One that was just claimed was
/// not cancelled a moment ago, and is not asked about: that would be one more request for each.
async fn was_cancelled(shared: &Shared, row: &Row, policy: &Policy) -> bool {
    let lease = TimeDelta::from_std(effects::lease(policy)).unwrap_or_default();
    if lease - (row.claimed_until - shared.deps.world.now()) < FRESH {
        return false;
    }
    let stream = delivery_stream(&row.meta.email_id, &row.meta.target);
    let news = effects::read(&shared.deps, &stream, row.meta.delivery_version).await;
    news.iter().any(|event| matches!(DeliveryEvent::from_recorded(event), Ok(DeliveryEvent::Cancelled(_))))
}

fn signal(class: &Class, url: &str) -> Signal {
    match class {
        Class::Delivered => Signal::Delivered,
        Class::Retry { alive: true, .. } => Signal::Alive,
        Class::Retry { alive: false, .. } => Signal::Failed,
        Class::Gone => Signal::Gone { url_hash: address::url_hash(url) },
        Class::Unsendable { .. } => Signal::Nothing,
    }
}

fn note(attempt: &Attempt, decision: &Decision) {
    let outcome = match (&attempt.class, &decision.fate) {
        (Class::Delivered, _) => "delivered",
        (Class::Gone, _) => "gone",
        (_, delivery::Fate::Dead) => "dead_lettered",
        _ => "retry",
    };
    metrics::counter!("render_signal_delivery_attempts_total", "outcome" => outcome).increment(1);
    #[expect(clippy::cast_precision_loss, reason = "a histogram needs no more than 52 bits")]
    metrics::histogram!("render_signal_delivery_seconds").record(attempt.took_ms as f64 / 1_000.0);
    let (url, took_ms) = (&attempt.url, attempt.took_ms);
    match &attempt.class {
        Class::Delivered => tracing::info!(url, took_ms, "webhook delivered"),
        Class::Gone => tracing::warn!(url, took_ms, "the target is gone (410), its deliveries wait"),
        Class::Retry { why, .. } | Class::Unsendable { why } => {
            tracing::warn!(url, took_ms, why, outcome, "webhook not delivered");
        }
    }
}

/// The request of a row, or why there cannot be one.
async fn outgoing(shared: &Shared, policy: &Policy, row: &Row, url: &str) -> Result<Outgoing, String> {
    let body = row.body.clone().ok_or("the body is no longer kept, so it cannot be sent")?;
    let url = Url::parse(url).map_err(|error| {
        format!(
            "the address of target {:?} is not a URL ({error}): correct it in the configuration",
            row.meta.target
        )
    })?;
    let id = request::header_id(&row.meta.email_id, &row.meta.target);
    let signature = match shared.deps.keys.clone() {
        None => None,
        Some(keys) => {
            let timestamp = shared.deps.world.clock.stamp().timestamp();
            let (signed, signs) = (id.clone(), body.clone());
            let signing = shared.heavy.run(body.len(), move || keys.signature(&signed, timestamp, &signs));
            Some((timestamp, signing.await))
        }
    };
    let headers = request::headers(id, row.meta.mode, signature)?;
    Ok(Outgoing {
        url,
        headers,
        body,
        timeout: policy.webhook_timeout,
        verify_certificate: policy.ssl_verify,
    })
}

/// Stores a decision about a row, until the journal has it. Returns the claim it last held.
pub(super) async fn store(
    shared: &Shared,
    key: &str,
    mut decision: Decision,
    mut claim: watch::Receiver<Uuid>,
) -> Uuid {
    let deps = &shared.deps;
    let mut belief = Belief::default();
    loop {
        let held = *claim.borrow_and_update();
        let notify = Notify::of(&deps.policy.load());
        let commit =
            match delivery::commit(&decision, &belief, key, held, notify.as_ref(), deps.world.now(), || {
                deps.world.ids.next()
            }) {
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
                    tracing::warn!(
                        key,
                        "another worker took the delivery over, or it was cancelled: the outcome here is dropped"
                    );
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
    let events = effects::read(&shared.deps, stream, 0).await;
    if *stream == mail {
        match aggregate::rehydrate::<MailLife>(&events) {
            Ok(read) => belief.mail = Some(read),
            Err(error) => {
                tracing::error!(%error, %stream, "a mail's events cannot be read");
                tokio::time::sleep(effects::AGAIN).await;
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
            tokio::time::sleep(effects::AGAIN).await;
        }
    }
}
