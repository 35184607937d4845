//! Changes that the authority does not take: the journal takes them.
//!
//! ```text
//! authority does not answer ─▶ config.deferred, with a row of the queue `config` ─▶ in force everywhere
//!                                              └─▶ the next store is given a copy
//! ```
//!
//! The event comes first and has the document, so that a crash at any instant loses no change that was
//! acknowledged. The copy is for those who do not follow the journal: a command without one, or the
//! system before. No worker looks at it while the event says what is in force.

use super::{FallbackStore, as_believed};
use crate::config::active::{InForce, canonical_hash};
use crate::config::history;
use crate::config::state::{DeferredChange, DocumentCommand};
use crate::config::store::{
    DocumentChange, DocumentStore, Precondition, Revision, StoreError, StoreReading, WriteReceipt,
};
use std::sync::Arc;

/// What a receipt calls the place of a change of which no store took a copy.
const JOURNAL: &str = "journal";

impl FallbackStore {
    /// Has a change taken by the journal, after the authority could not because of `error`.
    pub(super) async fn defer(
        &self,
        change: &DocumentChange,
        error: StoreError,
    ) -> Result<WriteReceipt, StoreError> {
        let key = change.key;
        let refused = |why: String| StoreError::Unwritable { what: format!("{key} of {}", self.name()), why };
        let Some(follower) = &self.follower else {
            return Err(refused(format!("without a journal no change can wait for it: {error}")));
        };
        let away = |why| refused(format!("the journal cannot keep the change: {why}"));
        let said = follower.now(key).await.map_err(away)?;
        let held = match self.without_authority(key, &said, error.clone()).await {
            Ok(held) => held,
            // Nothing is known of it. What the authority may hold is not hidden by this
            // change: the two are put together field by field.
            Err(_) => StoreReading::Absent,
        };
        as_believed(&held, change)?;
        let copies = self.takers(change).await;
        if copies.is_empty() {
            return Err(error);
        }
        let text = change.value.to_string();
        let command = DocumentCommand::Defer(DeferredChange {
            document: InForce { hash: canonical_hash(&change.value), text: text.clone() },
            base: match held {
                StoreReading::Found { text, .. } => Some(text),
                StoreReading::Absent => None,
            },
            origin: change.origin.clone(),
            why: error.to_string(),
            over: said.state.pending.as_ref().map(|pending| pending.number),
            id: None,
        });
        let place = (follower.journal(), &self.deps.world);
        let (said, written) = history::record(place, key, &command, None).await.map_err(away)?;
        self.tracker.noted(key, &said.state);
        follower.wrote(key, said);
        if !written {
            // Another writer was faster: that change is in force now.
            return Err(StoreError::Conflict(key));
        }
        let stored_in = self.copy_to(copies).await.unwrap_or(JOURNAL);
        tracing::warn!(
            %key, %error, stored_in, origin = change.origin,
            "a document was changed while its store did not take it: it waits for that"
        );
        let revision = Revision::of(&text);
        self.tracker.wrote(key, &revision, &change.origin);
        Ok(WriteReceipt { revision, stored_in, degraded: Some(error.to_string()) })
    }

    /// The stores behind the authority that answer, with the change as each of them would take it.
    /// What lies there is not in force, or the writer has seen it; so it is replaced.
    async fn takers(&self, change: &DocumentChange) -> Vec<(Arc<dyn DocumentStore>, DocumentChange)> {
        let mut takers = Vec::new();
        for store in &self.others {
            let expected = match self.ask(store, change.key).await {
                Ok(StoreReading::Absent) => Precondition::Absent,
                Ok(StoreReading::Found { revision, .. }) => Precondition::Revision(revision),
                Err(_) => continue,
            };
            takers.push((Arc::clone(store), DocumentChange { expected, ..change.clone() }));
        }
        takers
    }

    /// Gives the first store that takes it a copy of the change, and answers its name.
    async fn copy_to(&self, takers: Vec<(Arc<dyn DocumentStore>, DocumentChange)>) -> Option<&'static str> {
        for (store, change) in takers {
            match store.write(&change).await {
                Ok(_) => return Some(store.name()),
                Err(error) => tracing::warn!(
                    key = %change.key, %error, store = store.name(),
                    "the next configuration store does not take the change either"
                ),
            }
        }
        None
    }
}
