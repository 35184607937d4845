//! `/api/v1/config`: the documents, their history, and changes of them.
//!
//! What opens something is masked (`***`) in every answer but those that need the scope `config`;
//! a mask that is sent back stands for what it masks, and is never stored.

pub(in crate::http) mod carry;
pub(in crate::http) mod change;
pub(in crate::http) mod read;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::web::to;
use render_signal_actors::config::active::canonical_hash;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::BasedOn;

use crate::http::HttpState;
use crate::http::access::ApiScope;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};
use crate::services::config::Stored;

pub(super) fn routes() -> Vec<Route> {
    let (read, config) = (RouteAccess::Api(ApiScope::Read), RouteAccess::Api(ApiScope::Config));
    vec![
        Route::get("/api/v1/config", read, || to(read::overview)),
        Route::get("/api/v1/config/check", read, || to(read::check)),
        Route::get("/api/v1/config/conflicts", read, || to(read::conflicts)),
        Route::get("/api/v1/config/export", config, || to(carry::export)).costly(),
        Route::post("/api/v1/config/import", config, || to(carry::import)).takes(Takes::Json),
        Route::post("/api/v1/config/migrate", config, || to(carry::migrate)).takes(Takes::Json),
        Route::get("/api/v1/config/{key}", read, || to(read::document)),
        Route::put("/api/v1/config/{key}", config, || to(change::replace)).takes(Takes::Json),
        Route::patch("/api/v1/config/{key}", config, || to(change::merge)).takes(Takes::Json),
        Route::delete("/api/v1/config/{key}", config, || to(change::remove)),
        Route::get("/api/v1/config/{key}/source", config, || to(read::source)),
        Route::get("/api/v1/config/{key}/history", read, || to(read::history)),
        Route::get("/api/v1/config/{key}/versions/{version}", read, || to(read::version)),
        Route::get("/api/v1/config/{key}/diff", read, || to(read::diff)),
        Route::post("/api/v1/config/{key}/restore", config, || to(change::restore)).takes(Takes::Json),
        Route::post("/api/v1/config/{key}/resolve", config, || to(change::resolve)).takes(Takes::Json),
    ]
}

/// The document of this name.
fn key(name: &str) -> Result<Key, HttpProblem> {
    Key::named(name).ok_or_else(|| {
        let names: Vec<&str> = Key::ALL.into_iter().map(Key::as_str).collect();
        HttpProblem::new(ProblemKind::NotFound, format!("{name:?} is no document: {}", names.join(", ")))
    })
}

/// The same, of those that may be written here: sign-in links have an address of their own.
fn writable(name: &str) -> Result<Key, HttpProblem> {
    match key(name)? {
        Key::MagicLinkTokens => Err(HttpProblem::new(
            ProblemKind::Conflict,
            "sign-in links are not written as a document: they are made and revoked at /api/v1/access",
        )),
        key => Ok(key),
    }
}

/// What names the version of a document: equal as long as the document says the same.
fn etag(stored: &Stored) -> String {
    let hash = stored.value.as_ref().map_or_else(|| stored.revision.0.clone(), canonical_hash);
    let plain: String = hash.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("\"{plain}\"")
}

/// What the caller says that they have seen (RFC 9110 section 13.1); `None` = they say nothing.
async fn seen(request: &HttpRequest, state: &HttpState, key: Key) -> Result<Option<BasedOn>, HttpProblem> {
    let header = |name: HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
    let (matching, unless) = (header(IF_MATCH), header(IF_NONE_MATCH));
    if matching.is_none() && unless != Some(b"*") {
        return Ok(None);
    }
    let failed = |why: &str| {
        let why = format!("{key} {why}: read it again, then repeat your change; nothing was changed");
        Err(HttpProblem::new(ProblemKind::PreconditionFailed, why))
    };
    match (state.services.configuration.stored(key).await?, matching) {
        (Some(stored), Some(tags)) if names(tags, &etag(&stored)) => {
            Ok(Some(BasedOn::Revision(stored.revision)))
        }
        (Some(_), Some(_)) => failed("was changed by somebody else in the meantime"),
        (Some(_), None) => failed("exists already"),
        (None, Some(_)) => failed("is not there any more"),
        (None, None) => Ok(Some(BasedOn::Absent)),
    }
}

/// Whether an `If-Match` names this version.
fn names(tags: &[u8], tag: &str) -> bool {
    let tags = String::from_utf8_lossy(tags);
    tags.split(',').map(str::trim).any(|wanted| wanted == "*" || wanted == tag)
}
