//! The endpoints of the system before, with its paths, fields, messages and statuses; where they
//! differ on purpose, `docs/compatibility.md` says why.

pub(crate) mod config_api;
mod magic_link;

use actix_web::http::Method;
use actix_web::web::to;

use super::problem::Voice;
use super::routes::{Route, Takes, Who};

/// The addresses of this room.
pub(in crate::http) fn routes() -> Vec<Route> {
    let documents = |method| {
        Route::new(method, "/config_api.php", Who::Own, || to(config_api::answer)).voice(Voice::Reference)
    };
    vec![
        Route::post("/api/auth/magic-link", Who::Session, || to(magic_link::create))
            .takes(Takes::Json)
            .voice(Voice::Reference),
        documents(Method::GET),
        documents(Method::POST).takes(Takes::Json),
        // It refuses other methods in the words of the page that it stands for.
        documents(Method::PUT),
        documents(Method::PATCH),
        documents(Method::DELETE),
    ]
}
