//! What the poller tells the program about itself, when asked.

use actix::Message;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How is the poller?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "PollerStatus")]
pub struct GetPollerStatus;

/// How the poller is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PollerStatus {
    /// Name of the mailbox.
    pub mailbox: String,
    /// `standby` (no lease), `inactive` (schedule), `connecting`, `watching`, `fetching`, `waiting` (back-off).
    pub phase: String,
    /// Why it is inactive or waits.
    pub reason: Option<String>,
    /// When the server last said anything.
    pub last_heard: Option<DateTime<Utc>>,
    /// Mails on the server that are not yet in the journal.
    pub lag_mails: u64,
    /// Arrival of the oldest of them.
    pub oldest_waiting: Option<DateTime<Utc>>,
    /// The mailbox has been silent for longer than it should: not ready.
    pub silent: bool,
    /// Errors in a row.
    pub failures: u32,
}
