//! The description of the API (OpenAPI 3.1), made from the code, and a page to try it.
//!
//! The description is checked in as `docs/openapi.json`; a test fails when it is stale, so an
//! answer cannot change without anybody noticing. `UPDATE_OPENAPI=1` writes it anew.

mod page;
pub(in crate::http) mod refusals;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, to};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::access::ApiScope;
use super::routes::{Route, RouteAccess};
use super::v1;

/// The addresses of this room.
pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/openapi.json", RouteAccess::Api(ApiScope::Read), || to(description)),
        Route::get("/api/docs", RouteAccess::Session, || to(page::moved))
            .format(super::problem::RefusalFormat::Page),
        Route::get("/api/docs/{file:.*}", RouteAccess::Session, || to(page::file))
            .format(super::problem::RefusalFormat::Page),
    ]
}

/// The API as it is described.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "render-signal",
        description = "Mails, deliveries, events, configuration and operations. Errors are problem documents: see /docs/errors. `dry_run` has one rule: where what is done can be undone (documents have a history) it is false unless it is said; where it cannot (a webhook that is sent or given up) it has to be said.",
    ),
    paths(
        v1::attention::attention,
        v1::deliveries::list::list,
        v1::deliveries::list::one,
        v1::deliveries::actions::retry,
        v1::deliveries::actions::cancel,
        v1::deliveries::actions::again,
        v1::deliveries::actions::retry_many,
        v1::deliveries::actions::cancel_many,
        v1::mails::list::list,
        v1::mails::list::counts,
        v1::mails::story::one,
        v1::mails::source::source,
        v1::mails::source::content,
        v1::mails::explain::raw,
        v1::mails::explain::stored,
        v1::mails::actions::release,
        v1::mails::actions::ignore,
        v1::mails::actions::again,
        v1::targets::list,
        v1::targets::hours,
        v1::targets::enable,
        v1::events::list,
        v1::events::one,
        v1::events::stream::events,
        v1::access::mine,
        v1::access::end_mine,
        v1::access::sessions,
        v1::access::end_all,
        v1::access::end_one,
        v1::access::links::list,
        v1::access::links::create,
        v1::access::links::revoke,
        v1::access::actions::list,
        v1::config::read::overview,
        v1::config::read::check,
        v1::config::read::conflicts,
        v1::config::read::document,
        v1::config::read::source,
        v1::config::read::history,
        v1::config::read::version,
        v1::config::read::diff,
        v1::config::change::replace,
        v1::config::change::merge,
        v1::config::change::remove,
        v1::config::change::restore,
        v1::config::change::resolve,
        v1::config::carry::export,
        v1::config::carry::import,
        v1::config::carry::migrate,
        v1::operations::status::status,
        v1::operations::status::doctor,
        v1::operations::parts::workers,
        v1::operations::parts::leases,
        v1::operations::parts::queues,
        v1::operations::parts::mailboxes,
        v1::operations::parts::stores,
        v1::operations::statistics::statistics,
        v1::operations::links::list,
        v1::operations::links::stats,
        v1::operations::links::rebuild,
        v1::operations::tests::begin,
        v1::operations::tests::list,
        v1::operations::tests::one,
        v1::operations::tests::cancel,
        v1::operations::journal::journal,
        v1::operations::journal::verify,
        v1::operations::journal::backup,
        v1::live::overview,
        v1::live::live,
        v1::webhooks::test,
    ),
    components(schemas(refusals::ProblemDocument)),
    modifiers(&Security),
    tags(
        (name = "mails", description = "Which mails there are, what happened to each, what may be done"),
        (name = "deliveries", description = "Webhooks, and what may be done about one or many"),
        (name = "targets", description = "How each target is, and how it has fared"),
        (name = "access", description = "Who has signed in, sign-in links, and who did what"),
        (name = "configuration", description = "The documents, their history, and changes of them"),
        (name = "operations", description = "How the program is, and what its operator does"),
        (name = "events", description = "What has happened, as pages and as a stream"),
        (name = "webhooks", description = "What receivers get"),
    ),
)]
struct Described;

/// How one may be let in.
struct Security;

impl Modify for Security {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", token);
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description("session", "as /login sets it"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        let either = ["token", "session"]
            .map(|name| utoipa::openapi::security::SecurityRequirement::new::<_, [&str; 0], &str>(name, []));
        api.security = Some(either.into());
    }
}

/// The description as it is sent and checked in.
static DESCRIPTION: LazyLock<Bytes> = LazyLock::new(|| {
    // A description always has a JSON form.
    let mut text = Described::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text.into()
});

async fn description() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(DESCRIPTION.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::routes::table;

    /// Where the description is checked in.
    const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

    #[test]
    fn the_description_is_the_checked_in_one() {
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(CHECKED_IN, &*DESCRIPTION).unwrap();
        }
        let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
        assert!(
            checked_in.as_bytes() == &**DESCRIPTION,
            "the API has changed: look at what, then run the tests with UPDATE_OPENAPI=1"
        );
    }

    #[test]
    fn what_is_described_is_what_is_served() {
        let served: BTreeSet<String> = table()
            .into_iter()
            .filter(|route| route.path.starts_with("/api/v1/") && route.path != "/api/v1/openapi.json")
            .map(|route| format!("{} {}", route.method.as_str().to_lowercase(), route.path))
            .collect();
        let text: serde_json::Value = serde_json::from_slice(&DESCRIPTION).unwrap();
        let described: BTreeSet<String> = text["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        assert_eq!(described, served);
    }
}
