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
use serde_json::Value;

use super::{DocumentStore, Expect, Read, Stamp, StoreError};
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
    async fn write(&self, key: Key, value: &Value, expected: &Expect) -> Result<Stamp, StoreError> {
        match self.first.read(key).await? {
            Read::Found { .. } => self.first.write(key, value, expected).await,
            Read::Absent => {
                let as_believed = match (self.second.read(key).await?, expected) {
                    (Read::Absent, Expect::Absent) => true,
                    (Read::Found { stamp, .. }, Expect::Stamp(believed)) => stamp == *believed,
                    _ => false,
                };
                if !as_believed {
                    return Err(StoreError::Conflict(key));
                }
                self.first.write(key, value, &Expect::Absent).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        async fn read(&self, _: Key) -> Result<Read, StoreError> {
            self.0.lock().unwrap().clone()
        }
        async fn changed(&self) {
            std::future::pending().await
        }
        async fn write(&self, _: Key, value: &Value, _: &Expect) -> Result<Stamp, StoreError> {
            let text = value.to_string();
            self.say(Ok(Read::Found { stamp: Stamp::of(&text), text: text.clone() }));
            Ok(Stamp::of(&text))
        }
    }

    const KEY: Key = Key::WebhookConfig;

    fn found(text: &str) -> Result<Read, StoreError> {
        Ok(Read::Found { text: text.to_owned(), stamp: Stamp::of(text) })
    }

    fn down() -> Result<Read, StoreError> {
        Err(StoreError::Unreadable { what: "it".to_owned(), why: "down".to_owned() })
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
        assert!(store.write(KEY, &json!({"a": 1}), &believed).await.is_err());
        first.say(Ok(Read::Absent));
        let stale = store.write(KEY, &json!({"a": 1}), &Expect::Absent).await;
        assert_eq!(stale, Err(StoreError::Conflict(KEY)));
        store.write(KEY, &json!({"a": 1}), &believed).await.unwrap();
        assert_eq!(store.read(KEY).await, found("{\"a\":1}"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"file\":1}");
    }
}
