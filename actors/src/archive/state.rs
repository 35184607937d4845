//! The pure state of the archive: its event.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::items::Items;
use crate::domain_events;
use crate::kernel::event::StreamId;

/// Payload of `journal.archived`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Nothing of what was archived is as young as this; a full hour.
    pub before: DateTime<Utc>,
    /// The streams that left the log.
    pub streams: Vec<String>,
    /// How many events they had there.
    pub events: u64,
    /// Where they are now.
    pub place: String,
    /// Where the mails among them lie in their mailboxes: those are not fetched again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Items>,
}

domain_events! {
    /// What happens to the journal as such.
    pub enum ArchiveEvent {
        Archived(Archived) = "journal.archived", schema 1, in "archive", "Settled streams were archived and left the log.", {
            before: "nothing of it is as young as this", streams: "their names", events: "how many they had",
            place: "where they are now", items: "where its mails lie in their mailboxes; these are not fetched again" };
    }
}

/// The stream of the archive.
#[must_use]
pub fn archive_stream() -> StreamId {
    StreamId::new("archive", "journal")
}
