//! Why a mail would or would not trigger a webhook: one that is sent here, or one that is kept.

use std::sync::LazyLock;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use render_signal_actors::kernel::heavy::Heavy;
use serde_json::Value;
use utoipa::ToSchema;

use super::story::DecidedDocument;
use crate::http::HttpState;
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::page::Nothing;
use crate::http::v1::{Params, extract};
use crate::services::explain;

/// What a mail may be sent as.
const MAIL: [&str; 3] = ["message/rfc822", "text/plain", "application/octet-stream"];

/// One large mail is explained at a time.
pub(in crate::http) static HEAVY: LazyLock<Heavy> = LazyLock::new(Heavy::default);

/// Why a mail would or would not trigger, as `render-signal explain --json` prints it.
#[derive(ToSchema)]
#[schema(as = Explanation)]
#[expect(dead_code, reason = "describes what `services::explain` answers")]
pub(in crate::http) struct ExplanationView {
    /// Identity of the mail; of its source when it cannot be read.
    email_id: String,
    /// Clean address.
    sender: Option<String>,
    /// Decoded.
    subject: Option<String>,
    /// Without month.
    subject_group: Option<String>,
    /// A reply or a forward.
    is_reply: Option<bool>,
    /// What the detector that counts is called in the payload.
    detector: Option<String>,
    /// When the detector found one.
    delivery_time: Option<String>,
    /// What the detector says about urgency.
    urgent: Option<bool>,
    /// Named texts that the detector took out.
    #[schema(value_type = Object)]
    extracted: Value,
    /// In order of appearance.
    links: Vec<ExplainedLink>,
    /// `deliver`, `hold`, `skip`, `ignore`, `quarantine`.
    decision: String,
    /// Why it is not delivered now.
    reason: Option<String>,
    /// What exactly: the keyword, the first mail of the group, the host that hides where a link leads.
    detail: Option<String>,
    /// When it would be decided again at the latest.
    hold_until: Option<DateTime<Utc>>,
    /// Empty unless it would be delivered now.
    deliveries: Vec<ExplainedDelivery>,
    /// Every check that was made, in order.
    steps: Vec<ExplainedStep>,
    /// What could not be read.
    flaws: Vec<String>,
    /// The documents in force.
    configuration: Vec<DecidedDocument>,
    /// Of a mail of the journal: what was decided when it came; null = the journal does not tell.
    recorded: Option<RecordedDecisionView>,
}

/// A link of a mail.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `services::explain` answers")]
pub(in crate::http) struct ExplainedLink {
    /// File service.
    provider: String,
    /// As found.
    raw_url: String,
}

/// A webhook that would be sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `services::explain` answers")]
pub(in crate::http) struct ExplainedDelivery {
    /// Id of the target.
    target: String,
    /// The body, as it is sent when links are not copied first.
    #[schema(value_type = Object)]
    payload: Value,
}

/// One check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `services::explain` answers")]
pub(in crate::http) struct ExplainedStep {
    /// What was asked, such as `allow_list`, or the id of a detector.
    check: String,
    /// `pass`, `stop` (the mail goes no further now), `match`, `no_match`.
    outcome: String,
    /// In words.
    detail: String,
    /// Id of the detector that was asked.
    #[schema(required = false)]
    detector: Option<String>,
    /// Where the condition that failed stands in the detector.
    #[schema(required = false)]
    condition: Option<String>,
}

/// What was decided when a mail came.
#[derive(ToSchema)]
#[schema(as = RecordedDecision)]
#[expect(dead_code, reason = "describes what `services::explain` answers")]
pub(in crate::http) struct RecordedDecisionView {
    /// `deliver`, `hold`, `skip`, `ignore`.
    decision: String,
    /// Why.
    reason: Option<String>,
    /// Ids of the targets of a mail that was delivered at once.
    targets: Vec<String>,
}

/// Why a mail would or would not trigger now. Nothing is stored or sent.
#[utoipa::path(post, path = "/api/v1/mails/explain", tag = "mails", operation_id = "explain_mail",
    request_body(content = Vec<u8>, content_type = "message/rfc822", description = "The source of a mail, at most 25 MiB"),
    responses((status = 200, body = ExplanationView), ChangeRefusals))]
pub(in crate::http) async fn raw(
    request: HttpRequest,
    _: Params<Nothing>,
    state: Data<HttpState>,
    payload: Payload,
) -> Result<HttpResponse, HttpProblem> {
    let kind = extract::media_type(&request);
    if !MAIL.contains(&kind.as_str()) {
        let why = format!("this address takes {}, not {kind:?}", MAIL.join(", "));
        return Err(HttpProblem::new(ProblemKind::UnsupportedMediaType, why));
    }
    let source = extract::body(&request, payload.into_inner()).await?;
    let (policy, now) = (state.services.policy.load_full(), state.world.now());
    let explained = explain::raw(source, &policy, now, Some(state.journal.as_ref()), &HEAVY).await;
    let explained = explained.map_err(HttpProblem::from)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(explained))
}

/// What today's rules would make of a mail whose content is kept, beside what was decided when it
/// came.
#[utoipa::path(get, path = "/api/v1/mails/{id}/explain", tag = "mails", operation_id = "explain_kept_mail",
    params(("id" = String, Path, description = "Identity of the mail")),
    responses((status = 200, body = ExplanationView), ReadRefusals))]
pub(in crate::http) async fn stored(
    id: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let (policy, now) = (state.services.policy.load_full(), state.world.now());
    let explained = explain::stored(&id, &policy, now, state.journal.as_ref(), &HEAVY).await;
    let explained = explained.map_err(HttpProblem::from)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(explained))
}
