//! The lease in the journal: that it was acquired, and that it was given back.

use std::time::Duration;

use super::super::state::{Lease, LeaseCommand, lease_stream};
use super::{ClockReading, Holder, POLLER, RELEASE_PATIENCE};
use crate::kernel::aggregate::{Aggregate as _, rehydrate};
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::{AppendError, Commit, Expected, Fence, StreamWrite};

enum LeaseFailure {
    /// Repeating does not help.
    Final(String),
    /// Later it may work.
    Again(String),
}

impl Holder {
    /// Says in the journal that the lease is given back, before it is: so the next holder
    /// takes over from nobody.
    pub(super) async fn record_release(&self, fence: &Fence) {
        let command = LeaseCommand::Release { holder: self.worker.clone(), fence: fence.token };
        let recorded = self.record(&command, fence, RELEASE_PATIENCE);
        let error = match tokio::time::timeout(RELEASE_PATIENCE, recorded).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => "the journal did not answer in time".to_owned(),
        };
        tracing::warn!(
            error,
            "the release of the lease is not in the journal; the next holder takes it over"
        );
    }

    /// Puts a grant or a release into the journal; a journal that refuses is asked again for
    /// as long as `patience`.
    pub(super) async fn record(
        &self,
        command: &LeaseCommand,
        fence: &Fence,
        patience: Duration,
    ) -> Result<(), String> {
        let since = ClockReading::now(&self.world);
        loop {
            let error = match self.try_record(command, fence).await {
                Ok(()) => return Ok(()),
                Err(LeaseFailure::Final(error)) => return Err(error),
                Err(LeaseFailure::Again(error)) => error,
            };
            let pause = self.ttl / 30;
            if since.age(&self.world) + pause >= patience {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_record(&self, command: &LeaseCommand, fence: &Fence) -> Result<(), LeaseFailure> {
        let stream = lease_stream(POLLER);
        let recorded = self
            .journal
            .read_stream(&stream, 0)
            .await
            .map_err(|error| LeaseFailure::Again(error.to_string()))?;
        let lease = rehydrate::<Lease>(&recorded).map_err(|error| LeaseFailure::Final(error.to_string()))?;
        let events =
            lease.state.decide(command, &()).map_err(|outdated| LeaseFailure::Final(outdated.to_string()))?;
        if events.is_empty() {
            return Ok(());
        }
        // At most one, and a grant is known by its own id.
        let (id, cause) = match command {
            LeaseCommand::Grant { .. } => (fence.grant(), None),
            LeaseCommand::Release { .. } => (self.world.ids.next(), Some(fence.grant())),
        };
        let events = events
            .iter()
            .map(|event| event.to_new(id))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| LeaseFailure::Final(error.to_string()))?;
        let expected = Expected::after(lease.version);
        let commit = Commit {
            at: self.world.now(),
            cause,
            writes: vec![StreamWrite { stream, expected, events }],
            fence: Some(fence.clone()),
            ..Commit::default()
        };
        match self.journal.append(commit).await {
            Ok(_) => Ok(()),
            Err(error @ AppendError::Fenced { .. }) => Err(LeaseFailure::Final(error.to_string())),
            // Read and decided again, so a commit that had landed is seen.
            Err(error) => Err(LeaseFailure::Again(error.to_string())),
        }
    }
}
