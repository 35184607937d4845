//! What anybody may ask: how are you, and who am I to you?
//!
//! | address | answer |
//! |---|---|
//! | `/health` | `{"status":"ok"}`: the process answers |
//! | `/livez` | 200 while the actors' thread beats, else 503: restart the process |
//! | `/readyz` | 200 or 503, with the state of every check; in plain words for those who have `METRICS_TOKEN` |
//! | `/metrics` | Prometheus text, for those who have `METRICS_TOKEN` |
//! | `/docs/errors` | what the `type` of a problem means |

mod errors;
mod health;
mod status;

use actix_web::web::to;

use super::routes::{Route, RouteAccess};

/// Whether whoever asks at this address looks how the program is, again and again.
pub(in crate::http) fn is_a_look(path: &str) -> bool {
    ["/health", "/livez", "/readyz", "/metrics"].contains(&path)
}

/// The addresses of this room.
pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/health", RouteAccess::Stranger, || to(health::health)),
        Route::get("/livez", RouteAccess::Stranger, || to(health::livez)),
        Route::get("/readyz", RouteAccess::Own, || to(status::readyz)),
        Route::get("/metrics", RouteAccess::Own, || to(status::metrics)),
        Route::get("/docs/errors", RouteAccess::Stranger, || to(errors::show)),
    ]
}
