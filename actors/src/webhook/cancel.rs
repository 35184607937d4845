//! What an operator can do about a delivery that is not wanted: cancel it. One commit settles its
//! row, notes it in its own stream and in that of its mail; whoever has the row in hand loses the
//! claim, and the row behind it in its order may go.
//!
//! A post that is under way at that moment may still arrive: nobody can call it back.

use super::delivery::{DeliveryCommand, DeliveryCx, DeliveryLifecycle, Unsuited};
use super::events::{DeliveryEvent, delivery_stream};
use crate::kernel::aggregate::{self, Aggregate as _, Evolve as _, Loaded};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError, Recorded, new_events};
use crate::kernel::execute::{Decision, Unwritten, execute};
use crate::kernel::journal::{AppendError, Commit, Journal, JournalError, Queue, Settle, StreamWrite};
use crate::kernel::projection::ViewError;
use crate::mail::life::{DeliveryEnd, MailEvent, MailLife, MailSettled, Stage, mail_stream};
use crate::mail::outbox_rows;
use crate::readmodel::queries;

/// Why a delivery was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is none.
    #[error(
        "no undelivered webhook of mail {email_id} to target {target:?}; `deliveries list` shows what there is"
    )]
    Unknown {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// It has ended.
    #[error("the webhook of mail {email_id} to target {target:?} was delivered or cancelled already")]
    Over {
        /// The mail.
        email_id: String,
        /// The target.
        target: String,
    },
    /// Its streams never stood still.
    #[error("the webhook of mail {0} to target {1:?} keeps changing; try again")]
    Busy(String, String),
    /// Its history cannot be read.
    #[error("the webhooks of mail {0} cannot be read: {1}")]
    Unreadable(String, EventError),
    /// The read models could not be asked.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// The journal did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Cancels a delivery that waits, is retried or was given up. `by` says who asked, such as `cli`.
///
/// # Errors
/// See [`CancelError`]; then nothing has changed.
pub async fn cancel(
    journal: &dyn Journal,
    world: &World,
    email_id: &str,
    target: &str,
    by: &str,
) -> Result<(), CancelError> {
    let decide = async || {
        Ok(Decision::write(RecordedDelivery::read(journal, email_id, target).await?.cancelled(world, by)?))
    };
    execute(
        journal,
        || Box::pin(decide()),
        |error| match error {
            Unwritten::Busy => CancelError::Busy(email_id.to_owned(), target.to_owned()),
            Unwritten::Append(error) => error.into(),
        },
    )
    .await
}

/// A delivery as its streams tell it.
struct RecordedDelivery<'a> {
    email_id: &'a str,
    target: &'a str,
    state: DeliveryLifecycle,
    version: u64,
    /// See [`DeliverMeta::again`](outbox_rows::DeliverMeta::again).
    again: bool,
    mail: MailLife,
    mail_version: u64,
}

impl<'a> RecordedDelivery<'a> {
    async fn read(journal: &dyn Journal, email_id: &'a str, target: &'a str) -> Result<Self, CancelError> {
        let unreadable = |error| CancelError::Unreadable(email_id.to_owned(), error);
        let history = journal.read_stream(&delivery_stream(email_id, target), 0).await?;
        let loaded = aggregate::rehydrate::<DeliveryLifecycle>(&history).map_err(unreadable)?;
        let mail = journal.read_stream(&mail_stream(email_id), 0).await?;
        let Loaded { state: mail, version: mail_version } =
            aggregate::rehydrate::<MailLife>(&mail).map_err(unreadable)?;
        let routed = mail.stage == Stage::Routed && mail.deliveries.iter().any(|(id, _)| id == target);
        if history.is_empty() && !routed && !is_listed(journal, email_id, target).await? {
            return Err(CancelError::Unknown { email_id: email_id.to_owned(), target: target.to_owned() });
        }
        let again = is_again(&history);
        Ok(Self { email_id, target, state: loaded.state, version: loaded.version, again, mail, mail_version })
    }

    fn cancelled(&self, world: &World, by: &str) -> Result<Commit, CancelError> {
        let (email_id, target) = (self.email_id.to_owned(), self.target.to_owned());
        let unreadable = |error| CancelError::Unreadable(email_id.clone(), error);
        let cx = DeliveryCx { email_id: email_id.clone(), target: target.clone(), again: self.again };
        let command = DeliveryCommand::Cancel { by: by.to_owned() };
        let events = self.state.decide(&command, &cx).map_err(|Unsuited(_)| CancelError::Over {
            email_id: email_id.clone(),
            target: target.clone(),
        })?;
        let new = new_events(&events, world.ids.as_ref());
        let now = world.now();
        let key = outbox_rows::delivery_key(&email_id, &target);
        let mut commit = Commit {
            at: now,
            writes: vec![StreamWrite::after(
                self.version,
                delivery_stream(&email_id, &target),
                new.map_err(unreadable)?,
            )],
            settle: vec![Settle { queue: Queue::Deliver, key, claim: None }],
            ..Commit::default()
        };
        if self.again || self.target == outbox_rows::NOTIFY_TARGET {
            return Ok(commit);
        }
        if self.mail.stage == Stage::Unknown {
            // The journal has lost the mail; if it comes back meanwhile, this is decided anew.
            commit.writes.push(StreamWrite::after(self.mail_version, mail_stream(&email_id), Vec::new()));
            return Ok(commit);
        }
        let settled = MailEvent::Settled(MailSettled { target, end: DeliveryEnd::Cancelled });
        let event = settled.to_new(world.ids.next()).map_err(unreadable)?;
        commit.writes.push(StreamWrite::after(self.mail_version, mail_stream(&email_id), vec![event]));
        let mut after = self.mail.clone();
        after.evolve(&settled);
        if after.all_done() {
            commit.add.extend(outbox_rows::flag_rows(&email_id, &after.locations, now));
        }
        Ok(commit)
    }
}

/// Whether it is one that the mail's stream has closed the account of.
fn is_again(history: &[Recorded]) -> bool {
    history.iter().any(|event| {
        matches!(DeliveryEvent::from_recorded(event), Ok(DeliveryEvent::Requeued(requeued)) if requeued.again)
    })
}

/// Whether the read models know it: that of a notice, which belongs to no mail, is known nowhere
/// else before it was tried.
async fn is_listed(journal: &dyn Journal, email_id: &str, target: &str) -> Result<bool, ViewError> {
    let (email_id, target) = (email_id.to_owned(), target.to_owned());
    journal.views().read(move |db| queries::delivery(db, &email_id, &target).map(|row| row.is_some())).await
}
