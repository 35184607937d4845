//! What a row says of its work, as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::mail::life::Location;
use crate::mail::policy::{DeliveryMode, Priority};
use crate::mail::{Mail, Verdict};

/// Meta of a `deliver` row. The body is the webhook's exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverMeta {
    /// The mail.
    pub email_id: String,
    /// Id of the target; its address is looked up in the present policy.
    pub target: String,
    /// Address at the time of routing: used when the target is no longer configured.
    pub url: String,
    /// Version of the mail's stream when the row was made: lets the first settlement
    /// append without reading.
    pub mail_version: u64,
    /// How many deliveries the mail has.
    pub siblings: usize,
    /// Where the mail lies, to be marked when all is delivered.
    pub locations: Vec<Location>,
    /// Attempts made so far.
    #[serde(default)]
    pub attempts: u32,
    /// When the first of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// Version of the delivery's stream.
    #[serde(default)]
    pub delivery_version: u64,
    /// Who goes first of those that wait for the same target.
    #[serde(default, skip_serializing_if = "Priority::is_medium")]
    pub priority: Priority,
    /// It tells that another delivery was given up: it belongs to no mail's stream, and
    /// nobody is told when it fails itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notice: bool,
    /// What the body is called. Fixed with it: every attempt sends the same.
    #[serde(default, skip_serializing_if = "DeliveryMode::is_json")]
    pub mode: DeliveryMode,
    /// Whether it may go while the delivery window is closed.
    #[serde(default, skip_serializing_if = "InWindow::is_free")]
    pub window: InWindow,
    /// The mail's stream has closed the account of it: it was delivered or cancelled, and
    /// somebody wants it sent once more. How that ends is in the delivery's stream alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

impl DeliverMeta {
    /// Whether its end is noted in the mail's stream.
    #[must_use]
    pub const fn settles_mail(&self) -> bool {
        !self.notice && !self.again
    }
}

/// What the delivery window is to a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InWindow {
    /// Nothing: it goes at any time. Its detector wants it so, somebody released it, or the row
    /// was made by a version that asked for the window at routing only.
    #[default]
    Free,
    /// It goes while the window is open.
    Bound,
    /// The same, and it waits for the window to open.
    Waits,
}

impl InWindow {
    /// Whether it goes at any time.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::Free
    }

    /// What it is when its time has come.
    #[must_use]
    pub const fn due(self) -> Self {
        match self {
            Self::Free => Self::Free,
            Self::Bound | Self::Waits => Self::Bound,
        }
    }
}

/// Meta of an `offload` or `hold` row. The body is a [`Draft`] as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftMeta {
    /// The mail.
    pub email_id: String,
    /// Version of the mail's stream when the row was made.
    pub mail_version: u64,
    /// Where the mail lies.
    pub locations: Vec<Location>,
    /// Somebody released it: it is routed, whatever the policy says about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// How often the row had been claimed when a worker last gave it back. When it was claimed
    /// more than once since, a worker ended while it had it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returned: u32,
    /// It can be read again from its webhooks: once they are made, its draft is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// Its sender is not in the list: it waits for a change of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stranger: Option<Stranger>,
    /// Its links cannot be copied at the moment, and it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<CopyWait>,
    /// Targets whose deliveries were cancelled while its links were copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<String>,
}

/// How long a mail has been waiting for copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyWait {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Tries so far.
    pub tries: u32,
}

const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A mail whose sender is not in the list, as its row tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Clean address.
    pub sender: String,
    /// Bytes of its body.
    pub bytes: u64,
    /// When its time is over.
    pub until: DateTime<Utc>,
}

/// Meta of a `flag` row: it has no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagMeta {
    /// The mail.
    pub email_id: String,
    /// The copy to mark `\Seen`.
    pub location: Location,
}

/// A mail that is not yet a webhook, with what was decided so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The mail.
    pub mail: Mail,
    /// The decision; a held mail is decided again.
    pub verdict: Verdict,
}

impl Draft {
    /// A draft as the journal keeps it.
    ///
    /// # Errors
    /// It is none.
    pub fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut draft: Self = serde_json::from_slice(body)?;
        draft.mail.text = crate::mail::parse::text(&draft.mail.plain, &draft.mail.html);
        Ok(draft)
    }
}
