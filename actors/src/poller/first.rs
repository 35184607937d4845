//! Mails that a worker may have died of when it read them for the first time (ADR 0022).
//!
//! They are in no journal yet, so no row can be charged. But the lease tells that the poller
//! before has ended without giving it back. The next one reads what it may have been reading one
//! by one, each after a note in the stream of the mailbox. A note that stands when the lease is
//! granted once more tells which mail was being read, alone, when a worker died.

use super::log::LogError;
use super::round::ADMISSIONS;
use super::source::MailboxItem;
use super::state::{MailboxCommand, MailboxSuspected};
use super::visit::{Visit, VisitEnd};
use crate::alone::DEATHS;
use crate::kernel::event::StreamId;
use crate::kernel::journal::{Fence, Journal};

/// How far a poller is with what the one before may have died of.
#[derive(Debug, Default)]
pub(super) struct FirstReadings {
    /// The grant that this is about.
    fence: Option<u64>,
    /// Mails that are still to be read one by one. What a poller had under way when it died is
    /// among the first that wait, in the order of the mailbox.
    left: usize,
}

impl FirstReadings {
    /// Whether mails are to be read one by one.
    pub(super) const fn are_on_trial(&self) -> bool {
        self.left > 0
    }
}

/// Whether the poller before this one has ended without giving its lease back.
async fn was_orphaned(journal: &dyn Journal, fence: &Fence) -> Result<bool, LogError> {
    let events = journal.read_stream(&StreamId::new("lease", &fence.lease), 0).await?;
    let grant = events.iter().rfind(|event| event.id == fence.grant());
    Ok(grant.is_some_and(|event| event.kind == "lease.taken_over"))
}

impl Visit<'_> {
    /// Finds out, once for each grant, whether a poller has died. The mailbox's stream is read.
    pub(super) async fn look_back(&mut self) -> Result<(), VisitEnd> {
        let token = self.fence.token;
        if self.first.fence != Some(token) {
            let orphaned = was_orphaned(self.deps.journal.as_ref(), &self.fence).await?;
            let on_trial = orphaned || self.log.state().is_suspicious(token);
            *self.first = FirstReadings { fence: Some(token), left: if on_trial { ADMISSIONS } else { 0 } };
        }
        Ok(())
    }

    /// Notes that this mail is about to be read alone, where that is so. True = too many workers
    /// died of it, it must not be read.
    pub(super) async fn suspect(&mut self, mail: &MailboxItem) -> Result<bool, VisitEnd> {
        if !self.first.are_on_trial() {
            return Ok(false);
        }
        let (validity, token) = (self.opened.validity, self.fence.token);
        if self.log.state().deaths(validity, &mail.item, token) >= DEATHS {
            return Ok(true);
        }
        let mailbox = self.deps.source.mailbox().to_owned();
        let suspected = MailboxSuspected { mailbox, validity, item: mail.item.clone(), fence: token };
        self.note(MailboxCommand::Suspect(suspected)).await?;
        self.first.left = self.first.left.saturating_sub(1);
        if !self.first.are_on_trial() {
            tracing::info!("the mails that the poller before may have died of are read");
        }
        Ok(false)
    }

    /// All that waited are read: the trial is over.
    pub(super) async fn all_read(&mut self) -> Result<(), VisitEnd> {
        self.first.left = 0;
        self.read_alone_no_more().await
    }

    /// Notes that the mail that was read alone last has not taken the worker down.
    pub(super) async fn read_alone_no_more(&mut self) -> Result<(), VisitEnd> {
        self.note(MailboxCommand::Clear).await
    }

    async fn note(&mut self, command: MailboxCommand) -> Result<(), VisitEnd> {
        let (journal, world) = (self.deps.journal.clone(), self.deps.world.clone());
        let commands = [command];
        tokio::select! {
            biased;
            stop = self.stopping.clone() => Err(VisitEnd::Stopped(stop)),
            done = self.log.commit(journal.as_ref(), &world, &self.fence, &commands, Vec::new()) => {
                Ok(done?)
            }
        }
    }
}
