//! What an operator can do about deliveries that wait or were given up. Works beside a
//! running server, in the same process or in another one: everything goes through the journal.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::address;
use super::breaker::{TargetCommand, TargetState};
use super::delivery::{DeliveryState, NotDead, Requeue};
use super::state::{Requeued, delivery_stream};
use super::target::{self, TargetError};
use crate::kernel::aggregate::{self, Aggregate as _};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError};
use crate::kernel::journal::{
    AppendError, Commit, Defer, Due, Expected, Journal, JournalError, OutboxRow, Queue, StreamWrite,
};
use crate::mail::work::{self, DeliverMeta};

/// Where a delivery that is not done stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is due, now or later.
    Waiting,
    /// A worker is on it.
    UnderWay,
    /// It keeps its place in an order until its body is ready.
    Reserved,
    /// It was given up and is kept.
    DeadLetter,
}

/// A delivery that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undelivered {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// Masked address at the time of routing.
    pub url: String,
    /// Where it stands.
    pub standing: Standing,
    /// When it is due, if it waits.
    pub due: Option<DateTime<Utc>>,
    /// Attempts made.
    pub attempts: u32,
    /// When it was routed.
    pub since: DateTime<Utc>,
}

/// Why a delivery was not put back.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// There is no such row.
    #[error(
        "no undelivered webhook of mail {email_id} to target {target:?}; `deliveries list` shows what there is"
    )]
    Unknown {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// It waits for its turn, or is being sent.
    #[error(
        "the webhook of mail {email_id} to target {target:?} is no dead letter: it is sent when it is due"
    )]
    NotDead {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// The row or its history cannot be read.
    #[error("the webhook of mail {0} cannot be read: {1}")]
    Unreadable(String, String),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// The journal did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Deliveries that are not done, in the order they were routed; at most `limit`.
///
/// # Errors
/// When the journal cannot be read.
pub async fn undelivered(journal: &dyn Journal, limit: usize) -> Result<Vec<Undelivered>, JournalError> {
    Ok(journal.outbox(Queue::Deliver, limit).await?.iter().filter_map(shown).collect())
}

fn shown(row: &OutboxRow) -> Option<Undelivered> {
    let meta: DeliverMeta = serde_json::from_value(row.meta.clone()).ok()?;
    let (standing, due) = match row.due {
        _ if row.claimed => (Standing::UnderWay, None),
        Due::At(at) => (Standing::Waiting, Some(at)),
        Due::Reserved => (Standing::Reserved, None),
        Due::Parked => (Standing::DeadLetter, None),
    };
    Some(Undelivered {
        url: address::masked(&meta.url),
        email_id: meta.email_id,
        target: meta.target,
        standing,
        due,
        attempts: meta.attempts,
        since: row.added_at,
    })
}

/// Sends a dead letter again: it is due now, with all its attempts before it. `by` says who
/// asked, such as `cli`.
///
/// # Errors
/// See [`RetryError`]; then nothing has changed.
pub async fn retry_dead_letter(
    journal: &dyn Journal,
    world: &World,
    email_id: &str,
    target: &str,
    by: &str,
) -> Result<(), RetryError> {
    let key = work::delivery_key(email_id, target);
    let unreadable = |what: String| RetryError::Unreadable(email_id.to_owned(), what);
    let not_dead = || RetryError::NotDead { email_id: email_id.to_owned(), target: target.to_owned() };
    let rows = journal.outbox(Queue::Deliver, usize::MAX).await?;
    let row = rows
        .into_iter()
        .find(|row| row.key == key)
        .ok_or_else(|| RetryError::Unknown { email_id: email_id.to_owned(), target: target.to_owned() })?;
    if row.due != Due::Parked {
        return Err(not_dead());
    }
    let meta: DeliverMeta =
        serde_json::from_value(row.meta).map_err(|error| unreadable(error.to_string()))?;
    let stream = delivery_stream(email_id, target);
    let history = journal.read_stream(&stream, 0).await?;
    let event_error = |error: EventError| unreadable(error.to_string());
    let loaded = aggregate::rehydrate::<DeliveryState>(&history).map_err(event_error)?;
    let requeued = Requeued { email_id: email_id.to_owned(), target: target.to_owned(), by: by.to_owned() };
    let events = loaded.state.decide(&Requeue(requeued), &()).map_err(|NotDead| not_dead())?;
    let events = events
        .iter()
        .map(|event| event.to_new(world.ids.next()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(event_error)?;
    let now = world.now();
    let meta = DeliverMeta {
        attempts: 0,
        first_attempt_at: None,
        delivery_version: loaded.version + u64::try_from(events.len()).unwrap_or_default(),
        ..meta
    };
    let defer = Defer {
        queue: Queue::Deliver,
        key,
        claim: None,
        due: Due::At(now),
        meta: Some(work::to_value(&meta)),
    };
    // Two operators at once: the second one meets a conflict.
    let write = StreamWrite { stream, expected: Expected::Exact(loaded.version), events };
    journal.append(Commit { at: now, writes: vec![write], defer: vec![defer], ..Commit::default() }).await?;
    Ok(())
}

/// Lets a target that answered 410, or whose breaker is open, take deliveries again. A
/// running server notices within two seconds. Returns whether it was needed.
///
/// # Errors
/// See [`TargetError`].
pub async fn enable_target(
    journal: &dyn Journal,
    world: &World,
    target: &str,
    by: &str,
) -> Result<bool, TargetError> {
    let before = target::carry_out(journal, world, target, None).await?;
    let command = TargetCommand::Enable { by: by.to_owned() };
    target::carry_out(journal, world, target, Some(&command)).await?;
    Ok(before != TargetState::default())
}
