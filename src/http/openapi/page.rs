//! `/api/docs`: the description as a page on which requests can be tried. The page is a library's,
//! and comes with the program: nothing is loaded from elsewhere.

use std::sync::{Arc, LazyLock};

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use actix_web::web::Path;
use utoipa_swagger_ui::Config;

use crate::http::problem::{Kind, Problem};

/// The base layout has no inline style, so it is allowed by the policy of all our pages.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::from("/api/v1/openapi.json").use_base_layout().try_it_out_enabled(true).validator_url("none"),
    )
});

/// Its files are relative to a folder.
pub(super) async fn moved() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/api/docs/")).finish()
}

/// A file of the page.
pub(super) async fn file(name: Path<String>) -> Result<HttpResponse, Problem> {
    let nothing = || Problem::new(Kind::NotFound, "the page has no such file");
    let file = utoipa_swagger_ui::serve(&name, Arc::clone(&CONFIG)).map_err(|error| {
        Problem::new(Kind::Internal, format!("the page to try the API cannot be made: {error}"))
    })?;
    let file = file.ok_or_else(nothing)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.content_type))
        .insert_header((CACHE_CONTROL, "private, max-age=3600"))
        .body(file.bytes.into_owned()))
}
