//! Every message between actors: this file is the protocol. What the program asks one actor about
//! itself is in the room of that actor (`status.rs`).
//!
//! Who asks whom (an arrow is an ask that waits for an answer). There is no cycle (a test looks),
//! so no two actors can wait for each other; an answer that must travel against an arrow is a message of its own
//! or a row of the outbox.
//!
//! ```text
//! LockActor ──LeaseChanged──▶ PollerActor ──Admit──▶ DedupActor
//! ConfigActor ──PolicyChanged──▶ PollerActor, DedupActor, R2Actor, WebhookActor
//! http ──Admit──▶ DedupActor
//! http, cli ──…Status──▶ any
//! ```
//!
//! Work that must survive a crash never travels in a message: it is a row of the outbox,
//! and [`crate::kernel::journal::Hint`]s only say that it is worth looking.

use std::sync::Arc;

use actix::Message;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::kernel::journal::Fence;
use crate::mail::life::Location;
use crate::mail::policy::Policy;
use crate::mail::pushed::Pushed;
use crate::mail::{HoldReason, IgnoreReason, Outcome};

/// A mail as the source gives it.
#[derive(Debug, Clone)]
pub enum Source {
    /// The whole message.
    Full(Bytes),
    /// Larger than the limit: the header only, and the size of the whole.
    HeaderOnly {
        /// The header block.
        header: Bytes,
        /// Size of the whole message in bytes.
        size: u64,
    },
    /// Handed over by HTTP, field by field.
    Pushed(Arc<Pushed>),
}

/// Take this mail in. Safe to repeat: a mail that is known is answered as such.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Admitted, AdmitError>")]
pub struct Admit {
    /// Where it lies.
    pub location: Location,
    /// When the server took it in.
    pub arrived_at: Option<DateTime<Utc>>,
    /// What it says.
    pub source: Source,
    /// Workers died when they read it alone: it is not to be looked into.
    pub deadly: bool,
    /// Proof that the sender still is the poller; `None` = it came by no mailbox, and any worker
    /// may take it in.
    pub fence: Option<Fence>,
}

/// The mail is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Its identity.
    pub email_id: String,
    /// It was there already.
    pub duplicate: bool,
    /// What was decided when it came in; `None` = it was there already.
    pub decision: Option<AdmissionDecision>,
}

/// What was decided about a mail when it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionDecision {
    /// Webhooks are sent for it.
    Routed,
    /// It waits.
    Held(HoldReason),
    /// It is not sent by itself.
    Skipped(HoldReason),
    /// Nothing is sent for it.
    Ignored(IgnoreReason),
    /// It could not be read.
    Quarantined,
}

impl AdmissionDecision {
    /// What follows from an outcome.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Deliver { .. } => Self::Routed,
            Outcome::Hold { reason, .. } => Self::Held(*reason),
            Outcome::Skip { reason, .. } => Self::Skipped(*reason),
            Outcome::Ignore { reason, .. } => Self::Ignored(*reason),
        }
    }

    /// The stage of the mail, as lists call it.
    #[must_use]
    pub const fn stage(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::Held(_) => "held",
            Self::Skipped(_) => "skipped",
            Self::Ignored(_) => "ignored",
            Self::Quarantined => "quarantined",
        }
    }

    /// Why, if there is a reason to name.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Held(reason) | Self::Skipped(reason) => Some(reason.as_str()),
            Self::Ignored(reason) => Some(reason.as_str()),
            Self::Routed | Self::Quarantined => None,
        }
    }
}

/// Why a mail is not in the journal. It stays in the mailbox, unread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// Another worker holds the lease now: stop polling.
    #[error("another worker polls now: {0}")]
    Fenced(String),
    /// The journal cannot take it now: try again later.
    #[error("the journal did not take the mail: {0}")]
    Journal(String),
}

/// The lease was granted to this worker, renewed, or lost. Answers false when the journal has
/// refused this very fence: then it is of no use, whatever the lease store says.
#[derive(Debug, Clone, Message)]
#[rtype(result = "bool")]
pub struct LeaseChanged {
    /// The proof to write with; `None` = this worker does not poll.
    pub fence: Option<Fence>,
}

/// The configuration changed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct PolicyChanged(pub Arc<Policy>);

/// Finish what is under way and start nothing new; answered when that is so.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    const ROOMS: [&str; 6] = ["config", "dedup", "lock", "poller", "r2", "webhook"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("tests") {
                continue;
            }
            if path.is_dir() {
                sources(&path, found);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }

    /// Who asks whom, read from the rooms themselves: a room asks with the `Port<M>` that it
    /// keeps, and answers with the `impl Handler<M>` of its actor.
    fn asks() -> BTreeSet<(&'static str, &'static str)> {
        let port = regex::Regex::new(r"Port<(\w+)>").unwrap();
        let handler = regex::Regex::new(r"impl Handler<(\w+)> for").unwrap();
        let mut asked: Vec<(&str, String)> = Vec::new();
        let mut handled: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for room in ROOMS {
            let mut files = Vec::new();
            sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room), &mut files);
            for file in files {
                let text = std::fs::read_to_string(file).unwrap();
                asked.extend(port.captures_iter(&text).map(|found| (room, found[1].to_owned())));
                for found in handler.captures_iter(&text) {
                    handled.entry(found[1].to_owned()).or_default().insert(room);
                }
            }
        }
        let mut asks = BTreeSet::new();
        for (room, message) in asked {
            let others = handled.get(&message).into_iter().flatten();
            asks.extend(others.filter(|other| **other != room).map(|other| (room, *other)));
        }
        asks
    }

    #[test]
    fn the_ask_graph_is_the_documented_one_and_has_no_cycle() {
        let asks = asks();
        let documented = BTreeSet::from([
            ("config", "dedup"),
            ("config", "poller"),
            ("config", "r2"),
            ("config", "webhook"),
            ("lock", "poller"),
            ("poller", "dedup"),
        ]);
        assert_eq!(asks, documented, "keep the picture at the top of this file true");
        // Two actors that wait for each other wait for ever, so: take away whoever asks
        // nobody, again and again; what is left would be a cycle.
        let mut left = asks;
        loop {
            let askers: BTreeSet<_> = left.iter().map(|(asker, _)| *asker).collect();
            let before = left.len();
            left.retain(|(_, asked)| askers.contains(asked));
            if left.len() == before {
                break;
            }
        }
        assert_eq!(left, BTreeSet::new(), "a cycle of asks");
    }
}
