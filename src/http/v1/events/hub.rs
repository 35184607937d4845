//! The log as it grows, read once for all who follow it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use render_signal_actors::kernel::event::{Recorded, StreamId};
use render_signal_actors::kernel::journal::{Journal, JournalError};
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::EventView;

/// Events that a reader may be behind before it has to read the log by itself.
const CHANNEL_CAPACITY: usize = 512;
/// Events that are read at a time.
const PAGE_SIZE: usize = 200;
/// How often the log is read without a hint, since hints may be lost.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// An event, put into words once for all who get it.
#[derive(Debug, Clone)]
pub(super) struct EncodedEvent {
    pub(super) position: u64,
    pub(super) stream: StreamId,
    pub(super) kind: String,
    /// As JSON.
    pub(super) text: ByteString,
}

impl From<Recorded> for EncodedEvent {
    fn from(event: Recorded) -> Self {
        let (position, stream, kind) = (event.position, event.stream.clone(), event.kind.clone());
        // A map with text keys always has a JSON form.
        let text = serde_json::to_string(&EventView::from(event)).unwrap_or_default().into();
        Self { position, stream, kind, text }
    }
}

/// What every follower is sent.
#[derive(Debug, Clone)]
pub(super) enum Broadcast {
    Event(Arc<EncodedEvent>),
    /// The log was cut, or is another one; it ends here now.
    Cut {
        /// Position of its last event.
        head: u64,
    },
}

/// Reads the log once for all who follow it. Clones share it.
#[derive(Clone)]
pub(crate) struct EventHub {
    journal: Arc<dyn Journal>,
    /// `None` = nobody follows, so nobody reads.
    open: Arc<Mutex<Option<Sender<Broadcast>>>>,
}

impl EventHub {
    /// Over a journal.
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, open: Arc::default() }
    }

    /// What happens from now on. The first who asks starts the reading, which ends with the last.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(super) async fn follow(&self) -> Result<Receiver<Broadcast>, JournalError> {
        let head = self.journal.head().await?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*open {
            return Ok(sender.subscribe());
        }
        let (sender, receiver) = broadcast::channel(CHANNEL_CAPACITY);
        *open = Some(sender.clone());
        drop(open);
        let hub = self.clone();
        drop(actix_rt::spawn(async move { hub.tell(sender, head).await }));
        Ok(receiver)
    }

    /// Reads until nobody listens.
    async fn tell(self, sender: Sender<Broadcast>, mut position: u64) {
        let (mut hints, mut losses) = (self.journal.hints(), self.journal.losses());
        while !self.is_over(&sender) {
            position = match self.next(position, &sender).await {
                Ok(position) => position,
                Err(error) => {
                    tracing::warn!(%error, "streams of events wait for the journal");
                    position
                }
            };
            tokio::select! {
                // A journal that is closed gives no more hints: the timer is enough.
                Ok(()) = hints.changed() => {}
                Ok(()) = losses.changed() => {
                    if let Some(loss) = losses.borrow_and_update().clone() {
                        position = loss.found_head;
                        drop(sender.send(Broadcast::Cut { head: position }));
                    }
                }
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Tells what lies beyond `position`; returns where it ends.
    async fn next(&self, mut position: u64, sender: &Sender<Broadcast>) -> Result<u64, JournalError> {
        loop {
            let events = self.journal.read_log(position, PAGE_SIZE).await?;
            if events.is_empty() {
                let head = self.journal.head().await?;
                if head < position {
                    drop(sender.send(Broadcast::Cut { head }));
                    return Ok(head);
                }
                return Ok(position);
            }
            for event in events {
                position = event.position;
                drop(sender.send(Broadcast::Event(Arc::new(EncodedEvent::from(event)))));
            }
        }
    }

    /// Whether nobody listens any more; then the next who asks starts anew.
    fn is_over(&self, sender: &Sender<Broadcast>) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let over = sender.receiver_count() == 0;
        if over {
            *open = None;
        }
        over
    }
}
