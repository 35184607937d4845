//! The facts of a mail's stream: payloads, and the kinds that have them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Location;
use crate::domain_events;
use crate::mail::policy::{Configuration, Priority, Share};
use crate::mail::{Detection, HoldReason, IgnoreReason, Link, RuleRef};

/// Payload of `mail.received`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailReceived {
    /// The id ([`email_id`](crate::mail::identity::email_id)), or what `other_content_of` and `copy_of` say.
    pub email_id: String,
    /// Where it was found.
    pub location: Location,
    /// Clean address of the sender, in events of earlier versions; empty since: see
    /// [`crate::mail::heading`].
    #[serde(default)]
    pub sender: String,
    /// Decoded subject, at most 200 characters; the same.
    #[serde(default)]
    pub subject: String,
    /// Size of the source in bytes.
    pub size: u64,
    /// When the server took it in, if it says so.
    pub arrived_at: Option<DateTime<Utc>>,
    /// The subject group, without month, in events of earlier versions.
    pub subject_group: String,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaws: Vec<String>,
    /// Hash of what decides about it ([`crate::mail::content`]); `None` = recorded by a version that
    /// did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The mail that has its md5 identity, and other content. Its own identity is
    /// [`crate::mail::content::other_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_content_of: Option<String>,
    /// The mail that it is a copy of; somebody had it sent as a mail of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<String>,
    /// What trusted servers say of the sender, where that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
}

/// Payload of `mail.duplicated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailDuplicated {
    /// Where the further copy was found.
    pub location: Location,
}

/// Payload of `mail.ignored`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailIgnored {
    /// Why.
    pub reason: IgnoreReason,
    /// What exactly: the keyword, the first mail of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it was decided under; `None` = unknown, or a person decided it.
    pub configuration: Option<Configuration>,
    /// Who decided it, when it was a person, such as `cli`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Payload of `mail.skipped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSkipped {
    /// Why.
    pub reason: HoldReason,
    /// The detector that asked for it.
    pub detector: String,
    /// Its copies are marked `\Seen`.
    pub seen: bool,
    /// What it was decided under; `None` = unknown.
    pub configuration: Option<Configuration>,
}

/// Payload of `mail.released`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailReleased {
    /// Who asked, such as `cli`.
    pub by: String,
}

/// Payload of `mail.quarantined`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailQuarantined {
    /// md5 of the source, since there is no identity to read.
    pub email_id: String,
    /// Where it was found.
    pub location: Location,
    /// Why it could not be read.
    pub why: String,
    /// Size of the source in bytes.
    pub size: u64,
    /// Key of the kept source.
    pub body_key: String,
}

/// Payload of `mail.held`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailHeld {
    /// Why.
    pub reason: HoldReason,
    /// When it is decided again at the latest.
    pub until: Option<DateTime<Utc>>,
    /// What it was decided under; `None` = unknown.
    pub configuration: Option<Configuration>,
}

/// A delivery as routed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedDelivery {
    /// Id of the target.
    pub target: String,
    /// The rule that chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// How much of the text the target is given.
    #[serde(default, skip_serializing_if = "Share::is_all")]
    pub share: Share,
}

/// Payload of `mail.routed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailRouted {
    /// What the detectors found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// The links.
    pub links: Vec<Link>,
    /// Webhooks to send.
    pub deliveries: Vec<RoutedDelivery>,
    /// Whether the links go through the offload first.
    pub offload: bool,
    /// How urgent the sender's mails are.
    #[serde(default, skip_serializing_if = "Priority::is_medium")]
    pub priority: Priority,
    /// Of a mail of which nothing but its webhooks is kept, once they are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextShape>,
    /// What it was decided under; `None` = unknown.
    pub configuration: Option<Configuration>,
}

/// What a webhook does not say of the mail that it was made of: with it, the mail can be
/// read again from the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextShape {
    /// Bytes of the plain text, the first part of `email_content`; the HTML follows after
    /// one line feed.
    pub plain_bytes: u64,
    /// Whether it carries an attachment.
    pub attachment: bool,
}

/// Payload of `link.offloaded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkOffloaded {
    /// As found in the mail.
    pub raw_url: String,
    /// Normalised, as it was fetched.
    pub source_url: String,
    /// Where the copy lies.
    pub r2_url: String,
    /// `dropbox`, `fromsmash`, `swisstransfer`.
    pub provider: String,
    /// The file's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_filename: Option<String>,
    /// When the copy may be deleted at the earliest, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Nothing was copied now: `r2_url` is the copy made for this mail (its `email_id`), or one that
    /// only `webhook_links.json` knows (its name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<String>,
}

/// Payload of `link.kept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkKept {
    /// As found in the mail; the receiver gets this one.
    pub raw_url: String,
    /// Why there is no copy.
    pub why: String,
}

/// Payload of `links.deferred`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinksDeferred {
    /// How many links of the mail cannot be copied at the moment.
    pub count: u64,
    /// What the first of them waits for.
    pub why: String,
    /// At the latest then they are sent, copied or not.
    pub until: DateTime<Utc>,
}

/// Payload of `links.kept`: many links, one fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinksKept {
    /// How many of the mail's links; the receiver gets them as they were found.
    pub count: u64,
    /// Why none of them was tried.
    pub why: String,
}

/// Payload of `mail.suspected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSuspected {
    /// Queue of the row: `hold` or `offload`.
    pub queue: String,
    /// How often the row was claimed, this time included.
    pub claims: u32,
}

/// Payload of `mail.cleared`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailCleared {
    /// Queue of the row.
    pub queue: String,
}

/// Payload of `mail.set_aside`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSetAside {
    /// Queue of the row, which is parked.
    pub queue: String,
    /// Why.
    pub why: String,
}

/// Payload of `mail.resumed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailResumed {
    /// Queue of the row, which is due again.
    pub queue: String,
    /// Who asked, such as `cli`.
    pub by: String,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryEnd {
    /// The receiver took it.
    Delivered,
    /// Given up; kept, and can be sent again.
    DeadLettered,
    /// Somebody said that it is not to be sent.
    Cancelled,
}

/// Payload of `mail.settled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSettled {
    /// Id of the target.
    pub target: String,
    /// How.
    pub end: DeliveryEnd,
}

domain_events! {
    /// What happens to a mail.
    pub enum MailEvent {
        Received(MailReceived) = "mail.received", schema 1, in "mail", "A mail was read and taken into the journal.", {
            email_id: "md5 of Message-ID, subject and date; with a hash, when another mail has that", location: "mailbox, validity, item", sender: "in events of earlier versions: clean address",
            subject: "the same: at most 200 characters", size: "bytes", arrived_at: "when the server took it in",
            subject_group: "the same: without month", flaws: "what could not be read",
            content: "version and hash of sender, text and attachment",
            other_content_of: "email_id of the mail that has the same md5, and other content",
            copy_of: "email_id of the mail that it is a copy of, when somebody had the copy sent",
            authentication: "what trusted servers say of the sender, where that is asked" };
        Duplicated(MailDuplicated) = "mail.duplicated", schema 1, in "mail", "A further copy of a known mail was seen.", {
            location: "mailbox, validity, item" };
        Ignored(MailIgnored) = "mail.ignored", schema 2, in "mail", "Nothing is sent for this mail.", {
            reason: "why", detail: "the keyword, the first mail of the group, or the host that hides where a link leads", configuration: "documents that were in force, with the first digits of their hashes; null = unknown",
            by: "who decided it, when it was a person" },
            upcasts [without_configuration];
        Skipped(MailSkipped) = "mail.skipped", schema 2, in "mail", "The mail is not sent unless somebody releases it.", {
            reason: "why", detector: "which asked for it", seen: "its copies are marked read", configuration: "documents that were in force, with the first digits of their hashes; null = unknown" },
            upcasts [without_configuration];
        Released(MailReleased) = "mail.released", schema 1, in "mail", "Somebody wants the mail sent, whatever was decided.", {
            by: "who asked" };
        Quarantined(MailQuarantined) = "mail.quarantined", schema 1, in "mail", "A mail could not be read at all; its source is kept.", {
            email_id: "md5 of the source", location: "mailbox, validity, item", why: "why", size: "bytes",
            body_key: "key of the kept source" };
        Held(MailHeld) = "mail.held", schema 2, in "mail", "The mail waits.", {
            reason: "why", until: "when it is decided again at the latest", configuration: "documents that were in force, with the first digits of their hashes; null = unknown" },
            upcasts [without_configuration];
        Routed(MailRouted) = "mail.routed", schema 2, in "mail", "It was decided which webhooks are sent.", {
            detection: "what the detectors found", links: "delivery links", deliveries: "targets, rules, and how much of the text each is given",
            offload: "links are copied first", priority: "of the sender",
            text: "of a mail whose webhooks alone are kept: bytes of plain text in email_content, and whether there is an attachment",
            configuration: "documents that were in force, with the first digits of their hashes; null = unknown" },
            upcasts [without_configuration];
        LinkOffloaded(LinkOffloaded) = "link.offloaded", schema 1, in "mail", "A linked file lies in R2: copied now, or for an earlier mail.", {
            raw_url: "as found in the mail", source_url: "normalised", r2_url: "where the copy lies",
            provider: "file service", original_filename: "the file's own name",
            expires_at: "when the copy may be deleted at the earliest",
            reused_from: "email_id of the mail that it was copied for, when not for this one; webhook_links.json, when only that list knows it" };
        LinkKept(LinkKept) = "link.kept", schema 1, in "mail", "A linked file could not be copied; the source link is sent.", {
            raw_url: "as found in the mail", why: "why there is no copy" };
        LinksKept(LinksKept) = "links.kept", schema 1, in "mail", "Links that are not even tried to copy; they are sent as they were found.", {
            count: "how many links of the mail", why: "why none was tried" };
        LinksDeferred(LinksDeferred) = "links.deferred", schema 1, in "mail", "Links cannot be copied at the moment; the mail waits for that.", {
            count: "how many links", why: "what the first of them waits for", until: "at the latest then they are sent, copied or not" };
        Suspected(MailSuspected) = "mail.suspected", schema 1, in "mail", "A worker ended while it had this mail; from here on it is read alone.", {
            queue: "hold or offload", claims: "how often the row was claimed" };
        Cleared(MailCleared) = "mail.cleared", schema 1, in "mail", "It was read alone, and the worker lives.", {
            queue: "hold or offload" };
        SetAside(MailSetAside) = "mail.set_aside", schema 1, in "mail", "Workers ended over this mail, again and again; it waits for somebody to look at it.", {
            queue: "hold or offload", why: "why" };
        Resumed(MailResumed) = "mail.resumed", schema 1, in "mail", "Somebody wants a mail that was set aside worked on again.", {
            queue: "hold or offload", by: "who asked" };
        Settled(MailSettled) = "mail.settled", schema 1, in "mail", "One of the mail's deliveries has ended.", {
            target: "id of the target", end: "delivered, dead_lettered or cancelled" };
    }
}

impl MailEvent {
    /// Where a copy of the mail was found, of events that tell of one.
    #[must_use]
    pub const fn location(&self) -> Option<&Location> {
        match self {
            Self::Received(received) => Some(&received.location),
            Self::Quarantined(quarantined) => Some(&quarantined.location),
            Self::Duplicated(duplicated) => Some(&duplicated.location),
            Self::Ignored(_)
            | Self::Skipped(_)
            | Self::Released(_)
            | Self::Held(_)
            | Self::Routed(_)
            | Self::LinkOffloaded(_)
            | Self::LinkKept(_)
            | Self::LinksKept(_)
            | Self::LinksDeferred(_)
            | Self::Suspected(_)
            | Self::Cleared(_)
            | Self::SetAside(_)
            | Self::Resumed(_)
            | Self::Settled(_) => None,
        }
    }

    /// Who did it, of what somebody does.
    #[must_use]
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::Ignored(ignored) => ignored.by.as_deref(),
            Self::Released(released) => Some(&released.by),
            Self::Resumed(resumed) => Some(&resumed.by),
            Self::Received(_)
            | Self::Duplicated(_)
            | Self::Skipped(_)
            | Self::Quarantined(_)
            | Self::Held(_)
            | Self::Routed(_)
            | Self::LinkOffloaded(_)
            | Self::LinkKept(_)
            | Self::LinksKept(_)
            | Self::LinksDeferred(_)
            | Self::Suspected(_)
            | Self::Cleared(_)
            | Self::SetAside(_)
            | Self::Settled(_) => None,
        }
    }
}

/// Schema 1 had a counter that began at 1 in every process, and told nothing.
fn without_configuration(mut old: Value) -> Value {
    if let Some(fields) = old.as_object_mut() {
        fields.remove("policy");
        fields.insert("configuration".to_owned(), Value::Null);
    }
    old
}
