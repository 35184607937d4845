//! The life of one mail: the events of a `mail-<email_id>` stream and the state they
//! add up to. Three capabilities write to this stream (admission, offload, delivery),
//! so its language lives here, below all of them.

mod events;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

pub use self::events::{
    DeliveryEnd, LinkKept, LinkOffloaded, LinksDeferred, LinksKept, MailCleared, MailDuplicated, MailEvent,
    MailHeld, MailIgnored, MailQuarantined, MailReceived, MailReleased, MailResumed, MailRouted,
    MailSetAside, MailSettled, MailSkipped, MailSuspected, RoutedDelivery, TextShape,
};
use super::{IgnoreReason, pushed};
use crate::kernel::aggregate::Evolve;
use crate::kernel::digest;
use crate::kernel::event::StreamId;

/// Where a copy of a mail lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// Name of the mailbox, such as `imap.example.fr/me@example.fr/INBOX`.
    pub mailbox: String,
    /// IMAP UIDVALIDITY (RFC 9051 section 2.3.1.1); 0 for a Maildir.
    pub validity: u64,
    /// IMAP UID in decimal, or the unique part of a Maildir file name.
    pub item: String,
}

impl Location {
    /// Whether nothing lies there: the mail was handed over by HTTP, and cannot be marked.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        self.mailbox == pushed::MAILBOX
    }

    /// The first `digits` hex digits of a hash that stands for it in a name.
    #[must_use]
    pub fn digest(&self, digits: usize) -> String {
        let text = format!("{}\n{}\n{}", self.mailbox, self.validity, self.item);
        digest::hex(Md5::digest(text)).chars().take(digits).collect()
    }
}

/// The UID that an item's name is, if it is one.
#[must_use]
pub fn uid_of(item: &str) -> Option<u32> {
    // Nothing but the canonical form, so that no two names are the same number.
    item.parse::<u32>().ok().filter(|uid| uid.to_string() == item)
}

/// Characters of the hash of a place in the name of a copy.
const COPY: usize = 16;

/// The identity of a copy of the mail `email_id` that somebody has sent as a mail of its own:
/// `<email_id>-copy-<16 hex digits>`.
#[must_use]
pub fn copy_id(email_id: &str, location: &Location) -> String {
    format!("{email_id}-copy-{}", location.digest(COPY))
}

/// The mail that an identity made by [`copy_id`] names; `None` for any other identity.
#[must_use]
pub fn copied_from(copy_id: &str) -> Option<&str> {
    let (email_id, digest) = copy_id.rsplit_once("-copy-")?;
    (digest.len() == COPY).then_some(email_id)
}

/// The stream of a mail.
#[must_use]
pub fn mail_stream(email_id: &str) -> StreamId {
    StreamId::new("mail", email_id)
}

/// Where a mail stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailLife {
    /// Hash of what decides about it, where that was recorded.
    pub content: Option<String>,
    /// Every place a copy was seen.
    pub locations: Vec<Location>,
    /// How far it is.
    pub stage: Stage,
    /// Targets routed to, with their end when it has come.
    pub deliveries: Vec<(String, Option<DeliveryEnd>)>,
    /// How often it was begun to be read alone, because a worker may have died of it, since that
    /// last ended well.
    pub trials: u32,
    /// Queue of its row, when that is parked because workers died of it.
    pub set_aside: Option<String>,
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// No event yet.
    #[default]
    Unknown,
    /// Read, not decided. Never seen at rest: both events are one commit.
    Received,
    /// Waits for a window, a switch or a day.
    Held,
    /// Nothing is sent.
    Ignored(IgnoreReason),
    /// Nothing is sent unless it is released.
    Skipped {
        /// Its copies are marked `\Seen`.
        seen: bool,
    },
    /// Could not be read.
    Quarantined,
    /// Deliveries are due or done.
    Routed,
}

impl Evolve for MailLife {
    type Event = MailEvent;

    fn evolve(&mut self, event: &MailEvent) {
        match event {
            MailEvent::Received(received) => {
                self.add_location(&received.location);
                self.content.clone_from(&received.content);
                self.stage = Stage::Received;
            }
            MailEvent::Quarantined(quarantined) => {
                self.add_location(&quarantined.location);
                self.stage = Stage::Quarantined;
            }
            MailEvent::Duplicated(duplicated) => self.add_location(&duplicated.location),
            MailEvent::Ignored(ignored) => {
                self.stage = Stage::Ignored(ignored.reason);
                self.set_aside = None;
            }
            MailEvent::Skipped(skipped) => self.stage = Stage::Skipped { seen: skipped.seen },
            // It waits for the worker that carries the release out.
            MailEvent::Held(_) | MailEvent::Released(_) => self.stage = Stage::Held,
            MailEvent::Routed(routed) => {
                self.stage = Stage::Routed;
                self.deliveries = routed.deliveries.iter().map(|d| (d.target.clone(), None)).collect();
            }
            MailEvent::LinkOffloaded(_)
            | MailEvent::LinkKept(_)
            | MailEvent::LinksKept(_)
            | MailEvent::LinksDeferred(_) => {}
            MailEvent::Suspected(_) => self.trials += 1,
            MailEvent::Cleared(_) => self.trials = 0,
            MailEvent::SetAside(aside) => {
                self.trials = 0;
                self.set_aside = Some(aside.queue.clone());
            }
            MailEvent::Resumed(_) => self.set_aside = None,
            MailEvent::Settled(settled) => {
                if let Some(delivery) =
                    self.deliveries.iter_mut().find(|(target, _)| *target == settled.target)
                {
                    delivery.1 = Some(settled.end);
                }
            }
        }
    }
}

impl MailLife {
    fn add_location(&mut self, location: &Location) {
        if !self.locations.contains(location) {
            self.locations.push(location.clone());
        }
    }

    /// Whether nothing is to be sent any more: every delivery has reached its receiver, or was
    /// cancelled.
    #[must_use]
    pub fn all_done(&self) -> bool {
        let done =
            |end: &Option<DeliveryEnd>| matches!(end, Some(DeliveryEnd::Delivered | DeliveryEnd::Cancelled));
        !self.deliveries.is_empty() && self.deliveries.iter().all(|(_, end)| done(end))
    }

    /// The targets whose deliveries were cancelled.
    pub fn cancelled(&self) -> impl Iterator<Item = &str> {
        let cancelled = self.deliveries.iter().filter(|(_, end)| *end == Some(DeliveryEnd::Cancelled));
        cancelled.map(|(target, _)| target.as_str())
    }

    /// Whether its copies are to be marked `\Seen`: delivered, or ignored for a reason
    /// for which the reference marks it.
    #[must_use]
    pub fn to_be_marked(&self) -> bool {
        match self.stage {
            Stage::Routed => self.all_done(),
            Stage::Ignored(reason) => reason.marks_read(),
            Stage::Skipped { seen } => seen,
            Stage::Unknown | Stage::Received | Stage::Held | Stage::Quarantined => false,
        }
    }
}
