//! The task that follows the settings and has Make do what is wanted, in the worker that holds
//! the polling lease.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::ScenarioParts;
use super::intent::intent;
use super::state::{ScenarioCommand, Scenarios, SwitchAnswered, decided, stream};
use crate::chore::Chore;
use crate::kernel::aggregate::{Loaded, rehydrate};
use crate::kernel::backoff::Backoff;
use crate::kernel::clock::World;
use crate::kernel::journal::{Fence, Journal};
use crate::kernel::port::Port;
use crate::lock::GetLockStatus;
use crate::mail::policy::PolicyCell;

/// Between two looks at the settings and at what is wanted.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two tries of what Make does not take.
const RETRY: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(900));

/// Why the scenarios' stream could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioError(String);

/// What the journal says of the scenarios.
///
/// # Errors
/// When it cannot be read.
pub async fn read(journal: &dyn Journal) -> Result<Loaded<Scenarios>, ScenarioError> {
    let events = journal.read_stream(&stream(), 0).await.map_err(|error| ScenarioError(error.to_string()))?;
    rehydrate(&events).map_err(|error| ScenarioError(error.to_string()))
}

/// Follows the settings, and has Make do what is wanted.
#[derive(Clone)]
pub struct ScenarioControl {
    /// Time and ids.
    pub world: World,
    /// Where wishes and answers are.
    pub journal: Arc<dyn Journal>,
    /// The settings in force.
    pub policy: PolicyCell,
    /// Who tells whether this worker is to act.
    pub lock: Port<GetLockStatus>,
    /// Name of the lease whose holder acts.
    pub lease: &'static str,
    /// Make, and what is switched there.
    pub make: ScenarioParts,
}

/// When a wish that Make did not take is tried again. In memory: the next holder of the lease
/// tries at once.
#[derive(Debug, Default)]
struct Tries {
    /// What was wished and by whom, so that a new wish is not held up by an old one.
    of: Option<(bool, String)>,
    failures: u32,
    not_before: Option<Instant>,
}

impl ScenarioControl {
    /// The chore.
    #[must_use]
    pub fn chore(self) -> Chore {
        Chore::new("scenarios", move || self.clone().run())
    }

    async fn run(self) {
        let mut tries = Tries::default();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let Some(fence) = self.fence().await else {
                tries = Tries::default();
                continue;
            };
            if let Err(error) = self.round(&fence, &mut tries).await {
                tracing::debug!(%error, "the scenarios at Make are looked after in a moment");
            }
        }
    }

    /// The proof of the lease; `None` = another worker acts.
    async fn fence(&self) -> Option<Fence> {
        let token = self.lock.ask(GetLockStatus).await.ok()?.fence?;
        Some(Fence { lease: self.lease.to_owned(), token })
    }

    async fn round(&self, fence: &Fence, tries: &mut Tries) -> Result<(), ScenarioError> {
        let mut loaded = read(self.journal.as_ref()).await?;
        if let Some(wanted) = intent(&self.policy.load(), self.world.now()) {
            let follow = ScenarioCommand::Follow { running: wanted.running, why: wanted.why };
            if self.record(&loaded, &follow, fence).await? {
                loaded = read(self.journal.as_ref()).await?;
            }
        }
        let Some(wish) = loaded.state.wanted.as_ref().filter(|_| loaded.state.pending().is_some()) else {
            return Ok(());
        };
        let of = Some((wish.running, wish.by.clone()));
        // A wish without an answer is new, also where one of the same kind was refused before.
        if tries.of != of || loaded.state.answered.is_none() {
            *tries = Tries { of, ..Tries::default() };
        }
        if tries.not_before.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        let running = wish.running;
        let scenarios =
            join_all(self.make.scenarios.iter().map(|scenario| self.make.api.switch(scenario, running)))
                .await;
        let is_done = scenarios.iter().all(|scenario| scenario.ok);
        if is_done {
            tracing::info!(running, "Make has every scenario as it is wanted");
        } else {
            tries.failures += 1;
            let wait = RETRY.wait(tries.failures, self.world.jitter.as_ref());
            tries.not_before = Some(Instant::now() + wait);
            let why = scenarios.iter().find_map(|scenario| scenario.why.as_deref()).unwrap_or_default();
            tracing::warn!(
                running,
                why,
                seconds = wait.as_secs(),
                "Make did not switch every scenario, trying again"
            );
        }
        self.record(&loaded, &ScenarioCommand::Answer(SwitchAnswered { running, scenarios }), fence).await?;
        Ok(())
    }

    /// Records what `command` decides; whether there was anything. A conflict is somebody's new
    /// wish: the next round sees it.
    async fn record(
        &self,
        loaded: &Loaded<Scenarios>,
        command: &ScenarioCommand,
        fence: &Fence,
    ) -> Result<bool, ScenarioError> {
        let commit = decided(loaded, command, &self.world, Some(fence.clone()))
            .map_err(|error| ScenarioError(error.to_string()))?;
        let Some(commit) = commit else { return Ok(false) };
        self.journal.append(commit).await.map_err(|error| ScenarioError(error.to_string()))?;
        Ok(true)
    }
}
