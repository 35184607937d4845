//! Pages of other origins may use the test API, if `CORS_ALLOWED_ORIGINS` names them: with the
//! key in a header, and never with a cookie.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::web;

use crate::http::HttpState;

/// Says in every answer to an origin that is named that its page may read it.
pub(in crate::http) async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let origins = request.app_data::<web::Data<HttpState>>().map(|state| state.reference.origins.clone());
    let origin = request.headers().get(ORIGIN).cloned();
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.call(request).await?;
    if let Some(origins) = origins.filter(|origins| !origins.is_empty()) {
        mark(response.headers_mut(), origin.as_ref(), &origins, is_preflight);
    }
    Ok(response)
}

fn mark(headers: &mut HeaderMap, origin: Option<&HeaderValue>, allowed: &[String], is_preflight: bool) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let named = |origin: &&HeaderValue| {
        origin.to_str().is_ok_and(|origin| allowed.iter().any(|named| named == "*" || named == origin))
    };
    let Some(origin) = origin.filter(named) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if is_preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type, X-API-Key"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_that_are_named_are_let_in_and_no_others() {
        let allowed = ["https://a.example".to_owned()];
        let marked = |origin: Option<&'static str>, preflight: bool| {
            let mut headers = HeaderMap::new();
            mark(&mut headers, origin.map(HeaderValue::from_static).as_ref(), &allowed, preflight);
            let count =
                headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control")).count();
            (headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned(), count)
        };
        let a = Some(HeaderValue::from_static("https://a.example"));
        assert_eq!(marked(Some("https://a.example"), true), (a.clone(), 4));
        assert_eq!(marked(Some("https://a.example"), false), (a, 1));
        for other in [Some("https://b.example"), Some("https://a.example.evil"), Some("null"), None] {
            assert_eq!(marked(other, true), (None, 0), "{other:?}");
        }
    }
}
