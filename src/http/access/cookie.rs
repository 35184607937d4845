//! The cookie of a session (RFC 6265bis).
//!
//! Where TLS is in front its name begins with `__Host-`: a browser then takes it only over TLS,
//! for this host and the whole of it, so that no neighbour below the same domain can plant one.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderValue};

/// As long as a session lives at most, in seconds.
const MAX_AGE_SECONDS: u64 = 30 * 24 * 60 * 60;

/// What the cookie is called.
const fn name(tls: bool) -> &'static str {
    if tls { "__Host-session" } else { "session" }
}

/// What a request shows; `None` = no cookie of ours.
pub(super) fn shown(request: &HttpRequest, tls: bool) -> Option<&str> {
    find(request, name(tls))
}

/// The value of a cookie by its name.
pub(in crate::http) fn find<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let headers = request.headers().get_all(COOKIE).filter_map(|header| header.to_str().ok());
    let mut pairs =
        headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Has the browser keep it.
pub(super) fn set(secret: &str, tls: bool) -> Option<HeaderValue> {
    header(secret, MAX_AGE_SECONDS, tls)
}

/// Has the browser forget it.
pub(super) fn clear(tls: bool) -> Option<HeaderValue> {
    header("", 0, tls)
}

fn header(value: &str, seconds: u64, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly{secure}; SameSite=Lax", name(tls));
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn it_is_found_among_others_and_under_its_own_name_alone() {
        for (headers, tls, wanted) in [
            (&["session=abc"][..], false, Some("abc")),
            (&["a=b; session=abc; c=d"], false, Some("abc")),
            (&["a=b", "session=abc"], false, Some("abc")),
            (&["session=abc"], true, None),
            (&["session=planted; __Host-session=abc"], true, Some("abc")),
            (&["__Host-session=abc"], false, None),
            (&["sessions=abc; session"], false, None),
            (&[], false, None),
        ] {
            let mut request = TestRequest::get();
            for header in headers {
                request = request.append_header((COOKIE, *header));
            }
            assert_eq!(shown(&request.to_http_request(), tls), wanted, "{headers:?}");
        }
    }

    #[test]
    fn it_is_for_this_host_alone_and_no_script_reads_it() {
        let text = |header: Option<HeaderValue>| header.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            text(set("abc", true)),
            "__Host-session=abc; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"
        );
        assert_eq!(text(clear(false)), "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert!(!format!("{:?}", set("s3cret", true)).contains("s3cret"), "it is in no log");
    }
}
