//! What becomes of an edit in the history.

use std::time::Duration;

use serde_json::Value;

use super::{Editor, Present};
use crate::config::active::{InForce, canonical_hash};
use crate::config::documents::{DocumentSet, Key};
use crate::config::history::import::import_changes;
use crate::config::history::{self, ObservedIn};
use crate::config::state::DocumentCommand;
use crate::config::store::{self, DocumentChange, Revision, StoreReading};
use crate::kernel::journal::Journal;

/// The author of what a program wrote that does not say.
const EXTERNAL: &str = "external";

/// Looks at the history before what is to be replaced counts as written by a program that
/// records nothing: a process of ours that has just written it is about to say so.
const AUTHOR_CHECKS: u32 = 10;
/// Pause between two of them.
const AUTHOR_CHECK_INTERVAL: Duration = Duration::from_millis(25);

impl Editor {
    /// What is about to be replaced can be restored, also when it was written by a program
    /// that records nothing while no server looked.
    pub(super) async fn record_replaced(&self, key: Key, present: &Present) {
        let (Some(journal), StoreReading::Found { text, .. }, Some(value)) =
            (self.journal.as_deref(), &present.read, present.value())
        else {
            return;
        };
        // A document that was refused was never in force.
        if DocumentSet::default().put(key, Some(&value), &self.env).is_err() {
            return;
        }
        let in_force = InForce { hash: canonical_hash(&value), text: text.clone() };
        if matches!(history::last(journal, key).await, Ok(Some(last)) if last.hash == in_force.hash) {
            return;
        }
        if let Err(error) = self.record_in(journal, key, EXTERNAL, in_force).await {
            tracing::warn!(%key, error, "what is replaced is not in the journal");
        }
    }

    /// Puts the change into the history. Returns the document as the store has it, which may
    /// have set its own time, and its version.
    pub(super) async fn record(&self, change: &DocumentChange, revision: &Revision) -> (String, Option<u64>) {
        let (text, document) = match self.store.read(change.key).await {
            Ok(StoreReading::Found { text, revision: now }) if now == *revision => {
                let document = crate::config::documents::from_json::<Value>(&text).ok();
                (text, document)
            }
            // Somebody wrote again: the server that sees it records it.
            _ => (change.value.to_string(), None),
        };
        let (Some(document), Some(journal)) = (document, self.journal.as_deref()) else {
            return (text, None);
        };
        let in_force = InForce { hash: canonical_hash(&document), text: text.clone() };
        match self.record_in(journal, change.key, &change.origin, in_force).await {
            Ok(version) => (text, version),
            Err(error) => {
                tracing::warn!(key = %change.key, error, "the change is stored but not yet in the journal");
                (text, None)
            }
        }
    }

    /// Puts a removal into the history. Answers whether it was not there already.
    pub(super) async fn record_removal(&self, key: Key, origin: &str) -> Result<bool, String> {
        let Some(journal) = self.journal.as_deref() else { return Ok(false) };
        let before = history::last(journal, key).await?;
        self.import(journal, key).await?;
        self.enter(journal, key, None, origin).await?;
        Ok(before.is_some_and(|before| !before.hash.is_empty()))
    }

    /// Follows the store's own list of changes, or records the change where there is none.
    /// Returns its version, unless it is not the newest.
    async fn record_in(
        &self,
        journal: &dyn Journal,
        key: Key,
        origin: &str,
        in_force: InForce,
    ) -> Result<Option<u64>, String> {
        let hash = in_force.hash.clone();
        if !self.import(journal, key).await? {
            if origin == EXTERNAL {
                until_recorded(journal, key, &hash).await;
            }
            self.enter(journal, key, Some(&in_force), origin).await?;
        }
        let versions = history::versions(journal, key).await?;
        let newest = versions.iter().rfind(|version| !version.lost);
        Ok(newest.filter(|newest| newest.hash == hash).map(|newest| newest.version))
    }

    /// Follows the list of changes of the store, when it keeps one. Answers whether that tells all
    /// there is to know of the document.
    async fn import(&self, journal: &dyn Journal, key: Key) -> Result<bool, String> {
        let Some(log) = self.store.change_log() else { return Ok(false) };
        // A list that cannot be read is followed later, by a server.
        let Ok(changes) = log.changes(None).await else { return Ok(false) };
        let listed: Vec<_> = changes.listed.into_iter().filter(|listed| listed.key == key).collect();
        import_changes(journal, &self.world, &self.env, (self.store.name(), &listed)).await?;
        Ok(changes.held.contains(&key))
    }

    /// Enters what was seen in the store, unless something else is there by now.
    async fn enter(
        &self,
        journal: &dyn Journal,
        key: Key,
        in_force: Option<&InForce>,
        origin: &str,
    ) -> Result<(), String> {
        let observed = ObservedIn { store: self.store.as_ref(), env: &self.env };
        let stored_in = in_force.map(|document| store::holder(self.store.as_ref(), key, &document.text));
        let command = DocumentCommand::seen(in_force, origin, stored_in.unwrap_or_default());
        history::record((journal, &self.world), key, &command, Some(observed)).await.map(drop)
    }
}

/// Waits a while for the author of a version to record it.
async fn until_recorded(journal: &dyn Journal, key: Key, hash: &str) {
    for _ in 0..AUTHOR_CHECKS {
        match history::last(journal, key).await {
            Ok(Some(last)) if last.hash == hash => return,
            Ok(_) => tokio::time::sleep(AUTHOR_CHECK_INTERVAL).await,
            Err(_) => return,
        }
    }
}
