//! Who sent a mail, and what it is called: for people who look at a list of mails. It is kept
//! beside the mail's events and not in them, since events stay and this must not (ADR 0040).

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Mail;
use crate::kernel::journal::Body;

/// Characters of a subject that are kept.
const SUBJECT: usize = 200;

/// Sender and subject of a mail, kept as a body that retention erases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// Clean address; empty when the mail has none.
    pub sender: String,
    /// Decoded subject, at most 200 characters.
    pub subject: String,
}

impl Heading {
    /// Of a mail.
    #[must_use]
    pub fn of(mail: &Mail) -> Self {
        Self { sender: mail.sender.clone(), subject: mail.subject.chars().take(SUBJECT).collect() }
    }

    /// What is kept of it, and until when.
    #[must_use]
    pub fn body(&self, email_id: &str, keep_until: DateTime<Utc>) -> Body {
        // Two texts always have a JSON form.
        let bytes = Bytes::from(serde_json::to_vec(self).unwrap_or_default());
        Body { key: heading_key(email_id), bytes, keep_until }
    }

    /// What was kept; `None` when that is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Key of the heading of a mail.
#[must_use]
pub fn heading_key(email_id: &str) -> String {
    format!("heading/{email_id}")
}
