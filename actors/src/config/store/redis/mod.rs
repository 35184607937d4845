//! Documents in Redis or Valkey, shared by any number of workers, and with the reference
//! system: see `scripts` for the keys.
//!
//! A write is one script: compare with the text that the writer believes in, set, add to the
//! list of changes, publish a hint. A reader looks at all documents at once and is sent
//! only what differs from what it holds; reads in between are answered from memory.

mod link;
mod notes;
mod scripts;
mod tail;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::link::{NAME, RedisLink, describe, words};
use self::scripts::{ALIVE, CHANGES, ELSEWHERE, EVENTS, KNOWN, WORKERS};
use super::file::MAX_STORED_BYTES;
use super::metrics::timed;
use super::{
    Ack, ChangeId, ChangeLog, DocumentChange, DocumentStore, ListedChange, ListedChanges, Precondition,
    Revision, Rollout, StoreError, StoreReading, WriteReceipt,
};
use crate::config::documents::Key;
use crate::kernel::clock::World;
use crate::kernel::redis::{RedisAddress, Trouble};

/// A worker that has not said for so long what it runs counts as gone.
const WORKER_TTL: Duration = Duration::from_secs(15);

/// How often a write whose answer was lost is repeated: it can tell whether it was made.
const MAX_WRITE_RETRIES: u32 = 3;
/// Pause before that.
const WRITE_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Where the documents are.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// The server.
    pub address: RedisAddress,
    /// `CONFIG_STORE_REDIS_PREFIX`: before every key.
    pub prefix: String,
    /// Who writes, for the list of changes: the name of the worker, or of the command.
    pub writer: String,
}

/// See the module page.
pub struct RedisStore {
    link: Arc<RedisLink>,
    tail: OnceLock<AbortOnDropHandle<()>>,
}

impl RedisStore {
    /// The documents on a server. Connects to nothing yet; a subscription is made when
    /// somebody first waits for changes.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn new(settings: RedisSettings, world: World) -> Result<Self, StoreError> {
        Ok(Self { link: Arc::new(RedisLink::new(settings, world)?), tail: OnceLock::new() })
    }

    /// The text that a writer believes to be stored.
    async fn believed(&self, key: Key, expected: &Precondition) -> Result<Option<String>, StoreError> {
        let Precondition::Revision(revision) = expected else { return Ok(None) };
        if let Some(text) = self.link.seen().await.text_of(key, revision) {
            return Ok(Some(text));
        }
        // One that is too large is not the one that the writer believes in.
        let mut get = cmd("GETRANGE");
        get.arg(self.link.key(key.as_str())).arg(0).arg(MAX_STORED_BYTES);
        let text = timed(NAME, "read", self.link.server.ask::<Vec<u8>>(&get))
            .await
            .map_err(|trouble| StoreError::Unreadable { what: describe(key), why: words(trouble) })?;
        match String::from_utf8(text) {
            Ok(text) if Revision::of(&text) == *revision => Ok(Some(text)),
            _ => Err(StoreError::Conflict(key)),
        }
    }

    /// Writes, and asks again when the answer is lost.
    async fn put(
        &self,
        change: &DocumentChange,
        text: &str,
        believed: Option<&str>,
    ) -> Result<bool, Trouble> {
        let link = &self.link;
        let nonce = Uuid::to_string(&link.world.ids.next());
        let mut call = link.listing(&link.scripts.write, &[change.key]);
        call.arg(change.key.as_str()).arg(&change.origin).arg(&nonce).arg(text);
        if let Some(believed) = believed {
            call.arg(believed);
        }
        let mut repeats = 0;
        loop {
            match timed(NAME, "write", link.server.run::<bool>(&call)).await {
                Err(Trouble::Unknown(_)) if repeats < MAX_WRITE_RETRIES => repeats += 1,
                // A repeat that did not get through says nothing of the first attempt.
                Err(Trouble::NotDone(_) | Trouble::NotYet(_))
                    if (1..MAX_WRITE_RETRIES).contains(&repeats) =>
                {
                    repeats += 1
                }
                Err(Trouble::NotDone(why) | Trouble::NotYet(why)) if repeats > 0 => {
                    return Err(Trouble::Unknown(why));
                }
                answer => return answer,
            }
            tokio::time::sleep(link.world.jitter.spread(WRITE_RETRY_PAUSE)).await;
        }
    }
}

#[async_trait]
impl DocumentStore for RedisStore {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        self.link.read(key).await
    }

    async fn changed(&self) {
        self.tail.get_or_init(|| AbortOnDropHandle::new(tokio::spawn(tail::follow(Arc::clone(&self.link)))));
        self.link.changed().await;
    }

    async fn announce(&self, key: Key) {
        let mut hint = cmd("PUBLISH");
        hint.arg(self.link.key(EVENTS)).arg(format!("{ELSEWHERE}{key}"));
        if let Err(trouble) = timed(NAME, "announce", self.link.server.ask::<i64>(&hint)).await {
            // They look on their timer.
            tracing::debug!(%key, error = words(trouble), "the other workers were not told of a change");
        }
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        let key = change.key;
        let unwritable = |why: String| StoreError::Unwritable { what: describe(key), why };
        let text = serde_json::to_string(&change.value).map_err(|error| unwritable(error.to_string()))?;
        let believed = self.believed(key, &change.expected).await;
        let done = match believed {
            Ok(believed) => self.put(change, &text, believed.as_deref()).await,
            // What the writer saw is not there any more: the next reader sees what is.
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => return Err(error),
        };
        // Readers of this process need no hint.
        self.link.look().await;
        match done {
            Ok(true) => Ok(WriteReceipt { revision: Revision::of(&text), stored_in: NAME, degraded: None }),
            Ok(false) => Err(StoreError::Conflict(key)),
            Err(Trouble::NotDone(why) | Trouble::NotYet(why)) => Err(unwritable(why)),
            Err(Trouble::Unknown(why)) => {
                Err(unwritable(format!("it is not known whether it was written: {why}")))
            }
        }
    }

    async fn remove(&self, key: Key, origin: &str) -> Result<bool, StoreError> {
        let mut call = self.link.listing(&self.link.scripts.remove, &[key]);
        call.arg(key.as_str()).arg(origin);
        let removed = timed(NAME, "write", self.link.server.run::<bool>(&call)).await;
        self.link.look().await;
        removed.map_err(|trouble| StoreError::Unwritable { what: describe(key), why: words(trouble) })
    }

    fn change_log(&self) -> Option<&dyn ChangeLog> {
        Some(self)
    }

    fn rollout(&self) -> Option<&dyn Rollout> {
        Some(self)
    }
}

#[async_trait]
impl ChangeLog for RedisStore {
    async fn changes(&self, after: Option<&ChangeId>) -> Result<ListedChanges, StoreError> {
        let unreadable =
            |why: String| StoreError::Unreadable { what: "the list of changes in Redis".to_owned(), why };
        if let Some(why) = self.link.unlisted().await {
            return Err(unreadable(why));
        }
        let (list, from) = after.map_or((String::new(), String::new()), |after| {
            let (major, minor) = after.place;
            (after.list.clone(), format!("{major}-{}", minor.saturating_add(1)))
        });
        let mut call = self.link.scripts.changes.prepare();
        call.key(self.link.key(CHANGES)).key(self.link.key(KNOWN)).arg(list).arg(from);
        let (known, entries): (HashMap<String, String>, Vec<(String, HashMap<String, Vec<u8>>)>) =
            timed(NAME, "changes", self.link.server.run(&call))
                .await
                .map_err(|trouble| unreadable(words(trouble)))?;
        let list = known.get("list").map_or("", String::as_str);
        let is_held = |key: &Key| known.get(&format!("doc:{key}")).is_some_and(|sum| sum != "-");
        Ok(ListedChanges {
            listed: entries.into_iter().filter_map(|(id, fields)| listed(list, &id, fields)).collect(),
            held: Key::ALL.into_iter().filter(is_held).collect(),
        })
    }

    async fn recover(&self, key: Key, text: &str) -> Result<bool, StoreError> {
        let mut call = self.link.listing(&self.link.scripts.recover, &[key]);
        call.arg(key.as_str()).arg(text);
        let recovered = timed(NAME, "write", self.link.server.run::<bool>(&call)).await;
        self.link.look().await;
        recovered.map_err(|trouble| StoreError::Unwritable { what: describe(key), why: words(trouble) })
    }
}

#[async_trait]
impl Rollout for RedisStore {
    async fn acknowledge(&self, ack: &Ack) -> Result<(), StoreError> {
        let unwritable =
            |why: String| StoreError::Unwritable { what: "what this worker runs, in Redis".to_owned(), why };
        let said = serde_json::to_string(ack).map_err(|error| unwritable(error.to_string()))?;
        let mut call = self.link.scripts.acknowledge.prepare();
        call.key(self.link.key(WORKERS)).key(self.link.key(ALIVE));
        call.arg(&ack.worker).arg(said).arg(WORKER_TTL.as_millis() as u64);
        let done = timed(NAME, "acknowledge", self.link.server.run::<()>(&call)).await;
        done.map_err(|trouble| unwritable(words(trouble)))
    }

    async fn leave(&self, worker: &str) {
        let mut call = self.link.scripts.leave.prepare();
        call.key(self.link.key(WORKERS)).key(self.link.key(ALIVE)).arg(worker);
        if let Err(trouble) = timed(NAME, "acknowledge", self.link.server.run::<()>(&call)).await {
            // It is forgotten soon in any case.
            tracing::debug!(error = words(trouble), "the other workers were not told that this one stops");
        }
    }

    async fn workers(&self) -> Result<Vec<Ack>, StoreError> {
        let mut call = self.link.scripts.workers.prepare();
        call.key(self.link.key(WORKERS)).key(self.link.key(ALIVE)).arg(WORKER_TTL.as_millis() as u64);
        let said: Vec<String> =
            timed(NAME, "workers", self.link.server.run(&call)).await.map_err(|trouble| {
                StoreError::Unreadable {
                    what: "what the workers run, in Redis".to_owned(),
                    why: words(trouble),
                }
            })?;
        // A worker of another version may say it in other words.
        Ok(said.iter().filter_map(|ack| serde_json::from_str(ack).ok()).collect())
    }
}

/// An entry of the list; `None` = of a document that is not known here.
fn listed(list: &str, id: &str, mut fields: HashMap<String, Vec<u8>>) -> Option<ListedChange> {
    let mut text = |name: &str| fields.remove(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let name = text("key")?;
    Some(ListedChange {
        id: format!("{list}:{id}").parse().ok()?,
        key: Key::ALL.into_iter().find(|key| key.as_str() == name)?,
        origin: text("origin").unwrap_or_default(),
        text: text("text"),
    })
}

#[cfg(test)]
mod tests;
