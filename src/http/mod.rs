//! What the world asks over HTTP: how are you, and what is configured?
//!
//! | address | answer |
//! |---|---|
//! | `/health` | `{"status":"ok"}`: the process answers |
//! | `/livez` | 200 while the actors' thread beats, else 503: restart the process |
//! | `/readyz` | 200 or 503, with the state of every check; in plain words for those who have `METRICS_TOKEN` |
//! | `/metrics` | Prometheus text: the same states; everything for those who have `METRICS_TOKEN` |
//! | `/config_api.php` | the configuration documents, for those who have `CONFIG_API_SERVE_TOKEN`; see [`config_api`] |
//!
//! Anybody may reach the port: see [`server`], [`gate`] and [`bearer`].

pub(crate) mod bearer;
pub(crate) mod client;
pub(crate) mod config_api;
mod door;
mod gate;
pub(crate) mod probe;
mod problem;
mod readiness;
mod server;
mod status;
#[cfg(test)]
mod tests;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, guard, web};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use bearer::{Guesses, Token};
use config_api::ConfigApi;
use probe::{Draining, Probe, Pulse};
pub(crate) use server::Http;

/// The addresses whose requests may have a body. Behind a body that is sent to another one
/// nothing is read.
const TAKES_A_BODY: &[&str] = &["/config_api.php"];

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct HttpState {
    /// Asks the parts.
    pub(crate) probe: Probe,
    /// Renders the metrics.
    pub(crate) metrics: PrometheusHandle,
    /// The program is stopping.
    pub(crate) draining: Draining,
    /// The actors' thread lives.
    pub(crate) pulse: Pulse,
    /// `METRICS_TOKEN`: shows more than states; `None` = nobody has it.
    pub(crate) metrics_token: Option<Token>,
    /// Wrong tokens of late.
    pub(crate) guesses: Guesses,
    /// Serves the configuration documents; `None` = nobody has a token.
    pub(crate) config_api: Option<ConfigApi>,
}

fn routes(app: &mut web::ServiceConfig) {
    let read = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    let at = |path: &str| web::resource(path).default_service(web::to(problem::read_only));
    app.service(at("/health").route(read().to(health)))
        .service(at("/livez").route(read().to(livez)))
        .service(at("/readyz").route(read().to(status::readyz)))
        .service(at("/metrics").route(read().to(status::metrics)))
        .service(web::resource("/config_api.php").default_service(web::to(config_api::answer)))
        .default_service(web::to(problem::not_found));
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({"status": "ok"}))
}

async fn livez(state: web::Data<HttpState>) -> HttpResponse {
    let age = state.pulse.age();
    let alive = age < Pulse::LIMIT;
    let mut response = if alive { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((CACHE_CONTROL, "no-store")).json(json!({
        "status": if alive { "alive" } else { "hung" },
        "last_beat_seconds": age.as_secs(),
    }))
}
