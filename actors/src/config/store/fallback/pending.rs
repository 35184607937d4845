//! What there is to do about a document, from both places where that is noted. Pure.
//!
//! | place | who sees it |
//! |---|---|
//! | a file of this worker ([`super::pending_files`]) | the processes that share the folder |
//! | the first store behind the authority that keeps notes | every process that reads that store |
//!
//! A change that such a store took is noted there, in the same step; the file has a copy, for
//! the time when that store cannot be asked, and in case it loses what it has. A change that
//! another store took is noted in the file alone.
//!
//! Notes in a store follow each other by compare-and-set. So one that succeeds the one of
//! which the file has a copy (same id) holds that change, too. Whatever else is in the file
//! is a change of its own, and waits for its turn after the one of the store.

use serde::{Deserialize, Serialize};

use super::pending_files::{PendingChange, PendingNote};
use crate::config::store::{Revision, StoreError, StoredNote};

/// A note as a store keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SharedPendingNote {
    /// Of the change that waits, and of those that succeed it while it does.
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) note: PendingNote,
}

/// Which note of a store a change goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NoteOrigin {
    /// Its id.
    pub(super) id: String,
    /// [`Revision`] of its text.
    pub(super) sum: String,
    /// The change came after that note; `false` = it is a copy of it.
    pub(super) ahead: bool,
}

/// What the store says.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedPending {
    /// The note, letter by letter; `None` = there is none.
    pub(super) text: Option<String>,
    /// The same, understood.
    pub(super) kept: SharedPendingNote,
    /// Ids of changes that no longer wait.
    pub(super) settled: Vec<String>,
    /// Why it cannot be asked now: the rest is what it last said.
    pub(super) trouble: Option<StoreError>,
}

impl SharedPending {
    /// What a store said.
    ///
    /// # Errors
    /// Another program wrote the note.
    pub(super) fn parse(kept: StoredNote) -> Result<Self, serde_json::Error> {
        let note = kept.note.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
        Ok(Self { text: kept.note, kept: note, settled: kept.settled, trouble: None })
    }

    fn pending(&self) -> Option<&PendingChange> {
        self.kept.note.pending.as_ref()
    }

    /// What a change that is based on this goes back to.
    pub(super) fn origin(&self, ahead: bool) -> Option<NoteOrigin> {
        let text = self.text.as_ref().filter(|_| self.pending().is_some())?;
        Some(NoteOrigin { id: self.kept.id.clone(), sum: Revision::of(text).0, ahead })
    }
}

/// One of the two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotePlace {
    Local,
    Shared,
}

/// See the module page.
#[derive(Debug, Clone, Default)]
pub(super) struct PendingChanges {
    /// In the file.
    pub(super) local: PendingNote,
    /// In the store; `None` = none keeps notes.
    pub(super) shared: Option<SharedPending>,
}

impl PendingChanges {
    /// The note of a place.
    pub(super) fn note(&self, place: NotePlace) -> PendingNote {
        match place {
            NotePlace::Local => self.local.clone(),
            NotePlace::Shared => {
                self.shared.as_ref().map(|shared| shared.kept.note.clone()).unwrap_or_default()
            }
        }
    }

    /// Whether a change of either place waits.
    pub(super) fn waits(&self) -> bool {
        self.local.pending.is_some() || self.shared_pending().is_some()
    }

    fn shared_pending(&self) -> Option<&PendingChange> {
        self.shared.as_ref().and_then(SharedPending::pending)
    }

    /// The change of the file, unless that of the store holds it, or it has arrived.
    fn local_pending(&self) -> Option<&PendingChange> {
        let pending = self.local.pending.as_ref()?;
        let (Some(of), Some(shared)) = (&pending.of, &self.shared) else { return Some(pending) };
        let held = shared.pending().is_some() && shared.kept.id == of.id;
        (of.ahead || !(held || shared.settled.contains(&of.id))).then_some(pending)
    }

    /// Whether the change of the file holds that of the store.
    pub(super) fn local_holds_shared(&self) -> bool {
        let of = self.local_pending().and_then(|pending| pending.of.as_ref());
        let now = self.shared.as_ref().and_then(|shared| shared.origin(true));
        of.zip(now).is_some_and(|(of, now)| of.sum == now.sum)
    }

    /// Whether each place has a change that the other knows nothing of.
    pub(super) fn diverges(&self) -> bool {
        self.shared_pending().is_some() && self.local_pending().is_some() && !self.local_holds_shared()
    }

    /// What is in force while the authority does not answer.
    pub(super) fn in_force(&self) -> Option<&PendingChange> {
        self.local_pending().or_else(|| self.shared_pending())
    }

    /// What the authority is to be given next.
    pub(super) fn next(&self) -> Option<(NotePlace, &PendingChange)> {
        match (self.shared_pending(), self.local_pending()) {
            (Some(shared), _) if !self.local_holds_shared() => Some((NotePlace::Shared, shared)),
            (_, Some(local)) => Some((NotePlace::Local, local)),
            (_, None) => None,
        }
    }

    /// Why the authority can be given nothing now: whether it already was, or by what it was
    /// succeeded, only the store knows, which does not answer.
    pub(super) fn unsure(&self) -> Option<&StoreError> {
        let goes_back = self.local.pending.as_ref().is_some_and(|pending| pending.of.is_some());
        let trouble = self.shared.as_ref()?.trouble.as_ref()?;
        (goes_back || self.shared_pending().is_some()).then_some(trouble)
    }

    /// The places where somebody has something to decide.
    pub(super) fn conflicts(&self) -> impl Iterator<Item = NotePlace> {
        let of = |place| self.note(place).conflict.is_some().then_some(place);
        [of(NotePlace::Shared), of(NotePlace::Local)].into_iter().flatten()
    }

    /// Those of them that the history does not have.
    pub(super) fn unrecorded(&self) -> impl Iterator<Item = NotePlace> {
        self.conflicts().filter(|place| self.note(*place).conflict.is_some_and(|found| !found.recorded))
    }
}
