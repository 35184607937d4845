//! The pure state of a mailbox.

use std::collections::BTreeMap;
use std::convert::Infallible;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::aggregate::{Aggregate, Evolve};
use crate::kernel::event::StreamId;

/// Payload of `mailbox.opened`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MailboxOpened {
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
pub struct MailboxReset {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY before.
    pub before: u64,
    /// UIDVALIDITY now.
    pub after: u64,
}

/// Payload of `mailbox.flagged`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MailboxFlagged {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY.
    pub validity: u64,
    /// Items marked `\Seen` by this batch, or found to be gone.
    pub items: Vec<String>,
}

/// Payload of `mailbox.suspected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxSuspected {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY.
    pub validity: u64,
    /// The mail that is read alone now.
    pub item: String,
    /// Under which grant of the lease. A note that stands under a later one tells that a
    /// worker died while it read this mail.
    pub fence: u64,
}

/// Payload of `mailbox.cleared`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxCleared {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY.
    pub validity: u64,
    /// The mail that was read alone last.
    pub item: String,
}

domain_events! {
    /// What happens to a mailbox.
    pub enum MailboxEvent {
        Opened(MailboxOpened) = "mailbox.opened", schema 1, in "mailbox", "A mailbox was seen for the first time.", {
            mailbox: "name", validity: "UIDVALIDITY", cursor: "highest UID at first sight", since: "when" };
        Reset(MailboxReset) = "mailbox.reset", schema 1, in "mailbox", "The server renumbered the mailbox (UIDVALIDITY changed).", {
            mailbox: "name", before: "UIDVALIDITY before", after: "UIDVALIDITY now" };
        Flagged(MailboxFlagged) = "mailbox.flagged", schema 1, in "mailbox", "Mails were marked as read.", {
            mailbox: "name", validity: "UIDVALIDITY", items: "UIDs" };
        Suspected(MailboxSuspected) = "mailbox.suspected", schema 1, in "mailbox", "A mail is read for the first time, alone, since a poller before has died.", {
            mailbox: "name", validity: "UIDVALIDITY", item: "UID", fence: "of this poller" };
        Cleared(MailboxCleared) = "mailbox.cleared", schema 1, in "mailbox", "The mail that was read alone last has been read.", {
            mailbox: "name", validity: "UIDVALIDITY", item: "UID" };
    }
}

/// The stream of a mailbox.
#[must_use]
pub fn mailbox_stream(mailbox: &str) -> StreamId {
    StreamId::new("mailbox", mailbox)
}

/// A mailbox as the journal knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// `None` until it was opened for the first time.
    pub known: Option<Known>,
    /// The mail that is read alone, or was when the worker died.
    reading: Option<MailboxSuspected>,
    /// How many workers died while they read a mail alone, of those that were read by nobody
    /// since: UIDVALIDITY and name. One entry costs the life of a worker.
    deaths: BTreeMap<(u64, String), u32>,
}

/// What is known of a mailbox that was opened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// UIDVALIDITY.
    pub validity: u64,
    /// Mails at or below this UID that are read are not ours, unless they arrived since.
    pub cursor: u64,
    /// When it was first seen.
    pub since: DateTime<Utc>,
    /// UIDVALIDITY changed at least once: the cursor says nothing about the mails that
    /// arrived since the first sight, so those are looked at by date as well.
    pub renumbered: bool,
}

/// What the poller reports of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxCommand {
    /// It was opened.
    Open {
        /// Name of the mailbox.
        mailbox: String,
        /// UIDVALIDITY; 0 for a Maildir.
        validity: u64,
        /// UIDNEXT; 0 for a Maildir.
        uid_next: u64,
    },
    /// Mails were marked as read, or are gone.
    Flag {
        /// Name of the mailbox.
        mailbox: String,
        /// UIDVALIDITY the items belong to.
        validity: u64,
        /// The items.
        items: Vec<String>,
    },
    /// This mail is about to be read alone.
    Suspect(MailboxSuspected),
    /// The mail that was read alone last has been read, whatever became of it.
    Clear,
}

impl Evolve for Mailbox {
    type Event = MailboxEvent;

    fn evolve(&mut self, event: &MailboxEvent) {
        match event {
            MailboxEvent::Opened(opened) => {
                let renumbered = self.known.is_some_and(|known| known.renumbered);
                self.known = Some(Known {
                    validity: opened.validity,
                    cursor: opened.cursor,
                    since: opened.since,
                    renumbered,
                });
            }
            MailboxEvent::Reset(reset) => {
                if let Some(known) = self.known.as_mut() {
                    known.validity = reset.after;
                    known.renumbered = true;
                }
            }
            MailboxEvent::Flagged(_) => {}
            MailboxEvent::Suspected(suspected) => {
                if let Some(before) = self.reading.replace(suspected.clone()) {
                    let mail = (before.validity, before.item);
                    if before.fence == suspected.fence {
                        // The same worker went on to the next one.
                        self.deaths.remove(&mail);
                    } else {
                        let deaths = self.deaths.entry(mail).or_default();
                        *deaths = deaths.saturating_add(1);
                    }
                }
            }
            MailboxEvent::Cleared(cleared) => {
                self.reading = None;
                self.deaths.remove(&(cleared.validity, cleared.item.clone()));
            }
        }
    }
}

impl Aggregate for Mailbox {
    type Command = MailboxCommand;
    /// Now.
    type Cx = DateTime<Utc>;
    /// Whatever a mailbox does is a fact.
    type Reject = Infallible;

    fn decide(&self, command: &MailboxCommand, now: &DateTime<Utc>) -> Result<Vec<MailboxEvent>, Infallible> {
        Ok(match command {
            MailboxCommand::Open { mailbox, validity, uid_next } => {
                self.open(mailbox, *validity, *uid_next, *now)
            }
            MailboxCommand::Flag { items, .. } if items.is_empty() => Vec::new(),
            MailboxCommand::Flag { mailbox, validity, items } => {
                vec![MailboxEvent::Flagged(MailboxFlagged {
                    mailbox: mailbox.clone(),
                    validity: *validity,
                    items: items.clone(),
                })]
            }
            MailboxCommand::Suspect(suspected) => vec![MailboxEvent::Suspected(suspected.clone())],
            MailboxCommand::Clear => self.reading.iter().map(cleared).collect(),
        })
    }
}

fn cleared(reading: &MailboxSuspected) -> MailboxEvent {
    let MailboxSuspected { mailbox, validity, item, .. } = reading.clone();
    MailboxEvent::Cleared(MailboxCleared { mailbox, validity, item })
}

impl Mailbox {
    /// How many workers died while they read this mail alone, as the holder of `fence` sees it.
    pub fn deaths(&self, validity: u64, item: &str, fence: u64) -> u32 {
        let before = self.deaths.get(&(validity, item.to_owned())).copied().unwrap_or(0);
        let last = self.reading.as_ref().is_some_and(|reading| {
            reading.validity == validity && reading.item == item && reading.fence != fence
        });
        before.saturating_add(u32::from(last))
    }

    /// Whether a worker died while it read a mail alone, as the holder of `fence` sees it.
    pub fn is_suspicious(&self, fence: u64) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.fence != fence)
    }

    fn open(&self, mailbox: &str, validity: u64, uid_next: u64, now: DateTime<Utc>) -> Vec<MailboxEvent> {
        let opened = |since| {
            MailboxEvent::Opened(MailboxOpened {
                mailbox: mailbox.to_owned(),
                validity,
                cursor: uid_next.saturating_sub(1),
                since,
            })
        };
        match self.known {
            None => vec![opened(now)],
            Some(known) if known.validity == validity => Vec::new(),
            Some(known) => vec![
                MailboxEvent::Reset(MailboxReset {
                    mailbox: mailbox.to_owned(),
                    before: known.validity,
                    after: validity,
                }),
                opened(known.since),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_770_000_000 + second, 0).unwrap()
    }

    fn open(validity: u64, uid_next: u64) -> MailboxCommand {
        MailboxCommand::Open { mailbox: "box".to_owned(), validity, uid_next }
    }

    fn run(state: &mut Mailbox, command: &MailboxCommand, now: DateTime<Utc>) -> Vec<&'static str> {
        use crate::kernel::event::DomainEvent as _;
        let Ok(events) = state.decide(command, &now);
        events.iter().for_each(|event| state.evolve(event));
        events.iter().map(MailboxEvent::kind).collect()
    }

    #[test]
    fn the_first_sight_stays_and_a_new_numbering_is_a_reset() {
        let mut state = Mailbox::default();
        assert_eq!(run(&mut state, &open(7, 101), at(0)), ["mailbox.opened"]);
        let first = Known { validity: 7, cursor: 100, since: at(0), renumbered: false };
        assert_eq!(state.known, Some(first));
        assert_eq!(run(&mut state, &open(7, 500), at(10)), [""; 0]);
        assert_eq!(state.known, Some(first));
        assert_eq!(run(&mut state, &open(8, 21), at(20)), ["mailbox.reset", "mailbox.opened"]);
        let second = Known { validity: 8, cursor: 20, since: at(0), renumbered: true };
        assert_eq!(state.known, Some(second));
        assert_eq!(run(&mut state, &open(8, 30), at(30)), [""; 0]);
    }

    #[test]
    fn a_maildir_has_no_cursor() {
        let mut state = Mailbox::default();
        run(&mut state, &open(0, 0), at(0));
        assert_eq!(state.known.map(|known| (known.validity, known.cursor)), Some((0, 0)));
        assert_eq!(run(&mut state, &open(0, 0), at(1)), [""; 0]);
    }

    #[test]
    fn an_empty_batch_of_flags_is_no_fact() {
        let flag = |items| MailboxCommand::Flag { mailbox: "box".to_owned(), validity: 7, items };
        let mut state = Mailbox::default();
        assert_eq!(run(&mut state, &flag(Vec::new()), at(0)), [""; 0]);
        assert_eq!(run(&mut state, &flag(vec!["1".to_owned()]), at(0)), ["mailbox.flagged"]);
    }

    fn suspect(item: &str, fence: u64) -> MailboxCommand {
        let (mailbox, item) = ("box".to_owned(), item.to_owned());
        MailboxCommand::Suspect(MailboxSuspected { mailbox, validity: 7, item, fence })
    }

    #[test]
    fn a_mail_is_charged_with_the_workers_that_died_while_they_read_it_alone() {
        let mut state = Mailbox::default();
        run(&mut state, &suspect("1", 1), at(0));
        run(&mut state, &suspect("2", 1), at(0));
        assert!(!state.is_suspicious(1), "it is being read");
        assert_eq!((state.deaths(7, "1", 1), state.deaths(7, "2", 1)), (0, 0));
        // The first worker died over it, and so did the second.
        assert!(state.is_suspicious(2));
        assert_eq!((state.deaths(7, "1", 2), state.deaths(7, "2", 2)), (0, 1));
        run(&mut state, &suspect("2", 2), at(1));
        assert_eq!(state.deaths(7, "2", 3), 2);
        // The third begins with another one, and stops in order.
        run(&mut state, &suspect("3", 3), at(2));
        assert_eq!((state.deaths(7, "2", 3), state.deaths(7, "3", 3)), (2, 0));
        assert_eq!(state.deaths(8, "2", 3), 0, "of another numbering");
        assert_eq!(run(&mut state, &MailboxCommand::Clear, at(3)), ["mailbox.cleared"]);
        assert_eq!(run(&mut state, &MailboxCommand::Clear, at(3)), [""; 0]);
        assert_eq!((state.deaths(7, "2", 4), state.deaths(7, "3", 4)), (2, 0));
        // Read at last.
        run(&mut state, &suspect("2", 4), at(4));
        run(&mut state, &MailboxCommand::Clear, at(4));
        assert_eq!((state.deaths(7, "2", 5), state.is_suspicious(5)), (0, false));
    }

    proptest! {
        /// Whatever the order of openings: the first sight never moves, the numbering is
        /// the last one seen, and it counts as renumbered as soon as it changed once.
        #[test]
        fn any_history_keeps_the_first_sight(openings in proptest::collection::vec((1_u64..4, 1_u64..1_000), 1..20)) {
            let mut state = Mailbox::default();
            for (number, (validity, uid_next)) in openings.iter().enumerate() {
                run(&mut state, &open(*validity, *uid_next), at(i64::try_from(number).unwrap()));
            }
            let known = state.known.unwrap();
            prop_assert_eq!(known.since, at(0));
            prop_assert_eq!(known.validity, openings.last().unwrap().0);
            let changed = openings.windows(2).any(|pair| pair[0].0 != pair[1].0);
            prop_assert_eq!(known.renumbered, changed);
        }

        /// `evolve` is total.
        #[test]
        fn events_in_any_order_are_borne(kinds in proptest::collection::vec((0_u8..5, 0_u64..5), 0..20)) {
            let mut state = Mailbox::default();
            for (kind, number) in kinds {
                let mailbox = "box".to_owned();
                state.evolve(&match kind {
                    0 => MailboxEvent::Opened(MailboxOpened { mailbox, validity: number, cursor: number, since: at(0) }),
                    1 => MailboxEvent::Reset(MailboxReset { mailbox, before: 0, after: number }),
                    2 => MailboxEvent::Flagged(MailboxFlagged { mailbox, validity: number, items: Vec::new() }),
                    3 => {
                        let (validity, item) = (number % 2, (number % 3).to_string());
                        MailboxEvent::Suspected(MailboxSuspected { mailbox, validity, item, fence: number })
                    }
                    _ => MailboxEvent::Cleared(MailboxCleared { mailbox, validity: 0, item: number.to_string() }),
                });
            }
        }
    }
}
