//! Somebody wants the mailbox looked at now. The wish is an event, so that it reaches the poller
//! whichever worker it is in, and says who asked; it decides nothing, and an old one is no wish.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::domain_events;
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, StreamId};
use crate::kernel::journal::{AppendError, Commit, Expected, Hint, Journal, StreamWrite};

/// A lost hint costs at most this.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// A busy journal is asked no more often than this.
const QUIET: Duration = Duration::from_millis(200);

/// Payload of `check.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// Name of the mailbox.
    pub mailbox: String,
    /// Who asked.
    pub by: String,
}

domain_events! {
    /// What somebody wants of the poller.
    pub enum CheckEvent {
        Requested(Requested) = "check.requested", schema 1, in "check", "Somebody wants the mailbox looked at now.", {
            mailbox: "name", by: "who asked" };
    }
}

fn check_stream(mailbox: &str) -> StreamId {
    StreamId::new("check", mailbox)
}

/// Has whoever polls `mailbox` sweep it at once, outside of the schedule as well. `by` says who asked.
///
/// # Errors
/// When the journal did not take the wish.
pub async fn request(
    journal: &dyn Journal,
    world: &World,
    mailbox: &str,
    by: &str,
) -> Result<(), AppendError> {
    let wish = CheckEvent::Requested(Requested { mailbox: mailbox.to_owned(), by: by.to_owned() });
    let event = wish.to_new(world.ids.next()).map_err(|error| AppendError::Rejected(error.to_string()))?;
    let write = StreamWrite {
        stream: check_stream(mailbox),
        // Wishes follow from nothing: two at once are as good as one.
        expected: Expected::Any,
        events: vec![event],
    };
    journal.append(Commit { at: world.now(), writes: vec![write], ..Commit::default() }).await.map(drop)
}

/// Hears of wishes.
pub(super) struct CheckRequests {
    stream: StreamId,
    hints: watch::Receiver<Hint>,
    /// Version up to which they were heard; `None` = to be asked.
    heard: Option<u64>,
    /// One was heard, and the mailbox was not swept since.
    open: bool,
    /// What answered it was broken off: it is to be heard again.
    owed: bool,
}

impl CheckRequests {
    pub(super) fn new(journal: &dyn Journal, mailbox: &str) -> Self {
        Self { stream: check_stream(mailbox), hints: journal.hints(), heard: None, open: false, owed: false }
    }

    /// Those that were there before are no wishes any more.
    pub(super) fn forget(&mut self) {
        (self.heard, self.open, self.owed) = (None, false, false);
    }

    /// The whole mailbox was swept: whatever was heard is answered.
    pub(super) fn swept(&mut self) {
        (self.open, self.owed) = (false, false);
    }

    /// A visit ended before the mailbox was swept, and its end is no failure that is tried again: a
    /// wish that it was to answer is heard once more.
    pub(super) fn owe(&mut self) {
        self.owed = self.open;
    }

    /// What was wished until now is answered by what follows.
    pub(super) async fn answered(&mut self, journal: &dyn Journal) {
        self.look(journal).await;
    }

    /// Returns when somebody has asked. Can be given up at any time; what it has heard stays heard.
    pub(super) async fn wished(&mut self, journal: &dyn Journal) {
        loop {
            self.hints.mark_unchanged();
            if std::mem::take(&mut self.owed) || self.look(journal).await {
                return;
            }
            tokio::time::sleep(QUIET).await;
            // An error means that the journal is closed: then the timer is enough.
            if let Ok(Err(_)) = tokio::time::timeout(POLL_INTERVAL, self.hints.changed()).await {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }

    async fn look(&mut self, journal: &dyn Journal) -> bool {
        match journal.read_stream(&self.stream, self.heard.unwrap_or_default()).await {
            Ok(events) => {
                let last = events.last().map(|event| event.version);
                let is_first = self.heard.is_none();
                self.heard = last.or(self.heard).or(Some(0));
                let is_wish = last.is_some() && !is_first;
                self.open |= is_wish;
                is_wish
            }
            Err(error) => {
                tracing::debug!(%error, "whether somebody wants the mailbox looked at is not known now");
                false
            }
        }
    }
}
