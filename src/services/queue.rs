//! An operator's word about deliveries and mails, through the journal. A running server takes it
//! up within a second or two; otherwise the next one to start does.

use render_signal_actors::dedup::release::{self, ReleaseError};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::readmodel::queries::{DeliveryFilter, deliveries};
use render_signal_actors::webhook::redeliver::{RetryError, Undelivered, enable_target};

use super::Refused;

/// Dead letters that are to be sent again, read once for any number of them.
pub(crate) struct Retry<'j> {
    journal: &'j dyn Journal,
    world: &'j World,
    undelivered: Undelivered,
    /// Who asks, as the journal records it.
    by: &'j str,
}

impl<'j> Retry<'j> {
    /// Reads what is not delivered.
    pub(crate) async fn begin(
        journal: &'j dyn Journal,
        world: &'j World,
        by: &'j str,
    ) -> Result<Self, Refused> {
        let undelivered = Undelivered::read(journal).await.map_err(Refused::journal)?;
        Ok(Self { journal, world, undelivered, by })
    }

    /// Sends one again; its id is `<email_id>/<target>`.
    pub(crate) async fn one(&self, id: &str) -> Result<(), RetryError> {
        match id.split_once('/') {
            Some((email_id, target)) => {
                self.undelivered.retry(self.journal, self.world, email_id, target, self.by).await
            }
            None => Err(RetryError::Unknown { email_id: id.to_owned(), target: String::new() }),
        }
    }
}

/// The ids of all dead letters, oldest first; those of one target, if it is named.
pub(crate) async fn dead_letters(
    journal: &dyn Journal,
    target: Option<&str>,
) -> Result<Vec<String>, Refused> {
    let filter = DeliveryFilter {
        state: Some("dead_lettered".to_owned()),
        target: target.map(str::to_owned),
        limit: usize::MAX,
    };
    let rows = journal.views().read(move |db| deliveries(db, &filter)).await.map_err(Refused::journal)?;
    Ok(rows.into_iter().map(|row| format!("{}/{}", row.email_id, row.target)).collect())
}

/// Lets a target take deliveries again. Answers whether that was needed.
pub(crate) async fn enable(
    journal: &dyn Journal,
    world: &World,
    target: &str,
    by: &str,
) -> Result<bool, Refused> {
    enable_target(journal, world, target, by).await.map_err(Refused::journal)
}

/// Has a mail sent that nothing was sent for.
pub(crate) async fn release(
    journal: &dyn Journal,
    world: &World,
    id: &str,
    by: &str,
) -> Result<(), ReleaseError> {
    release::release(journal, world, id, by).await
}
