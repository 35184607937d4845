//! Two stores as one: what the first does not have, or cannot say at the start, the second
//! may have.
//!
//! | the first says | what is read |
//! |---|---|
//! | a document | that |
//! | absent | what the second says |
//! | cannot be read, was read before | that it cannot be read: the document in force stays |
//! | cannot be read, never was | the second's document, with a warning; has it none, that it cannot be read |

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{
    Ack, Change, ChangeId, DocumentStore, Expect, Listed, Read, Stamp, StoreError, StoreHealth, Written,
};
use crate::config::documents::Key;

/// See the module page.
pub struct FallbackStore {
    first: Arc<dyn DocumentStore>,
    second: Arc<dyn DocumentStore>,
    /// What the first has answered about.
    heard: Mutex<HashSet<Key>>,
    /// What the second stands in for, so that it is said once.
    standing_in: Mutex<HashSet<Key>>,
}

impl FallbackStore {
    /// `first` has the last word, `second` fills in.
    #[must_use]
    pub fn new(first: Arc<dyn DocumentStore>, second: Arc<dyn DocumentStore>) -> Self {
        Self { first, second, heard: Mutex::default(), standing_in: Mutex::default() }
    }

    fn note_heard(&self, key: Key) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        if self.standing_in.lock().unwrap_or_else(PoisonError::into_inner).remove(&key) {
            tracing::info!(%key, "the configuration store answers again");
        }
    }

    /// The document that stands in while the first store has never answered.
    async fn stand_in(&self, key: Key, error: StoreError) -> Result<Read, StoreError> {
        let found = match self.second.read(key).await {
            Ok(found @ Read::Found { .. }) => found,
            // Nothing to stand in: the last good copy is better than no document.
            Ok(Read::Absent) | Err(_) => return Err(error),
        };
        if self.standing_in.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            // render_signal_config_fallback_total{key}: documents taken from the second store
            // because the first did not answer.
            metrics::counter!("render_signal_config_fallback_total", "key" => key.as_str()).increment(1);
            tracing::warn!(%key, %error, "the configuration store does not answer, the file is used");
        }
        Ok(found)
    }
}

#[async_trait]
impl DocumentStore for FallbackStore {
    fn name(&self) -> &'static str {
        self.first.name()
    }

    async fn read(&self, key: Key) -> Result<Read, StoreError> {
        match self.first.read(key).await {
            Ok(found @ Read::Found { .. }) => {
                self.note_heard(key);
                Ok(found)
            }
            Ok(Read::Absent) => {
                self.note_heard(key);
                self.second.read(key).await
            }
            Err(error) if self.heard.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) => {
                Err(error)
            }
            Err(error) => self.stand_in(key, error).await,
        }
    }

    async fn changed(&self) {
        tokio::select! {
            () = self.first.changed() => {}
            () = self.second.changed() => {}
        }
    }

    /// Into the first store only: while it cannot be reached, nothing is changed anywhere.
    async fn write(&self, change: &Change) -> Result<Written, StoreError> {
        match self.first.read(change.key).await? {
            Read::Found { .. } => self.first.write(change).await,
            Read::Absent => {
                let as_believed = match (self.second.read(change.key).await?, &change.expected) {
                    (Read::Absent, Expect::Absent) => true,
                    (Read::Found { stamp, .. }, Expect::Stamp(believed)) => stamp == *believed,
                    _ => false,
                };
                if !as_believed {
                    return Err(StoreError::Conflict(change.key));
                }
                self.first.write(&Change { expected: Expect::Absent, ..change.clone() }).await
            }
        }
    }

    async fn changes(&self, after: Option<&ChangeId>) -> Result<Option<Vec<Listed>>, StoreError> {
        self.first.changes(after).await
    }

    fn origin_of(&self, key: Key, stamp: &Stamp) -> Option<String> {
        self.first.origin_of(key, stamp)
    }

    async fn recover(&self, key: Key, text: &str) -> Result<bool, StoreError> {
        self.first.recover(key, text).await
    }

    async fn acknowledge(&self, ack: &Ack) -> Result<(), StoreError> {
        self.first.acknowledge(ack).await
    }

    async fn leave(&self, worker: &str) {
        self.first.leave(worker).await;
    }

    async fn workers(&self) -> Result<Vec<Ack>, StoreError> {
        self.first.workers().await
    }

    fn health(&self) -> Vec<StoreHealth> {
        self.first.health()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::store::file::FileStore;

    /// A store that says what it is told to.
    struct Scripted(Mutex<Result<Read, StoreError>>);

    impl Scripted {
        fn say(&self, what: Result<Read, StoreError>) {
            *self.0.lock().unwrap() = what;
        }
    }

    #[async_trait]
    impl DocumentStore for Scripted {
        fn name(&self) -> &'static str {
            "scripted"
        }
        async fn read(&self, _: Key) -> Result<Read, StoreError> {
            self.0.lock().unwrap().clone()
        }
        async fn changed(&self) {
            std::future::pending().await
        }
        async fn write(&self, change: &Change) -> Result<Written, StoreError> {
            let text = change.value.to_string();
            let stamp = Stamp::of(&text);
            self.say(Ok(Read::Found { stamp: stamp.clone(), text }));
            Ok(Written { stamp, stored_in: self.name(), degraded: None })
        }
    }

    const KEY: Key = Key::WebhookConfig;

    fn found(text: &str) -> Result<Read, StoreError> {
        Ok(Read::Found { text: text.to_owned(), stamp: Stamp::of(text) })
    }

    fn down() -> Result<Read, StoreError> {
        Err(StoreError::Unreadable { what: "it".to_owned(), why: "down".to_owned() })
    }

    fn change(value: Value, expected: Expect) -> Change {
        Change { key: KEY, value, expected, origin: "api".to_owned() }
    }

    fn pair(says: Result<Read, StoreError>) -> (tempfile::TempDir, Arc<Scripted>, FallbackStore) {
        let dir = tempfile::tempdir().unwrap();
        let first = Arc::new(Scripted(Mutex::new(says)));
        let files = Arc::new(FileStore::new(dir.path(), None));
        (dir, Arc::clone(&first), FallbackStore::new(first, files))
    }

    #[tokio::test]
    async fn the_table_of_the_module_page_holds() {
        let (dir, first, store) = pair(down());
        let file = dir.path().join("webhook_config.json");
        assert_eq!(store.read(KEY).await, down(), "nobody has it");
        std::fs::write(&file, "{\"file\":1}").unwrap();
        assert_eq!(store.read(KEY).await, found("{\"file\":1}"), "the file stands in");
        first.say(Ok(Read::Absent));
        assert_eq!(store.read(KEY).await, found("{\"file\":1}"), "absent is not empty");
        first.say(found("{\"first\":1}"));
        assert_eq!(store.read(KEY).await, found("{\"first\":1}"));
        first.say(down());
        assert_eq!(store.read(KEY).await, down(), "an old file does not replace what is in force");
    }

    #[tokio::test]
    async fn a_write_goes_to_the_first_or_nowhere() {
        let (dir, first, store) = pair(down());
        let file = dir.path().join("webhook_config.json");
        std::fs::write(&file, "{\"file\":1}").unwrap();
        let believed = Expect::Stamp(Stamp::of("{\"file\":1}"));
        assert!(store.write(&change(json!({"a": 1}), believed.clone())).await.is_err());
        first.say(Ok(Read::Absent));
        let stale = store.write(&change(json!({"a": 1}), Expect::Absent)).await;
        assert_eq!(stale, Err(StoreError::Conflict(KEY)));
        store.write(&change(json!({"a": 1}), believed.clone())).await.unwrap();
        assert_eq!(store.read(KEY).await, found("{\"a\":1}"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"file\":1}");
    }
}
