//! Cookies that open nothing (RFC 6265bis): a choice, a sentence. That of the session is
//! [elsewhere](crate::http::access).

use actix_web::http::header::HeaderValue;

pub(super) use crate::http::access::find_cookie as find;

/// Has a browser keep a cookie for some seconds; 0 = forget it. `None` = the value cannot be in one.
pub(super) fn keep(name: &str, value: &str, seconds: u64, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{secure}; SameSite=Lax");
    HeaderValue::from_str(&text).ok()
}
