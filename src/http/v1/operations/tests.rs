//! Rule tests: what changed documents would change, mail by mail, as jobs.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Data, Path};
use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::config::documents::Key;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::answer;
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::http::v1::page::Nothing;
use crate::http::v1::{JsonBody, Params};
use crate::services::config::bundle::carried;
use crate::services::jobs::RuleTestJob;
use crate::services::trial;

/// The span whose mails are tried when the request does not say.
const A_WEEK: TimeDelta = TimeDelta::days(7);

/// What to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleTest)]
pub(in crate::http) struct Wanted {
    /// The documents as they would be, whole, by name. A mask (`***`) stands for what is stored.
    #[schema(value_type = Object)]
    documents: BTreeMap<String, Value>,
    /// Mails that came since then (RFC 3339); of a week when it is not sent.
    since: Option<DateTime<Utc>>,
    /// Decide as if it were this instant, instead of when each came.
    at: Option<DateTime<Utc>>,
}

/// Begins a rule test on the mails of the journal. Nothing is written.
#[utoipa::path(post, path = "/api/v1/rules/tests", tag = "operations", request_body = Wanted,
    responses((status = 202, body = RuleTestJob, headers(("Location" = String, description = "Where its progress is"))), ChangeRefusals))]
pub(in crate::http) async fn begin(
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<HttpResponse, HttpProblem> {
    let since = wanted.since.unwrap_or(state.world.now() - A_WEEK);
    let proposed = proposed(wanted.documents)?;
    let editor = &state.services.configuration.editor;
    let prepared = trial::prepare(editor, Some(state.journal.as_ref()), proposed).await?;
    let job = state.services.jobs.begin(prepared, since, wanted.at, caller.by()).await?;
    Ok(HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/api/v1/rules/tests/{}", job.id)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(job))
}

fn proposed(documents: BTreeMap<String, Value>) -> Result<Vec<(Key, Value)>, HttpProblem> {
    let wrong = |field: String, message: String| {
        let detail = format!("{field}: {message}");
        HttpProblem::new(ProblemKind::InvalidDocument, detail)
            .with_errors(vec![ProblemField { field, message }])
    };
    if documents.is_empty() {
        return Err(wrong("documents".to_owned(), "name at least one".to_owned()));
    }
    let known = |name: &str| Key::named(name).filter(|key| carried().any(|carried| carried == *key));
    let names: Vec<&str> = carried().map(Key::as_str).collect();
    documents
        .into_iter()
        .map(|(name, document)| match known(&name) {
            Some(key) => Ok((key, document)),
            None => Err(wrong(format!("documents.{name}"), format!("it is none of {}", names.join(", ")))),
        })
        .collect()
}

/// The rule tests of this worker, the newest first, without their mails.
#[utoipa::path(get, path = "/api/v1/rules/tests", tag = "operations",
    responses((status = 200, body = Vec<RuleTestJob>), ReadRefusals))]
pub(in crate::http) async fn list(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    Ok(answer(state.services.jobs.list()))
}

fn unknown(id: &str) -> HttpProblem {
    let why = format!("there is no rule test {id} on this worker: it was forgotten, or another one has it");
    HttpProblem::new(ProblemKind::NotFound, why)
}

/// How far a rule test is, and what it found so far.
#[utoipa::path(get, path = "/api/v1/rules/tests/{id}", tag = "operations",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = RuleTestJob), ReadRefusals))]
pub(in crate::http) async fn one(
    id: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    state.services.jobs.get(&id).map(answer).ok_or_else(|| unknown(&id))
}

/// Cancels a rule test that runs; forgets one that has ended.
#[utoipa::path(delete, path = "/api/v1/rules/tests/{id}", tag = "operations",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = RuleTestJob, description = "As it was"), ChangeRefusals))]
pub(in crate::http) async fn cancel(
    id: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    state.services.jobs.cancel(&id).map(answer).ok_or_else(|| unknown(&id))
}
