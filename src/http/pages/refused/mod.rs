//! Pages that say why a request is not granted, and what to do.

mod words;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, CONNECTION, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use askama::Template;

use self::words::Words;
use super::form::FormData;
use super::frame::Frame;
use super::visit::{PageVisit, html};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::extract;

/// Why, and what to do.
#[derive(Template)]
#[template(path = "refused/refused.html")]
struct RefusedPage {
    frame: Frame,
    w: &'static Words,
    text: String,
    soon: String,
    status: u16,
    slug: &'static str,
    retry: bool,
}

impl RefusedPage {
    fn of(frame: Frame, problem: &HttpProblem) -> Self {
        let (w, kind) = (Words::of(frame.lang), problem.kind);
        let soon = problem.retry_after.map(|seconds| w.soon(seconds, frame.lang)).unwrap_or_default();
        let (status, [_, text]) = (kind.status(), why(w, kind));
        let text = problem.fault.map_or_else(|| text.to_owned(), |fault| frame.lang.one(fault.said()));
        let (slug, retry) = (kind.slug(), status.is_server_error());
        Self { frame, w, text, soon, status: status.as_u16(), slug, retry }
    }
}

/// What was typed, to be sent once more.
#[derive(Template)]
#[template(path = "refused/expired.html")]
struct ExpiredPage {
    frame: Frame,
    /// Where it was sent to.
    action: String,
    w: &'static Words,
    text: &'static str,
    kept: bool,
    fields: Vec<(String, String)>,
}

/// A page that says why a request is not granted, and what to do.
pub(in crate::http) fn refusal(request: &HttpRequest, problem: &HttpProblem) -> HttpResponse {
    let kind = problem.kind;
    let made = PageVisit::anybody(request).and_then(|visit| {
        let title = why(Words::of(visit.lang), kind)[0];
        let mut page = RefusedPage::of(Frame::plain(&visit, title), problem);
        page.retry &= request.method() == Method::GET;
        html(request, HttpResponse::build(kind.status()), &page)
    });
    made.unwrap_or_else(|_| problem.answer(request))
}

fn why(w: &'static Words, kind: ProblemKind) -> [&'static str; 2] {
    match kind {
        ProblemKind::NotFound | ProblemKind::Gone => [w.not_found, w.not_found_text],
        ProblemKind::Unauthenticated | ProblemKind::Forbidden => [w.forbidden, w.forbidden_text],
        ProblemKind::CrossOrigin => [w.foreign, w.foreign_text],
        ProblemKind::TooManyRequests => [w.too_many, w.too_many_text],
        ProblemKind::Unavailable | ProblemKind::BadGateway | ProblemKind::Timeout => [w.away, w.away_text],
        ProblemKind::Internal => [w.fault, w.fault_text],
        _ => [w.refused, w.refused_text],
    }
}

/// Whether a form was sent whose page was made for somebody who is signed in no more.
pub(in crate::http) fn is_late_form(request: &HttpRequest, problem: &HttpProblem) -> bool {
    problem.kind == ProblemKind::Unauthenticated
        && request.method() == Method::POST
        && wants_page(request)
        && extract::media_type(request) == "application/x-www-form-urlencoded"
}

/// A page with what a late form sent, so that it is sent once more after signing in. Only what a
/// page of ours sent comes so far: another site cannot have us show its words.
pub(in crate::http) async fn expired(mut request: ServiceRequest) -> actix_web::dev::ServiceResponse {
    let payload = request.take_payload();
    let body = extract::body(request.request(), payload).await;
    let made = PageVisit::anybody(request.request()).and_then(|visit| {
        let w = Words::of(visit.lang);
        let form = body.as_ref().map(|body| FormData::read(body)).ok();
        let page = ExpiredPage {
            frame: Frame::plain(&visit, w.expired),
            action: request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            w,
            text: if form.is_some() { w.expired_text } else { w.too_long },
            kept: form.is_some(),
            fields: form.unwrap_or_default().0,
        };
        html(request.request(), HttpResponse::Unauthorized(), &page)
    });
    let mut answer = made.unwrap_or_else(|problem| problem.answer(request.request()));
    if body.is_err() {
        // What was not read stands in the way of what comes behind it.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    request.into_response(answer)
}

/// Whether whoever asks names pages among what he takes, as browsers do, and calls do not.
pub(in crate::http) fn asks_for_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Whether whoever asks is shown a page: not one who asks for JSON, or a script that fetches.
pub(in crate::http) fn wants_page(request: &HttpRequest) -> bool {
    let said = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let accept = said(ACCEPT.as_str()).unwrap_or_default();
    let navigates = said("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    accept.contains("text/html") || (navigates && !accept.contains("json"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::pages::clock::PageClock;
    use crate::lang::Lang;

    #[test]
    fn no_page_has_a_style_or_a_script_of_its_own_and_each_says_what_and_when() {
        for lang in [Lang::Fr, Lang::En] {
            let now = "2026-11-12T13:02:07Z".parse().unwrap();
            let clock = PageClock { now, zone: chrono_tz::Europe::Paris, lang };
            for kind in ProblemKind::ALL {
                let frame = Frame::bare(clock, why(Words::of(lang), *kind)[0]);
                let page =
                    RefusedPage::of(frame, &HttpProblem::new(*kind, "x").retry_after(5)).render().unwrap();
                for forbidden in ["<script", "<style", " style=", " onclick=", "javascript:", "http:"] {
                    assert!(!page.contains(forbidden), "{forbidden} in {page}");
                }
                assert!(page.contains("lang=\"") && page.matches("<h1>").count() == 1, "{page}");
                assert!(page.contains(" 5 s.") && page.contains(kind.slug()), "{page}");
            }
        }
    }

    #[test]
    fn a_journal_that_is_full_is_named_with_what_to_do() {
        let full = "the journal refused the commit: /d/render-signal.db: database or disk is full";
        for (lang, wanted) in [(Lang::Fr, "Libérez de la place"), (Lang::En, "Make room on its disk")] {
            let clock =
                PageClock { now: "2026-11-12T13:02:07Z".parse().unwrap(), zone: chrono_tz::UTC, lang };
            let page =
                RefusedPage::of(Frame::bare(clock, "x"), &HttpProblem::unavailable(full)).render().unwrap();
            assert!(page.contains(wanted) && !page.contains("render-signal.db"), "{page}");
        }
        let other = HttpProblem::unavailable("the journal could not be read: no answer in time");
        assert_eq!((other.fault, other.detail.contains("no answer in time")), (None, true));
    }

    #[test]
    fn a_browser_gets_a_page_and_a_program_does_not() {
        for (headers, wanted) in [
            (
                &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("sec-fetch-mode", "navigate")][..],
                true,
            ),
            (&[("accept", "*/*"), ("sec-fetch-mode", "cors")], false),
            (&[("accept", "application/json")], false),
            (&[("accept", "*/*")], true),
            (&[], true),
        ] {
            let mut request = TestRequest::get();
            for header in headers {
                request = request.insert_header(*header);
            }
            assert_eq!(wants_page(&request.to_http_request()), wanted, "{headers:?}");
        }
    }
}
