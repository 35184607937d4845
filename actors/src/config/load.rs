//! Reading every document once: at start, and for commands that need no actor.

use chrono::{DateTime, Utc};

use super::book::Book;
use super::documents::Key;
use super::history;
use super::policy::EnvDefaults;
use super::store::{DocumentStore, Read, StoreError};
use crate::kernel::journal::Journal;

/// Reads all documents of `store`. One that is refused is replaced by its last good copy
/// when a journal is given and has one; otherwise what it governs stands still
/// ([`Book::withholds`]), and [`Book::problems`] says why.
///
/// The initial [`crate::mail::policy::PolicyCell`] is made of the result:
/// `book.policy(&env, 1)`.
pub async fn load(
    store: &dyn DocumentStore,
    env: &EnvDefaults,
    journal: Option<&dyn Journal>,
    now: DateTime<Utc>,
) -> Book {
    let mut book = Book::default();
    for (key, read) in read_all(store).await {
        book.insist(key, read, env, now);
        if let (true, Some(journal)) = (book.is_refused(key), journal) {
            match history::last_good(journal, key, env).await {
                Ok(copy) => {
                    if let Some(text) = copy {
                        book.restore(key, text, env);
                    }
                }
                Err(error) => {
                    tracing::error!(%key, error, "the last good copy of a document could not be read");
                }
            }
        }
    }
    book
}

/// What the store holds under every key, now.
pub(super) async fn read_all(store: &dyn DocumentStore) -> Vec<(Key, Result<Read, StoreError>)> {
    // At once: a host that does not answer takes its time for each.
    futures::future::join_all(Key::ALL.map(|key| async move { (key, store.read(key).await) })).await
}
