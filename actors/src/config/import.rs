//! From the list of changes that a store keeps to the history in the journal.
//!
//! Every worker follows the list; an event names its place in it, so each change is
//! recorded once, in the order of the list, whoever is faster, and a change whose writer
//! died is recorded by the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::active::{InForce, canonical_hash};
use super::documents::{DocumentSet, Key};
use super::events::{ConfigEvent, config_stream};
use super::history::{self, LastRecorded};
use super::policy::EnvDefaults;
use super::store::{ChangeId, DocumentStore, ListedChange};
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::execute::{Decision, execute};
use crate::kernel::journal::Journal;

/// How far the history of a document has followed.
#[derive(Debug, Clone)]
struct Tip {
    last: Option<LastRecorded>,
    /// Place of the newest change that came from a list.
    change: Option<ChangeId>,
}

impl Tip {
    async fn read(journal: &dyn Journal, key: Key) -> Result<Self, String> {
        let events =
            journal.read_stream(&config_stream(key.as_str()), 0).await.map_err(|error| error.to_string())?;
        let mut change = None;
        for event in &events {
            let event = ConfigEvent::from_recorded(event).map_err(|error| error.to_string())?;
            change = event.change().or(change);
        }
        Ok(Self { last: history::last(journal, key).await?, change })
    }

    /// Whether a change was recorded, or one after it.
    fn covers(&self, id: &ChangeId) -> bool {
        self.change.as_ref().is_some_and(|known| known.list == id.list && known.place >= id.place)
    }

    fn hash(&self) -> &str {
        self.last.as_ref().map_or("", |last| last.hash.as_str())
    }
}

/// Records listed changes, oldest first. Safe to repeat.
///
/// # Errors
/// The journal did not take one now, in plain words; those before it are recorded.
pub async fn import_changes(
    journal: &dyn Journal,
    world: &World,
    env: &EnvDefaults,
    listed: &[ListedChange],
) -> Result<(), String> {
    let mut tips: BTreeMap<Key, Tip> = BTreeMap::new();
    for change in listed {
        let tip = match tips.remove(&change.key) {
            Some(tip) => tip,
            None => Tip::read(journal, change.key).await?,
        };
        let tip = record(journal, world, env, change, tip).await?;
        tips.insert(change.key, tip);
    }
    Ok(())
}

async fn record(
    journal: &dyn Journal,
    world: &World,
    env: &EnvDefaults,
    change: &ListedChange,
    tip: Tip,
) -> Result<Tip, String> {
    let document = match &change.text {
        None => None,
        Some(text) => match good(change.key, text, env) {
            Some(document) => Some(document),
            // It is nowhere in force; the status of the document says why.
            None => return Ok(tip),
        },
    };
    // It is given to the first look, which needs no reading.
    let known = Mutex::new(Some(tip));
    let decide = async || {
        let known = known.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tip = match known {
            Some(tip) => tip,
            None => Tip::read(journal, change.key).await?,
        };
        let hash = document.as_ref().map_or("", |document| document.hash.as_str());
        if tip.covers(&change.id) || tip.hash() == hash {
            return Ok(Decision::already(Some(tip)));
        }
        let place = change.id.to_string();
        let commit =
            history::commit(world, change.key, document.as_ref(), tip.last.as_ref(), &change.origin, &place)?;
        Ok(Decision { commit: Some(commit), answer: None })
    };
    // Others are faster, probably with this very change.
    let stream = config_stream(change.key.as_str());
    match execute(journal, || Box::pin(decide()), |error| format!("{stream}: {error}")).await? {
        Some(tip) => Ok(tip),
        None => Tip::read(journal, change.key).await,
    }
}

/// A text as a document in force; `None` when it would be refused.
fn good(key: Key, text: &str, env: &EnvDefaults) -> Option<InForce> {
    let value: Value = super::documents::from_json(text).ok()?;
    DocumentSet::default().put(key, Some(&value), env).ok()?;
    Some(InForce { hash: canonical_hash(&value), text: text.to_owned() })
}

/// Puts back what a store lost while no worker was there, from the copies in the journal:
/// documents that were in a list of the store, and that it knows nothing of now.
pub async fn put_back(store: &dyn DocumentStore, journal: &dyn Journal) {
    for key in Key::ALL {
        let text = match Tip::read(journal, key).await {
            Ok(Tip { change: Some(_), last: Some(LastRecorded { text: Some(text), .. }) }) => text,
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(%key, error, "the history of a document could not be read");
                continue;
            }
        };
        match store.recover(key, &text).await {
            Ok(true) => {
                tracing::warn!(%key, "the store had lost this document; the last good copy is put back")
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%key, %error, "it is not known whether the store has lost a document")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::kernel::journal::memory::MemoryJournal;

    const KEY: Key = Key::WebhookConfig;

    fn listed(list: &str, place: u64, text: Option<&str>, origin: &str) -> ListedChange {
        ListedChange {
            id: ChangeId { list: list.to_owned(), place: (place, 0) },
            key: KEY,
            text: text.map(str::to_owned),
            origin: origin.to_owned(),
        }
    }

    /// Origins of the recorded changes, in order.
    async fn origins(journal: &dyn Journal) -> Vec<String> {
        let log = journal.read_log(0, 1_000).await.unwrap();
        log.iter().map(|event| event.payload["origin"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn each_change_is_recorded_once_in_order_whoever_follows() {
        let world = World::seeded(DateTime::from_timestamp(1_800_000_000, 0).unwrap(), 7);
        let journal = Arc::new(MemoryJournal::new(world.clone(), Arc::default()));
        let env = EnvDefaults::default();
        let (a, b) = (Some("{\"a\":1}"), Some("{\"b\":1}"));
        let list = [
            listed("l", 1, a, "startup"),
            listed("l", 2, b, "cli"),
            listed("l", 3, a, "api"),
            listed("l", 4, Some("{nonsense"), "external"),
            listed("l", 5, Some("{ \"a\": 1 }"), "external"),
            listed("l", 6, None, "external"),
        ];
        let follow = |from: usize, to: usize| {
            let (journal, world, env, list) = (journal.clone(), world.clone(), env.clone(), list.clone());
            async move { import_changes(journal.as_ref(), &world, &env, &list[from..to]).await.unwrap() }
        };
        // Five workers, some of which start over and some of which lag behind.
        futures::future::join_all([follow(0, 3), follow(0, 2), follow(0, 6), follow(0, 4), follow(0, 6)])
            .await;
        follow(0, 1).await;
        assert_eq!(origins(journal.as_ref()).await, ["startup", "cli", "api", "external"]);

        // Another list: the store was emptied, places begin anew.
        let anew = [listed("m", 1, b, "recovered")];
        super::import_changes(journal.as_ref(), &world, &env, &anew).await.unwrap();
        super::import_changes(journal.as_ref(), &world, &env, &list).await.unwrap();
        let found = origins(journal.as_ref()).await;
        assert_eq!(found.get(4).map(String::as_str), Some("recovered"));
    }

    #[test]
    fn places_are_written_and_read() {
        let id = ChangeId { list: "a-b".to_owned(), place: (1_700_000_000_000, 7) };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "a", "a:1", "a:1-x", "a:-1"] {
            assert!(wrong.parse::<ChangeId>().is_err(), "{wrong}");
        }
    }
}
