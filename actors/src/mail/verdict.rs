//! What was decided about a mail, and why.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Link, policy};

/// What a detector found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// What the detector is called in the payload: `recadrage`, for example.
    pub detector: String,
    /// `11h51`, or `le 03/02/2026 à 09h00`.
    pub delivery_time: Option<String>,
    /// The mail says that it is urgent.
    pub urgent: bool,
    /// Named texts, when the detector takes some out. They are content of the mail, so they
    /// are left out of events.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extracted: BTreeMap<String, String>,
}

impl Detection {
    /// As it may be recorded in an event: without texts of the mail.
    #[must_use]
    pub fn without_content(mut self) -> Self {
        self.extracted.clear();
        self
    }
}

/// What is to be done with a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the detectors found.
    pub detection: Option<Detection>,
    /// Links, in order of appearance.
    pub links: Vec<Link>,
    /// The decision.
    pub outcome: Outcome,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Outcome {
    /// Send these webhooks.
    Deliver {
        /// At least one.
        deliveries: Vec<Planned>,
    },
    /// Not now.
    Hold {
        /// Why.
        reason: HoldReason,
        /// When it is decided again at the latest; `None` = when the configuration changes.
        until: Option<DateTime<Utc>>,
    },
    /// Not by itself: the mail stays visible, and can be released.
    Skip {
        /// Why.
        reason: HoldReason,
        /// Its copies are marked `\Seen`, as the reference does for some.
        seen: bool,
    },
    /// Never.
    Ignore {
        /// Why.
        reason: IgnoreReason,
        /// What exactly: the keyword, the first mail of the group, who hides where a link leads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
}

/// One webhook to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Id of the target.
    pub target: String,
    /// The rule that chose it; absent for the default target.
    pub rule: Option<RuleRef>,
    /// `webhooks_time_start` of the payload, if any.
    pub time_start: Option<String>,
    /// `webhooks_time_end` of the payload, if any.
    pub time_end: Option<String>,
    /// It may go only while the delivery window is open, also when it is late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_window: bool,
    /// How much of the text the target is given.
    #[serde(default, skip_serializing_if = "policy::Share::is_all")]
    pub share: policy::Share,
}

/// A rule as it appears in the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRef {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `normal` or `high`.
    pub priority: String,
}

/// Why a mail waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// Outside the delivery window.
    OutsideWindow,
    /// `webhook_sending_enabled` is off.
    SendingDisabled,
    /// A day of "Absence Globale".
    Absence,
    /// A configuration document cannot be used, and there is no good version before it.
    ConfigurationRefused,
}

/// Why nothing is sent for a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreReason {
    /// The sender is not in the list. Left unread.
    SenderNotAllowed,
    /// The sender is not authenticated, and only those who are are wanted. Left unread.
    SenderNotAuthenticated,
    /// A reply or a forward. Marked read.
    Reply,
    /// An absence, a report, a receipt: a program's answer. Left unread.
    Automatic,
    /// No delivery link, and mails without links are not wanted. Marked read.
    NoLinks,
    /// Larger than `max_email_size_mb`; recorded, not loaded. Left unread.
    TooLarge,
    /// It contains an excluded keyword. Left unread.
    ExcludedKeyword,
    /// It has no attachment, and only mails with one are wanted. Left unread.
    NoAttachment,
    /// Another mail of its subject group was routed. Marked read.
    DuplicateGroup,
    /// Somebody said so. Marked read: whoever said it has dealt with it.
    Operator,
}

impl IgnoreReason {
    /// Whether the reference system marks such a mail as read.
    #[must_use]
    pub const fn marks_read(self) -> bool {
        matches!(self, Self::Reply | Self::NoLinks | Self::DuplicateGroup | Self::Operator)
    }

    /// Whether the mail's content is kept for a while, so that it can be released. That of a
    /// stranger is kept apart, as long as there is room; that of a mail too large was never
    /// loaded.
    #[must_use]
    pub const fn keeps_content(self) -> bool {
        !matches!(self, Self::SenderNotAllowed | Self::TooLarge)
    }

    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SenderNotAllowed => "sender_not_allowed",
            Self::SenderNotAuthenticated => "sender_not_authenticated",
            Self::Reply => "reply",
            Self::Automatic => "automatic",
            Self::NoLinks => "no_links",
            Self::TooLarge => "too_large",
            Self::ExcludedKeyword => "excluded_keyword",
            Self::NoAttachment => "no_attachment",
            Self::DuplicateGroup => "duplicate_group",
            Self::Operator => "operator",
        }
    }
}

impl HoldReason {
    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutsideWindow => "outside_window",
            Self::SendingDisabled => "sending_disabled",
            Self::Absence => "absence",
            Self::ConfigurationRefused => "configuration_refused",
        }
    }
}
