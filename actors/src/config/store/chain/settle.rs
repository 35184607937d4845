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
//! no change that was acknowledged. One process at a time settles or writes notes.

use serde_json::Value;

use super::merge::{Verdict, judge};
use super::notes::{Conflict, Note, Pending};
use super::view::count_fallback;
use super::{ChainStore, as_believed, is_out_of_reach};
use crate::config::conflict::{self, Lost};
use crate::config::documents::{Documents, Key};
use crate::config::store::{Change, Expect, Keep, Read, Stamp, StoreError, Written};

/// How often a change is offered to an authority that others change at the same time.
const ATTEMPTS: usize = 5;

/// Who is said to have made a change that waited.
const RECONCILED: &str = "reconciled";

/// Who is said to have made a change that somebody decided for.
const RESOLVED: &str = "resolved";

impl ChainStore {
    /// Has a change taken by the next store that can, after the authority could not because
    /// of `error`.
    pub(super) async fn write_elsewhere(
        &self,
        change: &Change,
        error: StoreError,
    ) -> Result<Written, StoreError> {
        let key = change.key;
        let _lock = self.notes.lock().await?;
        let before = self.note(key)?;
        let held = match self.without_authority(key, &before, error.clone()).await {
            Ok(held) => held,
            // Nothing is known of it. What the authority may hold is not hidden by this
            // change: the two are put together field by field.
            Err(_) => Read::Absent,
        };
        as_believed(&held, change)?;
        let base = match (&before.pending, held) {
            (Some(pending), _) => pending.base.clone(),
            (None, Read::Found { text, .. }) => Some(text),
            (None, Read::Absent) => None,
        };
        let mut pending = Pending {
            text: change.value.to_string(),
            base,
            origin: change.origin.clone(),
            at: self.deps.world.now(),
            stored_in: String::new(),
            why: error.to_string(),
        };
        let note =
            |pending: &Pending| Note { pending: Some(pending.clone()), conflict: before.conflict.clone() };
        self.notes.put(key, &note(&pending))?;
        let Some(stored_in) = self.offer_to_others(change).await else {
            self.notes.put(key, &before)?;
            return Err(error);
        };
        pending.stored_in = stored_in.to_owned();
        let note = note(&pending);
        self.notes.put(key, &note)?;
        self.view.noted(key, &note);
        count_fallback(key, "write");
        tracing::warn!(
            %key, %error, stored_in, origin = change.origin,
            "the configuration store does not take a change: another store has it until it does"
        );
        let stamp = Stamp::of(&pending.text);
        self.view.wrote(key, &stamp, &change.origin);
        Ok(Written { stamp, stored_in, degraded: Some(pending.why) })
    }

    /// The first store behind the authority that takes a change. What lies there is not in
    /// force, or the writer has seen it; so it is replaced.
    async fn offer_to_others(&self, change: &Change) -> Option<&'static str> {
        for store in &self.others {
            let expected = match self.ask(store, change.key).await {
                Ok(Read::Absent) => Expect::Absent,
                Ok(Read::Found { stamp, .. }) => Expect::Stamp(stamp),
                Err(_) => continue,
            };
            match store.write(&Change { expected, ..change.clone() }).await {
                Ok(written) => return Some(written.stored_in),
                Err(error) => tracing::warn!(
                    key = %change.key, %error, store = store.name(),
                    "the next configuration store does not take the change either"
                ),
            }
        }
        None
    }

    /// Gives the authority what waits for it. Answers what is in force then, and why the
    /// change still waits when it does.
    pub(super) async fn settle(&self, key: Key) -> Result<(Read, Option<StoreError>), StoreError> {
        let _lock = self.notes.lock().await?;
        let mut why = StoreError::Conflict(key);
        for _ in 0..ATTEMPTS {
            // Again and again: another process may have settled it.
            let note = self.note(key)?;
            let held = self.ask_authority(key).await;
            let Some(pending) = &note.pending else { return held.map(|held| (held, None)) };
            let settled = match held {
                Ok(held) => self.confront(key, &note, pending, held).await,
                Err(StoreError::Lost(_)) => self.restore(key, pending).await,
                Err(error) => Err(error),
            };
            match settled {
                Ok(held) => return Ok((held, None)),
                Err(error @ (StoreError::Conflict(_) | StoreError::Lost(_))) => why = error,
                Err(error) if is_out_of_reach(&error) => {
                    why = error;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let note = self.note(key)?;
        self.view.asked(self.authority.name(), key, Some(&why), self.deps.world.now());
        let held = self.without_authority(key, &note, why.clone()).await?;
        Ok((held, Some(why)))
    }

    /// What waits, and what the authority holds. Answers what it holds then.
    async fn confront(
        &self,
        key: Key,
        note: &Note,
        pending: &Pending,
        held: Read,
    ) -> Result<Read, StoreError> {
        let (theirs, expected) = match &held {
            Read::Absent => (None, Expect::Absent),
            Read::Found { text, stamp } => (Some(value(text)), Expect::Stamp(stamp.clone())),
        };
        let base = pending.base.as_deref().map(value);
        let fields = match judge(base.as_ref(), &value(&pending.text), theirs.as_ref()) {
            Verdict::Same => {
                self.done(key, note)?;
                tracing::info!(%key, "the configuration store holds the change that waited for it");
                return Ok(held);
            }
            Verdict::Give { document, merged } if !merged || self.is_valid(key, &document) => {
                let origin = RECONCILED.to_owned();
                let text = document.to_string();
                let change = Change { key, value: document, expected, origin };
                let written = self.authority.write(&change).await?;
                self.took(&change, &written).await;
                self.done(key, note)?;
                tracing::info!(
                    %key, merged, origin = pending.origin, since = pending.at.to_rfc3339(),
                    "the configuration store was given the change that waited for it"
                );
                // In the store's own words, if it still answers.
                let given = Read::Found { text, stamp: written.stamp };
                return Ok(self.ask_authority(key).await.unwrap_or(given));
            }
            Verdict::Give { .. } => Vec::new(),
            // Fields of the sign-in links are the links' own ids, which nobody may see.
            Verdict::Conflict(_) if key == Key::MagicLinkTokens => Vec::new(),
            Verdict::Conflict(fields) => fields,
        };
        if let Some(before) = note.conflict.as_ref().filter(|before| !before.recorded) {
            // There is room for one in the note. Until the history has it, this one waits.
            self.keep(key, before).await?;
        }
        let conflict = Conflict {
            text: pending.text.clone(),
            origin: pending.origin.clone(),
            at: pending.at,
            fields,
            recorded: false,
        };
        let fields = conflict.fields.join(", ");
        let note = Note { pending: None, conflict: Some(conflict) };
        self.notes.put(key, &note)?;
        self.view.noted(key, &note);
        tracing::error!(
            %key, fields, origin = pending.origin, since = pending.at.to_rfc3339(),
            "a document was changed in the configuration store and, while that did not answer, here: \
             the store's is in force; decide with: config resolve"
        );
        Ok(held)
    }

    /// The authority was emptied while a change waited for it: what waits is the newest
    /// there is.
    async fn restore(&self, key: Key, pending: &Pending) -> Result<Read, StoreError> {
        self.authority.recover(key, &pending.text).await?;
        // The next look finds the document there, ours or another worker's.
        Err(StoreError::Lost(key))
    }

    /// Nothing waits for the authority any more.
    fn done(&self, key: Key, note: &Note) -> Result<(), StoreError> {
        let note = Note { pending: None, conflict: note.conflict.clone() };
        self.notes.put(key, &note)?;
        self.view.noted(key, &note);
        Ok(())
    }

    fn is_valid(&self, key: Key, document: &Value) -> bool {
        Documents::default().put(key, Some(document), &self.deps.env).is_ok()
    }

    /// Has the history keep the side of a conflict that is not in force.
    pub(super) async fn record_conflict(&self, key: Key) {
        if self.deps.journal.is_none() || !self.view.is_unrecorded(key) {
            return;
        }
        let recorded = async {
            let _lock = self.notes.lock().await?;
            let mut note = self.note(key)?;
            let Some(conflict) = note.conflict.as_mut().filter(|conflict| !conflict.recorded) else {
                return Ok(());
            };
            self.keep(key, conflict).await?;
            conflict.recorded = true;
            self.notes.put(key, &note)?;
            self.view.noted(key, &note);
            Ok::<(), StoreError>(())
        };
        if let Err(error) = recorded.await {
            tracing::warn!(%key, %error, "a conflict of the configuration is not yet in the journal");
        }
    }

    async fn keep(&self, key: Key, conflict: &Conflict) -> Result<(), StoreError> {
        let kept = match &self.deps.journal {
            None => Err("there is no journal here".to_owned()),
            Some(journal) => conflict::record(journal.as_ref(), &self.deps.world, key, &lost(conflict)).await,
        };
        kept.map_err(|why| StoreError::Unwritable { what: format!("the history of {key}"), why })
    }

    /// Ends a conflict. Answers whether there was one.
    pub(super) async fn decide(&self, key: Key, keep: Keep) -> Result<bool, StoreError> {
        let _lock = self.notes.lock().await?;
        let note = self.note(key)?;
        let Some(conflict) = &note.conflict else { return Ok(false) };
        if !conflict.recorded {
            self.keep(key, conflict).await?;
        }
        if keep == Keep::Pending {
            let expected = match self.ask_authority(key).await? {
                Read::Absent => Expect::Absent,
                Read::Found { stamp, .. } => Expect::Stamp(stamp),
            };
            let origin = RESOLVED.to_owned();
            let change = Change { key, value: value(&conflict.text), expected, origin };
            let written = self.authority.write(&change).await?;
            self.took(&change, &written).await;
        }
        let note = Note { conflict: None, ..note.clone() };
        self.notes.put(key, &note)?;
        self.view.noted(key, &note);
        tracing::info!(%key, ?keep, "the conflict of a document is decided");
        Ok(true)
    }
}

/// What a text says; one that is no JSON is like no document.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn lost(conflict: &Conflict) -> Lost<'_> {
    Lost { text: &conflict.text, origin: &conflict.origin, at: conflict.at, fields: &conflict.fields }
}
