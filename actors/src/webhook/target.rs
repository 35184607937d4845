//! The health of a target, from and to the journal.

use crate::kernel::aggregate::{self, Aggregate as _};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError};
use crate::kernel::journal::{AppendError, Commit, Expected, Journal, JournalError, StreamWrite};

use super::breaker::{TargetCommand, TargetCx, TargetState};
use super::state::target_stream;

/// Why a target could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Its stream could not be read.
    #[error("target {0:?} could not be read: {1}")]
    Read(String, JournalError),
    /// Its stream holds something unreadable.
    #[error("target {0:?} has an unreadable history: {1}")]
    Event(String, EventError),
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
    loop {
        let events = journal
            .read_stream(&stream, 0)
            .await
            .map_err(|error| TargetError::Read(target.to_owned(), error))?;
        let mut loaded = aggregate::rehydrate::<TargetState>(&events).map_err(unreadable)?;
        let Some(command) = command else { return Ok(loaded.state) };
        let now = world.now();
        let cx = TargetCx { target: target.to_owned(), now, chance: world.jitter.fraction() };
        let Ok(events) = loaded.state.decide(command, &cx);
        if events.is_empty() {
            return Ok(loaded.state);
        }
        let expected = if loaded.version == 0 { Expected::NoStream } else { Expected::Exact(loaded.version) };
        let new = events
            .iter()
            .map(|event| event.to_new(world.ids.next()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(unreadable)?;
        let write = StreamWrite { stream: stream.clone(), expected, events: new };
        match journal.append(Commit { at: now, writes: vec![write], ..Commit::default() }).await {
            Ok(_) => {
                events.iter().for_each(|event| loaded.state.evolve(event));
                for event in &events {
                    tracing::warn!(target, event = event.kind(), "a target's health has changed");
                }
                return Ok(loaded.state);
            }
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(TargetError::Append(target.to_owned(), error)),
        }
    }
}
