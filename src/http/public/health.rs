//! `/health` and `/livez`: whether the process answers, and whether it moves.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::health::probe::Pulse;
use crate::http::HttpState;

pub(super) async fn health() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({"status": "ok"}))
}

pub(super) async fn livez(state: web::Data<HttpState>) -> HttpResponse {
    let age = state.pulse.age();
    let alive = age < Pulse::LIMIT;
    let mut response = if alive { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((CACHE_CONTROL, "no-store")).json(json!({
        "status": if alive { "alive" } else { "hung" },
        "last_beat_seconds": age.as_secs(),
    }))
}
