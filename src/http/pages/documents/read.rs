//! A document for a form.

use render_signal_actors::config::diff::masked;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::BasedOn;
use render_signal_actors::config::history;
use render_signal_actors::config::store::Revision;
use serde_json::{Map, Value};

use super::names::who;
use super::{DocumentNotices, SEEN};
use crate::http::pages::form::FormData;
use crate::http::pages::parts::{UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::v1::config::read::seen;
use crate::services::config::overview::DocumentOverview;

/// A document as a page edits it.
#[derive(Debug)]
pub(in crate::http::pages) struct EditedDocument {
    pub(in crate::http::pages) key: Key,
    /// What is stored, masked as the API masks it; of one that has vanished what is in force. Empty
    /// when there is nothing, or what is stored is no object.
    pub(in crate::http::pages) value: Map<String, Value>,
    /// Names the stored version: the value of the hidden field [`SEEN`]. Empty = none.
    pub(in crate::http::pages) seen: String,
    /// How it is, as the API says it.
    pub(in crate::http::pages) state: DocumentOverview,
    /// Who changed it last and when, if the history knows.
    pub(in crate::http::pages) changed: Option<LastChange>,
    /// Why it cannot be read now, in the reader's language; nothing can be saved then.
    pub(in crate::http::pages) unreadable: Option<String>,
}

/// Who changed a document last.
#[derive(Debug)]
pub(in crate::http::pages) struct LastChange {
    /// Who, in words.
    pub(in crate::http::pages) who: UntrustedText,
    pub(in crate::http::pages) at: When,
}

/// Some documents, and how their stores stand.
#[derive(Debug)]
pub(in crate::http::pages) struct EditedDocuments {
    /// In the order that was asked for.
    pub(in crate::http::pages) all: Vec<EditedDocument>,
    /// What is to be said above the forms.
    pub(in crate::http::pages) standing: DocumentNotices,
}

impl EditedDocuments {
    /// As they are now. A document that cannot be read says so, the others are there.
    ///
    /// # Errors
    /// Nothing at all is known.
    pub(in crate::http::pages) async fn read(visit: &PageVisit, keys: &[Key]) -> Result<Self, HttpProblem> {
        let configuration = &visit.state.services.configuration;
        let mut stored = Vec::with_capacity(keys.len());
        for key in keys {
            stored.push(configuration.stored(*key).await);
        }
        let overview = seen(&visit.state, keys, true).await?;
        let standing = DocumentNotices::of(visit, &overview);
        let states = overview.documents.into_iter();
        let all = keys.iter().zip(stored).zip(states).map(|((key, stored), state)| {
            let (value, seen, unreadable) = match stored {
                Ok(Some(stored)) => (stored.value.map(|value| masked(*key, &value)), stored.revision.0, None),
                Ok(None) => (state.in_force.clone(), String::new(), None),
                Err(why) => (state.in_force.clone(), String::new(), Some(visit.lang.one(why.said()))),
            };
            let value = match value {
                Some(Value::Object(value)) => value,
                _ => Map::new(),
            };
            let changed = last_change(visit, &state);
            EditedDocument { key: *key, value, seen, state, changed, unreadable }
        });
        Ok(Self { all: all.collect(), standing })
    }
}

impl EditedDocument {
    /// One document; see [`EditedDocuments::read`].
    ///
    /// # Errors
    /// Nothing at all is known.
    pub(in crate::http::pages) async fn read(
        visit: &PageVisit,
        key: Key,
    ) -> Result<(Self, DocumentNotices), HttpProblem> {
        let EditedDocuments { all, standing } = EditedDocuments::read(visit, &[key]).await?;
        let one = all.into_iter().next();
        one.map(|one| (one, standing))
            .ok_or_else(|| HttpProblem::unavailable(format!("{key} is not known now")))
    }
}

/// The history of a document, oldest first, without its contents; empty where it cannot be read now.
pub(in crate::http::pages) async fn versions(visit: &PageVisit, key: Key) -> Vec<history::HistoryVersion> {
    let journal = visit.state.services.configuration.editor.journal.as_deref();
    match journal {
        Some(journal) => history::versions(journal, key).await.unwrap_or_default(),
        None => Vec::new(),
    }
}

fn last_change(visit: &PageVisit, state: &DocumentOverview) -> Option<LastChange> {
    Some(LastChange {
        who: UntrustedText(who(visit.lang, state.origin.as_deref()?)),
        at: When::short(visit.clock, state.changed_at?),
    })
}

/// The version that a form was made from: whoever sends none has not seen what he would change.
///
/// # Errors
/// The form has no such field.
pub(in crate::http::pages) fn seen_in(form: &FormData) -> Result<&str, HttpProblem> {
    form.get(SEEN).ok_or_else(|| HttpProblem::parameter(SEEN, "is missing: open the form again, and send it"))
}

/// What the hidden field says that somebody has seen.
pub(super) fn seen_of(text: &str) -> BasedOn {
    if text.is_empty() { BasedOn::Absent } else { BasedOn::Revision(Revision(text.to_owned())) }
}
