//! The life of a worker process: when it started and stopped, and which of its actors
//! had to be restarted; and that it found the journal shorter than it was. Written by the root of the supervision tree, never by the actor
//! that failed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::event::StreamId;

/// Payload of `worker.started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// `<host>/<pid>/<start id>`.
    pub worker: String,
    /// Version of the program.
    pub version: String,
}

/// Payload of `worker.stopped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Which.
    pub worker: String,
    /// `signal`, `escalation` …
    pub reason: String,
}

/// Payload of `worker.actor_restarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorRestarted {
    /// Which worker.
    pub worker: String,
    /// Which actor.
    pub actor: String,
    /// Message of the panic, or `stopped`.
    pub reason: String,
}

/// Payload of `journal.regressed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRegressed {
    /// Which worker noticed.
    pub worker: String,
    /// Version of its program.
    pub version: String,
    /// When it noticed.
    pub noticed_at: DateTime<Utc>,
    /// Id of the log that it knew.
    pub known_log: String,
    /// Highest position that it knew.
    pub known_position: u64,
    /// Id of the log that it found; the same when only the end was cut off.
    pub found_log: String,
    /// Head of that log.
    pub found_position: u64,
}

domain_events! {
    /// What happens to a worker.
    pub enum WorkerEvent {
        Started(Started) = "worker.started", schema 1, in "worker", "A worker process started.", {
            worker: "host, pid, start id", version: "of the program" };
        Stopped(Stopped) = "worker.stopped", schema 1, in "worker", "A worker process stopped in an orderly way.", {
            worker: "which", reason: "why" };
        ActorRestarted(ActorRestarted) = "worker.actor_restarted", schema 1, in "worker", "An actor failed and was restarted.", {
            worker: "which", actor: "which", reason: "message of the panic" };
        JournalRegressed(JournalRegressed) = "journal.regressed", schema 1, in "worker", "A worker noticed that the journal had lost commits that were acknowledged.", {
            worker: "which", version: "of the program", noticed_at: "when", known_log: "id of the log it knew", known_position: "highest position it knew",
            found_log: "id of the log it found; the same when only the end was cut off", found_position: "head of that log" };
    }
}

/// The stream of a worker.
#[must_use]
pub fn worker_stream(worker: &str) -> StreamId {
    StreamId::new("worker", worker)
}
