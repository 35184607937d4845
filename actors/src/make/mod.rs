//! Scenarios at Make.com: they run while mails are polled and sent, and stop during a vacation.
//!
//! ```text
//! settings ──(intent.rs)──▶ scenarios.followed / .requested ◀── a person, by HTTP, on any worker
//!                                       │ stream `scenarios-make`
//!                                       ▼
//! ScenarioControl: holds the lease? ──▶ ScenarioApi ──▶ Make ──▶ scenarios.confirmed / .refused
//! ```
//!
//! What is wanted is an event, so a wish outlives the worker that was to carry it out, and is
//! tried again until Make agrees. One worker acts, the one that holds the polling lease; its
//! records carry the fence, so a former holder records nothing. Each try asks Make how the
//! scenario stands and changes only what differs, so a repetition does no harm.
//!
//! The settings are followed when they *change*: a scenario that somebody stopped at Make by hand
//! stays stopped until the settings or a person say something new. A restart says nothing new.

mod api;
mod control;
pub mod intent;
pub mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use self::api::{ControlWebhook, MakeApi, MakeAuth, ScenarioApi};
pub use self::control::{ScenarioControl, ScenarioError, read};
pub use self::state::{Scenario, ScenarioAnswer};
use self::state::{ScenarioCommand, decided};
use crate::kernel::clock::World;
use crate::kernel::execute::{Decision, Unwritten, execute};
use crate::kernel::journal::Journal;

/// Whoever asks for a switch waits this long for Make's answer; it is carried out all the same.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks for that answer.
const ANSWER_POLL: Duration = Duration::from_millis(200);

/// The scenarios at Make, and how they are switched.
#[derive(Clone)]
pub struct ScenarioParts {
    /// Make.
    pub api: Arc<dyn ScenarioApi>,
    /// The scenarios, in the order in which they are switched.
    pub scenarios: Vec<Scenario>,
}

/// What became of a switch that a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    /// Make has answered for every scenario.
    Answered(Vec<ScenarioAnswer>),
    /// No worker has acted yet; the wish stays and is carried out by the one that takes the lease.
    Waits,
}

/// Why a switch was not asked for.
#[derive(Debug, thiserror::Error)]
#[error("the switch was not recorded: {0}")]
pub struct NotRecorded(String);

/// Asks for all scenarios to run, or to stop; `by` says who asks. Waits for Make's answer for at
/// most 20 s.
///
/// # Errors
/// When the journal did not take the wish: nothing will be switched.
pub async fn switch(
    journal: &dyn Journal,
    world: &World,
    running: bool,
    by: &str,
) -> Result<Switched, NotRecorded> {
    let command = ScenarioCommand::Ask { running, by: by.to_owned() };
    let unwritten = |error: Unwritten| NotRecorded(error.to_string());
    let after: u64 = execute(
        journal,
        || {
            let command = command.clone();
            Box::pin(async move {
                let loaded = read(journal).await.map_err(|error| NotRecorded(error.to_string()))?;
                let commit = decided(&loaded, &command, world, None)
                    .map_err(|error| NotRecorded(error.to_string()))?;
                Ok(Decision { commit, answer: loaded.version })
            })
        },
        unwritten,
    )
    .await?;
    let waited = tokio::time::timeout(ANSWER_TIMEOUT, async {
        loop {
            if let Ok(loaded) = read(journal).await
                && loaded.version > after
                && let Some(answers) = loaded.state.answers_to(running)
            {
                return answers;
            }
            tokio::time::sleep(ANSWER_POLL).await;
        }
    });
    Ok(waited.await.map_or(Switched::Waits, Switched::Answered))
}
