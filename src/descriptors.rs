//! File descriptors: how many the process may have open, and who may use them up.
//!
//! Every connection is one. Those of strangers at the HTTP port must not take those that
//! deliveries, transfers, the mailbox and the journal need.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::findings::Finding;

/// With fewer descriptors than this, the work itself may run out of them.
const MIN_COMFORTABLE: u64 = 4_096;
/// The most HTTP connections, however many descriptors there are.
const MAX_CONNECTIONS: u64 = 1_024;
/// The fewest HTTP connections: with none, nobody could ask how the worker is.
const MIN_CONNECTIONS: u64 = 16;

/// What the process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptors {
    limit: u64,
}

impl Descriptors {
    /// Takes as many as may be had without asking anybody: raises the soft limit to the hard one.
    pub(crate) fn raise() -> Self {
        let limits = getrlimit(Resource::RLIMIT_NOFILE);
        let Ok((soft, hard)) = limits else { return Self { limit: MIN_COMFORTABLE } };
        if soft < hard {
            match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
                Ok(()) => return Self { limit: hard },
                Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
            }
        }
        Self { limit: soft }
    }

    /// Connections at the HTTP port: a quarter at most. The others are for the work.
    pub(crate) fn connections(self) -> usize {
        let share = (self.limit / 4).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS);
        usize::try_from(share).unwrap_or(usize::MAX)
    }

    /// What the operator should know.
    pub(crate) fn warning(self) -> Option<Finding> {
        let Self { limit } = self;
        (limit < MIN_COMFORTABLE).then_some(Finding::FewDescriptors { limit, wanted: MIN_COMFORTABLE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_descriptors_are_kept_for_the_work() {
        for (limit, connections, warns) in [
            (64, 16, true),
            (256, 64, true),
            (1_024, 256, true),
            (4_096, 1_024, false),
            (1_048_576, 1_024, false),
        ] {
            let descriptors = Descriptors { limit };
            assert_eq!(descriptors.connections(), connections, "{limit}");
            assert_eq!(descriptors.warning().is_some(), warns, "{limit}");
        }
    }
}
