//! What the world asks over HTTP: how are you, and what is configured?
//!
//! | address | answer |
//! |---|---|
//! | `/health` | `{"status":"ok"}`: the process answers |
//! | `/livez` | 200 while the actors' thread beats, else 503: restart the process |
//! | `/readyz` | 200 or 503, with every check in plain words |
//! | `/metrics` | Prometheus text |
//! | `/config_api.php` | the configuration documents, for those who have the token; see [`config_api`] |

pub(crate) mod config_api;
pub(crate) mod probe;
mod problem;
mod readiness;
#[cfg(test)]
mod tests;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{App, HttpResponse, HttpServer, guard, web};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use config_api::ConfigApi;
use probe::{Draining, Probe, Pulse};

/// How long open requests may take once the server is told to stop, in seconds. Health
/// checks and metrics are short.
const STOP_SECONDS: u64 = 2;

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
    /// Serves the configuration documents; `None` = nobody has a token.
    pub(crate) config_api: Option<ConfigApi>,
}

/// The server: bound, and not yet running.
pub(crate) struct Http {
    server: Server,
    address: SocketAddr,
}

impl Http {
    /// Serves on a listener that is bound already.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub(crate) fn on(listener: TcpListener, state: HttpState) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let server =
            HttpServer::new(move || App::new().app_data(web::Data::new(state.clone())).configure(routes))
                .workers(1)
                .worker_max_blocking_threads(1)
                .client_request_timeout(Duration::from_secs(10))
                .shutdown_timeout(STOP_SECONDS)
                .disable_signals()
                .listen(listener)?
                .run();
        Ok(Self { server, address })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to answer; the handle stops it.
    pub(crate) fn start(self) -> ServerHandle {
        let handle = self.server.handle();
        drop(actix_rt::spawn(async move {
            if let Err(error) = self.server.await {
                tracing::error!(%error, "the http server ended");
            }
        }));
        handle
    }
}

fn routes(app: &mut web::ServiceConfig) {
    let read = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    let at = |path: &str| web::resource(path).default_service(web::to(problem::read_only));
    app.service(at("/health").route(read().to(health)))
        .service(at("/livez").route(read().to(livez)))
        .service(at("/readyz").route(read().to(readyz)))
        .service(at("/metrics").route(read().to(metrics)))
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

async fn readyz(state: web::Data<HttpState>) -> HttpResponse {
    let findings = state.probe.look(state.draining.begun()).await;
    let readiness = readiness::readiness(&findings);
    let mut response =
        if readiness.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((CACHE_CONTROL, "no-store")).json(readiness)
}

async fn metrics(state: web::Data<HttpState>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(state.metrics.render())
}
