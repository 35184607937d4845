//! How an operation may refuse, as its description says it.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::http::problem::{ProblemField, ProblemKind};

/// A problem document (RFC 9457), `application/problem+json`.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes what `problem::HttpProblem` is sent as")]
pub(in crate::http) struct ProblemDocument {
    /// What kind, for ever: a section of `docs/errors.md`.
    #[schema(example = "/docs/errors#not-found")]
    r#type: String,
    /// In a few words, the same for all of its kind.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What failed, on what, what to do.
    detail: String,
    /// The path that was asked for.
    instance: Option<String>,
    /// The bad fields, where they can be named.
    errors: Option<Vec<ProblemField>>,
}

/// How an operation that only reads may refuse.
pub(in crate::http) struct ReadRefusals;

impl IntoResponses for ReadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described(&[400, 401, 403, 404, 405, 410, 429, 500, 503])
    }
}

/// How an operation that changes something may refuse.
pub(in crate::http) struct ChangeRefusals;

impl IntoResponses for ChangeRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described(&[400, 401, 403, 404, 405, 408, 409, 410, 411, 412, 413, 415, 422, 429, 500, 502, 503])
    }
}

fn described(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    statuses.iter().map(|status| (status.to_string(), RefOr::T(response(*status)))).collect()
}

fn response(status: u16) -> Response {
    let same = |kind: &&ProblemKind| StatusCode::from_u16(status).is_ok_and(|status| kind.status() == status);
    // What is no request has no address that could be described.
    let has_address = |kind: &&ProblemKind| **kind != ProblemKind::MalformedRequest;
    let titles: Vec<&str> =
        ProblemKind::ALL.iter().filter(has_address).filter(same).map(|kind| kind.title()).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description(titles.join(", or: "))
        .content("application/problem+json", content)
        .build()
}
