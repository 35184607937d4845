//! What is told about the configuration to the program, when asked; and what asks to read it again.

use actix::Message;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::documents::{FieldProblem, Governs};
use super::store::StoreHealth;
use crate::kernel::said::Said;

/// Read the documents now, whatever the store's hints say.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ReadAgain;

/// What is configured?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "ConfigStatus")]
pub struct GetConfigStatus;

/// What is configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ConfigStatus {
    /// Version of the policy in force.
    pub version: u64,
    /// One entry per document.
    pub documents: Vec<DocumentStatus>,
    /// How many workers tell each other what they run; 0 = they cannot.
    pub workers: usize,
    /// How the back ends are, the authority first.
    pub stores: Vec<StoreHealth>,
    /// What is wanted and cannot be done, such as telling somebody without an address.
    pub remarks: Vec<Said>,
}

/// How one document is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DocumentStatus {
    /// Key, such as `webhook_config`.
    pub key: String,
    /// `absent`, `ok`, `missing` (in force, but not stored any more), `invalid` (the last good
    /// one is in force, if there is one).
    pub state: String,
    /// What is wrong, each naming the field.
    pub problems: Vec<FieldProblem>,
    /// What stands still because the document is refused and there is no good one before it.
    pub withholds: Option<Governs>,
    /// The document is refused, but its switch says off, which is obeyed.
    pub switched_off: bool,
    /// When it was last read anew.
    pub loaded_at: Option<DateTime<Utc>>,
    /// SHA-256 of the canonical JSON of the one in force here; empty = none.
    pub hash: String,
    /// How many workers have the stored one in force.
    pub running: usize,
    /// What the others do, each naming the worker.
    pub remarks: Vec<Said>,
}
