//! Whether a page of ours sent a request: what keeps other sites from acting with a browser that
//! has a session here.
//!
//! The rule is that of Go's `CrossOriginProtection`. Browsers say in `Sec-Fetch-Site` where a
//! request comes from, and no page can make them say something else. Those that are too old for
//! it say it in `Origin`. What says neither is no browser, and has no cookie that it was not
//! given on purpose. Forms need no token of their own.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{HOST, ORIGIN};
use url::Url;

use crate::http::problem::{HttpProblem, ProblemKind};

/// Methods that change nothing, whoever sends them.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Lets through what changes nothing, and what no page of another origin sent. `base` is the
/// address under which browsers know us, where that is set: a proxy may have changed `Host`.
///
/// # Errors
/// A page of another origin sent it.
pub(super) fn check(request: &HttpRequest, base: Option<&Url>) -> Result<(), HttpProblem> {
    if is_safe(request.method()) || comes_from_here(request, base) { Ok(()) } else { Err(foreign()) }
}

/// The same for what is read at a cost, such as a copy of the journal. A link of another site may
/// lead a person here, who sees it happen, as to any page; no site has a browser fetch it as a
/// picture, a script or a frame of its own.
///
/// # Errors
/// A page of another origin has it read.
pub(super) fn check_reader(request: &HttpRequest, base: Option<&Url>) -> Result<(), HttpProblem> {
    let says =
        |name: &str, word: &[u8]| request.headers().get(name).is_some_and(|found| found.as_bytes() == word);
    let goes_there = says("sec-fetch-mode", b"navigate") && says("sec-fetch-dest", b"document");
    if goes_there || comes_from_here(request, base) { Ok(()) } else { Err(foreign()) }
}

fn foreign() -> HttpProblem {
    HttpProblem::new(
        ProblemKind::CrossOrigin,
        "a page of another site sent this, so nothing was done; if it was you, open the page here and repeat it",
    )
}

fn comes_from_here(request: &HttpRequest, base: Option<&Url>) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Some(origin) = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()) else { return false };
    // An opaque origin, such as that of a file, is nobody's.
    if !origin.origin().is_tuple() {
        return false;
    }
    if base.is_some_and(|base| base.origin() == origin.origin()) {
        return true;
    }
    // `Host` does not say whether TLS is in front: the scheme is left out, as HSTS takes care of it.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = Url::parse(&format!("{}://{host}/", origin.scheme())).ok();
    !host.is_empty() && ours.is_some_and(|ours| ours.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn passes(method: Method, headers: &[(&str, &str)], base: Option<&str>) -> bool {
        let mut request = TestRequest::default().method(method);
        for header in headers {
            request = request.insert_header(*header);
        }
        let base = base.map(|base| Url::parse(base).unwrap());
        check(&request.to_http_request(), base.as_ref()).is_ok()
    }

    #[test]
    fn what_another_site_sent_changes_nothing() {
        let host = ("host", "signal.example.fr");
        for (headers, passing) in [
            // A script, an old program: no browser.
            (&[host][..], true),
            (&[host, ("sec-fetch-site", "same-origin")], true),
            (&[host, ("sec-fetch-site", "none")], true),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (&[host, ("sec-fetch-site", "")], false),
            (&[host, ("sec-fetch-site", "SAME-ORIGIN")], false),
            // The browser's own word is worth more than a header that some can set.
            (&[host, ("sec-fetch-site", "cross-site"), ("origin", "https://signal.example.fr")], false),
            (&[host, ("origin", "https://signal.example.fr")], true),
            (&[host, ("origin", "http://signal.example.fr")], true),
            (&[host, ("origin", "https://signal.example.fr:444")], false),
            (&[host, ("origin", "https://evil.example")], false),
            (&[host, ("origin", "https://signal.example.fr.evil.example")], false),
            (&[host, ("origin", "null")], false),
            (&[host, ("origin", "")], false),
            (&[host, ("origin", "signal.example.fr")], false),
            (&[("host", "127.0.0.1:8000"), ("origin", "http://127.0.0.1:8000")], true),
            (&[("host", "127.0.0.1:8000"), ("origin", "http://127.0.0.1:8001")], false),
            (&[("host", ""), ("origin", "http://127.0.0.1")], false),
        ] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert_eq!(passes(method.clone(), headers, None), passing, "{method} {headers:?}");
            }
            for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
                assert!(passes(method, headers, None), "what is read is read");
            }
        }
    }

    #[test]
    fn what_costs_work_is_read_by_who_goes_there_and_not_as_a_part_of_another_site() {
        let host = ("host", "signal.example.fr");
        for (site, mode, destination, passing) in [
            ("cross-site", "no-cors", "image", false),
            ("cross-site", "no-cors", "script", false),
            ("cross-site", "cors", "empty", false),
            ("cross-site", "navigate", "iframe", false),
            ("cross-site", "navigate", "", false),
            ("same-site", "no-cors", "image", false),
            ("cross-site", "navigate", "document", true),
            ("same-origin", "navigate", "document", true),
            ("same-origin", "cors", "empty", true),
            ("none", "navigate", "document", true),
        ] {
            let mut request = TestRequest::get().insert_header(host);
            for (name, word) in
                [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", destination)]
            {
                request = request.insert_header((name, word));
            }
            let passes = check_reader(&request.to_http_request(), None).is_ok();
            assert_eq!(passes, passing, "{site} {mode} {destination}");
        }
        let program = TestRequest::get().insert_header(host).to_http_request();
        assert!(check_reader(&program, None).is_ok(), "what is no browser says nothing of this");
    }

    #[test]
    fn behind_a_proxy_that_changes_the_host_the_known_address_counts() {
        let headers = [("host", "10.0.0.7:8000"), ("origin", "https://signal.example.fr")];
        assert!(!passes(Method::POST, &headers, None));
        assert!(passes(Method::POST, &headers, Some("https://signal.example.fr/")));
        assert!(!passes(Method::POST, &headers, Some("http://signal.example.fr/")));
    }
}
