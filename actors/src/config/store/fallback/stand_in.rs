//! What is read while the authority has nothing, or says nothing.

use super::{FallbackStore, unread};
use crate::config::documents::Key;
use crate::config::state::DocumentState;
use crate::config::store::{Revision, StoreError, StoreReading};
use crate::kernel::aggregate::Loaded;

impl FallbackStore {
    /// What stands behind an authority that has nothing. One that does not answer hides
    /// those behind it once it was heard, and before that only while they have nothing.
    pub(super) async fn behind(&self, key: Key) -> Result<(StoreReading, &'static str), StoreError> {
        let mut unheard = None;
        for store in &self.others {
            match self.ask(store, key).await {
                Ok(StoreReading::Absent) => {}
                Ok(found @ StoreReading::Found { .. }) => return Ok((found, store.name())),
                Err(error) if self.tracker.was_heard(store.name(), key) => return Err(error),
                Err(error) => unheard = unheard.or(Some(error)),
            }
        }
        unheard.map_or(Ok((StoreReading::Absent, self.authority.name())), Err)
    }

    /// What the change that waits says, if one does.
    pub(super) async fn waiting(
        &self,
        key: Key,
        state: &DocumentState,
    ) -> Result<Option<StoreReading>, StoreError> {
        let (Some(change), Some(follower)) = (&state.pending, &self.follower) else { return Ok(None) };
        let text = follower.text(key, &change.body_key, &change.hash).await;
        let text = text.map_err(|why| unread(key, why))?;
        let gone = || unread(key, "the change that waits is gone".to_owned());
        let text = text.ok_or_else(gone)?;
        let revision = Revision::of(&text);
        // It may be another process that made it.
        self.tracker.wrote(key, &revision, &change.origin);
        Ok(Some(StoreReading::Found { text, revision }))
    }

    /// What holds while the authority does not answer because of `error`.
    pub(super) async fn without_authority(
        &self,
        key: Key,
        said: &Loaded<DocumentState>,
        error: StoreError,
    ) -> Result<StoreReading, StoreError> {
        if let Some(waiting) = self.waiting(key, &said.state).await? {
            return Ok(waiting);
        }
        let heard = self.tracker.was_heard(self.authority.name(), key);
        let known = self.tracker.known(key);
        if let Some(found @ StoreReading::Found { .. }) = known {
            return Ok(found);
        }
        if known.is_none()
            && let Some(text) = self.copy(key, &said.state).await
        {
            self.tracker.stands_in(key, "a copy of what it last held", &error);
            return Ok(StoreReading::Found { revision: Revision::of(&text), text });
        }
        match self.behind(key).await {
            Ok((found @ StoreReading::Found { .. }, store)) => {
                if !heard {
                    self.tracker.stands_in(key, store, &error);
                }
                Ok(found)
            }
            Ok((StoreReading::Absent, _)) if known.is_some() || self.was_absent(key, said).await => {
                Ok(StoreReading::Absent)
            }
            Ok((StoreReading::Absent, _)) | Err(_) => Err(error),
        }
    }

    /// What the authority last held, as the history has it.
    async fn copy(&self, key: Key, state: &DocumentState) -> Option<String> {
        let held = state.held.as_ref()?;
        // Events of an earlier version do not say where it was: then it was in force, at least.
        if held.store != self.authority.name() && !held.store.is_empty() {
            return None;
        }
        match self.follower.as_ref()?.text(key, &held.body_key, &held.hash).await {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(%key, error, "the copy of what the authority held cannot be read");
                None
            }
        }
    }

    /// Whether the history knows that the authority had no such document.
    async fn was_absent(&self, key: Key, said: &Loaded<DocumentState>) -> bool {
        if said.version > 0 && said.state.hash.is_empty() {
            return true;
        }
        match &self.follower {
            Some(follower) => follower.lacks(self.authority.name(), key).await,
            None => false,
        }
    }
}
