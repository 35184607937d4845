//! The endpoints of the system before, with its paths, fields, messages and statuses; where they
//! differ on purpose, `docs/compatibility.md` says why.
//!
//! | file | what |
//! |---|---|
//! | [`config_api`] | `/config_api.php` |
//! | [`ingress`] | mails that are handed over |
//! | [`webhooks`], [`windows`], [`polling`], [`prefs`], [`flags`], [`rules`] | the configuration, document by document |
//! | [`store`] | the documents of the shared store |
//! | [`magic_link`] | sign-in links |
//! | [`logs`] | what was tried to send |
//! | [`admin`] | check, restart, deploy |
//! | [`make`] | scenarios of Make.com |
//! | [`utility`] | ping, diagnosis, the trigger |
//! | [`test_api`], [`cors`] | for those who have `TEST_API_KEY` |
//!
//! They speak French where it did. What they ask is what `/api/v1` asks.

mod admin;
mod answer;
pub(crate) mod config_api;
pub(in crate::http) mod cors;
mod documents;
mod flags;
mod ingress;
mod logs;
mod magic_link;
pub(crate) mod make;
mod polling;
mod prefs;
mod rules;
pub(in crate::http) mod store;
mod test_api;
pub(crate) mod utility;
mod webhooks;
mod windows;

use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::to;
use chrono::{DateTime, Utc};
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::deploy::Deployer;
use render_signal_actors::egress::check_target;
use render_signal_actors::ingress::Ingress;
use render_signal_actors::mail::policy::PolicyCell;
use render_signal_actors::signing::SigningKeys;
use render_signal_actors::webhook::test_webhook::Tester;

use self::make::MakeAccess;
use super::HttpState;
use super::access::ApiScope;
use super::problem::RefusalFormat;
use super::routes::{Route, RouteAccess, Takes};
use crate::restart::Restart;

/// What the handlers of this room need beside the others.
#[derive(Clone)]
pub(crate) struct Reference {
    /// What holds where a document says nothing.
    pub(crate) env: Arc<EnvDefaults>,
    /// What is in force.
    pub(crate) policy: PolicyCell,
    /// The mailbox that is polled, whoever polls it; `None` = there is none.
    pub(crate) mailbox: Option<String>,
    /// Takes mails in.
    pub(crate) ingress: Ingress,
    /// Mails that are handed over are signed with one of these; `None` = they need not be.
    pub(crate) ingress_keys: Option<SigningKeys>,
    /// Sends test webhooks.
    pub(crate) tester: Tester,
    /// Begins deployments.
    pub(crate) deployer: Deployer,
    /// Has the program stop.
    pub(crate) restart: Restart,
    /// Scenarios at Make.com.
    pub(crate) make: MakeAccess,
    /// Whose pages may use the test API.
    pub(crate) origins: Arc<[String]>,
    /// When the process started.
    pub(crate) started: DateTime<Utc>,
    /// Where another program leaves a command.
    pub(crate) trigger: PathBuf,
}

/// Whether requests may go to an address of this machine or network, as `EGRESS_ALLOW_CIDRS` says.
fn is_allowed_here(state: &HttpState, url: &str) -> bool {
    let own = check_target(url, &[]).is_err();
    own && check_target(url, &state.reference.env.egress_allow).is_ok()
}

/// The addresses of this room.
pub(in crate::http) fn routes() -> Vec<Route> {
    let documents = |method| {
        Route::new(method, "/config_api.php", RouteAccess::Own, || to(config_api::answer))
            .format(RefusalFormat::Reference)
    };
    let mut routes = vec![
        documents(Method::GET),
        documents(Method::POST).takes(Takes::Json),
        // It refuses other methods in the words of the page that it stands for.
        documents(Method::PUT),
        documents(Method::PATCH),
        documents(Method::DELETE),
        documents(Method::OPTIONS),
    ];
    let of_reference = [public_and_status(), configuration(), administration(), test()].concat();
    routes.extend(of_reference.into_iter().map(|route| route.format(RefusalFormat::Reference)));
    routes
}

fn public_and_status() -> Vec<Route> {
    let read = RouteAccess::Api(ApiScope::Read);
    vec![
        Route::get("/api/ping", RouteAccess::Stranger, || to(utility::ping)),
        Route::post("/api/ingress/gmail", RouteAccess::Ingress, || to(ingress::take)).takes(Takes::Mail),
        Route::get("/api/diag/runtime", read, || to(utility::runtime)),
        Route::get("/api/get_local_status", read, || to(utility::local_status)),
        Route::get("/api/check_trigger", read, || to(utility::peek)),
        Route::post("/api/check_trigger", RouteAccess::Api(ApiScope::Actions), || to(utility::take))
            .takes(Takes::Json),
        Route::get("/api/webhook_logs", read, || to(logs::show)),
        Route::post("/api/auth/magic-link", RouteAccess::Api(ApiScope::Access), || to(magic_link::create))
            .takes(Takes::Json),
    ]
}

fn configuration() -> Vec<Route> {
    let who = RouteAccess::Api(ApiScope::Config);
    let get = |path, handler| Route::get(path, who, handler);
    let post = |path, handler| Route::post(path, who, handler).takes(Takes::Json);
    vec![
        get("/api/webhooks/config", || to(webhooks::config)),
        post("/api/webhooks/config", || to(webhooks::change)),
        get("/api/webhooks/time-window", || to(webhooks::time_window)),
        post("/api/webhooks/time-window", || to(webhooks::change_time_window)),
        get("/api/get_webhook_time_window", || to(windows::show)),
        post("/api/set_webhook_time_window", || to(windows::change)),
        get("/api/get_polling_config", || to(polling::show)),
        post("/api/update_polling_config", || to(polling::change)),
        post("/api/polling/toggle", || to(polling::toggle)),
        get("/api/processing_prefs", || to(prefs::show)),
        post("/api/processing_prefs", || to(prefs::change)),
        get("/api/get_processing_prefs", || to(prefs::show)),
        post("/api/update_processing_prefs", || to(prefs::change)),
        get("/api/get_runtime_flags", || to(flags::show)),
        post("/api/update_runtime_flags", || to(flags::change)),
        get("/api/routing_rules", || to(rules::show)),
        post("/api/routing_rules", || to(rules::change)),
        post("/api/migrate_configs_to_redis", || to(store::migrate)),
        post("/api/verify_config_store", || to(store::verify)),
    ]
}

fn administration() -> Vec<Route> {
    let post =
        |path, handler| Route::post(path, RouteAccess::Api(ApiScope::Actions), handler).takes(Takes::Json);
    vec![
        post("/api/check_emails_and_download", || to(admin::check_now)),
        post("/api/restart_server", || to(admin::restart)),
        post("/api/deploy_application", || to(admin::deploy)),
        post("/api/make/toggle_all", || to(make::toggle)),
        Route::get("/api/make/status_all", RouteAccess::Api(ApiScope::Read), || to(make::status)),
    ]
}

fn test() -> Vec<Route> {
    let get = |path, handler| Route::get(path, RouteAccess::TestKey, handler);
    let post = |path, handler| Route::post(path, RouteAccess::TestKey, handler).takes(Takes::Json);
    vec![
        get("/api/test/get_webhook_time_window", || to(test_api::time_window)),
        post("/api/test/set_webhook_time_window", || to(test_api::set_time_window)),
        get("/api/test/get_webhook_config", || to(test_api::webhook_config)),
        post("/api/test/update_webhook_config", || to(test_api::update_webhook_config)),
        get("/api/test/get_polling_config", || to(test_api::polling_config)),
        get("/api/test/webhook_logs", || to(test_api::webhook_logs)),
        post("/api/test/clear_email_dedup", || to(test_api::clear_email_dedup)),
        post("/api/test/send_test_webhook", || to(test_api::send_test_webhook)),
    ]
}
