//! The pure state of a mailbox.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::event::StreamId;

/// Payload of `mailbox.opened`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY; 0 for a Maildir.
    pub validity: u64,
    /// Highest UID that existed at first sight: what is at or below it and read already
    /// is not ours; 0 for a Maildir.
    pub cursor: u64,
    /// When it was first seen. After a change of UIDVALIDITY, mails that arrived since
    /// then are looked at again.
    pub since: DateTime<Utc>,
}

/// Payload of `mailbox.reset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reset {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY before.
    pub before: u64,
    /// UIDVALIDITY now.
    pub after: u64,
}

/// Payload of `mailbox.flagged`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flagged {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY.
    pub validity: u64,
    /// Items marked `\Seen` by this batch, or found to be gone.
    pub items: Vec<String>,
}

domain_events! {
    /// What happens to a mailbox.
    pub enum MailboxEvent {
        Opened(Opened) = "mailbox.opened", schema 1, in "mailbox", "A mailbox was seen for the first time.", {
            mailbox: "name", validity: "UIDVALIDITY", cursor: "highest UID at first sight", since: "when" };
        Reset(Reset) = "mailbox.reset", schema 1, in "mailbox", "The server renumbered the mailbox (UIDVALIDITY changed).", {
            mailbox: "name", before: "UIDVALIDITY before", after: "UIDVALIDITY now" };
        Flagged(Flagged) = "mailbox.flagged", schema 1, in "mailbox", "Mails were marked as read.", {
            mailbox: "name", validity: "UIDVALIDITY", items: "UIDs" };
    }
}

/// The stream of a mailbox.
#[must_use]
pub fn mailbox_stream(mailbox: &str) -> StreamId {
    StreamId::new("mailbox", mailbox)
}
