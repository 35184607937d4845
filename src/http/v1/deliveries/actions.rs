//! What a person can do with deliveries: retry, cancel, send once more; with one, or with all of a
//! selection.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::DeliverySelection;
use render_signal_actors::webhook::bulk::{self, Action, BulkError, BulkOutcome, BulkRefusal};
use render_signal_actors::webhook::cancel::{self, CancelError};
use render_signal_actors::webhook::dead_letters::{RetryError, Undelivered};
use render_signal_actors::webhook::resend::{self, ResendError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::DeliveryStateParam;
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::openapi::refusals::ChangeRefusals;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::page::{Nothing, Status, unavailable};
use crate::http::v1::{JsonBody, Params};

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DeliveryDone {
    /// `<mail>/<target>`.
    id: String,
    /// `requeued` (it is due now), `cancelled`.
    done: &'static str,
}

/// Which deliveries, and whether it is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct BulkBody {
    /// Those in one of these states; absent = in any that it makes sense for.
    #[serde(default)]
    state: Vec<DeliveryStateParam>,
    /// Those to this target.
    target: Option<String>,
    /// Those of this mail.
    mail: Option<String>,
    /// Those whose last attempt was answered with this HTTP status.
    #[schema(value_type = Option<u16>, minimum = 100, maximum = 599)]
    status: Option<Status>,
    /// Those whose last error has this part.
    error: Option<String>,
    /// Those that were decided then or later.
    since: Option<DateTime<Utc>>,
    /// Those that were decided before.
    until: Option<DateTime<Utc>>,
    /// True: only count them. It has to be said, for what is done cannot be taken back.
    dry_run: bool,
}

impl BulkBody {
    fn selection(self) -> DeliverySelection {
        DeliverySelection {
            states: self.state.into_iter().map(DeliveryStateParam::stored).collect(),
            target: self.target,
            email_id: self.mail,
            last_status: self.status.map(Status::get),
            error: self.error,
            since: self.since,
            until: self.until,
        }
    }
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BulkDone {
    /// Nothing was done: they were only counted.
    dry_run: bool,
    /// How many there were.
    count: u64,
    /// There were more than `count`: counting ends there.
    count_capped: bool,
    /// How many it was done about, at most 1,000 at a time: ask again for the rest.
    done: u64,
    /// Those that it could not be done about.
    refused: Vec<BulkRefused>,
}

/// One that it could not be done about.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BulkRefused {
    /// `<mail>/<target>`.
    id: String,
    /// Why not.
    why: String,
}

fn refused_retry(error: RetryError) -> HttpProblem {
    let kind = match &error {
        RetryError::Unknown { .. } => ProblemKind::NotFound,
        RetryError::NotDead { .. } => ProblemKind::Conflict,
        // Somebody else was quicker.
        RetryError::Append(render_signal_actors::kernel::journal::AppendError::Conflict { .. }) => {
            ProblemKind::Conflict
        }
        RetryError::Unreadable(..) | RetryError::Read(_) | RetryError::Append(_) => {
            return unavailable(error);
        }
    };
    HttpProblem::new(kind, error.to_string())
}

fn refused_cancel(error: CancelError) -> HttpProblem {
    let kind = match &error {
        CancelError::Unknown { .. } => ProblemKind::NotFound,
        CancelError::Over { .. } | CancelError::Busy(..) => ProblemKind::Conflict,
        CancelError::Unreadable(..)
        | CancelError::View(_)
        | CancelError::Read(_)
        | CancelError::Append(_) => {
            return unavailable(error);
        }
    };
    HttpProblem::new(kind, error.to_string())
}

/// Why something is not sent once more.
pub(in crate::http::v1) fn refused_again(error: ResendError) -> HttpProblem {
    let kind = match &error {
        ResendError::Unknown { .. } => ProblemKind::NotFound,
        ResendError::Open { .. } | ResendError::Dead { .. } => ProblemKind::Conflict,
        ResendError::Append(render_signal_actors::kernel::journal::AppendError::Conflict { .. }) => {
            ProblemKind::Conflict
        }
        ResendError::ContentGone { .. } => ProblemKind::Gone,
        ResendError::Unreadable(..) | ResendError::Read(_) | ResendError::Append(_) => {
            return unavailable(error);
        }
    };
    HttpProblem::new(kind, error.to_string())
}

fn done(mail: &str, target: &str, done: &'static str) -> HttpResponse {
    HttpResponse::Ok().json(DeliveryDone { id: format!("{mail}/{target}"), done })
}

/// Sends a dead letter again, with the same bytes and the same `webhook-id`.
#[utoipa::path(post, path = "/api/v1/deliveries/{mail}/{target}/retry", tag = "deliveries", operation_id = "retry_delivery",
    params(("mail" = String, Path, description = "Identity of the mail"),
        ("target" = String, Path, description = "Id of the target")),
    responses((status = 200, body = DeliveryDone), ChangeRefusals))]
pub(in crate::http) async fn retry(
    path: Path<(String, String)>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let (mail, target) = path.into_inner();
    let journal = state.journal.as_ref();
    let undelivered = Undelivered::read(journal).await.map_err(unavailable)?;
    let retried = undelivered.retry(journal, &state.world, &mail, &target, &caller.by()).await;
    retried.map_err(refused_retry)?;
    Ok(done(&mail, &target, "requeued"))
}

/// Has a webhook not sent that waits, is retried or was given up. One that is under way may still
/// arrive.
#[utoipa::path(post, path = "/api/v1/deliveries/{mail}/{target}/cancel", tag = "deliveries", operation_id = "cancel_delivery",
    params(("mail" = String, Path, description = "Identity of the mail"),
        ("target" = String, Path, description = "Id of the target")),
    responses((status = 200, body = DeliveryDone), ChangeRefusals))]
pub(in crate::http) async fn cancel(
    path: Path<(String, String)>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let (mail, target) = path.into_inner();
    let cancelled = cancel::cancel(state.journal.as_ref(), &state.world, &mail, &target, &caller.by()).await;
    cancelled.map_err(refused_cancel)?;
    Ok(done(&mail, &target, "cancelled"))
}

/// Sends once more what was delivered or cancelled.
#[utoipa::path(post, path = "/api/v1/deliveries/{mail}/{target}/again", tag = "deliveries", operation_id = "deliver_again",
    params(("mail" = String, Path, description = "Identity of the mail"),
        ("target" = String, Path, description = "Id of the target")),
    responses((status = 200, body = DeliveryDone), ChangeRefusals))]
pub(in crate::http) async fn again(
    path: Path<(String, String)>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let (mail, target) = path.into_inner();
    let journal = state.journal.as_ref();
    let queued = resend::resend(journal, &state.world, &mail, &target, &caller.by()).await;
    queued.map_err(refused_again)?;
    Ok(done(&mail, &target, "requeued"))
}

/// Sends all dead letters of a selection again; with `dry_run`, counts them.
#[utoipa::path(post, path = "/api/v1/deliveries/retry", tag = "deliveries", operation_id = "retry_deliveries", request_body = BulkBody,
    responses((status = 200, body = BulkDone), ChangeRefusals))]
pub(in crate::http) async fn retry_many(
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
    JsonBody(body): JsonBody<BulkBody>,
) -> Result<HttpResponse, HttpProblem> {
    many(Action::Retry, &caller, &state, body).await
}

/// Has all undelivered webhooks of a selection not sent; with `dry_run`, counts them.
#[utoipa::path(post, path = "/api/v1/deliveries/cancel", tag = "deliveries", operation_id = "cancel_deliveries", request_body = BulkBody,
    responses((status = 200, body = BulkDone), ChangeRefusals))]
pub(in crate::http) async fn cancel_many(
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
    JsonBody(body): JsonBody<BulkBody>,
) -> Result<HttpResponse, HttpProblem> {
    many(Action::Cancel, &caller, &state, body).await
}

async fn many(
    action: Action,
    caller: &Caller,
    state: &HttpState,
    body: BulkBody,
) -> Result<HttpResponse, HttpProblem> {
    let dry_run = body.dry_run;
    let (journal, selection) = (state.journal.as_ref(), body.selection());
    let came_to: Result<BulkOutcome, BulkError> = if dry_run {
        let matches = bulk::count(journal, action, &selection).await;
        matches.map(|matches| BulkOutcome { matches, done: 0, refused: Vec::new() })
    } else {
        bulk::act(journal, &state.world, action, &selection, &caller.by()).await
    };
    let came_to = came_to.map_err(unavailable)?;
    let refused = |one: BulkRefusal| BulkRefused { id: one.id, why: one.why };
    Ok(HttpResponse::Ok().json(BulkDone {
        dry_run,
        count: came_to.matches.count,
        count_capped: came_to.matches.capped,
        done: came_to.done,
        refused: came_to.refused.into_iter().map(refused).collect(),
    }))
}
