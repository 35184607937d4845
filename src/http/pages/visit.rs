//! What a request and its page have in common: who asks, in which language, and what now is.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, SET_COOKIE, VARY};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder};
use askama::Template;

use super::assets;
use super::clock::PageClock;
use super::frame::{Frame, Section};
use super::look::{self, Theme};
use super::notice::Notice;
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::lang::Lang;

/// Smaller pages are sent as they are.
const MIN_COMPRESSED_BYTES: usize = 1_024;

/// A request for a page.
#[derive(Clone)]
pub(in crate::http) struct PageVisit {
    pub(in crate::http::pages) request: HttpRequest,
    /// What the handlers need.
    pub(in crate::http::pages) state: Data<HttpState>,
    /// Who asks.
    pub(in crate::http::pages) caller: Caller,
    /// In which language.
    pub(in crate::http::pages) lang: Lang,
    /// Light or dark.
    pub(in crate::http::pages) theme: Theme,
    /// How times are said.
    pub(in crate::http::pages) clock: PageClock,
}

impl FromRequest for PageVisit {
    type Error = HttpProblem;
    type Future = Ready<Result<Self, HttpProblem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        ready(caller.and_then(|caller| Self::new(request, caller)))
    }
}

impl PageVisit {
    fn new(request: &HttpRequest, caller: Caller) -> Result<Self, HttpProblem> {
        let state = request.app_data::<Data<HttpState>>().cloned();
        let state =
            state.ok_or_else(|| HttpProblem::new(ProblemKind::Internal, "the server has no state"))?;
        let lang = look::language(request);
        let zone = state.services.policy.load().zone;
        let clock = PageClock { now: state.world.now(), zone, lang };
        Ok(Self { lang, theme: look::theme(request), clock, request: request.clone(), state, caller })
    }

    /// Of whoever asks: for what is said to anybody.
    ///
    /// # Errors
    /// The server has no state: a fault of the program.
    pub(super) fn anybody(request: &HttpRequest) -> Result<Self, HttpProblem> {
        Self::new(request, Caller::Stranger)
    }

    /// What stands around a page of a section.
    pub(in crate::http::pages) async fn frame(&self, section: Section, title: &str) -> Frame {
        Frame::around(self, section, title).await
    }

    /// The page.
    ///
    /// # Errors
    /// It cannot be made: a fault of the program.
    pub(in crate::http::pages) fn show(&self, page: &impl Template) -> Result<HttpResponse, HttpProblem> {
        self.show_as(StatusCode::OK, page)
    }

    /// The page with a status of its own, such as that of a form that was refused.
    ///
    /// # Errors
    /// It cannot be made: a fault of the program.
    pub(in crate::http::pages) fn show_as(
        &self,
        status: StatusCode,
        page: &impl Template,
    ) -> Result<HttpResponse, HttpProblem> {
        let mut answer = HttpResponse::build(status);
        let tls = self.is_over_tls();
        if let Some(cookie) = Notice::of(&self.request, tls).and_then(|_| Notice::forget(tls)) {
            answer.append_header((SET_COOKIE, cookie));
        }
        html(&self.request, answer, page)
    }

    /// What a form is answered with: the way to a page of ours, and what is said there.
    pub(in crate::http::pages) fn back(&self, path: &str, notice: &Notice) -> HttpResponse {
        let mut answer = see(path);
        if let Some(cookie) = notice.carry(self.is_over_tls()) {
            answer.append_header((SET_COOKIE, cookie));
        }
        answer.finish()
    }

    /// Whether the browser has come over TLS.
    pub(in crate::http::pages) fn is_over_tls(&self) -> bool {
        self.state.access.is_over_tls(&self.request)
    }
}

/// The way to another page, for a GET (RFC 9110 section 15.4.4).
pub(super) fn see(path: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((LOCATION, path.to_owned()));
    answer
}

/// A page as bytes.
///
/// # Errors
/// It cannot be made: a fault of the program.
pub(super) fn html(
    request: &HttpRequest,
    mut answer: HttpResponseBuilder,
    page: &impl Template,
) -> Result<HttpResponse, HttpProblem> {
    let text = page.render().map_err(|error| {
        HttpProblem::new(ProblemKind::Internal, format!("a page cannot be made: {error}"))
    })?;
    answer.insert_header((CONTENT_TYPE, "text/html; charset=utf-8"));
    answer.insert_header((VARY, "Accept-Encoding, Accept-Language, Cookie"));
    let small = (text.len() >= MIN_COMPRESSED_BYTES && assets::takes_gzip(request))
        .then(|| assets::gzip(text.as_bytes()));
    Ok(match small.flatten() {
        Some(bytes) => answer.insert_header((CONTENT_ENCODING, "gzip")).body(bytes),
        None => answer.body(text),
    })
}
