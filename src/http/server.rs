//! The HTTP server. Anybody may reach it, so what a stranger can take of the process is
//! bounded here: connections, and through the [`gate`](super::gate) time and bytes of each.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, ServerHandle, Service as _};
use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::access;
use super::door::door;
use super::gate::{Crowd, Gated, IO_TIMEOUT, MAX_LINGER};
use super::{HttpState, public, routes};

/// How long open requests may take once the server is told to stop, in seconds. Health
/// checks and metrics are short.
const GRACEFUL_SECONDS: u64 = 2;
/// How long a connection that is being closed may take to end. It is longer than what the gate
/// waits, which bounds it.
const CLOSE_TIMEOUT: Duration = MAX_LINGER.saturating_add(Duration::from_secs(1));

/// Tells how long a request waited for its answer to begin.
fn measure(status: StatusCode, begun: Instant) {
    let class = match status.as_u16() {
        ..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::histogram!("render_signal_http_request_seconds", "status" => class)
        .record(begun.elapsed().as_secs_f64());
}

/// The server: bound, and not yet running.
pub(crate) struct BoundServer {
    server: Server,
    address: SocketAddr,
}

impl BoundServer {
    /// Serves on a listener that is bound already, on `connections` connections at most.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub(crate) fn on(listener: TcpListener, connections: usize, state: HttpState) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let builder = Server::build()
            .workers(1)
            .worker_max_blocking_threads(1)
            .max_concurrent_connections(connections)
            .shutdown_timeout(GRACEFUL_SECONDS)
            .disable_signals();
        let stopping = builder.graceful_shutdown_signal();
        // Some places are for those that are being closed.
        let places = connections - connections / 4;
        let server = builder.listen("http", listener, move || {
            let (crowd, state, stopping) = (Crowd::new(places), state.clone(), stopping.clone());
            let app = App::new()
                .app_data(web::Data::new(state))
                .wrap(from_fn(door))
                .wrap_fn(|request, app| {
                    let watch = (!public::is_a_look(request.path())).then(Instant::now);
                    let answered = app.call(request);
                    async move {
                        let mut response = answered.await?;
                        if let Some(begun) = watch {
                            measure(response.status(), begun);
                        }
                        access::harden(&mut response);
                        Ok(response)
                    }
                })
                .configure(routes::configure);
            let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
            let http = HttpService::build()
                .client_request_timeout(IO_TIMEOUT)
                .client_disconnect_timeout(CLOSE_TIMEOUT)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .on_connect_ext(|stream: &Gated<TcpStream>, data| drop(data.insert(stream.gate())))
                .h1(map_config(app, |()| AppConfig::default()));
            fn_service(move |stream: TcpStream| {
                let (peer, crowd) = (stream.peer_addr().ok(), crowd.clone());
                async move { Ok::<_, DispatchError>((Gated::new(stream, &crowd).await, peer)) }
            })
            .and_then(http)
        })?;
        Ok(Self { server: server.run(), address })
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
