//! One attempt: a place of the hour, the request, and what its answer makes of the delivery.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use url::Url;

use super::super::answer;
use super::super::claimed::ClaimedDelivery;
use super::super::claims;
use super::super::dispatch::Dispatcher;
use super::super::events::{DeliveryEvent, delivery_stream};
use super::super::limit::Reservation;
use super::super::outcome::{self, AttemptResult, Class, DeliveryOutcome, Resolution, classify};
use super::super::port::Outgoing;
use super::super::reads;
use super::super::scheduler::Signal;
use super::super::target::address;
use super::{Permit, local_fault, request};
use crate::egress::{Answer, SendError};
use crate::kernel::event::DomainEvent as _;
use crate::kernel::trace;
use crate::mail::policy::Policy;
use crate::mail::rules::mask_url;
use crate::mail::windows;

/// A claim that is younger is not checked for a cancellation.
const FRESH_CLAIM: TimeDelta = TimeDelta::seconds(1);

/// How an attempt ended.
#[expect(clippy::large_enum_variant, reason = "the large one is the rule, and there is one per attempt")]
pub(super) enum AttemptEnd {
    /// With this, which is to be stored.
    Decided(DeliveryOutcome),
    /// It was not begun: no place of the hour is free.
    OverTheLimit {
        /// When to ask again.
        until: DateTime<Utc>,
        /// The limit that it is over.
        limit: u32,
    },
    /// It was not begun, or is broken off: the row goes back.
    GivenUp,
    /// Somebody has cancelled the delivery, and its row with it.
    Cancelled,
}

/// Attempts a delivery. The permit is given back as soon as the receiver has answered.
pub(super) async fn attempt(
    dispatcher: &Arc<Dispatcher>,
    claimed: &mut ClaimedDelivery,
    mut permit: Permit,
) -> AttemptEnd {
    // A repetition has been counted already.
    if claimed.meta.attempts == 0 {
        match dispatcher.limiter.reserve(&dispatcher.deps, &claimed.meta, permit.reservation()).await {
            Reservation::Granted => {}
            Reservation::Exhausted { until, limit } => return AttemptEnd::OverTheLimit { until, limit },
        }
    }
    let policy = dispatcher.deps.policy.load_full();
    if !may_begin(dispatcher, claimed, &policy) {
        return AttemptEnd::GivenUp;
    }
    if was_cancelled(dispatcher, claimed, &policy).await {
        tracing::info!("the delivery was cancelled while it waited for its turn");
        return AttemptEnd::Cancelled;
    }
    let url = address::of_delivery(&policy, &claimed.meta).to_owned();
    let started = Instant::now();
    let outgoing = match outgoing(dispatcher, &policy, claimed, &url).await {
        Ok(outgoing) => outgoing,
        Err(why) => {
            permit.ended(Signal::NotTried, started.elapsed());
            return AttemptEnd::Decided(outcome::unusable(&claimed.meta, why));
        }
    };
    let to = outgoing.url.clone();
    let result = dispatcher.deps.receiver.post(outgoing).await;
    // The outcome may have to wait for the journal.
    claimed.drop_body();
    match &result {
        Err(SendError::Local(why)) => {
            permit.ended(Signal::NotTried, started.elapsed());
            return AttemptEnd::Decided(local_fault::put_off(dispatcher, &claimed.meta, why));
        }
        // Nothing was tried, so it is not known whether it could have been.
        Err(SendError::Refused(_) | SendError::RefusedNow(_)) => {}
        _ => dispatcher.local_faults.over(),
    }
    let took = started.elapsed();
    let attempt = AttemptResult {
        class: classify(&result, &to, dispatcher.deps.world.now()),
        url: mask_url(&url),
        status: result.as_ref().ok().map(|answer| answer.status),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    permit.ended(signal(&attempt.class, &url), took);
    AttemptEnd::Decided(decide(dispatcher, claimed, &attempt, result.ok(), &url))
}

/// Whether there is still time. What was waited for (a permit, a journal that was away) may have
/// taken all that the claim gave, or that was left of the window.
fn may_begin(dispatcher: &Dispatcher, claimed: &ClaimedDelivery, policy: &Policy) -> bool {
    let now = dispatcher.deps.world.now();
    let is_open = claimed.meta.window.is_free() || windows::is_open(policy, now);
    is_open && claimed.claimed_until - now >= claims::attempt_takes(policy)
}

/// Whether somebody has cancelled a row that waited here. One that was just claimed was not
/// cancelled a moment ago, and is not asked about: that would be one more request for each.
async fn was_cancelled(dispatcher: &Dispatcher, claimed: &ClaimedDelivery, policy: &Policy) -> bool {
    let lease = TimeDelta::from_std(claims::lease(policy)).unwrap_or_default();
    let claimed_for = lease - (claimed.claimed_until - dispatcher.deps.world.now());
    if claimed_for < FRESH_CLAIM {
        return false;
    }
    let meta = &claimed.meta;
    let stream = delivery_stream(&meta.email_id, &meta.target);
    let news = reads::stream(&dispatcher.deps, &stream, meta.delivery_version).await;
    news.iter().any(|event| matches!(DeliveryEvent::from_recorded(event), Ok(DeliveryEvent::Cancelled(_))))
}

/// Decides what the result of an attempt makes of the delivery.
fn decide(
    dispatcher: &Dispatcher,
    claimed: &ClaimedDelivery,
    attempt: &AttemptResult,
    answer: Option<Answer>,
    url: &str,
) -> DeliveryOutcome {
    let world = &dispatcher.deps.world;
    let now = world.now();
    // Late, so that a policy changed meanwhile counts.
    let policy = dispatcher.deps.policy.load();
    let mut outcome =
        outcome::after_attempt(&claimed.meta, attempt, &policy.retry, now, world.jitter.fraction());
    if attempt.class != Class::Delivered {
        let kept = answer.and_then(|answer| answer::kept(&answer.body, url));
        let keep_until = now + TimeDelta::from_std(policy.retention).unwrap_or_default();
        outcome.answer = kept.map(|kept| (kept, keep_until));
    }
    tell(attempt, &outcome);
    outcome
}

fn signal(class: &Class, url: &str) -> Signal {
    match class {
        Class::Delivered => Signal::Delivered,
        Class::Retry { alive: true, .. } => Signal::Alive,
        Class::Retry { alive: false, .. } => Signal::Failed,
        Class::Gone => Signal::Gone { url_hash: address::url_hash(url) },
        Class::Unsendable { .. } => Signal::NotTried,
    }
}

/// A line and a count for an attempt.
fn tell(attempt: &AttemptResult, outcome: &DeliveryOutcome) {
    let word = match (&attempt.class, &outcome.resolution) {
        (Class::Delivered, _) => "delivered",
        (Class::Gone, _) => "gone",
        (_, Resolution::DeadLettered) => "dead_lettered",
        _ => "retry",
    };
    metrics::counter!("render_signal_delivery_attempts_total", "outcome" => word).increment(1);
    #[expect(clippy::cast_precision_loss, reason = "a histogram needs no more than 52 bits")]
    metrics::histogram!("render_signal_delivery_seconds").record(attempt.took_ms as f64 / 1_000.0);
    let (url, took_ms) = (&attempt.url, attempt.took_ms);
    match &attempt.class {
        Class::Delivered => tracing::info!(url, took_ms, "webhook delivered"),
        Class::Gone => tracing::warn!(url, took_ms, "the target is gone (410), its deliveries wait"),
        Class::Retry { why, .. } | Class::Unsendable { why } => {
            tracing::warn!(url, took_ms, why, outcome = word, "webhook not delivered");
        }
    }
}

/// The request of a delivery, or why there cannot be one.
async fn outgoing(
    dispatcher: &Dispatcher,
    policy: &Policy,
    claimed: &ClaimedDelivery,
    url: &str,
) -> Result<Outgoing, String> {
    let meta = &claimed.meta;
    let body = claimed.body.clone().ok_or("the body is no longer kept, so it cannot be sent")?;
    let url = Url::parse(url).map_err(|error| {
        let target = &meta.target;
        format!("the address of target {target:?} is not a URL ({error}): correct it in the configuration")
    })?;
    let id = request::header_id(&meta.email_id, &meta.target);
    let signature = match dispatcher.deps.keys.clone() {
        None => None,
        Some(keys) => {
            let timestamp = dispatcher.deps.world.clock.stamp().timestamp();
            let (signed, signs) = (id.clone(), body.clone());
            let signing =
                dispatcher.heavy.run(body.len(), move || keys.signature(&signed, timestamp, &signs));
            Some((timestamp, signing.await))
        }
    };
    let mut headers = request::headers(id, meta.mode, signature)?;
    if dispatcher.deps.traced {
        let attempt = meta.attempts.saturating_add(1);
        request::belongs_to(&mut headers, trace::traceparent(&meta.email_id, &meta.target, attempt))?;
    }
    let (timeout, verify_certificate) = (policy.webhook_timeout, policy.ssl_verify);
    Ok(Outgoing { url, headers, body, timeout, verify_certificate })
}
