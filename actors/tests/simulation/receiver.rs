//! A receiver that remembers everything and forgives nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::chaos::{Chaos, Failed};

/// What the world has received, for ever.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<BTreeMap<String, Seen>>>);

/// One `webhook-id`.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) body: Bytes,
    /// How often it was taken (with or without the sender learning of it).
    pub(crate) taken: u32,
    /// How often the sender was told that it was taken.
    pub(crate) acknowledged: u32,
}

impl Inbox {
    /// Takes a webhook. Panics when the same id comes with another body.
    fn take(&self, id: &str, body: &Bytes) {
        let mut inbox = self.0.lock().unwrap();
        match inbox.get_mut(id) {
            Some(seen) => {
                assert_eq!(seen.body, *body, "INVARIANT: {id} was repeated with another body");
                seen.taken += 1;
            }
            None => {
                inbox.insert(id.to_owned(), Seen { body: body.clone(), taken: 1, acknowledged: 0 });
            }
        }
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.lock().unwrap().contains_key(id)
    }

    /// Whether a webhook of one of these ids says this.
    #[allow(dead_code, reason = "the panic tests share this file and do not ask")]
    pub(crate) fn says(&self, ids: &[String], words: &str) -> bool {
        let inbox = self.0.lock().unwrap();
        let mut told = ids.iter().filter_map(|id| inbox.get(id));
        told.any(|seen| String::from_utf8_lossy(&seen.body).contains(words))
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Seen> {
        self.0.lock().unwrap().clone()
    }

    /// One post: `Ok(status)` as the sender sees it.
    pub(crate) async fn post(&self, chaos: &Chaos, id: &str, body: &Bytes) -> Result<u16, Failed> {
        // A receiver that is there but unwell answers by itself.
        if chaos.is_active() {
            match chaos.below(20) {
                0 => return Ok(500),
                1 => return Ok(503),
                2 => return Ok(429),
                _ => {}
            }
        }
        chaos.through("receiver", || self.take(id, body)).await?;
        if let Some(seen) = self.0.lock().unwrap().get_mut(id) {
            seen.acknowledged += 1;
        }
        Ok(200)
    }
}
