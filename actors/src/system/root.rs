//! Who is told of restarts and losses, and writes them down.

use std::sync::Arc;

use tokio::sync::watch;

use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{Commit, Expected, Journal, Loss, StreamWrite, lost};
use crate::worker::{JournalRegressed, WorkerEvent, worker_stream};

/// What the root needs to write its own records.
#[derive(Clone)]
pub(super) struct Root {
    pub(super) world: World,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) worker: String,
    pub(super) version: String,
}

impl Root {
    /// Records a fact about this worker. Its loss would cost a line of history, never a
    /// mail, so a journal that does not take it is only logged.
    pub(super) async fn record(&self, event: WorkerEvent) {
        let Some(commit) = self.fact(&event) else { return };
        if let Err(error) = self.journal.append(commit).await {
            tracing::warn!(%error, "a fact about this worker was not recorded");
        }
    }

    fn fact(&self, event: &WorkerEvent) -> Option<Commit> {
        let new = event
            .to_new(self.world.ids.next())
            .inspect_err(|error| tracing::error!(%error, "a worker event could not be written"))
            .ok()?;
        Some(Commit {
            at: self.world.now(),
            writes: vec![StreamWrite {
                stream: worker_stream(&self.worker),
                // A log of facts by one writer; nothing is decided from it.
                expected: Expected::Any,
                events: vec![new],
            }],
            ..Commit::default()
        })
    }
}

/// Records every loss of commits that this worker notices. The server may still be on its
/// way back, so until the journal takes it.
pub(super) async fn record_losses(root: Root, mut losses: watch::Receiver<Option<Loss>>) {
    loop {
        lost(&mut losses).await;
        let Some(loss) = losses.borrow_and_update().clone() else { continue };
        let event = WorkerEvent::JournalRegressed(JournalRegressed {
            worker: root.worker.clone(),
            version: root.version.clone(),
            noticed_at: loss.at,
            known_log: loss.known_log,
            known_position: loss.known_head,
            found_log: loss.found_log,
            found_position: loss.found_head,
        });
        let Some(commit) = root.fact(&event) else { continue };
        if let Err(error) = persist(root.journal.as_ref(), &root.world, commit).await {
            tracing::warn!(%error, "the loss was not recorded");
        }
    }
}
