//! `/reglages`: when and how?
//!
//! | file | what |
//! |---|---|
//! | [`groups`] | the forms: which fields of which document each has |
//! | [`inputs`] | values as inputs show them, and back |
//! | [`checks`] | what is wrong with what was entered, before the document is asked |
//! | [`force`] | what is in force, and where from |
//! | [`effect`] | what that means, in words |
//! | [`vacation`] | a vacation in three taps |
//! | [`view`] | the page |
//!
//! A form sends each value beside what its input showed (`was-…`), so that only what somebody changed
//! is written: what others change in the meantime stays, and a default is not written down as a wish.

mod checks;
mod effect;
mod force;
mod groups;
mod inputs;
#[cfg(test)]
mod tests;
mod vacation;
mod view;
mod words;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::to;
use render_signal_actors::config::edit::{Edit, EditError};
use serde_json::Value;

use self::groups::SettingsGroup;
use self::view::Entered;
use super::documents::{self, Problems, SEEN, SaveOutcome};
use super::form::FormData;
use super::frame::Section;
use super::notice::Notice;
use super::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};
use crate::services::ServiceError;

const PAGE_PATH: &str = "/reglages";
/// The field of a form that asks what it would do.
const PREVIEW_FIELD: &str = "look";

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let page = Route::get("/reglages", RouteAccess::Session, || to(show));
    let forms = SettingsGroup::ALL
        .map(|group| Route::post(group.path(), RouteAccess::Session, || to(send)).takes(Takes::LongForm));
    // Whoever reloads what a form was answered with finds the form.
    let ways = SettingsGroup::ALL.map(|group| Route::get(group.path(), RouteAccess::Session, || to(way)));
    [page].into_iter().chain(forms).chain(ways).collect()
}

/// The form that an address is about.
fn group(visit: &PageVisit) -> Result<SettingsGroup, HttpProblem> {
    let found = SettingsGroup::ALL.into_iter().find(|group| group.path() == visit.request.path());
    found.ok_or_else(|| HttpProblem::new(ProblemKind::NotFound, "there is no such form"))
}

async fn way(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, group(&visit)?.place())).finish())
}

async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let page = view::page(&visit, None).await?;
    visit.show(&page)
}

async fn send(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let group = group(&visit)?;
    let wrong = checks::wrong(visit.lang, group, &form);
    let look = form.is_on(PREVIEW_FIELD);
    if !wrong.0.is_empty() && !look {
        return again(&visit, Entered::new(group, form).wrong(wrong)).await;
    }
    let fields = groups::changed(group, &form);
    if fields.is_empty() && !look {
        let nothing = words::Words::of(visit.lang).nothing;
        return Ok(visit.back(PAGE_PATH, &Notice::good(nothing)));
    }
    let edit = Edit::merge(group.key(), fields, &visit.caller.by()).keeping_masked();
    if look {
        return look_at(&visit, group, form, wrong, edit).await;
    }
    match documents::save(&visit, edit, documents::seen_in(&form)?).await? {
        SaveOutcome::Saved(saved) => {
            let mut notice = saved.notice;
            if let Some(said) = effect::of(group, &visit.state.services.policy.load(), visit.clock) {
                notice.text = format!("{} {}", notice.text, said.text());
            }
            // What was done is said on top, beside what is so now.
            Ok(visit.back(PAGE_PATH, &notice))
        }
        SaveOutcome::Refused(problems) => again(&visit, Entered::new(group, form).wrong(problems)).await,
        SaveOutcome::Conflict(conflict) => {
            conflict.show(&visit, Section::Settings, &form, group.path(), &group.place()).await
        }
    }
}

/// The page with what was entered, and what is wrong with it.
async fn again(visit: &PageVisit, entered: Entered) -> Result<HttpResponse, HttpProblem> {
    let page = view::page(visit, Some(entered)).await?;
    visit.show_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The page with what was entered, and what that would mean. Nothing is changed.
async fn look_at(
    visit: &PageVisit,
    group: SettingsGroup,
    form: FormData,
    mut wrong: Problems,
    edit: Edit,
) -> Result<HttpResponse, HttpProblem> {
    let editor = &visit.state.services.configuration.editor;
    let mut entered = Entered::new(group, form);
    if wrong.0.is_empty() {
        match editor.preview(&edit).await {
            Ok(after) => entered.effect = would(visit, group, &after),
            Err(EditError::Invalid(problems)) => wrong = Problems::of(visit, &problems),
            Err(error) => return Err(ServiceError::edit(group.key(), error).into()),
        }
    }
    let page = view::page(visit, Some(entered.wrong(wrong))).await?;
    visit.show(&page)
}

fn would(visit: &PageVisit, group: SettingsGroup, after: &Value) -> Option<effect::Effect> {
    let env = &visit.state.services.configuration.editor.env;
    let policy = effect::policy_with(group.key(), after, env)?;
    effect::of(group, &policy, visit.clock)
}
