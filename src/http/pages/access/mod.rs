//! `/acces`: who can get in?

mod words;

use actix_web::HttpResponse;
use actix_web::web::to;
use askama::Template;

use self::words::Words;
use super::frame::{Frame, Section};
use super::visit::Visit;
use crate::http::problem::Problem;
use crate::http::routes::{Route, Who};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/acces", Who::Session, || to(show))]
}

/// The page.
#[derive(Template)]
#[template(path = "access/page.html")]
struct Page {
    frame: Frame,
}

async fn show(visit: Visit) -> Result<HttpResponse, Problem> {
    let w = Words::of(visit.lang);
    visit.show(&Page { frame: visit.frame(Section::Access, w.title).await })
}
