//! `/acces`: who can get in?
//!
//! | file | what |
//! |---|---|
//! | [`sessions`], [`device`] | who has signed in, on which device; end one, end all others |
//! | [`links`], [`qr`] | sign-in links: make one, which is shown once; revoke one |
//! | [`tokens`] | what opens the program without a session |
//! | [`log`] | who signed in, and who did what |

mod device;
mod links;
mod log;
mod qr;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

use actix_web::HttpResponse;
use actix_web::web::to;
use askama::Template;

use self::links::SignInLinksView;
use self::log::{ActionsView, LoginsView};
use self::sessions::SessionsView;
use self::tokens::TokenRow;
use self::words::Words;
use super::frame::{Frame, Section};
use super::visit::{PageVisit, see};
use crate::http::problem::HttpProblem;
use crate::http::routes::{Route, RouteAccess, Takes};

/// Its address.
const HOME: &str = "/acces";
/// Entries of a long list that this page shows; the whole list has a page of its own.
const PREVIEW_SIZE: usize = 10;

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let who = RouteAccess::Session;
    let form = |path, handler| Route::post(path, who, handler).takes(Takes::Form);
    let asked = vec![
        form("/acces/sessions/terminer", || to(sessions::end)),
        form("/acces/sessions/autres", || to(sessions::end_others)),
        form("/acces/liens", || to(links::make)).secret(),
        form("/acces/liens/revoquer", || to(links::revoke)),
    ];
    // Whoever reads one of these answers and chooses another language has its address.
    let home = asked.iter().map(|route| Route::get(route.path, who, || to(home))).collect();
    let pages = vec![
        Route::get(HOME, who, || to(show)),
        Route::get("/acces/connexions", who, || to(log::logins)),
        Route::get("/acces/actions", who, || to(log::actions)),
    ];
    [pages, asked, home].concat()
}

#[derive(Template)]
#[template(path = "access/page.html")]
struct AccessPage {
    frame: Frame,
    w: &'static Words,
    sessions: SessionsView,
    links: SignInLinksView,
    tokens: Vec<TokenRow>,
    logins: LoginsView,
    actions: ActionsView,
}

async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let query = sessions::cursor(&visit);
    let (frame, sessions, links, logins, actions) = tokio::join!(
        visit.frame(Section::Access, w.title),
        sessions::view(&visit, query),
        links::view(&visit),
        log::some_logins(&visit, None, PREVIEW_SIZE),
        log::some_actions(&visit, None, PREVIEW_SIZE),
    );
    visit.show(&AccessPage {
        frame,
        w,
        sessions: sessions?,
        links: links?,
        tokens: tokens::rows(&visit),
        logins: logins?,
        actions: actions?,
    })
}

async fn home() -> HttpResponse {
    see(HOME).finish()
}
