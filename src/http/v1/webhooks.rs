//! `/api/v1/webhooks/test`: a test webhook, to see whether a receiver takes it.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, to};
use render_signal_actors::mail::policy::DeliveryMode;
use render_signal_actors::webhook::test_webhook::{PreparedTest, TestWebhookError, To, Wish};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::JsonBody;
use crate::http::HttpState;
use crate::http::access::{ApiScope, Caller};
use crate::http::openapi::refusals::ChangeRefusals;
use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/webhooks/test", RouteAccess::Api(ApiScope::Actions), || to(test))
            .takes(Takes::Json),
    ]
}

/// What the body of a webhook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Mode)]
pub(in crate::http) enum PayloadMode {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`; the text is the same.
    Form,
}

/// A test webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TestWebhook {
    /// Id of a configured target; without it and without `url` the default target.
    pub(in crate::http) target: Option<String>,
    /// Any address that requests may go to.
    pub(in crate::http) url: Option<String>,
    /// The mail that it is said to be of; `test-webhook` otherwise.
    pub(in crate::http) email_id: Option<String>,
    /// Its subject.
    pub(in crate::http) subject: Option<String>,
    /// Its links, as they are sent.
    #[serde(default)]
    pub(in crate::http) delivery_links: Vec<Value>,
    /// Fields of the payload, in addition or instead. `test` is always true.
    #[serde(default)]
    pub(in crate::http) payload: Map<String, Value>,
    /// What the body is called; otherwise as configured.
    pub(in crate::http) delivery_mode: Option<PayloadMode>,
    /// True: only show what would be sent. It has to be said, for what was sent cannot be taken back.
    pub(in crate::http) dry_run: bool,
}

/// What was, or would be, sent, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TestWebhookView {
    /// Nothing was sent.
    pub(in crate::http) dry_run: bool,
    /// Where to, masked.
    pub(in crate::http) url: String,
    /// What the body is called.
    pub(in crate::http) delivery_mode: PayloadMode,
    /// Whether the receiver's certificate is looked at.
    pub(in crate::http) verify_certificate: bool,
    /// All headers that the program sets, by name.
    pub(in crate::http) headers: BTreeMap<String, String>,
    /// The exact body.
    pub(in crate::http) body: String,
    /// What came of it; null = nothing was sent.
    pub(in crate::http) result: Option<TestResult>,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TestResult {
    /// It counts as taken.
    pub(in crate::http) delivered: bool,
    /// HTTP status, if there was an answer.
    pub(in crate::http) status: Option<u16>,
    /// Why it does not count as taken.
    pub(in crate::http) error: Option<String>,
    /// The beginning of what the receiver said, without secrets.
    pub(in crate::http) answer: Option<String>,
    /// How long it took, in milliseconds.
    pub(in crate::http) took_ms: u64,
}

/// Send a test webhook, or show what would be sent. It is signed like every other, says that it is
/// a test, and is not repeated.
#[utoipa::path(post, path = "/api/v1/webhooks/test", tag = "webhooks", request_body = TestWebhook,
    responses((status = 200, body = TestWebhookView), ChangeRefusals))]
pub(in crate::http) async fn test(
    state: Data<HttpState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<TestWebhook>,
) -> Result<HttpResponse, HttpProblem> {
    let dry_run = wanted.dry_run;
    let trial = state.reference.tester.prepare(&wish(wanted)?).map_err(|error| untried(&error))?;
    let view = tried(&state, trial, dry_run, &caller.by()).await;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(view))
}

/// Shows a test, and sends it unless it is only to be shown.
pub(in crate::http) async fn tried(
    state: &HttpState,
    trial: PreparedTest,
    dry_run: bool,
    by: &str,
) -> TestWebhookView {
    let mut view = TestWebhookView {
        dry_run,
        url: trial.masked_url(),
        delivery_mode: if trial.mode == DeliveryMode::Form { PayloadMode::Form } else { PayloadMode::Json },
        verify_certificate: trial.verifies_certificate(),
        headers: trial.headers().into_iter().collect(),
        body: String::from_utf8_lossy(trial.body()).into_owned(),
        result: None,
    };
    if !dry_run {
        tracing::info!(by, url = view.url, "a test webhook is sent");
        let tried = state.reference.tester.send(trial).await;
        view.result = Some(TestResult {
            delivered: tried.delivered,
            status: tried.status,
            error: tried.error,
            answer: tried.said,
            took_ms: tried.took_ms,
        });
    }
    view
}

fn wish(wanted: TestWebhook) -> Result<Wish, HttpProblem> {
    let to = match (wanted.target, wanted.url) {
        (None, None) => To::Default,
        (Some(target), None) => To::Target(target),
        (None, Some(url)) => To::Url(url),
        (Some(_), Some(_)) => return Err(wrong("url", "name a target or an address, not both")),
    };
    Ok(Wish {
        to,
        email_id: wanted.email_id,
        subject: wanted.subject,
        links: wanted.delivery_links,
        fields: wanted.payload,
        mode: wanted.delivery_mode.map(|mode| match mode {
            PayloadMode::Json => DeliveryMode::Json,
            PayloadMode::Form => DeliveryMode::Form,
        }),
    })
}

fn wrong(field: &str, message: impl Into<String>) -> HttpProblem {
    let message = message.into();
    HttpProblem::new(ProblemKind::InvalidDocument, format!("{field}: {message}"))
        .with_errors(vec![ProblemField { field: field.to_owned(), message }])
}

fn untried(error: &TestWebhookError) -> HttpProblem {
    match error {
        TestWebhookError::UnknownTarget(_) => wrong("target", error.to_string()),
        TestWebhookError::Address(_) | TestWebhookError::Request(_) => wrong("url", error.to_string()),
        TestWebhookError::TooLarge => wrong("payload", error.to_string()),
        TestWebhookError::NoTarget => HttpProblem::new(ProblemKind::Conflict, error.to_string()),
    }
}
