//! The pure state of a lease.

use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::event::StreamId;

/// Payload of `lease.acquired` and `lease.taken_over`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
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
pub struct Released {
    /// Who held it.
    pub holder: String,
    /// Its fence.
    pub fence: u64,
}

domain_events! {
    /// What happens to a lease.
    pub enum LeaseEvent {
        Acquired(Granted) = "lease.acquired", schema 1, in "lease", "A worker took a free lease.", {
            holder: "who", fence: "strictly increasing" };
        TakenOver(Granted) = "lease.taken_over", schema 1, in "lease", "A worker took a lease that its holder had not released.", {
            holder: "who", fence: "strictly increasing", previous: "who held it" };
        Released(Released) = "lease.released", schema 1, in "lease", "The holder gave the lease back.", {
            holder: "who", fence: "its fence" };
    }
}

/// The stream of a lease.
#[must_use]
pub fn lease_stream(name: &str) -> StreamId {
    StreamId::new("lease", name)
}
