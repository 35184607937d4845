//! How this worker is, and what there is to be found out about everything it needs.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::answer;
use crate::findings::{Finding, Severity};
use crate::health::worker::{Readiness, readiness};
use crate::health::{Check, installation};
use crate::http::HttpState;
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::Params;
use crate::http::v1::page::Nothing;
use crate::settings::environment;

/// How something is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FindingState)]
pub(in crate::http) enum StateView {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Wrong.
    Fail,
}

impl From<Severity> for StateView {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Ok => Self::Ok,
            Severity::Warn => Self::Warn,
            Severity::Fail => Self::Fail,
        }
    }
}

/// What was found out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Finding)]
pub(in crate::http) struct FindingView {
    /// What programs know it by; it does not change.
    code: &'static str,
    /// How grave it is.
    state: StateView,
    /// In words.
    message: String,
    /// What to do about it, if there is anything.
    advice: Option<String>,
    /// What the words are made of.
    values: Value,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            state: finding.severity().into(),
            message: finding.said().english,
            advice: finding.advice().map(|advice| advice.english),
            // A finding always has a JSON form.
            values: serde_json::to_value(finding).unwrap_or_default(),
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Check)]
pub(in crate::http) struct CheckView {
    /// As its gravest finding.
    state: StateView,
    /// What was found, in order.
    findings: Vec<FindingView>,
    /// The numbers behind it; null = there are none.
    detail: Value,
}

/// How this worker is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Status)]
pub(in crate::http) struct StatusView {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// Its name.
    worker: String,
    /// Of the program.
    version: String,
    /// When it started.
    started_at: DateTime<Utc>,
    /// By name.
    checks: BTreeMap<String, CheckView>,
}

fn checks(found: &Readiness) -> BTreeMap<String, CheckView> {
    let view = |check: &Check| CheckView {
        state: check.state().into(),
        findings: check.findings.iter().map(FindingView::from).collect(),
        detail: check.detail.clone(),
    };
    found.checks.iter().map(|check| (check.name.to_string(), view(check))).collect()
}

/// How the worker that answers is, part by part.
#[utoipa::path(get, path = "/api/v1/status", tag = "operations",
    responses((status = 200, body = StatusView), ReadRefusals))]
pub(in crate::http) async fn status(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let found = readiness(&state.probe.look(state.draining.begun(), state.pulse.age()).await);
    let board = &state.services.board;
    Ok(answer(StatusView {
        status: found.status,
        worker: board.worker.clone(),
        version: board.version.clone(),
        started_at: board.started_at,
        checks: checks(&found),
    }))
}

/// One thing that `doctor` looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DoctorCheck)]
pub(in crate::http) struct DoctorCheckView {
    /// What, such as `mailbox` or `target default`.
    name: String,
    /// As its gravest finding.
    state: StateView,
    /// What was found, in order.
    findings: Vec<FindingView>,
}

/// What `doctor` found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DoctorReport)]
pub(in crate::http) struct DoctorView {
    /// As the gravest check.
    state: StateView,
    /// In the order of looking.
    checks: Vec<DoctorCheckView>,
}

/// Checks everything that is configured and reaches every server, without sending, marking or
/// changing anything. Takes as long as the slowest server, at most 15 s.
#[utoipa::path(post, path = "/api/v1/doctor", tag = "operations",
    responses((status = 200, body = DoctorView), ChangeRefusals))]
pub(in crate::http) async fn doctor(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let Ok(_alone) = state.services.doctor.try_acquire() else {
        let why = "somebody has everything looked at already; ask again in a moment";
        return Err(HttpProblem::new(ProblemKind::TooManyRequests, why).retry_after(15));
    };
    let report = installation::look(environment).await;
    let view = |check: Check| DoctorCheckView {
        state: check.state().into(),
        findings: check.findings.iter().map(FindingView::from).collect(),
        name: check.name.into_owned(),
    };
    Ok(answer(DoctorView {
        state: report.state().into(),
        checks: report.checks.into_iter().map(view).collect(),
    }))
}
