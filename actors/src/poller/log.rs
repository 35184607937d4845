//! The mailbox's own stream: loads it, decides on it, commits to it.

use uuid::Uuid;

use super::state::{Known, Mailbox, MailboxCommand, MailboxEvent, mailbox_stream};
use crate::kernel::aggregate::{Aggregate as _, Evolve as _, Loaded};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, NewEvent, StreamId};
use crate::kernel::execute::ATTEMPTS;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{
    AppendError, Commit, Expected, Fence, Journal, JournalError, Settle, StreamWrite,
};

/// Why a commit to the mailbox's stream did not come about.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    /// Another worker holds the lease.
    #[error("{0}")]
    Fenced(String),
    /// The journal cannot be read, or others keep writing.
    #[error("{0}")]
    Journal(String),
}

impl From<JournalError> for LogError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error.to_string())
    }
}

/// The mailbox as the journal knows it, kept at hand.
#[derive(Debug)]
pub(super) struct MailboxLog {
    stream: StreamId,
    loaded: Loaded<Mailbox>,
}

impl MailboxLog {
    /// Of the mailbox `name`; nothing is read yet.
    pub(super) fn new(name: &str) -> Self {
        Self { stream: mailbox_stream(name), loaded: Loaded::default() }
    }

    /// What is known.
    pub(super) fn known(&self) -> Option<Known> {
        self.loaded.state.known
    }

    /// What the journal says of it.
    pub(super) const fn state(&self) -> &Mailbox {
        &self.loaded.state
    }

    /// Reads what was added since the last look.
    pub(super) async fn refresh(&mut self, journal: &dyn Journal) -> Result<(), LogError> {
        for recorded in journal.read_stream(&self.stream, self.loaded.version).await? {
            let event = MailboxEvent::from_recorded(&recorded)
                .map_err(|error| LogError::Journal(error.to_string()))?;
            self.loaded.state.evolve(&event);
            self.loaded.version = recorded.version;
        }
        Ok(())
    }

    /// Carries out `commands` and ends the rows `settle` in one commit. A row whose claim
    /// was lost is left to whoever holds it now.
    pub(super) async fn commit(
        &mut self,
        journal: &dyn Journal,
        world: &World,
        fence: &Fence,
        commands: &[MailboxCommand],
        mut settle: Vec<Settle>,
    ) -> Result<(), LogError> {
        let mut lost = 0;
        let mut tries = 0;
        while tries < ATTEMPTS {
            let now = world.now();
            let mut next = self.loaded.state.clone();
            let mut events: Vec<NewEvent> = Vec::new();
            for command in commands {
                let decided = match next.decide(command, &now) {
                    Ok(decided) => decided,
                    Err(never) => match never {},
                };
                for event in decided {
                    next.evolve(&event);
                    let id: Uuid = world.ids.next();
                    events.push(event.to_new(id).map_err(|error| LogError::Journal(error.to_string()))?);
                }
            }
            if events.is_empty() && settle.is_empty() {
                return Ok(());
            }
            let added = u64::try_from(events.len()).unwrap_or(u64::MAX);
            let expected = Expected::after(self.loaded.version);
            let writes = if events.is_empty() {
                Vec::new()
            } else {
                vec![StreamWrite { stream: self.stream.clone(), expected, events }]
            };
            let commit = Commit {
                at: now,
                cause: Some(fence.grant()),
                writes,
                settle: settle.clone(),
                fence: Some(fence.clone()),
                ..Commit::default()
            };
            match persist(journal, world, commit).await {
                Ok(_) => {
                    self.loaded = Loaded { state: next, version: self.loaded.version + added };
                    return Ok(());
                }
                Err(AppendError::Conflict { .. }) => {
                    tries += 1;
                    self.loaded = Loaded::default();
                    self.refresh(journal).await?;
                }
                Err(AppendError::ClaimLost { queue, key }) => {
                    lost += 1;
                    tracing::warn!(%queue, key, lost, "the claim on a row ran out before its work was committed");
                    let before = settle.len();
                    settle.retain(|row| row.key != key);
                    if settle.len() == before {
                        tries += 1;
                    }
                }
                Err(error @ AppendError::Fenced { .. }) => return Err(LogError::Fenced(error.to_string())),
                Err(error @ (AppendError::Rejected(_) | AppendError::Indeterminate(_))) => {
                    return Err(LogError::Journal(error.to_string()));
                }
            }
        }
        Err(LogError::Journal(format!("the stream {} is being written by others", self.stream)))
    }
}
