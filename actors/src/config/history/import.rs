//! From the list of changes that a store keeps to the history in the journal.
//!
//! Every worker follows the list; an event names its place in it, so each change is
//! recorded once, in the order of the list, whoever is faster, and a change whose writer
//! died is recorded by the others.

use std::collections::BTreeMap;

use serde_json::Value;

use super::copies::text_of;
use super::record::{load, record};
use crate::config::active::{InForce, canonical_hash};
use crate::config::documents::{DocumentSet, Key, from_json};
use crate::config::policy::EnvDefaults;
use crate::config::state::{DocumentCommand, DocumentState};
use crate::config::store::{DocumentStore, ListedChange};
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;

/// Records changes that the store of that name has listed, oldest first. Safe to repeat.
///
/// # Errors
/// The journal did not take one now, in plain words; those before it are recorded.
pub async fn import_changes(
    journal: &dyn Journal,
    world: &World,
    env: &EnvDefaults,
    (store, listed): (&str, &[ListedChange]),
) -> Result<(), String> {
    // So that the journal is not asked about each of the changes that it has.
    let mut states: BTreeMap<Key, DocumentState> = BTreeMap::new();
    for change in listed {
        let Some(command) = as_command(change, env, store) else { continue };
        let state = match states.remove(&change.key) {
            Some(state) => state,
            None => load(journal, change.key).await?.state,
        };
        let state = match command.is_done(&state) {
            true => state,
            false => record((journal, world), change.key, &command, None).await?.0.state,
        };
        states.insert(change.key, state);
    }
    Ok(())
}

/// What a listed change is to the history; `None` when the document is refused: it is nowhere in
/// force, and the status of the document says why.
fn as_command(change: &ListedChange, env: &EnvDefaults, store: &str) -> Option<DocumentCommand> {
    let document = match &change.text {
        None => None,
        Some(text) => Some(good(change.key, text, env)?),
    };
    let (origin, listed) = (change.origin.clone(), Some(change.id.clone()));
    Some(DocumentCommand::Change { document, origin, listed, stored_in: store.to_owned() })
}

/// A text as a document in force; `None` when it would be refused.
fn good(key: Key, text: &str, env: &EnvDefaults) -> Option<InForce> {
    let value: Value = from_json(text).ok()?;
    DocumentSet::default().put(key, Some(&value), env).ok()?;
    Some(InForce { hash: canonical_hash(&value), text: text.to_owned() })
}

/// Puts back what a store lost while no worker was there, from the copies in the journal:
/// documents that it held when it was last heard, and that it knows nothing of now.
pub async fn put_back(store: &dyn DocumentStore, journal: &dyn Journal) {
    let Some(log) = store.change_log() else { return };
    for key in Key::ALL {
        let text = match held_copy(journal, key, store.name()).await {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(%key, error, "the history of a document could not be read");
                continue;
            }
        };
        match log.recover(key, &text).await {
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

/// The copy of what a store held when it was last heard.
async fn held_copy(journal: &dyn Journal, key: Key, store: &str) -> Result<Option<String>, String> {
    match load(journal, key).await?.state.held.filter(|held| held.store == store) {
        Some(held) => text_of(journal, &held.body_key).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::config::store::ChangeId;
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
            async move {
                import_changes(journal.as_ref(), &world, &env, ("redis", &list[from..to])).await.unwrap()
            }
        };
        // Five workers, some of which start over and some of which lag behind.
        futures::future::join_all([follow(0, 3), follow(0, 2), follow(0, 6), follow(0, 4), follow(0, 6)])
            .await;
        follow(0, 1).await;
        assert_eq!(origins(journal.as_ref()).await, ["startup", "cli", "api", "external"]);

        // Another list: the store was emptied, places begin anew.
        let anew = [listed("m", 1, b, "recovered")];
        super::import_changes(journal.as_ref(), &world, &env, ("redis", &anew)).await.unwrap();
        super::import_changes(journal.as_ref(), &world, &env, ("redis", &list)).await.unwrap();
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
