//! Errors as problem details (RFC 9457): one shape for every client.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// A problem as it is sent. `type` is `about:blank`: the status says it all
/// (RFC 9457 section 4.2.1).
#[derive(Debug, Serialize)]
struct Problem<'p> {
    r#type: &'static str,
    title: &'p str,
    status: u16,
    detail: &'p str,
    instance: &'p str,
}

/// An answer with a problem document.
pub(crate) fn problem(request: &HttpRequest, status: StatusCode, detail: &str) -> HttpResponse {
    let body = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        instance: request.path(),
    };
    let mut response = HttpResponse::build(status).json(body);
    // `json` sets a content type of its own, and it is the wrong one.
    response
        .headers_mut()
        .insert(actix_web::http::header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Nothing lives at this address.
pub(crate) async fn not_found(request: HttpRequest) -> HttpResponse {
    problem(&request, StatusCode::NOT_FOUND, "nothing lives at this address")
}

/// The address exists, and may only be read.
pub(crate) async fn read_only(request: HttpRequest) -> HttpResponse {
    let mut response =
        problem(&request, StatusCode::METHOD_NOT_ALLOWED, "this address answers GET and HEAD only");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
