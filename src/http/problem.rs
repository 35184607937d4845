//! What goes wrong, as it is answered: problem documents (RFC 9457), and the shapes of the
//! reference's endpoints and of pages.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::pages::{asks_for_page, language, refusal, wants_page};
use crate::lang::Lang;
use crate::words::faults::JournalFault;

/// The format in which an address refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalFormat {
    /// `application/problem+json`.
    Problem,
    /// As the reference's endpoints: `{"success":false,"message":…}`.
    Reference,
    /// A page: whose browser has not logged in is sent to `/login`, and is shown what else went wrong; calls
    /// are answered with a problem document.
    Page,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:ident, $title:literal;)+) => {
        /// What can go wrong. Each has a section in `docs/errors.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ProblemKind {
            $($(#[$doc])* $name,)+
        }

        impl ProblemKind {
            /// Every kind.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name, which is for ever: what clients compare.
            pub(crate) const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }

            /// The status it is answered with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// What `type` says: the address of its section, which `public` serves.
            pub(crate) fn uri(self) -> String {
                format!("/docs/errors#{}", self.slug())
            }

            /// In a few words, always the same.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

kinds! {
    /// A parameter of the query or of the path cannot be used.
    InvalidParameter = "invalid-parameter", BAD_REQUEST, "A parameter cannot be used";
    /// The body cannot be read.
    InvalidBody = "invalid-body", BAD_REQUEST, "The body cannot be read";
    /// The document or the values are not valid; every bad field is named.
    InvalidDocument = "invalid-document", UNPROCESSABLE_ENTITY, "The values are not valid";
    /// Nobody has logged in, or the token is another one.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Log in, or send a token";
    /// Known, and not allowed to.
    Forbidden = "forbidden", FORBIDDEN, "Not allowed";
    /// A page of another origin sent it.
    CrossOrigin = "cross-origin", FORBIDDEN, "Sent by another site";
    /// Nothing is there.
    NotFound = "not-found", NOT_FOUND, "Nothing is there";
    /// Another method.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "Another method";
    /// The head or the body did not come in time.
    Timeout = "timeout", REQUEST_TIMEOUT, "The request did not come in time";
    /// It cannot be done in the present state.
    Conflict = "conflict", CONFLICT, "Not in this state";
    /// It was there, and is kept no longer.
    Gone = "gone", GONE, "Kept no longer";
    /// Without an announced length.
    LengthRequired = "length-required", LENGTH_REQUIRED, "Say how long the body is";
    /// `If-Match` does not hold: somebody else has changed it.
    PreconditionFailed = "precondition-failed", PRECONDITION_FAILED, "Changed by somebody else";
    /// More than is taken.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "Too large";
    /// Another kind of body than the address takes.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "Another kind of body";
    /// The same `Idempotency-Key` came with another request.
    KeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The key belongs to another request";
    /// Too many at a time.
    TooManyRequests = "too-many-requests", TOO_MANY_REQUESTS, "Too many at a time";
    /// The head of a request is longer than any that is read; the gate answers that by itself.
    HeadersTooLarge = "headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large";
    /// What came is no HTTP request; the gate says that in place of the parser.
    MalformedRequest = "malformed-request", BAD_REQUEST, "No request that can be read";
    /// A fault of this program, which is in its log.
    Internal = "internal", INTERNAL_SERVER_ERROR, "A fault of the program";
    /// What was asked for is on another server, which did not do it.
    BadGateway = "bad-gateway", BAD_GATEWAY, "Another server did not do it";
    /// The journal or a store cannot be reached now; nothing was changed.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Not now";
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Field)]
pub(crate) struct ProblemField {
    /// Its name, or its path such as `rules[0].conditions[1].value`.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

/// Why a request is not granted. Everything in it is shown to the caller: never a secret.
#[derive(Debug, Clone)]
pub(crate) struct HttpProblem {
    pub(crate) kind: ProblemKind,
    /// What failed, on what, what to do.
    pub(crate) detail: String,
    /// The bad fields, where there are any.
    pub(crate) errors: Vec<ProblemField>,
    /// When to ask again, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// What is wrong with the journal, where that is why and somebody can do something about it.
    pub(crate) fault: Option<JournalFault>,
}

impl HttpProblem {
    /// Of a kind.
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after: None, fault: None }
    }

    /// With the bad fields.
    pub(crate) fn with_errors(mut self, errors: Vec<ProblemField>) -> Self {
        self.errors = errors;
        self
    }

    /// With when to ask again.
    pub(crate) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A parameter that cannot be used.
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = format!("{name}: {message}");
        Self::new(ProblemKind::InvalidParameter, detail)
            .with_errors(vec![ProblemField { field: name.to_owned(), message }])
    }

    /// The journal does not answer; nothing was changed. A journal that is full, damaged or not to be
    /// written is told with what to do, instead of the words of the machine.
    pub(crate) fn unavailable(why: impl fmt::Display) -> Self {
        let why = why.to_string();
        let fault = JournalFault::of(&why);
        let detail = fault.map_or(why, |fault| fault.said().english);
        Self { fault, ..Self::new(ProblemKind::Unavailable, detail).retry_after(5) }
    }

    /// The same for somebody who reads this language: what is wrong with the journal is said in it.
    fn in_language(&self, lang: Lang) -> Self {
        let detail = self.fault.map_or_else(|| self.detail.clone(), |fault| lang.one(fault.said()));
        Self { detail, ..self.clone() }
    }

    /// As a problem document.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        self.document(Some(request.path()))
    }

    /// In the shape that the address has.
    pub(crate) fn answer_as(&self, format: RefusalFormat, request: &HttpRequest) -> HttpResponse {
        match format {
            RefusalFormat::Problem => self.answer(request),
            RefusalFormat::Reference => self.finish(
                HttpResponse::build(self.kind.status())
                    .json(json!({"success": false, "message": self.in_language(Lang::Fr).detail})),
            ),
            RefusalFormat::Page if self.kind == ProblemKind::Unauthenticated && wants_page(request) => {
                let to = request.uri().path_and_query().map_or("/", |path| path.as_str());
                let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", to).finish();
                self.finish(
                    HttpResponse::SeeOther().insert_header((LOCATION, format!("/login?{next}"))).finish(),
                )
            }
            RefusalFormat::Page if asks_for_page(request) => self.finish(refusal(request, self)),
            RefusalFormat::Page => self.in_language(language(request)).answer(request),
        }
    }

    fn document(&self, instance: Option<&str>) -> HttpResponse {
        let status = self.kind.status();
        let mut response = HttpResponse::build(status).json(ProblemBody {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            instance,
            errors: &self.errors,
        });
        // `json` sets a content type of its own, and it is the wrong one.
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        self.finish(response)
    }

    fn finish(&self, mut response: HttpResponse) -> HttpResponse {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == ProblemKind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"render-signal\""));
        }
        response
    }
}

impl fmt::Display for HttpProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for HttpProblem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.document(None)
    }
}

/// A problem as it is sent.
#[derive(Debug, Serialize)]
struct ProblemBody<'p> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'p str>,
    #[serde(skip_serializing_if = "<[ProblemField]>::is_empty")]
    errors: &'p [ProblemField],
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERRORS_PAGE: &str = include_str!("../../docs/errors.md");

    #[test]
    fn every_kind_has_its_section_with_its_status_and_there_are_no_others() {
        let sections: Vec<&str> = ERRORS_PAGE.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let kinds: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(sections, kinds, "docs/errors.md has one section for each, in this order");
        for kind in ProblemKind::ALL {
            let section = ERRORS_PAGE.split(&format!("## {}\n", kind.slug())).nth(1).unwrap_or_default();
            let section = section.split("\n## ").next().unwrap_or_default();
            let said = format!("**{}**", kind.status().as_u16());
            assert!(section.contains(&said), "{} has to say {said}", kind.slug());
        }
    }
}
