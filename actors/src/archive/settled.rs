//! Which streams nothing will happen to any more. Pure.

use chrono::{DateTime, Utc};

use crate::access::state::MagicLinkState;
use crate::kernel::aggregate::rehydrate;
use crate::kernel::event::{EventError, Recorded, StreamId};
use crate::mail::life::{MailLife, Stage};
use crate::webhook::delivery::DeliveryLifecycle;
use crate::webhook::events::delivery_stream;

/// Whether the last of these events is older than `before`. A stream without events is not:
/// there is nothing to archive.
#[must_use]
pub fn is_old(events: &[Recorded], before: DateTime<Utc>) -> bool {
    !events.is_empty() && events.iter().all(|event| event.at < before)
}

/// The delivery streams of a mail that is settled: ignored, unreadable, or delivered to every
/// target, but for those that were cancelled. `None` = something may still happen to it. A dead letter may be sent again.
///
/// # Errors
/// When an event cannot be read.
pub fn deliveries_of(email_id: &str, mail: &[Recorded]) -> Result<Option<Vec<StreamId>>, EventError> {
    let life = rehydrate::<MailLife>(mail)?.state;
    Ok(match life.stage {
        Stage::Skipped { .. } | Stage::Quarantined => Some(Vec::new()),
        // A mail may have been routed, and set aside, before somebody said that it is not wanted.
        Stage::Ignored(_) => Some(streams(email_id, &life)),
        Stage::Routed if life.all_done() => Some(streams(email_id, &life)),
        Stage::Routed | Stage::Unknown | Stage::Received | Stage::Held => None,
    })
}

fn streams(email_id: &str, life: &MailLife) -> Vec<StreamId> {
    life.deliveries.iter().map(|(target, _)| delivery_stream(email_id, target)).collect()
}

/// Whether nothing is left of a mail but notes of further copies: its own events were archived.
///
/// # Errors
/// When an event cannot be read.
pub fn is_remainder(mail: &[Recorded]) -> Result<bool, EventError> {
    let life = rehydrate::<MailLife>(mail)?.state;
    Ok(life.stage == Stage::Unknown && mail.first().is_some_and(|event| event.version > 1))
}

/// Whether a sign-in link opens nothing any more, and has not since `before`.
///
/// # Errors
/// When an event cannot be read.
pub fn is_over(link: &[Recorded], before: DateTime<Utc>) -> Result<bool, EventError> {
    let link = rehydrate::<MagicLinkState>(link)?;
    Ok(link.state.is_over(before))
}

/// Whether a delivery has reached its receiver, or was cancelled.
///
/// # Errors
/// When an event cannot be read.
pub fn is_done(delivery: &[Recorded]) -> Result<bool, EventError> {
    let delivery = rehydrate::<DeliveryLifecycle>(delivery)?;
    Ok(matches!(delivery.state, DeliveryLifecycle::Delivered | DeliveryLifecycle::Cancelled))
}
