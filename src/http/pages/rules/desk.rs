//! A document that is changed as a whole: as it is stored, or as somebody tries it.
//!
//! Other than in [`documents`], addresses within it are not masked: what a condition
//! looks for may be one. The forms of this room mask the addresses of webhooks themselves.

use render_signal_actors::config::documents::{self as stored, Key};
use render_signal_actors::config::edit::{Edit, EditAction};
use render_signal_actors::config::store::Revision;
use render_signal_actors::mail::{detectors, providers};
use serde_json::{Map, Value};

use crate::http::pages::documents::{self, Problems, SaveOutcome};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::services::jobs::RuleTestDraft;
use crate::services::{ServiceError, trial};

/// A document to be changed.
pub(super) struct Desk {
    pub(super) key: Key,
    /// What it says; where nothing is stored, what the program has built in.
    pub(super) document: Map<String, Value>,
    /// Names the stored version for the hidden field of a form; empty = none.
    pub(super) seen: String,
    /// Nothing is stored: it is what the program has built in.
    pub(super) built_in: bool,
    /// It is what somebody tries, and not what is stored.
    pub(super) tried: bool,
}

impl Desk {
    /// As it is stored now.
    pub(super) async fn open(visit: &PageVisit, key: Key) -> Result<Self, HttpProblem> {
        let configuration = &visit.state.services.configuration;
        let found = configuration.stored(key).await?;
        let seen = found.as_ref().map(|found| found.revision.0.clone()).unwrap_or_default();
        let document = match found {
            Some(found) => match found.value {
                Some(Value::Object(document)) => Some(document),
                _ => {
                    let why = format!(
                        "the stored {key} is no JSON object: restore an earlier version, or replace the whole of it"
                    );
                    return Err(HttpProblem::new(ProblemKind::Conflict, why));
                }
            },
            // One that has vanished is still in force.
            None => configuration.editor.present(key).await.map_err(ServiceError::from)?,
        };
        let built_in = document.is_none();
        let document = document.or_else(|| built_in_document(key)).unwrap_or_default();
        Ok(Self { key, document, seen, built_in, tried: false })
    }

    /// As a trial has it, if the trial is still there and is one of this document; else as it is stored.
    pub(super) async fn of_trial(visit: &PageVisit, key: Key, trial: &str) -> Result<Self, HttpProblem> {
        match visit.state.services.jobs.draft(trial).filter(|draft| draft.key == key) {
            Some(draft) => Ok(Self {
                key,
                document: draft.document,
                seen: draft.made_from.map(|revision| revision.0).unwrap_or_default(),
                built_in: false,
                tried: true,
            }),
            None => Self::open(visit, key).await,
        }
    }

    /// The whole document as an edit.
    pub(super) fn replace(&self, document: Map<String, Value>) -> Edit {
        Edit::replace(self.key, Value::Object(document), "")
    }

    /// Saves an edit, if what is stored is what the form was made from.
    pub(super) async fn save(visit: &PageVisit, edit: Edit, seen: &str) -> Result<SaveOutcome, HttpProblem> {
        documents::save(visit, edit, seen).await
    }

    /// Begins a trial of an edit on the mails of so many days, and says which; or what is wrong.
    pub(super) async fn try_out(
        &self,
        visit: &PageVisit,
        edit: &Edit,
        seen: &str,
        days: u32,
        place: &str,
    ) -> Result<Result<String, Problems>, HttpProblem> {
        let services = &visit.state.services;
        let editor = &services.configuration.editor;
        let document = match &edit.wanted {
            EditAction::Replace(Value::Object(document)) => document.clone(),
            _ => match editor.preview(edit).await {
                Ok(Value::Object(document)) => document,
                Ok(_) => Map::new(),
                Err(error) => return refused(visit, ServiceError::edit(self.key, error)),
            },
        };
        let proposed = vec![(self.key, Value::Object(document.clone()))];
        let prepared = match trial::prepare(editor, Some(visit.state.journal.as_ref()), proposed).await {
            Ok(prepared) => prepared,
            Err(why) => return refused(visit, why),
        };
        let draft = RuleTestDraft {
            key: self.key,
            document,
            made_from: (!seen.is_empty()).then(|| Revision(seen.to_owned())),
            place: place.to_owned(),
        };
        let since = visit.state.world.now() - chrono::TimeDelta::days(days.into());
        match services.jobs.try_draft(prepared, since, visit.caller.by(), draft).await {
            Ok(job) => Ok(Ok(job.id)),
            Err(why) => refused(visit, why),
        }
    }
}

/// What is wrong in the reader's language; what nobody can mend in a form is a problem of the page.
fn refused<T>(visit: &PageVisit, why: ServiceError) -> Result<Result<T, Problems>, HttpProblem> {
    match why {
        ServiceError::Invalid(_, problems) => {
            let said = |problem: &stored::FieldProblem| {
                (problem.field.clone(), visit.lang.said(&problem.message).to_owned())
            };
            Ok(Err(Problems(problems.iter().map(said).collect())))
        }
        ServiceError::State(said) | ServiceError::Changed(said) | ServiceError::Unusable(said) => {
            Ok(Err(Problems(vec![(String::new(), visit.lang.one(said))])))
        }
        why => Err(why.into()),
    }
}

/// What counts while nothing is stored.
fn built_in_document(key: Key) -> Option<Map<String, Value>> {
    let text = match key {
        Key::Detectors => detectors::DEFAULT_DOCUMENT,
        Key::Providers => providers::DEFAULT_DOCUMENT,
        _ => return None,
    };
    serde_json::from_str(text).ok()
}
