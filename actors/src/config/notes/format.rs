//! Notes as earlier versions wrote them, beside the stores or in Redis, and what they come to. Pure.
//!
//! | place | holds |
//! |---|---|
//! | `<key>.pending.json` in a folder | a change that waits, and one that lost and waits for a decision |
//! | `<key>.known.json` beside it | what the store with the last word was last heard to hold |
//! | hash `pending` in Redis | the same as the first, for all workers; `settled:<key>`: ids of those that arrived |
//!
//! A change that Redis took was noted there, and the file had a copy of that note. One that succeeds the
//! note of which the file has a copy (same id) holds that change, too. Whatever else is in the file is a
//! change of its own, on top of the one in Redis or beside it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::config::store::Revision;
use crate::config::store::fallback::{MergeOutcome, three_way_merge};

/// What there was to do about one document.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct EarlierNote {
    /// In Redis: the id of the change.
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) pending: Option<NotedChange>,
    #[serde(default)]
    pub(super) conflict: Option<NotedConflict>,
}

/// A change that waits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct NotedChange {
    pub(super) text: String,
    pub(super) base: Option<String>,
    pub(super) origin: String,
    pub(super) at: DateTime<Utc>,
    pub(super) why: String,
    /// The note in Redis that this is a copy of, or came after.
    #[serde(default)]
    pub(super) of: Option<NoteOrigin>,
}

/// Which note in Redis a change goes back to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct NoteOrigin {
    pub(super) id: String,
    /// [`Revision`] of its text.
    pub(super) sum: String,
    /// The change came after that note; `false` = it is a copy of it.
    pub(super) ahead: bool,
}

/// The side of a conflict that is not in force.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct NotedConflict {
    pub(super) text: String,
    pub(super) origin: String,
    pub(super) at: DateTime<Utc>,
    pub(super) fields: Vec<String>,
}

/// What a store was last heard to hold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct EarlierCopy {
    pub(super) store: String,
    /// `None` = it had none.
    pub(super) text: Option<String>,
}

/// What Redis has about one document.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedNote {
    /// Letter by letter.
    pub(super) text: String,
    pub(super) note: EarlierNote,
    /// Ids of changes that no longer wait.
    pub(super) settled: Vec<String>,
}

/// What the notes about a document come to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct NotedWork {
    /// Waits for the store with the last word.
    pub(super) pending: Option<NotedChange>,
    /// Wait for a decision.
    pub(super) conflicts: Vec<NotedConflict>,
}

/// Puts the note of the folder and that of Redis together.
pub(super) fn combine(local: EarlierNote, shared: SharedNote) -> NotedWork {
    let mut conflicts: Vec<NotedConflict> = shared.note.conflict.into_iter().chain(local.conflict).collect();
    let mine = local.pending.filter(|mine| {
        mine.of.as_ref().is_none_or(|of| {
            let held = shared.note.pending.is_some() && shared.note.id == of.id;
            of.ahead || !(held || shared.settled.contains(&of.id))
        })
    });
    let sum = Revision::of(&shared.text).0;
    let pending = match (mine, shared.note.pending) {
        (Some(mine), Some(theirs)) if mine.of.as_ref().is_none_or(|of| of.sum != sum) => {
            let (both, lost) = together(mine, theirs);
            conflicts.extend(lost);
            Some(both)
        }
        (Some(mine), _) => Some(mine),
        (None, theirs) => theirs,
    };
    NotedWork { pending, conflicts }
}

/// Two changes that know nothing of each other, as one; or that of Redis, and the other as one that
/// lost against it.
fn together(mine: NotedChange, theirs: NotedChange) -> (NotedChange, Option<NotedConflict>) {
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let base = mine.base.as_deref().map(value);
    match three_way_merge(base.as_ref(), &value(&mine.text), Some(&value(&theirs.text))) {
        MergeOutcome::Same => (theirs, None),
        MergeOutcome::Give { document, .. } => {
            let both = NotedChange { text: document.to_string(), base: theirs.base, ..mine };
            (both, None)
        }
        MergeOutcome::Conflict(fields) => {
            let NotedChange { text, origin, at, .. } = mine;
            (theirs, Some(NotedConflict { text, origin, at, fields }))
        }
    }
}
