//! What a person can do with a mail: release it, ignore it, send it once more.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use render_signal_actors::dedup::release::{self, ReleaseError};
use render_signal_actors::ignore::{self, IgnoreError};
use render_signal_actors::webhook::resend;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::story::unknown;
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::openapi::refusals::ChangeRefusals;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::deliveries::refused_again;
use crate::http::v1::page::{Nothing, unavailable};
use crate::http::v1::{JsonOrNothing, Params};

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailDone {
    /// The mail.
    id: String,
    /// `released`: a worker routes it within a second; `ignored`.
    done: &'static str,
}

/// Which deliveries of a mail go once more.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AgainBody {
    /// To these targets; absent = to all that it was routed to.
    targets: Option<Vec<String>>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AgainDone {
    /// One for each target.
    items: Vec<TargetDone>,
}

/// What came of it for one target.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TargetDone {
    /// Id of the target.
    target: String,
    /// It is sent once more.
    done: bool,
    /// Why not.
    why: Option<String>,
}

fn refused_release(error: ReleaseError) -> HttpProblem {
    let kind = match &error {
        ReleaseError::Unknown(_) => ProblemKind::NotFound,
        ReleaseError::Routed(_) | ReleaseError::Unreadable(_) | ReleaseError::Busy(_) => {
            ProblemKind::Conflict
        }
        ReleaseError::ContentGone(_) => ProblemKind::Gone,
        ReleaseError::Read(_) | ReleaseError::Event(_) | ReleaseError::Append(_) => {
            return unavailable(error);
        }
    };
    HttpProblem::new(kind, error.to_string())
}

fn refused_ignore(error: IgnoreError) -> HttpProblem {
    let kind = match &error {
        IgnoreError::Unknown(_) => ProblemKind::NotFound,
        IgnoreError::Routed(_) | IgnoreError::Already(_) | IgnoreError::Busy(_) => ProblemKind::Conflict,
        IgnoreError::Read(_) | IgnoreError::Event(_) | IgnoreError::Append(_) => return unavailable(error),
    };
    HttpProblem::new(kind, error.to_string())
}

/// Has a mail sent that is held, was skipped or was ignored, or a further copy of one.
#[utoipa::path(post, path = "/api/v1/mails/{id}/release", tag = "mails", operation_id = "release_mail",
    params(("id" = String, Path, description = "Identity of the mail, or of a copy")),
    responses((status = 200, body = MailDone), ChangeRefusals))]
pub(in crate::http) async fn release(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let released = release::release(state.journal.as_ref(), &state.world, &id, &caller.by()).await;
    released.map_err(refused_release)?;
    Ok(HttpResponse::Ok().json(MailDone { id: id.into_inner(), done: "released" }))
}

/// Has nothing sent for a mail that is held, was skipped, could not be read or was set aside.
#[utoipa::path(post, path = "/api/v1/mails/{id}/ignore", tag = "mails", operation_id = "ignore_mail",
    params(("id" = String, Path, description = "Identity of the mail")),
    responses((status = 200, body = MailDone), ChangeRefusals))]
pub(in crate::http) async fn ignore(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let ignored = ignore::ignore(state.journal.as_ref(), &state.world, &id, &caller.by()).await;
    ignored.map_err(refused_ignore)?;
    Ok(HttpResponse::Ok().json(MailDone { id: id.into_inner(), done: "ignored" }))
}

/// Sends once more what was delivered or cancelled: the same bytes with the same `webhook-id`, as long
/// as they are kept. Without a body, to all targets that it was routed to.
#[utoipa::path(post, path = "/api/v1/mails/{id}/again", tag = "mails", operation_id = "deliver_mail_again", request_body = Option<AgainBody>,
    params(("id" = String, Path, description = "Identity of the mail")),
    responses((status = 200, body = AgainDone), ChangeRefusals))]
pub(in crate::http) async fn again(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
    JsonOrNothing(body): JsonOrNothing<AgainBody>,
) -> Result<HttpResponse, HttpProblem> {
    let (journal, by) = (state.journal.as_ref(), caller.by());
    let routed_to = resend::targets_of(journal, &id).await.map_err(refused_again)?;
    if routed_to.is_empty() {
        return Err(unknown(&id));
    }
    let mut items = Vec::new();
    for target in body.targets.unwrap_or(routed_to) {
        let why = match resend::resend(journal, &state.world, &id, &target, &by).await {
            Ok(()) => None,
            Err(error) => {
                let problem = refused_again(error);
                if problem.kind == ProblemKind::Unavailable {
                    return Err(problem);
                }
                Some(problem.detail)
            }
        };
        items.push(TargetDone { target, done: why.is_none(), why });
    }
    Ok(HttpResponse::Ok().json(AgainDone { items }))
}
