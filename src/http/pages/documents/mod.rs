//! How pages edit the configuration documents: one way to read, to save, to look back and to decide.
//!
//! | file | what |
//! |---|---|
//! | [`read`] | a document for a form: what is stored, which version that is, how it stands, who changed it |
//! | [`mod@save`] | saving, and the three things that come of it |
//! | [`sides`] | the page that is shown when somebody else has saved meanwhile |
//! | [`standing`] | stores that do not answer, documents that are refused, decisions that wait |
//! | [`history`], [`version`] | `/reglages/historique`: who changed what and when, and back again |
//! | [`stores`] | `/reglages/conflit`: two stores hold different versions |
//! | [`names`], [`values`] | fields and their values in words |
//!
//! A page reads a [`EditedDocument`] and puts its `seen` into a hidden field of that name. It gives
//! [`save`](save::save) an edit of the fields that somebody changed, and what came back as `seen`:
//!
//! ```text
//! match documents::save(&visit, edit, form.text(SEEN)).await? {
//!     Outcome::Saved(saved) => visit.back("/regles", &saved.notice),
//!     Outcome::Refused(problems) => /* the form once more, with `problems.at("rules[0].name")` at the field */,
//!     Outcome::Conflict(conflict) => conflict.show(&visit, Section::Rules, &form, "/regles", "/regles").await,
//! }
//! ```

mod changes;
mod history;
mod names;
mod read;
mod save;
mod sides;
mod standing;
mod stores;
#[cfg(test)]
mod tests;
mod values;
mod version;
mod words;

use actix_web::web::to;
use render_signal_actors::config::documents::Key;

use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};

pub(in crate::http::pages) use changes::ChangeList;
pub(in crate::http::pages) use names::{document, field, who};
pub(in crate::http::pages) use read::{EditedDocument, EditedDocuments, seen_in, versions};
pub(in crate::http::pages) use save::{Problems, SaveOutcome, save};
pub(in crate::http::pages) use standing::DocumentNotices;
pub(in crate::http::pages) use values::{date, days, in_words};

/// Name of the hidden field with [`EditedDocument::seen`].
pub(in crate::http::pages) const SEEN: &str = "seen";

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let one = "/reglages/historique/{key}/{version}";
    vec![
        Route::get("/reglages/historique", RouteAccess::Session, || to(history::index)),
        Route::get("/reglages/historique/{key}", RouteAccess::Session, || to(history::show)),
        Route::get(one, RouteAccess::Session, || to(version::show)),
        Route::post(one, RouteAccess::Session, || to(version::restore)).takes(Takes::Form),
        Route::get("/reglages/conflit/{key}", RouteAccess::Session, || to(stores::show)),
        Route::post("/reglages/conflit/{key}", RouteAccess::Session, || to(stores::decide))
            .takes(Takes::Form),
    ]
}

/// Where the history of a document is shown.
pub(in crate::http::pages) fn history_of(key: Key) -> String {
    format!("/reglages/historique/{key}")
}

/// The document that an address names.
fn named(name: &str) -> Result<Key, HttpProblem> {
    Key::named(name)
        .ok_or_else(|| HttpProblem::new(ProblemKind::NotFound, format!("{name:?} is no document")))
}
