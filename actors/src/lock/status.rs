//! What is told about the lease to the program, when asked.

use actix::Message;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::kernel::said::Said;

/// Who polls?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "LockStatus")]
pub struct GetLockStatus;

/// Who polls.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LockStatus {
    /// This worker holds the lease.
    pub held: bool,
    /// Fence of its present grant.
    pub fence: Option<u64>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Who holds it, as far as known: the store has said so within the last TTL.
    pub holder: Option<String>,
    /// When the store last named a holder.
    pub seen: Option<DateTime<Utc>>,
    /// Why the lease can be neither taken nor confirmed at present.
    pub trouble: Option<LeaseTrouble>,
    /// A warning to show, such as "file lock: one container only".
    pub warning: Option<Said>,
}

/// The lease, or the journal that keeps its fence, does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseTrouble {
    /// When it began.
    pub since: DateTime<Utc>,
    /// The last answer, or that there was none.
    pub why: String,
}
