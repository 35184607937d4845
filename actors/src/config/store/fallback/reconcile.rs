//! Changes that the authority could not take: who takes them, and what becomes of them.
//!
//! ```text
//! authority does not answer ─▶ pending note ─▶ next store takes the change ─▶ in force here
//! authority answers again:
//!   it says the same, or is as the writer saw it ─▶ it is given the change
//!   it was changed in other fields ─────────────▶ it is given both changes
//!   it was changed in the same fields ──────────▶ it stays in force; a person decides
//! ```
//!
//! The note is written first and holds the document, so that a crash at any instant loses
//! no change that was acknowledged. One process of a folder at a time settles or writes
//! notes; between workers, the authority and the store that keeps notes compare and set.

use serde_json::Value;
use uuid::Uuid;

use super::merge::{MergeOutcome, three_way_merge};
use super::pending::{NoteOrigin, NotePlace, PendingChanges, SharedPendingNote};
use super::pending_files::{OpenConflict, PendingChange, PendingNote};
use super::{FallbackStore, as_believed, is_out_of_reach};
use crate::config::documents::{DocumentSet, Key};
use crate::config::history;
use crate::config::state::{DocumentCommand, LosingVersion};
use crate::config::store::{
    ConflictWinner, DocumentChange, PendingNotes, Precondition, PutNote, Revision, StoreError, StoreReading,
    WriteReceipt,
};

/// How often a change is offered to an authority that others change at the same time.
const MAX_RECONCILE_ATTEMPTS: usize = 8;

/// Who is said to have made a change that waited.
const RECONCILED: &str = "reconciled";

/// Who is said to have made a change that somebody decided for.
const RESOLVED: &str = "resolved";

impl FallbackStore {
    /// Has a change taken by the next store that can, after the authority could not because
    /// of `error`.
    pub(super) async fn write_elsewhere(
        &self,
        change: &DocumentChange,
        error: StoreError,
    ) -> Result<WriteReceipt, StoreError> {
        let key = change.key;
        let _lock = self.notes.lock().await?;
        let before = self.noted(key).await?;
        let held = match self.without_authority(key, &before, error.clone()).await {
            Ok(held) => held,
            // Nothing is known of it. What the authority may hold is not hidden by this
            // change: the two are put together field by field.
            Err(_) => StoreReading::Absent,
        };
        as_believed(&held, change)?;
        let base = match (before.in_force(), held) {
            (Some(pending), _) => pending.base.clone(),
            (None, StoreReading::Found { text, .. }) => Some(text),
            (None, StoreReading::Absent) => None,
        };
        let of = match &before.shared {
            _ if before.diverges() => before.local.pending.as_ref().and_then(|pending| pending.of.clone()),
            shared => shared.as_ref().and_then(|shared| shared.origin(true)),
        };
        let pending = PendingChange {
            text: change.value.to_string(),
            base,
            origin: change.origin.clone(),
            at: self.deps.world.now(),
            stored_in: String::new(),
            why: error.to_string(),
            of,
        };
        let noting =
            |pending| PendingNote { pending: Some(pending), conflict: before.local.conflict.clone() };
        self.notes.put(key, &noting(pending.clone()))?;
        let taken = match self.offer_to_others(change, &before, pending).await {
            Ok(Some(taken)) => taken,
            refused => {
                self.notes.put(key, &before.local)?;
                return Err(refused.err().unwrap_or(error));
            }
        };
        self.notes.put(key, &noting(taken.clone()))?;
        self.noted(key).await?;
        let stored_in = self.others.iter().map(|store| store.name()).find(|name| *name == taken.stored_in);
        tracing::warn!(
            %key, %error, stored_in, origin = change.origin,
            "the configuration store does not take a change: another store has it until it does"
        );
        let revision = Revision::of(&taken.text);
        self.tracker.wrote(key, &revision, &change.origin);
        Ok(WriteReceipt { revision, stored_in: stored_in.unwrap_or_default(), degraded: Some(taken.why) })
    }

    /// The first store behind the authority that takes a change, with the note as it is to be
    /// kept here then. What lies there is not in force, or the writer has seen it; so it is
    /// replaced. `None` = no store takes it.
    async fn offer_to_others(
        &self,
        change: &DocumentChange,
        noted: &PendingChanges,
        pending: PendingChange,
    ) -> Result<Option<PendingChange>, StoreError> {
        for store in &self.others {
            let expected = match self.ask(store, change.key).await {
                Ok(StoreReading::Absent) => Precondition::Absent,
                Ok(StoreReading::Found { revision, .. }) => Precondition::Revision(revision),
                Err(_) => continue,
            };
            let change = DocumentChange { expected, ..change.clone() };
            let taken = PendingChange { stored_in: store.name().to_owned(), ..pending.clone() };
            let written = if let Some(notes) = store.pending_notes() {
                match self.write_noted(notes, &change, noted, taken).await {
                    // Another worker was faster: it is in force now.
                    Err(StoreError::Conflict(key)) => return Err(StoreError::Conflict(key)),
                    written => written,
                }
            } else {
                store.write(&change).await.map(|_| taken)
            };
            match written {
                Ok(taken) => return Ok(Some(taken)),
                Err(error) => tracing::warn!(
                    key = %change.key, %error, store = store.name(),
                    "the next configuration store does not take the change either"
                ),
            }
        }
        Ok(None)
    }

    /// Has a change taken by a store that keeps the note about it, too. Answers our copy.
    async fn write_noted(
        &self,
        notes: &dyn PendingNotes,
        change: &DocumentChange,
        noted: &PendingChanges,
        pending: PendingChange,
    ) -> Result<PendingChange, StoreError> {
        let unwritable = |why: &str| StoreError::Unwritable {
            what: format!("{} of {}", change.key, pending.stored_in),
            why: why.to_owned(),
        };
        let shared = noted.shared.clone().unwrap_or_default();
        if let Some(trouble) = shared.trouble {
            return Err(trouble);
        }
        if noted.diverges() {
            return Err(unwritable("it has another change that waits, which is not in force here"));
        }
        let pending = PendingChange { of: None, ..pending };
        let id = match &shared.kept.note.pending {
            Some(_) => shared.kept.id.clone(),
            None => Uuid::to_string(&self.deps.world.ids.next()),
        };
        let note = PendingNote { pending: Some(pending.clone()), conflict: shared.kept.note.conflict };
        let after = text(&SharedPendingNote { id: id.clone(), note })?;
        let put = PutNote { before: shared.text, after: Some(after.clone()), settled: None };
        notes.write_noted(change, &put).await?;
        Ok(PendingChange {
            of: Some(NoteOrigin { id, sum: Revision::of(&after).0, ahead: false }),
            ..pending
        })
    }

    /// Gives the authority what waits for it. Answers what is in force then, and why the
    /// change still waits when it does.
    pub(super) async fn reconcile(&self, key: Key) -> Result<(StoreReading, Option<StoreError>), StoreError> {
        let _lock = self.notes.lock().await?;
        let mut why = StoreError::Conflict(key);
        for _ in 0..MAX_RECONCILE_ATTEMPTS {
            // Again and again: another process may have settled it.
            let noted = self.noted(key).await?;
            let held = self.ask_authority(key).await;
            if !noted.waits() {
                return held.map(|held| (held, None));
            }
            if let Some(error) = noted.unsure() {
                why = error.clone();
                break;
            }
            let Some((place, pending)) = noted.next() else {
                // The store that keeps notes says that it has arrived.
                self.notes.put(key, &PendingNote { pending: None, ..noted.local.clone() })?;
                continue;
            };
            let settled = match held {
                // After the authority was read: if another worker has given it the change since,
                // one of the two has changed.
                Ok(held) if self.is_still_noted(key, &noted).await? => {
                    self.apply_pending(key, &noted, (place, pending), held).await
                }
                Ok(_) => Err(StoreError::Conflict(key)),
                Err(StoreError::Lost(_)) => self.restore(key, pending).await,
                Err(error) => Err(error),
            };
            match settled {
                Ok(held) if !self.noted(key).await?.waits() => return Ok((held, None)),
                Ok(_) => why = StoreError::Conflict(key),
                Err(error @ (StoreError::Conflict(_) | StoreError::Lost(_))) => why = error,
                Err(error) if is_out_of_reach(&error) => {
                    why = error;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let noted = self.noted(key).await?;
        self.tracker.asked(self.authority.name(), key, Some(&why), self.deps.world.now());
        let held = self.without_authority(key, &noted, why.clone()).await?;
        Ok((held, Some(why)))
    }

    /// Whether the store that keeps notes has the note that was seen: readers are told what it
    /// had a moment ago.
    async fn is_still_noted(&self, key: Key, noted: &PendingChanges) -> Result<bool, StoreError> {
        let text = noted.shared.as_ref().and_then(|shared| shared.text.clone());
        let (Some((_, notes)), Some(text)) = (self.pending_notes(), text) else { return Ok(true) };
        let same = PutNote { before: Some(text.clone()), after: Some(text), settled: None };
        match notes.put_note(key, &same).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What waits, and what the authority holds. Answers what it holds then.
    async fn apply_pending(
        &self,
        key: Key,
        noted: &PendingChanges,
        (place, pending): (NotePlace, &PendingChange),
        held: StoreReading,
    ) -> Result<StoreReading, StoreError> {
        let (theirs, expected) = match &held {
            StoreReading::Absent => (None, Precondition::Absent),
            StoreReading::Found { text, revision } => {
                (Some(value(text)), Precondition::Revision(revision.clone()))
            }
        };
        let base = pending.base.as_deref().map(value);
        let fields = match three_way_merge(base.as_ref(), &value(&pending.text), theirs.as_ref()) {
            MergeOutcome::Same => {
                self.done(key, noted, place).await?;
                tracing::info!(%key, "the configuration store holds the change that waited for it");
                return Ok(held);
            }
            MergeOutcome::Give { document, merged } if !merged || self.is_valid(key, &document) => {
                let origin = RECONCILED.to_owned();
                let text = document.to_string();
                let change = DocumentChange { key, value: document, expected, origin };
                let written = self.authority.write(&change).await?;
                self.took(&change, &written).await;
                self.done(key, noted, place).await?;
                tracing::info!(
                    %key, merged, origin = pending.origin, since = pending.at.to_rfc3339(),
                    "the configuration store was given the change that waited for it"
                );
                // In the store's own words, if it still answers.
                let given = StoreReading::Found { text, revision: written.revision };
                return Ok(self.ask_authority(key).await.unwrap_or(given));
            }
            MergeOutcome::Give { .. } => Vec::new(),
            // Fields of the sign-in links are the links' own ids, which nobody may see.
            MergeOutcome::Conflict(_) if key == Key::MagicLinkTokens => Vec::new(),
            MergeOutcome::Conflict(fields) => fields,
        };
        let note = noted.note(place);
        if let Some(before) = note.conflict.as_ref().filter(|before| !before.recorded) {
            // There is room for one in the note. Until the history has it, this one waits.
            self.keep(key, before).await?;
        }
        let conflict = OpenConflict {
            text: pending.text.clone(),
            origin: pending.origin.clone(),
            at: pending.at,
            fields,
            recorded: false,
        };
        let fields = conflict.fields.join(", ");
        self.put(key, noted, place, PendingNote { pending: None, conflict: Some(conflict) }).await?;
        tracing::error!(
            %key, fields, origin = pending.origin, since = pending.at.to_rfc3339(),
            "a document was changed in the configuration store and, while that did not answer, here: \
             the store's is in force; decide with: config resolve"
        );
        Ok(held)
    }

    /// The authority was emptied while a change waited for it: what waits is the newest
    /// there is.
    async fn restore(&self, key: Key, pending: &PendingChange) -> Result<StoreReading, StoreError> {
        if let Some(log) = self.authority.change_log() {
            log.recover(key, &pending.text).await?;
        }
        // The next look finds the document there, ours or another worker's.
        Err(StoreError::Lost(key))
    }

    /// What waited in a place does not any more.
    async fn done(&self, key: Key, noted: &PendingChanges, place: NotePlace) -> Result<(), StoreError> {
        let note = PendingNote { pending: None, ..noted.note(place) };
        self.put(key, noted, place, note).await
    }

    /// Replaces the note of a place. When that of the file held the change of the store, that
    /// waits no more, either.
    async fn put(
        &self,
        key: Key,
        noted: &PendingChanges,
        place: NotePlace,
        note: PendingNote,
    ) -> Result<(), StoreError> {
        let both = place == NotePlace::Local && note.pending.is_none() && noted.local_holds_shared();
        if place == NotePlace::Shared || both {
            let shared = noted.shared.clone().unwrap_or_default();
            let (waited, id) = (shared.kept.note.pending.is_some(), shared.kept.id);
            let kept = if both { PendingNote { pending: None, ..shared.kept.note } } else { note.clone() };
            let settled = (waited && kept.pending.is_none()).then(|| id.clone());
            let after = match kept == PendingNote::default() {
                true => None,
                false => Some(text(&SharedPendingNote { id, note: kept })?),
            };
            if let Some((_, notes)) = self.pending_notes() {
                notes.put_note(key, &PutNote { before: shared.text, after, settled }).await?;
            }
        }
        if place == NotePlace::Local {
            self.notes.put(key, &note)?;
        }
        self.noted(key).await.map(drop)
    }

    fn is_valid(&self, key: Key, document: &Value) -> bool {
        DocumentSet::default().put(key, Some(document), &self.deps.env).is_ok()
    }

    /// Has the history keep the side of a conflict that is not in force.
    pub(super) async fn record_conflict(&self, key: Key) {
        if self.deps.journal.is_none() || !self.tracker.is_unrecorded(key) {
            return;
        }
        let recorded = async {
            let _lock = self.notes.lock().await?;
            let noted = self.noted(key).await?;
            for place in noted.unrecorded() {
                let mut note = noted.note(place);
                let Some(conflict) = &mut note.conflict else { continue };
                self.keep(key, conflict).await?;
                conflict.recorded = true;
                self.put(key, &noted, place, note).await?;
            }
            Ok::<(), StoreError>(())
        };
        if let Err(error) = recorded.await {
            tracing::warn!(%key, %error, "a conflict of the configuration is not yet in the journal");
        }
    }

    async fn keep(&self, key: Key, conflict: &OpenConflict) -> Result<(), StoreError> {
        let kept = match &self.deps.journal {
            None => Err("there is no journal here".to_owned()),
            Some(journal) => {
                let command = DocumentCommand::Lose(losing(conflict));
                history::record((journal.as_ref(), &self.deps.world), key, &command, None).await.map(drop)
            }
        };
        kept.map_err(|why| StoreError::Unwritable { what: format!("the history of {key}"), why })
    }

    /// Ends a conflict. Answers whether there was one.
    pub(super) async fn decide(&self, key: Key, keep: ConflictWinner) -> Result<bool, StoreError> {
        let _lock = self.notes.lock().await?;
        let noted = self.noted(key).await?;
        let Some(place) = noted.conflicts().next() else { return Ok(false) };
        let note = noted.note(place);
        let Some(conflict) = &note.conflict else { return Ok(false) };
        if !conflict.recorded {
            self.keep(key, conflict).await?;
        }
        if keep == ConflictWinner::Pending {
            let expected = match self.ask_authority(key).await? {
                StoreReading::Absent => Precondition::Absent,
                StoreReading::Found { revision, .. } => Precondition::Revision(revision),
            };
            let origin = RESOLVED.to_owned();
            let change = DocumentChange { key, value: value(&conflict.text), expected, origin };
            let written = self.authority.write(&change).await?;
            self.took(&change, &written).await;
        }
        self.put(key, &noted, place, PendingNote { conflict: None, ..note.clone() }).await?;
        tracing::info!(%key, ?keep, "the conflict of a document is decided");
        Ok(true)
    }
}

fn text(note: &SharedPendingNote) -> Result<String, StoreError> {
    serde_json::to_string(note)
        .map_err(|error| StoreError::Unwritable { what: "a note".to_owned(), why: error.to_string() })
}

/// What a text says; one that is no JSON is like no document.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn losing(conflict: &OpenConflict) -> LosingVersion {
    LosingVersion {
        text: conflict.text.clone(),
        origin: conflict.origin.clone(),
        at: conflict.at,
        fields: conflict.fields.clone(),
    }
}
