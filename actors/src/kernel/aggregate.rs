//! The pure core of a capability: `decide` and `evolve`.

use crate::kernel::event::{DomainEvent, EventError, Recorded};

/// The state of one stream, as its events make it.
pub trait Evolve: Default {
    /// What happened.
    type Event: DomainEvent;

    /// Takes a fact in. Total: it never fails and never panics, whatever the order. Pure.
    fn evolve(&mut self, event: &Self::Event);
}

/// A consistency boundary: the state of one stream, and the rules that change it.
pub trait Aggregate: Evolve {
    /// What somebody wants.
    type Command;
    /// Facts from outside: time, policy.
    type Cx;
    /// Why the command was refused.
    type Reject;

    /// What happens if `command` is carried out now. An empty list means "already so". Pure: no
    /// clock, no randomness, no I/O; a fact it needs travels in the command or in the context.
    ///
    /// # Errors
    /// The command is refused and nothing changes.
    fn decide(&self, command: &Self::Command, cx: &Self::Cx) -> Result<Vec<Self::Event>, Self::Reject>;
}

/// A state together with the version of the stream it was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded<A> {
    /// The state.
    pub state: A,
    /// Version of the last event taken in; 0 when the stream does not exist.
    pub version: u64,
}

/// Rebuilds a state from the events of its stream.
///
/// # Errors
/// When an event cannot be read; see [`EventError`].
pub fn rehydrate<A: Evolve>(events: &[Recorded]) -> Result<Loaded<A>, EventError> {
    let mut loaded = Loaded { state: A::default(), version: 0 };
    for recorded in events {
        loaded.state.evolve(&A::Event::from_recorded(recorded)?);
        loaded.version = recorded.version;
    }
    Ok(loaded)
}
