//! Reading every document once: at start, and for commands that need no actor.

use chrono::{DateTime, Utc};

use super::active::ActiveDocuments;
use super::documents::Key;
use super::history;
use super::policy::EnvDefaults;
use super::store::{DocumentStore, StoreError, StoreReading};
use crate::kernel::journal::Journal;

/// Reads all documents of `store`. One that is refused is replaced by its last good copy
/// when a journal is given and has one; otherwise what it governs stands still
/// ([`ActiveDocuments::withholds`]), and [`ActiveDocuments::problems`] says why.
///
/// The initial [`crate::mail::policy::PolicyCell`] is made of the result:
/// `active.policy(&env, 1)`.
pub async fn load(
    store: &dyn DocumentStore,
    env: &EnvDefaults,
    journal: Option<&dyn Journal>,
    now: DateTime<Utc>,
) -> ActiveDocuments {
    of_readings(read_all(store).await, env, journal, now).await
}

/// The same of what a store was found to hold.
pub async fn of_readings(
    readings: Vec<(Key, Result<StoreReading, StoreError>)>,
    env: &EnvDefaults,
    journal: Option<&dyn Journal>,
    now: DateTime<Utc>,
) -> ActiveDocuments {
    let mut active = ActiveDocuments::default();
    for (key, read) in readings {
        let read = match (read, journal) {
            (Ok(StoreReading::Absent), Some(journal)) if key.governs().is_some() => {
                absent(journal, key, env, now, &mut active).await
            }
            (read, _) => read,
        };
        if active.is_missing(key) {
            continue;
        }
        active.take_final(key, read, env, now);
        if let (true, Some(journal)) = (active.is_refused(key), journal) {
            match history::last_good(journal, key, env).await {
                Ok(copy) => {
                    if let Some(text) = copy {
                        active.restore(key, text, env);
                    }
                }
                Err(error) => {
                    tracing::error!(%key, error, "the last good copy of a document could not be read");
                }
            }
        }
    }
    active
}

/// A document that is not stored: it may have vanished since the journal knew it in force.
async fn absent(
    journal: &dyn Journal,
    key: Key,
    env: &EnvDefaults,
    now: DateTime<Utc>,
    active: &mut ActiveDocuments,
) -> Result<StoreReading, StoreError> {
    let unreadable = |why| Err(StoreError::Unreadable { what: format!("the history of {key}"), why });
    match history::last(journal, key).await {
        Ok(None) => Ok(StoreReading::Absent),
        Ok(Some(last)) if last.hash.is_empty() => Ok(StoreReading::Absent),
        Ok(Some(_)) => match history::last_good(journal, key, env).await {
            Ok(Some(text)) => {
                active.miss(key, text, env, now);
                Ok(StoreReading::Absent)
            }
            Ok(None) => unreadable("it has vanished, and there is no good copy of it".to_owned()),
            Err(why) => unreadable(why),
        },
        Err(why) => unreadable(why),
    }
}

/// What the store holds under every key, now.
pub(super) async fn read_all(store: &dyn DocumentStore) -> Vec<(Key, Result<StoreReading, StoreError>)> {
    // At once: a host that does not answer takes its time for each.
    futures::future::join_all(Key::ALL.map(|key| async move { (key, store.read(key).await) })).await
}
