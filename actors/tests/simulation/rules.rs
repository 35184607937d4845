//! What must hold after every step, whatever goes wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::receiver::Inbox;

/// What becomes of a mail in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Delivered under these webhook ids.
    Delivered(Vec<String>),
    /// Two mails of one identity: each says something that the other does not, and both were
    /// delivered. Which of them has which id depends on what was read first.
    Namesakes {
        /// Every id that one of them may have.
        ids: Vec<String>,
        /// What one of them alone says.
        words: [String; 2],
    },
    /// Nothing is sent and it is marked read.
    IgnoredAndMarked,
    /// Nothing is sent and it is left alone.
    LeftAlone,
}

/// The expectations of one run, by the test's name of each mail.
pub(crate) struct Rules {
    fates: Mutex<BTreeMap<u32, Fate>>,
    inbox: Inbox,
}

impl Rules {
    pub(crate) fn new(inbox: Inbox) -> Self {
        Self { fates: Mutex::default(), inbox }
    }

    pub(crate) fn expect(&self, label: u32, fate: Fate) {
        self.fates.lock().unwrap().insert(label, fate);
    }

    /// A mail is about to be marked read on the server.
    pub(crate) fn may_be_seen(&self, label: u32) {
        match &self.fates.lock().unwrap()[&label] {
            Fate::Delivered(ids) => {
                for id in ids {
                    assert!(
                        self.inbox.has(id),
                        "INVARIANT: mail {label} was marked read before {id} was delivered"
                    );
                }
            }
            Fate::Namesakes { ids, .. } => assert!(
                ids.iter().any(|id| self.inbox.has(id)),
                "INVARIANT: mail {label} was marked read before one of {ids:?} was delivered"
            ),
            Fate::IgnoredAndMarked => {}
            Fate::LeftAlone => panic!("INVARIANT: mail {label} was marked read, and must be left alone"),
        }
    }

    pub(crate) fn fates(&self) -> BTreeMap<u32, Fate> {
        self.fates.lock().unwrap().clone()
    }
}
