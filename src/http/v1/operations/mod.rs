//! How the program is, and what can be looked at and done about it.

pub(in crate::http) mod journal;
pub(in crate::http) mod links;
pub(in crate::http) mod parts;
pub(in crate::http) mod statistics;
pub(in crate::http) mod status;
pub(in crate::http) mod tests;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::to;
use serde::Serialize;

use crate::http::access::ApiScope;
use crate::http::routes::{Route, RouteAccess, Takes};

pub(super) fn routes() -> Vec<Route> {
    let (read, actions) = (RouteAccess::Api(ApiScope::Read), RouteAccess::Api(ApiScope::Actions));
    let config = RouteAccess::Api(ApiScope::Config);
    vec![
        Route::get("/api/v1/status", read, || to(status::status)),
        Route::post("/api/v1/doctor", actions, || to(status::doctor)),
        Route::get("/api/v1/workers", read, || to(parts::workers)),
        Route::get("/api/v1/leases", read, || to(parts::leases)),
        Route::get("/api/v1/queues", read, || to(parts::queues)),
        Route::get("/api/v1/mailboxes", read, || to(parts::mailboxes)),
        Route::get("/api/v1/stores", read, || to(parts::stores)),
        Route::get("/api/v1/statistics", read, || to(statistics::statistics)),
        Route::get("/api/v1/links", read, || to(links::list)),
        Route::get("/api/v1/links/list", read, || to(links::stats)),
        Route::post("/api/v1/links/rebuild", actions, || to(links::rebuild)),
        Route::post("/api/v1/rules/tests", config, || to(tests::begin)).takes(Takes::Json),
        Route::get("/api/v1/rules/tests", config, || to(tests::list)),
        Route::get("/api/v1/rules/tests/{id}", config, || to(tests::one)),
        Route::delete("/api/v1/rules/tests/{id}", config, || to(tests::cancel)),
        Route::get("/api/v1/journal", read, || to(journal::journal)),
        Route::post("/api/v1/journal/verify", actions, || to(journal::verify)),
        // All there is lies in it, what opens sessions included.
        Route::get("/api/v1/journal/backup", RouteAccess::Api(ApiScope::Access), || to(journal::backup))
            .costly(),
    ]
}

fn answer(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}
