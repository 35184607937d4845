//! `/api/v1/mails`: which mails there are, what happened to each, and what may be done about one.

pub(in crate::http) mod actions;
pub(in crate::http) mod explain;
pub(in crate::http) mod list;
pub(in crate::http) mod source;
pub(in crate::http) mod story;
#[cfg(test)]
mod tests;
mod view;

use actix_web::web::to;

use crate::http::access::ApiScope;
use crate::http::routes::{Route, RouteAccess, Takes};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let (read, act) = (RouteAccess::Api(ApiScope::Read), RouteAccess::Api(ApiScope::Actions));
    vec![
        Route::get("/api/v1/mails", read, || to(list::list)),
        Route::get("/api/v1/mails/counts", read, || to(list::counts)),
        Route::post("/api/v1/mails/explain", read, || to(explain::raw)).takes(Takes::Mail),
        Route::get("/api/v1/mails/{id}/explain", read, || to(explain::stored)),
        Route::get("/api/v1/mails/{id}", read, || to(story::one)),
        Route::get("/api/v1/mails/{id}/source", read, || to(source::source)),
        Route::get("/api/v1/mails/{id}/content", read, || to(source::content)),
        Route::post("/api/v1/mails/{id}/release", act, || to(actions::release)),
        Route::post("/api/v1/mails/{id}/ignore", act, || to(actions::ignore)),
        Route::post("/api/v1/mails/{id}/again", act, || to(actions::again)).takes(Takes::Json),
    ]
}
