//! Saving a document from a form.

use std::time::Duration;

use render_signal_actors::config::GetConfigStatus;
use render_signal_actors::config::active::canonical_hash;
use render_signal_actors::config::diff::differences;
use render_signal_actors::config::documents::{self, FieldProblem, Key, effect};
use render_signal_actors::config::edit::{self, Edit, EditError, UPDATED_AT};
use serde_json::Value;

use super::names::field;
use super::read::seen_of;
use super::sides::ConflictingEdit;
use super::words::Words;
use crate::http::pages::notice::Notice;
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::services::ServiceError;

/// How often it is checked whether a saved document is in force, which takes moments: the page that
/// is read next is to show it. After that the page is shown as things are.
const MAX_CHECKS: u32 = 20;
/// Between two such checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How saving a document ended.
pub(in crate::http::pages) enum SaveOutcome {
    /// It is stored, or was so already.
    Saved(SavedChange),
    /// Nothing was changed: the values are wrong, or the store did not take them.
    Refused(Problems),
    /// Nothing was changed: somebody else has saved meanwhile.
    Conflict(Box<ConflictingEdit>),
}

/// A change that was made.
#[derive(Debug)]
pub(in crate::http::pages) struct SavedChange {
    /// What to say on the next page.
    pub(in crate::http::pages) notice: Notice,
}

/// Why nothing was changed, in the reader's language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http::pages) struct Problems(
    /// Path of the field, such as `retry_count` or `rules[0].conditions[1].value` (empty = the whole), and what
    /// is wrong with it.
    pub(in crate::http::pages) Vec<(String, String)>,
);

impl Problems {
    /// What is wrong with a document.
    pub(in crate::http::pages) fn of(visit: &PageVisit, problems: &[FieldProblem]) -> Self {
        let whole = |field: &str| if field == "document" { String::new() } else { field.to_owned() };
        Self(
            problems
                .iter()
                .map(|one| (whole(&one.field), visit.lang.said(&one.message).to_owned()))
                .collect(),
        )
    }

    /// Each with the name of its field, where nobody shows it at one.
    pub(super) fn named(visit: &PageVisit, problems: &[FieldProblem]) -> Self {
        Self(problems.iter().map(|one| (one.field.clone(), visit.lang.problem(one))).collect())
    }

    pub(super) fn whole(text: impl Into<String>) -> Self {
        Self(vec![(String::new(), text.into())])
    }

    /// What is wrong with a field; empty = nothing.
    pub(in crate::http::pages) fn at(&self, path: &str) -> &str {
        self.0.iter().find(|(found, _)| found == path).map_or("", |(_, text)| text.as_str())
    }
}

/// Saves an edit by whoever asks, if what it changes still is what they have seen. A mask (`***`) of
/// what is stored stands for that.
///
/// # Errors
/// It cannot be said what is stored now.
pub(in crate::http::pages) async fn save(
    visit: &PageVisit,
    edit: Edit,
    seen: &str,
) -> Result<SaveOutcome, HttpProblem> {
    let key = edit.key;
    let mut edit = edit.keeping_masked().expecting(Some(seen_of(seen)));
    edit.origin = visit.caller.by();
    match visit.state.services.configuration.editor.apply(&edit).await {
        Ok(saved) => {
            tracing::info!(%key, version = saved.version, stored_in = saved.stored_in, "document written on a page");
            settle(visit, key, &saved.text).await;
            Ok(SaveOutcome::Saved(SavedChange { notice: notice(visit, key, &saved) }))
        }
        Err(EditError::Invalid(problems)) => Ok(SaveOutcome::Refused(Problems::of(visit, &problems))),
        Err(EditError::Conflict(_)) => conflict(visit, &edit).await,
        Err(error) => {
            let why = ServiceError::edit(key, error).said();
            tracing::warn!(%key, %why, "a document was not written on a page");
            Ok(SaveOutcome::Refused(Problems::whole(visit.lang.one(why))))
        }
    }
}

/// Both sides: what is stored now, and what would be if this were saved over it.
async fn conflict(visit: &PageVisit, edit: &Edit) -> Result<SaveOutcome, HttpProblem> {
    let (key, configuration) = (edit.key, &visit.state.services.configuration);
    let stored = configuration.stored(key).await?;
    let after = match configuration.editor.preview(edit).await {
        Ok(after) => after,
        Err(EditError::Invalid(problems)) => return Ok(SaveOutcome::Refused(Problems::of(visit, &problems))),
        Err(error) => return Err(ServiceError::edit(key, error).into()),
    };
    let theirs = stored.as_ref().and_then(|stored| stored.value.as_ref());
    let mut found = differences(key, theirs, Some(&after));
    found.retain(|one| one.path != UPDATED_AT);
    let seen = stored.as_ref().map(|stored| stored.revision.0.clone()).unwrap_or_default();
    Ok(SaveOutcome::Conflict(Box::new(ConflictingEdit { key, seen, differences: found })))
}

/// Waits until this worker has what was stored in force, so that the next page shows it; a document
/// that is refused because of what was wrong before is not waited for beyond the last look.
pub(super) async fn settle(visit: &PageVisit, key: Key, text: &str) {
    let Ok(document) = documents::from_json::<Value>(text) else { return };
    let hash = canonical_hash(&document);
    for _ in 0..MAX_CHECKS {
        let Ok(status) = visit.state.probe.actors.config.ask(GetConfigStatus).await else { return };
        let known = status.documents.iter().find(|known| known.key == key.as_str());
        if known.is_none_or(|known| known.hash == hash || known.state == "invalid") {
            return;
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// What is said of a change that was made.
fn notice(visit: &PageVisit, key: Key, saved: &edit::SavedEdit) -> Notice {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    if saved.fields.is_empty() {
        return Notice::good(w.nothing_new);
    }
    let names: Vec<String> = saved.fields.iter().map(|name| field(lang, name)).collect();
    let mut text = lang.say("Enregistré", "Saved", &names.join(", ")) + ".";
    let mut care = Vec::new();
    if let Some(why) = &saved.degraded {
        care.push(w.degraded(lang, saved.stored_in, why));
    }
    if !saved.still_wrong.is_empty() {
        let wrong: Vec<String> = saved.still_wrong.iter().map(|problem| lang.problem(problem)).collect();
        care.push(w.still_wrong(lang, &wrong.join(lang.pick(" ; ", "; "))));
    }
    let document = documents::from_json::<Value>(&saved.text).unwrap_or_default();
    let of_change = |said: &str| saved.fields.iter().any(|name| said.starts_with(name.as_str()));
    let idle = effect::remarks(key, &document).into_iter().filter(|said| of_change(&said.english));
    care.extend(idle.map(|said| lang.one(said) + "."));
    if care.is_empty() {
        return Notice::good(text);
    }
    text.extend(care.iter().flat_map(|one| [" ", one.as_str()]));
    Notice::care(text)
}
