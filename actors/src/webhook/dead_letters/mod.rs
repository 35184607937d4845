//! Deliveries that were given up: sent again when an operator wants it, told to somebody when they
//! become dead letters ([`notice`]). Works beside a running server, in the same process or in
//! another one: everything goes through the journal.

pub mod notice;

use std::collections::HashMap;

use super::delivery::{DeliveryCommand, DeliveryCx, DeliveryLifecycle, Unsuited};
use super::events::delivery_stream;
use crate::kernel::aggregate::{self, Aggregate as _};
use crate::kernel::clock::World;
use crate::kernel::event::{EventError, new_events};
use crate::kernel::journal::{
    AppendError, Commit, Defer, Due, Journal, JournalError, OutboxRow, Queue, StreamWrite,
};
use crate::mail::outbox_rows::{self, DeliverMeta};

/// The deliveries that are not done, as they stood when they were read.
#[derive(Debug)]
pub struct Undelivered(HashMap<String, OutboxRow>);

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

impl Undelivered {
    /// Reads all of them, once for any number of dead letters to be sent again.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn read(journal: &dyn Journal) -> Result<Self, JournalError> {
        let rows = journal.outbox(Queue::Deliver, usize::MAX).await?;
        Ok(Self(rows.into_iter().map(|row| (row.key.clone(), row)).collect()))
    }

    /// Sends a dead letter again: it is due now, with all its attempts before it. `by` says
    /// who asked, such as `cli`.
    ///
    /// # Errors
    /// See [`RetryError`]; then nothing has changed.
    pub async fn retry(
        &self,
        journal: &dyn Journal,
        world: &World,
        email_id: &str,
        target: &str,
        by: &str,
    ) -> Result<(), RetryError> {
        let key = outbox_rows::delivery_key(email_id, target);
        let unreadable = |what: String| RetryError::Unreadable(email_id.to_owned(), what);
        let not_dead = || RetryError::NotDead { email_id: email_id.to_owned(), target: target.to_owned() };
        let unknown = || RetryError::Unknown { email_id: email_id.to_owned(), target: target.to_owned() };
        let row = self.0.get(&key).ok_or_else(unknown)?;
        if row.due != Due::Parked {
            return Err(not_dead());
        }
        let meta: DeliverMeta =
            serde_json::from_value(row.meta.clone()).map_err(|error| unreadable(error.to_string()))?;
        let stream = delivery_stream(email_id, target);
        let history = journal.read_stream(&stream, 0).await?;
        let event_error = |error: EventError| unreadable(error.to_string());
        let loaded = aggregate::rehydrate::<DeliveryLifecycle>(&history).map_err(event_error)?;
        let cx = DeliveryCx { email_id: email_id.to_owned(), target: target.to_owned(), again: meta.again };
        let command = DeliveryCommand::Requeue { by: by.to_owned(), over: false };
        let events = loaded.state.decide(&command, &cx).map_err(|Unsuited(_)| not_dead())?;
        let events = new_events(&events, world.ids.as_ref()).map_err(event_error)?;
        let now = world.now();
        let meta = DeliverMeta {
            attempts: 0,
            first_attempt_at: None,
            // Whoever wants it sent wants it sent now.
            window: outbox_rows::InWindow::Free,
            delivery_version: loaded.version + u64::try_from(events.len()).unwrap_or_default(),
            ..meta
        };
        let defer = Defer {
            queue: Queue::Deliver,
            key,
            claim: None,
            due: Due::At(now),
            meta: Some(outbox_rows::to_value(&meta)),
            partition: Some(outbox_rows::delivery_partition(target, false)),
        };
        // Two operators at once: the second one meets a conflict.
        let write = StreamWrite::after(loaded.version, stream, events);
        journal
            .append(Commit { at: now, writes: vec![write], defer: vec![defer], ..Commit::default() })
            .await?;
        Ok(())
    }
}
