//! The pure state of a lease.

use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::aggregate::{Aggregate, Evolve};
use crate::kernel::event::StreamId;

/// Payload of `lease.acquired` and `lease.taken_over`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseGranted {
    /// Who holds it now: `<host>/<pid>/<start id>`.
    pub holder: String,
    /// Its fence.
    pub fence: u64,
    /// Who held it before without releasing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// Payload of `lease.released`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReleased {
    /// Who held it.
    pub holder: String,
    /// Its fence.
    pub fence: u64,
}

domain_events! {
    /// What happens to a lease.
    pub enum LeaseEvent {
        Acquired(LeaseGranted) = "lease.acquired", schema 1, in "lease", "A worker took a free lease.", {
            holder: "who", fence: "strictly increasing" };
        TakenOver(LeaseGranted) = "lease.taken_over", schema 1, in "lease", "A worker took a lease that its holder had not released.", {
            holder: "who", fence: "strictly increasing", previous: "who held it" };
        Released(LeaseReleased) = "lease.released", schema 1, in "lease", "The holder gave the lease back.", {
            holder: "who", fence: "its fence" };
    }
}

/// The stream of a lease.
#[must_use]
pub fn lease_stream(name: &str) -> StreamId {
    StreamId::new("lease", name)
}

/// A lease as the journal tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    /// Who was granted it last and has not given it back, with the fence of that grant.
    pub held_by: Option<(String, u64)>,
    /// Highest fence ever granted.
    pub last_fence: u64,
}

/// What a worker says about a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseCommand {
    /// The lease store granted it.
    Grant {
        /// To whom.
        holder: String,
        /// With this fence.
        fence: u64,
    },
    /// The holder gives it back.
    Release {
        /// Who held it.
        holder: String,
        /// With this fence.
        fence: u64,
    },
}

/// A later grant has been recorded: this one is void.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease was granted again with fence {0}")]
pub struct Outdated(pub u64);

impl Evolve for Lease {
    type Event = LeaseEvent;

    fn evolve(&mut self, event: &LeaseEvent) {
        match event {
            LeaseEvent::Acquired(granted) | LeaseEvent::TakenOver(granted) => {
                self.held_by = Some((granted.holder.clone(), granted.fence));
                self.last_fence = self.last_fence.max(granted.fence);
            }
            LeaseEvent::Released(released) => {
                if self.held_by.as_ref().is_some_and(|(_, fence)| *fence == released.fence) {
                    self.held_by = None;
                }
            }
        }
    }
}

impl Aggregate for Lease {
    type Command = LeaseCommand;
    type Cx = ();
    type Reject = Outdated;

    fn decide(&self, command: &LeaseCommand, _cx: &()) -> Result<Vec<LeaseEvent>, Outdated> {
        match command {
            LeaseCommand::Grant { holder, fence } => {
                if *fence == self.last_fence && self.held_by.as_ref() == Some(&(holder.clone(), *fence)) {
                    return Ok(Vec::new());
                }
                if *fence <= self.last_fence {
                    return Err(Outdated(self.last_fence));
                }
                let previous = self.held_by.as_ref().map(|(previous, _)| previous.clone());
                let taken_over = previous.is_some();
                let granted = LeaseGranted { holder: holder.clone(), fence: *fence, previous };
                Ok(vec![if taken_over {
                    LeaseEvent::TakenOver(granted)
                } else {
                    LeaseEvent::Acquired(granted)
                }])
            }
            LeaseCommand::Release { holder, fence } => match &self.held_by {
                Some((_, held)) if held == fence => {
                    Ok(vec![LeaseEvent::Released(LeaseReleased { holder: holder.clone(), fence: *fence })])
                }
                Some((_, held)) if held > fence => Err(Outdated(*held)),
                Some(_) | None => Ok(Vec::new()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(commands: &[LeaseCommand]) -> (Lease, Vec<&'static str>) {
        use crate::kernel::event::DomainEvent as _;
        let mut lease = Lease::default();
        let mut kinds = Vec::new();
        for command in commands {
            for event in lease.decide(command, &()).unwrap() {
                lease.evolve(&event);
                kinds.push(event.kind());
            }
        }
        (lease, kinds)
    }

    fn grant(holder: &str, fence: u64) -> LeaseCommand {
        LeaseCommand::Grant { holder: holder.to_owned(), fence }
    }

    fn release(holder: &str, fence: u64) -> LeaseCommand {
        LeaseCommand::Release { holder: holder.to_owned(), fence }
    }

    #[test]
    fn a_released_lease_is_acquired_and_an_abandoned_one_taken_over() {
        let (lease, kinds) = after(&[
            grant("a", 1),
            grant("a", 1),
            release("a", 1),
            release("a", 1),
            grant("b", 2),
            grant("c", 5),
        ]);
        assert_eq!(kinds, ["lease.acquired", "lease.released", "lease.acquired", "lease.taken_over"]);
        assert_eq!(lease.held_by, Some(("c".to_owned(), 5)));
    }

    #[test]
    fn an_older_fence_neither_takes_nor_gives() {
        let (lease, _) = after(&[grant("a", 1), grant("b", 2)]);
        assert_eq!(lease.decide(&grant("a", 1), &()), Err(Outdated(2)));
        assert_eq!(lease.decide(&grant("a", 2), &()), Err(Outdated(2)));
        assert_eq!(lease.decide(&release("a", 1), &()), Err(Outdated(2)));
    }
}
