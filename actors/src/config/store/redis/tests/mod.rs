//! Against a real server, started for the test.

mod documents;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use render_signal_testkit::Redis;

use super::{RedisSettings, RedisStore};
use crate::config::documents::Key;
use crate::config::store::{
    ChangeLog as _, DocumentChange, DocumentStore as _, Precondition, Revision, StoreError, StoreReading,
};
use crate::kernel::clock::World;

const KEY: Key = Key::WebhookConfig;
const PREFIX: &str = "r:ss:config:";

/// A server of its own, killed at the end. It comes back empty from a restart.
struct Server(Redis);

impl Server {
    async fn start() -> Self {
        Self(Redis::start_forgetful().await)
    }

    async fn restart(&mut self) {
        self.0.restart().await;
    }

    fn url(&self) -> String {
        self.0.url()
    }

    fn store(&self, writer: &str) -> Arc<RedisStore> {
        let settings = RedisSettings {
            address: self.url().into(),
            prefix: PREFIX.to_owned(),
            writer: writer.to_owned(),
        };
        Arc::new(RedisStore::new(settings, World::real()).unwrap())
    }

    /// As another program would talk to it.
    async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.unwrap()
    }

    /// A plain `SET`, as the reference system makes it.
    async fn set(&self, key: Key, text: &str) {
        self.command::<()>(&["SET", &format!("{PREFIX}{key}"), text]).await;
    }

    async fn get(&self, key: Key) -> Option<String> {
        self.command(&["GET", &format!("{PREFIX}{key}")]).await
    }
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    for _ in 0..1_500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not happen: {what}");
}

fn change(value: serde_json::Value, expected: Precondition, origin: &str) -> DocumentChange {
    DocumentChange { key: KEY, value, expected, origin: origin.to_owned() }
}

/// What is stored, by the store's own word, as soon as it can tell.
async fn held(store: &RedisStore, key: Key) -> (serde_json::Value, Precondition) {
    for _ in 0..500 {
        match store.read(key).await {
            Ok(StoreReading::Absent) => return (serde_json::json!({}), Precondition::Absent),
            Ok(StoreReading::Found { text, revision }) => {
                return (serde_json::from_str(&text).unwrap(), Precondition::Revision(revision));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("{key} cannot be read");
}

/// Sets one field, reading again as often as somebody else was faster.
async fn set_field(store: &RedisStore, field: &str, to: serde_json::Value, origin: &str) {
    loop {
        let (mut value, expected) = held(store, KEY).await;
        value[field] = to.clone();
        match store.write(&change(value, expected, origin)).await {
            Ok(_) => return,
            Err(StoreError::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// `origin` of every listed change, oldest first.
async fn origins(store: &RedisStore) -> Vec<String> {
    let changes = store.changes(None).await.unwrap();
    changes.listed.into_iter().map(|change| change.origin).collect()
}

fn revision(text: &str) -> Precondition {
    Precondition::Revision(Revision::of(text))
}
