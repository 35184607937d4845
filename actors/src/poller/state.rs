//! The pure state of a mailbox.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::aggregate::Aggregate;
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

/// A mailbox as the journal knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// `None` until it was opened for the first time.
    pub known: Option<Known>,
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
}

impl Aggregate for Mailbox {
    type Command = MailboxCommand;
    type Event = MailboxEvent;
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
            MailboxCommand::Flag { mailbox, validity, items } => vec![MailboxEvent::Flagged(Flagged {
                mailbox: mailbox.clone(),
                validity: *validity,
                items: items.clone(),
            })],
        })
    }

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
        }
    }
}

impl Mailbox {
    fn open(&self, mailbox: &str, validity: u64, uid_next: u64, now: DateTime<Utc>) -> Vec<MailboxEvent> {
        let opened = |since| {
            MailboxEvent::Opened(Opened {
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
                MailboxEvent::Reset(Reset {
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
        fn events_in_any_order_are_borne(kinds in proptest::collection::vec((0_u8..3, 0_u64..5), 0..20)) {
            let mut state = Mailbox::default();
            for (kind, number) in kinds {
                let mailbox = "box".to_owned();
                state.evolve(&match kind {
                    0 => MailboxEvent::Opened(Opened { mailbox, validity: number, cursor: number, since: at(0) }),
                    1 => MailboxEvent::Reset(Reset { mailbox, before: 0, after: number }),
                    _ => MailboxEvent::Flagged(Flagged { mailbox, validity: number, items: Vec::new() }),
                });
            }
        }
    }
}
