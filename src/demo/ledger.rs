//! What has become of every mail, computed from the journal's events alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use render_signal_actors::kernel::aggregate::Evolve as _;
use render_signal_actors::mail::life::{DeliveryEnd, MailEvent, MailLife, Stage};
use render_signal_actors::mail::{HoldReason, IgnoreReason};
use render_signal_actors::poller::state::MailboxEvent;
use render_signal_actors::registry::TypedEvent;
use render_signal_actors::webhook::events::DeliveryEvent;

use super::samples::{BULK, ExpectedOutcome};

/// Where a mail stands, as the demo tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LedgerFate<'e> {
    /// Read, not decided.
    Received,
    /// Waits.
    Held {
        /// Why.
        reason: HoldReason,
        /// Until when at the latest.
        until: Option<DateTime<Utc>>,
    },
    /// Nothing is sent.
    Ignored(IgnoreReason),
    /// Could not be read.
    Quarantined(&'e str),
    /// Webhooks are due or done: target and end.
    Routed(&'e [(String, Option<DeliveryEnd>)]),
}

/// One mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it stands and where its copies lie, as the journal's own fold has it.
    life: MailLife,
    /// Why it waits and until when; `None` = somebody released it.
    hold: Option<(HoldReason, Option<DateTime<Utc>>)>,
    /// Why it could not be read.
    unreadable: String,
    /// Its subject.
    pub(crate) subject: String,
    /// Attempts beyond the first, over all its webhooks.
    pub(crate) retries: usize,
    /// Links whose file was copied.
    pub(crate) copied: usize,
    /// Links that had to be kept as they were.
    pub(crate) kept: usize,
}

impl Entry {
    /// Takes an event of the mail in: what the fold of its life leaves out is noted beside it.
    fn take(&mut self, event: &MailEvent) {
        self.life.evolve(event);
        match event {
            MailEvent::Received(received) => self.subject.clone_from(&received.subject),
            MailEvent::Quarantined(quarantined) => self.unreadable.clone_from(&quarantined.why),
            MailEvent::Held(held) => self.hold = Some((held.reason, held.until)),
            // The demo waits for neither of them.
            MailEvent::Skipped(skipped) => self.hold = Some((skipped.reason, None)),
            MailEvent::Released(_) => self.hold = None,
            MailEvent::LinkOffloaded(_) => self.copied += 1,
            MailEvent::LinkKept(_) => self.kept += 1,
            MailEvent::LinksKept(kept) => self.kept += usize::try_from(kept.count).unwrap_or_default(),
            MailEvent::Duplicated(_)
            | MailEvent::Ignored(_)
            | MailEvent::Routed(_)
            | MailEvent::Settled(_)
            | MailEvent::Suspected(_)
            | MailEvent::Cleared(_)
            | MailEvent::SetAside(_)
            | MailEvent::LinksDeferred(_)
            | MailEvent::Resumed(_) => {}
        }
    }

    /// What became of it.
    pub(crate) fn fate(&self) -> LedgerFate<'_> {
        match (self.life.stage, self.hold) {
            (Stage::Held | Stage::Skipped { .. }, Some((reason, until))) => {
                LedgerFate::Held { reason, until }
            }
            (Stage::Ignored(reason), _) => LedgerFate::Ignored(reason),
            (Stage::Quarantined, _) => LedgerFate::Quarantined(&self.unreadable),
            (Stage::Routed, _) => LedgerFate::Routed(&self.life.deliveries),
            (Stage::Unknown | Stage::Received | Stage::Held | Stage::Skipped { .. }, _) => {
                LedgerFate::Received
            }
        }
    }

    /// Names of its copies in the Maildir, the first one first.
    pub(crate) fn items(&self) -> impl ExactSizeIterator<Item = &str> {
        self.life.locations.iter().map(|location| location.item.as_str())
    }

    /// Whether it is one of many that nobody wants to read about.
    pub(crate) fn is_bulk(&self) -> bool {
        self.items().next().is_some_and(|item| item.starts_with(BULK))
    }

    /// Whether every webhook of it has arrived.
    pub(crate) fn delivered(&self) -> bool {
        matches!(self.fate(), LedgerFate::Routed(deliveries)
            if deliveries.iter().all(|(_, end)| *end == Some(DeliveryEnd::Delivered)))
    }

    /// Whether nothing more will happen to it by itself soon.
    fn settled(&self) -> bool {
        match self.fate() {
            LedgerFate::Received => false,
            LedgerFate::Routed(deliveries) => deliveries.iter().all(|(_, end)| end.is_some()),
            LedgerFate::Held { .. } | LedgerFate::Ignored(_) | LedgerFate::Quarantined(_) => true,
        }
    }

    /// Whether it became what a sample's author expected of the copy called `item`.
    fn meets(&self, item: &str, expected: &ExpectedOutcome) -> bool {
        let first = self.items().next() == Some(item);
        match expected {
            ExpectedOutcome::Duplicate => !first,
            ExpectedOutcome::Delivered(target) => {
                first
                    && self.delivered()
                    && matches!(self.fate(), LedgerFate::Routed([(only, _)]) if only == target)
            }
            ExpectedOutcome::Ignored(reason) => first && self.fate() == LedgerFate::Ignored(*reason),
            ExpectedOutcome::Held(reason) => {
                first && matches!(self.fate(), LedgerFate::Held { reason: found, .. } if found == *reason)
            }
            ExpectedOutcome::Quarantined => first && matches!(self.fate(), LedgerFate::Quarantined(_)),
        }
    }
}

/// Every mail the journal knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    mails: BTreeMap<String, Entry>,
    /// How many copies were marked as read.
    pub(crate) marked: usize,
}

impl Ledger {
    /// Takes an event in, of the stream with this key; what says nothing of mails is passed over.
    pub(crate) fn take(&mut self, key: &str, event: &TypedEvent) {
        match event {
            TypedEvent::Mail(event) => self.take_mail(key, event),
            TypedEvent::Delivery(DeliveryEvent::Attempted(attempted)) => {
                if let Some(entry) = self.mails.get_mut(&attempted.email_id) {
                    entry.retries += usize::from(attempted.attempt > 1);
                }
            }
            TypedEvent::Mailbox(MailboxEvent::Flagged(flagged)) => self.marked += flagged.items.len(),
            _ => {}
        }
    }

    /// Says what a mail is called.
    pub(crate) fn call(&mut self, email_id: &str, subject: String) {
        if let Some(entry) = self.mails.get_mut(email_id) {
            entry.subject = subject;
        }
    }

    fn take_mail(&mut self, email_id: &str, event: &MailEvent) {
        if let MailEvent::Received(_) | MailEvent::Quarantined(_) = event {
            self.mails.insert(email_id.to_owned(), Entry::default());
        }
        if let Some(entry) = self.mails.get_mut(email_id) {
            entry.take(event);
        }
    }

    /// The mails, in order of their names in the Maildir.
    pub(crate) fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.mails.values().collect();
        entries.sort_by(|a, b| a.items().cmp(b.items()));
        entries
    }

    /// The mail a stream is about.
    pub(crate) fn get(&self, email_id: &str) -> Option<&Entry> {
        self.mails.get(email_id)
    }

    /// Copies of mails that were seen.
    pub(crate) fn seen(&self) -> usize {
        self.mails.values().map(|entry| entry.items().len()).sum()
    }

    /// Copies of mails of which nothing more is to be expected soon.
    pub(crate) fn ended(&self) -> usize {
        self.mails.values().filter(|entry| entry.settled()).map(|entry| entry.items().len()).sum()
    }

    /// Whether some mail is held.
    pub(crate) fn holds(&self) -> bool {
        self.mails.values().any(|entry| matches!(entry.fate(), LedgerFate::Held { .. }))
    }

    /// Whether nothing is under way in any mail that was seen.
    pub(crate) fn settled(&self) -> bool {
        self.ended() == self.seen()
    }

    /// Whether the copy called `item` became what was expected; `None` = never seen.
    pub(crate) fn meets(&self, item: &str, expected: &ExpectedOutcome) -> Option<bool> {
        self.mails
            .values()
            .find(|entry| entry.items().any(|name| name == item))
            .map(|entry| entry.meets(item, expected))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use render_signal_actors::kernel::event::{DomainEvent, Recorded, StreamId};
    use render_signal_actors::mail::life::{
        Location, MailDuplicated, MailHeld, MailIgnored, MailReceived, MailRouted, MailSettled,
        RoutedDelivery, mail_stream,
    };
    use uuid::Uuid;

    use super::*;

    pub(crate) fn recorded<E: DomainEvent>(stream: StreamId, version: u64, event: &E) -> Recorded {
        let new = event.to_new(Uuid::nil()).unwrap();
        Recorded {
            position: version,
            id: new.id,
            stream,
            version,
            kind: new.kind.to_owned(),
            schema: new.schema,
            at: DateTime::UNIX_EPOCH,
            cause: None,
            payload: new.payload,
        }
    }

    pub(crate) fn location(item: &str) -> Location {
        Location { mailbox: "maildir".into(), validity: 0, item: item.into() }
    }

    pub(crate) fn received(id: &str, item: &str) -> MailEvent {
        MailEvent::Received(MailReceived {
            email_id: id.into(),
            location: location(item),
            sender: "production@media-solution.example".into(),
            subject: "Média Solution - Missions Recadrage - Lot 42".into(),
            size: 1_601,
            arrived_at: None,
            subject_group: "lot_42".into(),
            flaws: Vec::new(),
            content: None,
            other_content_of: None,
            copy_of: None,
            authentication: None,
        })
    }

    pub(crate) fn routed(target: &str) -> MailEvent {
        MailEvent::Routed(MailRouted {
            detection: None,
            links: Vec::new(),
            deliveries: vec![RoutedDelivery {
                target: target.into(),
                rule: None,
                share: render_signal_actors::mail::policy::Share::All,
            }],
            offload: false,
            priority: render_signal_actors::mail::policy::Priority::Medium,
            text: None,
            configuration: None,
        })
    }

    fn ledger(events: &[(&str, MailEvent)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (id, event) in events {
            ledger.take(mail_stream(id).key(), &TypedEvent::Mail(event.clone()));
        }
        ledger
    }

    #[test]
    fn a_delivered_mail_is_settled_only_at_the_end() {
        let mut events = vec![("a", received("a", "01")), ("a", routed("default"))];
        let under_way = ledger(&events);
        assert!(!under_way.settled());
        assert_eq!(under_way.meets("01", &ExpectedOutcome::Delivered("default")), Some(false));
        events.push((
            "a",
            MailEvent::Settled(MailSettled { target: "default".into(), end: DeliveryEnd::Delivered }),
        ));
        let done = ledger(&events);
        assert!(done.settled());
        assert_eq!(done.meets("01", &ExpectedOutcome::Delivered("default")), Some(true));
        assert_eq!(done.meets("01", &ExpectedOutcome::Delivered("rule-invoices")), Some(false));
    }

    #[test]
    fn a_dead_letter_is_settled_but_not_what_was_expected() {
        let dead = ledger(&[
            ("a", received("a", "01")),
            ("a", routed("default")),
            (
                "a",
                MailEvent::Settled(MailSettled { target: "default".into(), end: DeliveryEnd::DeadLettered }),
            ),
        ]);
        assert!(dead.settled());
        assert_eq!(dead.meets("01", &ExpectedOutcome::Delivered("default")), Some(false));
    }

    #[test]
    fn ignored_held_duplicate_and_never_seen() {
        let ledger = ledger(&[
            ("a", received("a", "06")),
            (
                "a",
                MailEvent::Ignored(MailIgnored {
                    reason: IgnoreReason::Reply,
                    detail: None,
                    configuration: None,
                    by: None,
                }),
            ),
            ("a", MailEvent::Duplicated(MailDuplicated { location: location("15") })),
            ("b", received("b", "14")),
            (
                "b",
                MailEvent::Held(MailHeld {
                    reason: HoldReason::OutsideWindow,
                    until: None,
                    configuration: None,
                }),
            ),
        ]);
        assert_eq!(ledger.meets("06", &ExpectedOutcome::Ignored(IgnoreReason::Reply)), Some(true));
        assert_eq!(ledger.meets("06", &ExpectedOutcome::Ignored(IgnoreReason::NoLinks)), Some(false));
        assert_eq!(ledger.meets("15", &ExpectedOutcome::Duplicate), Some(true));
        assert_eq!(ledger.meets("06", &ExpectedOutcome::Duplicate), Some(false));
        assert_eq!(ledger.meets("14", &ExpectedOutcome::Held(HoldReason::OutsideWindow)), Some(true));
        assert_eq!(ledger.meets("99", &ExpectedOutcome::Duplicate), None);
        assert!(ledger.settled());
        assert_eq!(ledger.seen(), 3);
    }
}
