//! Stores the outcome of a delivery, however long the journal takes.

use uuid::Uuid;

use super::super::dead_letters::notice::Notify;
use super::super::delivery::DeliveryLifecycle;
use super::super::dispatch::Dispatcher;
use super::super::events::delivery_stream;
use super::super::outcome::{self, DeliveryOutcome, KnownStreams, Resolution};
use super::super::reads::{self, READ_RETRY_PAUSE};
use crate::kernel::aggregate;
use crate::kernel::event::StreamId;
use crate::kernel::journal::AppendError;
use crate::kernel::journal::persist::persist;
use crate::mail::life::{MailLife, mail_stream};

/// Stores an outcome of the row `key`, until the journal has it or says that the row is not
/// ours any more.
pub(in super::super) async fn store(
    dispatcher: &Dispatcher,
    key: &str,
    mut claim: Uuid,
    mut outcome: DeliveryOutcome,
) {
    let deps = &dispatcher.deps;
    let mut known = KnownStreams::default();
    loop {
        let notify = Notify::of(&deps.policy.load());
        let new_id = || deps.world.ids.next();
        let commit =
            match outcome::commit(&outcome, &known, key, claim, notify.as_ref(), deps.world.now(), new_id) {
                Ok(commit) => commit,
                Err(error) => {
                    tracing::error!(%error, key, "the outcome of a delivery cannot be written");
                    return;
                }
            };
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => return,
            Err(AppendError::Conflict { stream, .. }) => {
                reread(dispatcher, &stream, &mut outcome, &mut known).await;
            }
            Err(AppendError::ClaimLost { .. }) => {
                // An outcome that could not be stored for long (a full disk) outlives its claim. If
                // this worker got the row anew, that is as good.
                match dispatcher.reclaimed(key).await {
                    Some(anew) => claim = anew,
                    None => {
                        tracing::warn!(
                            key,
                            "another worker took the delivery over, or it was cancelled: the outcome here is dropped"
                        );
                        return;
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, key, "the outcome of a delivery was refused");
                return;
            }
        }
    }
}

/// Somebody else wrote to the mail or to the delivery: believes what the journal says.
async fn reread(
    dispatcher: &Dispatcher,
    stream: &StreamId,
    outcome: &mut DeliveryOutcome,
    known: &mut KnownStreams,
) {
    let meta = &outcome.meta;
    let events = reads::stream(&dispatcher.deps, stream, 0).await;
    if *stream == mail_stream(&meta.email_id) {
        match aggregate::rehydrate::<MailLife>(&events) {
            Ok(read) => known.mail = Some(read),
            Err(error) => {
                tracing::error!(%error, %stream, "a mail's events cannot be read");
                tokio::time::sleep(READ_RETRY_PAUSE).await;
            }
        }
        return;
    }
    match aggregate::rehydrate::<DeliveryLifecycle>(&events) {
        Ok(loaded) => {
            known.delivery = Some(loaded.version);
            if loaded.state == DeliveryLifecycle::Delivered && outcome.resolution != Resolution::Delivered {
                // It got through before; whatever went wrong after that is of no importance.
                *outcome = outcome::done_before(meta);
            }
        }
        Err(error) => {
            tracing::error!(%error, stream = %delivery_stream(&meta.email_id, &meta.target), "a delivery's events cannot be read");
            tokio::time::sleep(READ_RETRY_PAUSE).await;
        }
    }
}
