//! `/systeme`: what is underneath?
//!
//! | file | what |
//! |---|---|
//! | [`workers`], [`checks`] | how each worker is; the report of `doctor` |
//! | [`stores`] | where the documents are, and how each is |
//! | [`carry`], [`import`] | migrate, check, export; import with a preview |
//! | [`journal`], [`copies`], [`service`] | the journal and its copies; copies of files; deploy and restart |
//! | [`make`] | scenarios at Make.com |
//! | [`trial`] | a test webhook |
//! | [`events`] | the last events, a page of their own |
//!
//! What a button finds out is shown on the page that answers it, in its section, and stays there
//! while it is read: each of these answers is the whole page with one [`SystemResults`] in it.

mod carry;
mod checks;
mod copies;
mod events;
mod import;
mod journal;
mod make;
mod sayings;
mod service;
mod stores;
#[cfg(test)]
mod tests;
mod trial;
mod words;
mod workers;

use actix_web::http::StatusCode;
use actix_web::web::to;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use self::carry::{MigrationView, VerifiedView};
use self::checks::DoctorChecksView;
use self::copies::CopiesView;
use self::import::ImportForm;
use self::journal::{JournalPart, VerifyView};
use self::make::MakeView;
use self::service::ServiceView;
use self::stores::StoresView;
use self::trial::TrialView;
use self::words::Words;
use self::workers::WorkersPart;
use super::frame::{Frame, Section};
use super::parts::Confirm;
use super::visit::{PageVisit, see};
use crate::http::problem::HttpProblem;
use crate::http::routes::{Route, RouteAccess, Takes};

/// Its address.
const HOME: &str = "/systeme";

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let who = RouteAccess::Session;
    let form = |path, handler| Route::post(path, who, handler).takes(Takes::Form);
    let long = |path, handler| Route::post(path, who, handler).takes(Takes::LongForm);
    let asked = vec![
        form("/systeme/verifier", || to(checks::look_at_all)),
        form("/systeme/migrer", || to(carry::migrate)),
        form("/systeme/verifier-redis", || to(carry::verify)),
        form("/systeme/journal", || to(journal::verify)),
        form("/systeme/essai", || to(trial::show)),
        form("/systeme/essai/envoyer", || to(trial::send)),
        form("/systeme/copies", || to(copies::rebuild)),
        form("/systeme/make/demarrer", || to(make::start)),
        form("/systeme/make/arreter", || to(make::stop)),
        form("/systeme/deployer", || to(service::deploy)),
        form("/systeme/redemarrer", || to(service::restart)),
        long("/systeme/import", || to(import::preview)),
        long("/systeme/import/ecrire", || to(import::write)),
    ];
    // Whoever reads one of these answers and chooses another language, or comes back, has its address.
    let home = asked.iter().map(|route| Route::get(route.path, who, || to(home))).collect();
    let pages = vec![
        Route::get(HOME, who, || to(show)),
        Route::get("/systeme/processus", who, || to(live)),
        Route::get("/systeme/evenements", who, || to(events::show)),
        Route::get("/systeme/export", who, || to(carry::export)).costly(),
        Route::get("/systeme/sauvegarde", who, || to(journal::backup)).costly(),
    ];
    [pages, asked, home].concat()
}

/// The whole page.
#[derive(Template)]
#[template(path = "system/page.html")]
struct SystemPage {
    frame: Frame,
    w: &'static Words,
    part: WorkersPart,
    stores: Result<StoresView, String>,
    journal: Result<JournalPart, String>,
    copies: CopiesView,
    make: Option<MakeView>,
    service: ServiceView,
    migrate: Option<Confirm>,
    trial: TrialView,
    import: ImportForm,
    told: SystemResults,
}

/// What somebody has just asked for.
#[derive(Default)]
struct SystemResults {
    doctor: Option<DoctorChecksView>,
    migration: Option<MigrationView>,
    verified: Option<VerifiedView>,
    journal: Option<VerifyView>,
    trial: Option<TrialView>,
    import: Option<ImportForm>,
}

/// What changes by itself, alone.
#[derive(Template)]
#[template(path = "system/live.html")]
struct Live {
    frame: Frame,
    w: &'static Words,
    part: WorkersPart,
    told: SystemResults,
}

async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    page(&visit, StatusCode::OK, SystemResults::default()).await
}

async fn home(_: HttpRequest) -> HttpResponse {
    see(HOME).finish()
}

async fn live(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let (w, part) = (Words::of(visit.lang), workers::part(&visit).await);
    let (frame, told) = (visit.frame(Section::System, w.title).await, SystemResults::default());
    visit.show(&Live { frame, w, part, told })
}

/// The page, with what somebody has asked for.
async fn page(
    visit: &PageVisit,
    status: StatusCode,
    mut told: SystemResults,
) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let (frame, part, stores, journal, copies, make) = tokio::join!(
        visit.frame(Section::System, w.title),
        workers::part(visit),
        stores::view(visit),
        journal::part(visit),
        copies::view(visit),
        make::view(visit),
    );
    let page = SystemPage {
        frame,
        w,
        part,
        stores,
        journal,
        copies,
        make,
        service: service::view(visit),
        migrate: carry::confirm(visit),
        trial: told.trial.take().unwrap_or_else(|| trial::form(visit)),
        import: told.import.take().unwrap_or_default(),
        told,
    };
    visit.show_as(status, &page)
}
