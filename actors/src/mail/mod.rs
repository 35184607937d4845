//! Pure knowledge of mail: what it says, who it is from, what it links to, and what
//! is to be done with it. No clock, no I/O, no actix: everything here can be tested
//! with a table.
//!
//! ```text
//! raw bytes ─parse─▶ Mail ─decide(policy, now)─▶ Verdict ─payload─▶ body of each webhook
//! ```

pub mod authentication;
mod automatic;
#[cfg(test)]
mod cases;
pub mod compare;
pub mod conditions;
pub mod content;
mod cut;
pub mod decide;
pub mod detect;
pub mod detectors;
mod digits;
mod encoding;
mod entities;
pub mod explain;
pub mod filters;
mod flaw;
mod flowed;
#[cfg(test)]
mod golden;
pub mod groups;
mod header;
pub mod heading;
mod html;
pub mod identity;
pub mod life;
pub mod links;
mod markup;
mod mime;
pub mod outbox_rows;
pub mod parse;
pub mod pattern;
pub mod payload;
pub mod policy;
#[cfg(test)]
mod properties;
pub mod providers;
pub mod pushed;
pub mod replies;
pub mod reread;
pub mod rules;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod second_opinion;
mod times;
pub mod windows;
mod wrappers;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
pub use header::LONGEST_HEADER;
use serde::{Deserialize, Serialize};

/// A mail, read as far as it can be read. Serialisable: this is what a held mail is kept as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Its id ([`identity::email_id`]); of another mail of the same id, that with a hash of its content
    /// ([`content::other_id`]).
    pub email_id: String,
    /// Raw `Message-ID` header, at most 1 KiB, empty when there is none.
    pub message_id: String,
    /// Decoded, unfolded, at most 4 KiB.
    pub subject: String,
    /// Raw `Date` header text, at most 1 KiB.
    pub date: String,
    /// Raw `From` header, made valid UTF-8, at most 2 KiB.
    pub from: String,
    /// Clean lower-cased address; empty when there is none, or what stands there is longer than
    /// any address (320 bytes).
    pub sender: String,
    /// Text parts, at most 1 MiB of them and what is said of the rest.
    pub plain: String,
    /// Raw HTML parts, the same.
    pub html: String,
    /// Text for detection: the plain part and the HTML rendered to text. It follows from these,
    /// so it is made anew where a mail is read again ([`outbox_rows::Draft::read`]).
    #[serde(skip)]
    pub text: String,
    /// Whether it carries an attachment.
    pub has_attachment: bool,
    /// Size of the source in bytes.
    pub size: u64,
    /// What could not be read, in plain words; the rest was processed.
    pub flaws: Vec<String>,
    /// When it arrived, as the server that took it says, or else its Date. `None` when
    /// neither can be read, and for mails that an earlier version kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<DateTime<Utc>>,
    /// What says that a program sent it as an answer, such as `Auto-Submitted: auto-replied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<String>,
    /// What the servers that took it say of its sender, the topmost report of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authentication: Vec<authentication::ServerReport>,
    /// It was handed over by HTTP ([`pushed`]): its text is one part, plain or HTML.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pushed: bool,
}

impl Mail {
    /// `plain + "\n" + html`: what the payload and the rules use, since receivers and rules were
    /// written for it (reference section 5.8). Of a pushed mail, which has one of the two, that one
    /// as it is (reference section 10.2).
    #[must_use]
    pub fn combined(&self) -> String {
        let between = if self.pushed { "" } else { "\n" };
        format!("{}{between}{}", self.plain, self.html)
    }

    /// What a target is given of the text.
    #[must_use]
    pub fn shared(&self, share: policy::Share) -> String {
        match share {
            policy::Share::All => self.combined(),
            policy::Share::Text if self.plain.trim().is_empty() => html::to_text(&self.html),
            policy::Share::Text => self.plain.clone(),
            policy::Share::None => String::new(),
        }
    }

    /// When it arrived; `now` where it does not say, or says a time that is still to come.
    #[must_use]
    pub fn arrived_by(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.arrived.map_or(now, |arrived| arrived.min(now))
    }
}

/// A link to files, as in `delivery_links` of the payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// File service, as the document `providers` calls it: `dropbox`, for example.
    pub provider: String,
    /// As found in the mail.
    pub raw_url: String,
    /// Set once the offload was tried, equal to `raw_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_url: Option<String>,
    /// Where the copy lies, when the offload succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2_url: Option<String>,
    /// The file's own name, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_filename: Option<String>,
}

impl Link {
    /// A link as it is found.
    #[must_use]
    pub fn found(provider: &str, raw_url: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            raw_url: raw_url.to_owned(),
            direct_url: None,
            r2_url: None,
            original_filename: None,
        }
    }
}

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
