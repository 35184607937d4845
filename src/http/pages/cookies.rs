//! Cookies that open nothing (RFC 6265bis): a choice, a sentence. That of the session is
//! [elsewhere](crate::http::access).

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderValue};

/// The value of a cookie.
pub(super) fn find<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let headers = request.headers().get_all(COOKIE).filter_map(|header| header.to_str().ok());
    let mut pairs =
        headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Has a browser keep a cookie for some seconds; 0 = forget it. `None` = the value cannot be in one.
pub(super) fn keep(name: &str, value: &str, seconds: u64, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{secure}; SameSite=Lax");
    HeaderValue::from_str(&text).ok()
}
