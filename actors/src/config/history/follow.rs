//! What the streams of the documents say, as of now: each is read once, and then what was added.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::copies::text_of;
use crate::config::documents::Key;
use crate::config::events::{ConfigEvent, authority_stream, config_stream};
use crate::config::state::{AuthorityState, DocumentState};
use crate::kernel::aggregate::{Evolve, Loaded};
use crate::kernel::event::{DomainEvent as _, StreamId};
use crate::kernel::journal::{Hint, Journal, Loss};

/// How long it counts that the journal did not answer: readers of documents have better things to
/// do than to wait for it again and again.
const FAILURE_TTL: Duration = Duration::from_secs(5);

/// After a commit, whatever it was about, the streams are looked at this much later: many commits
/// are one look.
const AFTER_COMMIT: Duration = Duration::from_millis(300);

/// See the module page.
pub struct DocumentFollower {
    journal: Arc<dyn Journal>,
    hints: tokio::sync::Mutex<watch::Receiver<Hint>>,
    losses: Mutex<watch::Receiver<Option<Loss>>>,
    seen: Mutex<FollowedStreams>,
}

#[derive(Default)]
struct FollowedStreams {
    documents: HashMap<Key, Loaded<DocumentState>>,
    authority: Option<Loaded<AuthorityState>>,
    /// The last text of each document that was asked for, by key and hash.
    texts: HashMap<Key, (String, String, String)>,
    /// Up to which version of a document those who wait were told.
    told: HashMap<Key, u64>,
    failed: Option<(Instant, String)>,
}

impl DocumentFollower {
    /// Follows the streams of `journal`. Reads nothing yet.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        let (hints, losses) = (journal.hints(), journal.losses());
        Self {
            journal,
            hints: tokio::sync::Mutex::new(hints),
            losses: Mutex::new(losses),
            seen: Mutex::default(),
        }
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &dyn Journal {
        self.journal.as_ref()
    }

    fn seen(&self) -> MutexGuard<'_, FollowedStreams> {
        let lost = {
            let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
            let lost = losses.has_changed().unwrap_or_default();
            if lost {
                losses.mark_unchanged();
            }
            lost
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if lost {
            // What was read may not be there any more.
            *seen = FollowedStreams::default();
        }
        seen
    }

    /// What the stream of a document last said; `None` = it was never read.
    #[must_use]
    pub fn last(&self, key: Key) -> Option<Loaded<DocumentState>> {
        self.seen().documents.get(&key).cloned()
    }

    /// What the stream of a document says now.
    ///
    /// # Errors
    /// The journal cannot be read, in plain words.
    pub async fn now(&self, key: Key) -> Result<Loaded<DocumentState>, String> {
        let known = self.last(key).unwrap_or_default();
        let read = self.read_on(&config_stream(key.as_str()), known).await;
        let mut seen = self.seen();
        let read = read.inspect_err(|why| seen.failed = Some((Instant::now(), why.clone())))?;
        seen.failed = None;
        let newest = seen.documents.entry(key).or_default();
        if newest.version < read.version {
            *newest = read;
        }
        Ok(newest.clone())
    }

    /// The same, or what it last said while the journal does not answer.
    ///
    /// # Errors
    /// The journal cannot be read, and never could: nothing is known of the document.
    pub async fn recently(&self, key: Key) -> Result<Loaded<DocumentState>, String> {
        let silent = {
            let seen = self.seen();
            seen.failed.clone().filter(|(at, _)| at.elapsed() < FAILURE_TTL).map(|(_, why)| why)
        };
        let said = match silent {
            Some(why) => Err(why),
            None => self.now(key).await,
        };
        said.or_else(|why| self.last(key).ok_or(why))
    }

    /// Takes in what was just written to the stream of a document.
    pub fn wrote(&self, key: Key, written: Loaded<DocumentState>) {
        let mut seen = self.seen();
        let newest = seen.documents.entry(key).or_default();
        if newest.version < written.version {
            *newest = written;
        }
    }

    /// Whether a store was heard not to have a document. `false` = that is not known.
    pub async fn lacks(&self, store: &str, key: Key) -> bool {
        let known = self.seen().authority.clone();
        if known.as_ref().is_some_and(|known| known.state.lacks(store, key)) {
            return true;
        }
        let Ok(read) = self.read_on(&authority_stream(), known.unwrap_or_default()).await else {
            return false;
        };
        let lacks = read.state.lacks(store, key);
        self.seen().authority = Some(read);
        lacks
    }

    async fn read_on<S>(&self, stream: &StreamId, mut known: Loaded<S>) -> Result<Loaded<S>, String>
    where
        S: Evolve<Event = ConfigEvent>,
    {
        let news =
            self.journal.read_stream(stream, known.version).await.map_err(|error| error.to_string())?;
        for event in &news {
            known.state.evolve(&ConfigEvent::from_recorded(event).map_err(|error| error.to_string())?);
            known.version = event.version;
        }
        Ok(known)
    }

    /// A kept text; `None` = there is none. `hash` tells texts apart that are kept one after the
    /// other under the same key.
    ///
    /// # Errors
    /// The journal cannot be read, in plain words.
    pub async fn text(&self, key: Key, body_key: &str, hash: &str) -> Result<Option<String>, String> {
        let known = self.seen().texts.get(&key).cloned();
        if let Some((_, _, text)) = known.filter(|(known, of, _)| known == body_key && of == hash) {
            return Ok(Some(text));
        }
        let text = text_of(self.journal.as_ref(), body_key).await?;
        if let Some(text) = &text {
            let kept = (body_key.to_owned(), hash.to_owned(), text.clone());
            self.seen().texts.insert(key, kept);
        }
        Ok(text)
    }

    /// Returns when something was added to the stream of a document. A hint: it may come without
    /// a reason, and whoever follows also looks on a timer.
    pub async fn moved(&self) {
        let mut hints = self.hints.lock().await;
        loop {
            if hints.changed().await.is_err() {
                // The journal is closed; the process is on its way out.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(AFTER_COMMIT).await;
            hints.mark_unchanged();
            let looks = Key::ALL.map(|key| async move { (key, self.now(key).await) });
            let mut moved = false;
            for (key, said) in futures::future::join_all(looks).await {
                let Ok(said) = said else { continue };
                moved |= self.seen().told.insert(key, said.version) != Some(said.version);
            }
            if moved {
                return;
            }
        }
    }
}
