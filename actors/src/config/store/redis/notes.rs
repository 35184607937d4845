//! Notes of earlier versions about changes that waited for another store: a hash, `pending`, of
//! document → note, and `settled:<document>` → ids of those that arrived.

use std::collections::HashMap;

use redis::cmd;

use super::RedisStore;
use super::link::{NAME, describe, words};
use crate::config::documents::Key;
use crate::config::store::StoreError;
use crate::config::store::metrics::timed;

/// Of the hash, after the prefix.
const PENDING: &str = "pending";

impl RedisStore {
    /// The hash as it is; empty when there is none.
    ///
    /// # Errors
    /// When it cannot be said.
    pub(in crate::config) async fn earlier_notes(&self) -> Result<HashMap<String, String>, StoreError> {
        let mut all = cmd("HGETALL");
        all.arg(self.link.key(PENDING));
        timed(NAME, "read", self.link.server.ask(&all)).await.map_err(|trouble| StoreError::Unreadable {
            what: "the notes of earlier versions in Redis".to_owned(),
            why: words(trouble),
        })
    }

    /// Removes the note about a document, unless it is another one by now, with the ids of those that
    /// arrived.
    ///
    /// # Errors
    /// It is as it was.
    pub(in crate::config) async fn forget_note(&self, key: Key, note: &str) -> Result<(), StoreError> {
        let now = self.earlier_notes().await?;
        if now.get(key.as_str()).is_some_and(|now| now != note) {
            return Ok(());
        }
        let mut delete = cmd("HDEL");
        delete.arg(self.link.key(PENDING)).arg(key.as_str()).arg(format!("settled:{key}"));
        let deleted = timed(NAME, "write", self.link.server.ask::<u64>(&delete)).await;
        deleted.map(drop).map_err(|trouble| StoreError::Unwritable {
            what: format!("the note about {}", describe(key)),
            why: words(trouble),
        })
    }
}
