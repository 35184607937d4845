//! `/regles`: what triggers what?
//!
//! | file | what |
//! |---|---|
//! | [`overview`] | the page: what happens to a mail, with the two lists in their places |
//! | [`order`] | what is done to a list: moved, copied, switched, deleted |
//! | [`one_rule`], [`one_detector`], [`one_service`], [`sheets`] | forms |
//! | [`trials`] | a change tried on the mails that came, and saved |
//! | [`rule`], [`detector`], [`tree`], [`service`], [`sheet`], [`list`] | forms and what they make of a document; pure |
//! | [`chain`], [`sentence`], [`outcome`], [`mod@line`] | plain sentences; pure |
//! | [`desk`] | a document as these pages change it |
//!
//! Whatever is changed is an edit of one document, saved by [`documents`](super::documents), and can be tried before.

mod chain;
mod desk;
mod detector;
mod line;
mod list;
mod one_detector;
mod one_rule;
mod one_service;
mod order;
mod outcome;
mod overview;
mod rule;
mod send;
mod sentence;
mod service;
mod sheet;
mod sheets;
#[cfg(test)]
mod tests;
mod tree;
mod trials;
mod words;

use actix_web::web::to;

use crate::http::routes::{Route, RouteAccess, Takes};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let session = RouteAccess::Session;
    vec![
        Route::get("/regles", session, || to(overview::show)),
        Route::post("/regles/liste", session, || to(order::act)).takes(Takes::Form),
        Route::get("/regles/regle", session, || to(one_rule::show)),
        Route::post("/regles/regle", session, || to(one_rule::send)).takes(Takes::LongForm),
        Route::get("/regles/detecteur", session, || to(one_detector::show)),
        Route::post("/regles/detecteur", session, || to(one_detector::send)).takes(Takes::LongForm),
        Route::get("/regles/expediteurs", session, || to(sheets::senders)),
        Route::post("/regles/expediteurs", session, || to(sheets::send)).takes(Takes::LongForm),
        Route::get("/regles/mots", session, || to(sheets::aside)),
        Route::post("/regles/mots", session, || to(sheets::send)).takes(Takes::LongForm),
        Route::get("/regles/services", session, || to(one_service::all)),
        Route::get("/regles/service", session, || to(one_service::show)),
        Route::post("/regles/service", session, || to(one_service::send)).takes(Takes::LongForm),
        Route::get("/regles/essais/{id}", session, || to(trials::show)),
        Route::post("/regles/essais/{id}", session, || to(trials::act)).takes(Takes::Form),
    ]
}
