//! The health of a target, from and to the journal.

use crate::kernel::aggregate::{Aggregate as _, Evolve as _, Loaded, rehydrate};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError, new_events};
use crate::kernel::execute::{Decision, Unwritten, execute};
use crate::kernel::journal::{AppendError, Commit, Journal, JournalError, StreamWrite};

use super::super::events::target_stream;
use super::breaker::{TargetCommand, TargetCx, TargetState};

/// Why a target could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Its stream could not be read.
    #[error("target {0:?} could not be read: {1}")]
    Read(String, JournalError),
    /// Its stream holds something unreadable.
    #[error("target {0:?} has an unreadable history: {1}")]
    Event(String, EventError),
    /// Its stream never stood still.
    #[error("target {0:?} keeps changing; try again")]
    Busy(String),
    /// The change could not be stored.
    #[error("target {0:?} could not be changed: {1}")]
    Append(String, AppendError),
}

/// Reads a target and carries `command` out, if there is one. Returns what it is then.
///
/// # Errors
/// See [`TargetError`]. Safe to repeat.
pub async fn carry_out(
    journal: &dyn Journal,
    world: &World,
    target: &str,
    command: Option<&TargetCommand>,
) -> Result<TargetState, TargetError> {
    let stream = target_stream(target);
    let unreadable = |error| TargetError::Event(target.to_owned(), error);
    let decide = async || {
        let recorded = journal
            .read_stream(&stream, 0)
            .await
            .map_err(|error| TargetError::Read(target.to_owned(), error))?;
        let Loaded { mut state, version } = rehydrate::<TargetState>(&recorded).map_err(unreadable)?;
        let Some(command) = command else { return Ok(Decision::already((state, Vec::new()))) };
        let now = world.now();
        let cx = TargetCx { target: target.to_owned(), now, chance: world.jitter.fraction() };
        let Ok(events) = state.decide(command, &cx);
        if events.is_empty() {
            return Ok(Decision::already((state, events)));
        }
        let new = new_events(&events, world.ids.as_ref()).map_err(unreadable)?;
        let write = StreamWrite::after(version, stream.clone(), new);
        events.iter().for_each(|event| state.evolve(event));
        let commit = Commit { at: now, writes: vec![write], ..Commit::default() };
        Ok(Decision { commit: Some(commit), answer: (state, events) })
    };
    let (state, events) = execute(
        journal,
        || Box::pin(decide()),
        |error| match error {
            Unwritten::Busy => TargetError::Busy(target.to_owned()),
            Unwritten::Append(error) => TargetError::Append(target.to_owned(), error),
        },
    )
    .await?;
    for event in &events {
        tracing::warn!(target, event = event.kind(), "a target's health has changed");
    }
    Ok(state)
}

/// Lets a target that answered 410, or whose breaker is open, take deliveries again. A
/// running server notices within two seconds. Returns whether it was needed.
///
/// # Errors
/// See [`TargetError`].
pub async fn enable_target(
    journal: &dyn Journal,
    world: &World,
    target: &str,
    by: &str,
) -> Result<bool, TargetError> {
    let before = carry_out(journal, world, target, None).await?;
    let command = TargetCommand::Enable { by: by.to_owned() };
    carry_out(journal, world, target, Some(&command)).await?;
    Ok(before != TargetState::default())
}
