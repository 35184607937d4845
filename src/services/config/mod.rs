//! The configuration documents: what is in force and where, earlier versions, and changes.

pub(crate) mod bundle;
pub(crate) mod overview;
pub(crate) mod versions;

use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::{BasedOn, Edit, Editor, SavedEdit};
use render_signal_actors::config::store::{self, ConflictWinner, Revision, StoreHealth, StoreReading};
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::said;
use serde_json::Value;

use super::ServiceError;

/// The documents, by the one door through which they are changed.
#[derive(Clone)]
pub(crate) struct ConfigService {
    /// See [`Editor`].
    pub(crate) editor: Editor,
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    /// Its content; `None` = it is no JSON.
    pub(crate) value: Option<Value>,
    /// Its version in the store.
    pub(crate) revision: Revision,
}

impl ConfigService {
    /// The journal, which has the history.
    fn history_journal(&self) -> Result<&dyn Journal, ServiceError> {
        self.editor
            .journal
            .as_deref()
            .ok_or_else(|| ServiceError::Journal("there is no journal, so there is no history".to_owned()))
    }

    /// What the store holds under a key, asked anew; `None` = nothing.
    pub(crate) async fn stored(&self, key: Key) -> Result<Option<Stored>, ServiceError> {
        self.editor.store.forget();
        Ok(match self.editor.store.read(key).await? {
            StoreReading::Absent => None,
            StoreReading::Found { text, revision } => {
                Some(Stored { value: documents::from_json(&text).ok(), revision })
            }
        })
    }

    /// Makes a change.
    pub(crate) async fn change(&self, edit: &Edit) -> Result<SavedEdit, ServiceError> {
        self.editor.apply(edit).await.map_err(|error| ServiceError::edit(edit.key, error))
    }

    /// Writes an earlier version as a new one.
    pub(crate) async fn restore(
        &self,
        key: Key,
        version: u64,
        origin: &str,
        seen: Option<BasedOn>,
    ) -> Result<SavedEdit, ServiceError> {
        let Some(copy) = self.version(key, version).await? else {
            return Err(ServiceError::State(said!(
                "par la version {version}, {key} a été supprimé\u{a0}: il n'y a rien à rétablir, rien n'a été changé",
                "by version {version} {key} was removed, so there is nothing to restore; nothing was changed"
            )));
        };
        self.change(&Edit::replace(key, copy, origin).allowing_unknown().expecting(seen)).await
    }

    /// Removes a document. Answers whether there was anything to remove.
    pub(crate) async fn remove(&self, key: Key, origin: &str) -> Result<bool, ServiceError> {
        self.editor.remove(key, origin).await.map_err(|error| ServiceError::edit(key, error))
    }

    /// Decides a conflict between two stores, on behalf of `by`. Answers whether there was one.
    pub(crate) async fn resolve(
        &self,
        key: Key,
        keep: ConflictWinner,
        by: &str,
    ) -> Result<bool, ServiceError> {
        let Some(stores) = self.editor.store.fallbacks() else { return Ok(false) };
        // What still waits may turn out to be a conflict, or none.
        let offered = stores.offer(key).await;
        match stores.resolve(key, keep, by).await? {
            true => Ok(true),
            false => Ok(offered.map(|_| false)?),
        }
    }

    /// How the stores are, the authority first; nothing where there is but one.
    pub(crate) fn store_health(&self) -> Vec<StoreHealth> {
        store::health(self.editor.store.as_ref())
    }
}
