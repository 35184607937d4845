//! Once more: what an operator can do about a delivery that has ended well, or was cancelled. The
//! same `webhook-id` and the same bytes go to the same target, as long as they are kept.

use super::delivery::{DeliveryCommand, DeliveryCx, DeliveryLifecycle, Unsuited};
use super::events::{DeliveryEvent, delivery_stream};
use crate::kernel::aggregate::{self, Aggregate as _};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError, Recorded, new_events};
use crate::kernel::journal::{
    AppendError, Commit, Due, Journal, JournalError, OutboxAdd, Queue, StreamWrite,
};
use crate::mail::life::{MailLife, Stage, mail_stream};
use crate::mail::outbox_rows::{self, DeliverMeta, InWindow};
use crate::mail::policy::{DeliveryMode, Priority};

/// Why a delivery is not made once more.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// There is no such delivery.
    #[error("no webhook of mail {email_id} to target {target:?} is known")]
    Unknown {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// It has not ended.
    #[error("the webhook of mail {email_id} to target {target:?} has not ended: it is sent when it is due")]
    Open {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// It was given up, which is another matter.
    #[error(
        "the webhook of mail {email_id} to target {target:?} is a dead letter; `deliveries retry` sends it again"
    )]
    Dead {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// Its bytes are not there.
    #[error(
        "the webhook of mail {email_id} to target {target:?} cannot be sent once more: its content is no longer kept (MAIL_RETENTION_DAYS)"
    )]
    ContentGone {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// Its history cannot be read.
    #[error("the webhooks of mail {0} cannot be read: {1}")]
    Unreadable(String, EventError),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// The journal did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// The targets that a mail was routed to, for whoever wants the whole of it delivered once more;
/// empty = it was not routed, or is not known.
///
/// # Errors
/// When its stream cannot be read.
pub async fn targets_of(journal: &dyn Journal, email_id: &str) -> Result<Vec<String>, ResendError> {
    let events = journal.read_stream(&mail_stream(email_id), 0).await?;
    let unreadable = |error| ResendError::Unreadable(email_id.to_owned(), error);
    let life = aggregate::rehydrate::<MailLife>(&events).map_err(unreadable)?.state;
    let routed = life.stage == Stage::Routed;
    Ok(if routed { life.deliveries.into_iter().map(|(target, _)| target).collect() } else { Vec::new() })
}

/// Has a delivery that was made, or cancelled, made once more. What the mail's own account says of
/// it stays: it was delivered, or cancelled, then.
///
/// # Errors
/// See [`ResendError`]; then nothing has changed.
pub async fn resend(
    journal: &dyn Journal,
    world: &World,
    email_id: &str,
    target: &str,
    by: &str,
) -> Result<(), ResendError> {
    let named = || (email_id.to_owned(), target.to_owned());
    let unreadable = |error| ResendError::Unreadable(email_id.to_owned(), error);
    let stream = delivery_stream(email_id, target);
    let history = journal.read_stream(&stream, 0).await?;
    let loaded = aggregate::rehydrate::<DeliveryLifecycle>(&history).map_err(unreadable)?;
    let (mail, target_id) = named();
    let cx = DeliveryCx { email_id: mail, target: target_id, again: true };
    let command = DeliveryCommand::Requeue { by: by.to_owned(), over: true };
    let events = loaded.state.decide(&command, &cx).map_err(|Unsuited(state)| {
        let (email_id, target) = named();
        match state {
            DeliveryLifecycle::Dead => ResendError::Dead { email_id, target },
            _ if history.is_empty() => ResendError::Unknown { email_id, target },
            _ => ResendError::Open { email_id, target },
        }
    })?;
    let body_key = outbox_rows::delivery_body_key(email_id, target);
    if journal.body(&body_key).await?.is_none_or(|bytes| bytes.is_empty()) {
        let (email_id, target) = named();
        return Err(ResendError::ContentGone { email_id, target });
    }
    let new = new_events(&events, world.ids.as_ref()).map_err(unreadable)?;
    let meta = DeliverMeta {
        email_id: email_id.to_owned(),
        target: target.to_owned(),
        // Where it went is recorded masked only: a target that is not configured any more has no
        // address, and its delivery says so.
        url: String::new(),
        mail_version: 0,
        siblings: 1,
        locations: Vec::new(),
        attempts: 0,
        first_attempt_at: None,
        delivery_version: loaded.version + new.len() as u64,
        priority: Priority::default(),
        notice: false,
        mode: mode(&history),
        window: InWindow::Free,
        again: true,
    };
    let now = world.now();
    let row = OutboxAdd {
        queue: Queue::Deliver,
        key: outbox_rows::delivery_key(email_id, target),
        partition: outbox_rows::delivery_partition(target, false),
        order_key: None,
        due: Due::At(now),
        meta: outbox_rows::to_value(&meta),
        body_key: Some(body_key),
    };
    // Two operators at once: the second one meets a conflict.
    let write = StreamWrite::after(loaded.version, stream, new);
    journal.append(Commit { at: now, writes: vec![write], add: vec![row], ..Commit::default() }).await?;
    Ok(())
}

/// What the body was called when it was taken last.
fn mode(history: &[Recorded]) -> DeliveryMode {
    let taken = history.iter().rev().find_map(|event| match DeliveryEvent::from_recorded(event) {
        Ok(DeliveryEvent::Succeeded(succeeded)) => Some(succeeded.mode),
        _ => None,
    });
    taken.unwrap_or_default()
}
