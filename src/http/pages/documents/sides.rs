//! Somebody else has saved while a form was being filled in: both sides, and a choice.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use render_signal_actors::config::diff::FieldDifference;
use render_signal_actors::config::documents::Key;

use super::changes::ChangeList;
use super::names::document;
use super::read::{EditedDocument, LastChange};
use super::words::Words;
use super::{SEEN, history_of};
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;

/// What two people want of a document.
#[derive(Debug)]
pub(in crate::http::pages) struct ConflictingEdit {
    /// Which document.
    pub(in crate::http::pages) key: Key,
    /// Names the version that is stored now.
    pub(in crate::http::pages) seen: String,
    /// What differs between what is stored now and what saving over it would make.
    pub(in crate::http::pages) differences: Vec<FieldDifference>,
}

/// The page: what is stored now beside what was entered, and two ways on.
#[derive(Template)]
#[template(path = "documents/sides.html")]
struct EditConflictPage {
    frame: Frame,
    w: &'static Words,
    said: String,
    changes: ChangeList,
    /// What is in force, where that is something else than what is stored.
    in_force: Option<ChangeList>,
    last: Option<LastChange>,
    action: String,
    /// The form once more, with the version that is stored now.
    kept: Vec<(String, String)>,
    back: String,
    history: String,
}

impl ConflictingEdit {
    /// The page. `action` is where the form goes once more, over what is stored now; `back` is
    /// where somebody goes who leaves it at that.
    ///
    /// # Errors
    /// The page cannot be made, or nothing is known of the document.
    pub(in crate::http::pages) async fn show(
        &self,
        visit: &PageVisit,
        section: Section,
        form: &FormData,
        action: &str,
        back: &str,
    ) -> Result<HttpResponse, HttpProblem> {
        let (w, lang) = (Words::of(visit.lang), visit.lang);
        let (now, _) = EditedDocument::read(visit, self.key).await?;
        let in_force = now.state.in_force.as_ref().map(|in_force| {
            let stored = serde_json::Value::Object(now.value.clone());
            let found =
                render_signal_actors::config::diff::differences(self.key, Some(&stored), Some(in_force));
            ChangeList::of(visit, &found, [w.stored, w.in_force])
        });
        let page = EditConflictPage {
            frame: visit.frame(section, w.conflict).await,
            said: w.conflict_said(lang, &document(lang, self.key)),
            changes: ChangeList::of(visit, &self.differences, [w.theirs, w.mine]),
            in_force: in_force.filter(|changes| !changes.rows.is_empty()),
            last: now.changed,
            action: action.to_owned(),
            kept: self.again(form),
            back: back.to_owned(),
            history: history_of(self.key),
            w,
        };
        visit.show_as(StatusCode::CONFLICT, &page)
    }

    /// What was typed, to be saved over what is stored now.
    fn again(&self, form: &FormData) -> Vec<(String, String)> {
        let rest = form.0.iter().filter(|(name, _)| name != SEEN).cloned();
        rest.chain([(SEEN.to_owned(), self.seen.clone())]).collect()
    }
}
