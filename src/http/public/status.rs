//! `/readyz`: states for everybody, and the rest for those who have signed in or have
//! `METRICS_TOKEN`. Names, hosts, hashes and numbers tell a stranger who the operator is and when
//! he is not looking. `/metrics`: for those alone, unless `METRICS_PUBLIC` opens it to everybody.

use std::fmt::Write as _;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::findings::Severity;
use crate::health::worker::{self, Readiness};
use crate::http::HttpState;
use crate::http::access::ApiScope;
use crate::http::access::bearer::TokenCheck;
use crate::http::problem::{HttpProblem, ProblemKind};

/// Whether all may be shown.
///
/// # Errors
/// A token that is another one.
async fn sees_all(state: &HttpState, request: &HttpRequest) -> Result<bool, HttpProblem> {
    if state.access.session(request).await.is_ok() {
        return Ok(true);
    }
    let access = &state.access;
    if let Some(token) = access.api_token.as_ref().filter(|_| access.scopes.have(ApiScope::Read))
        && access.guesses.bears(token, request)
    {
        return Ok(true);
    }
    let Some(token) = &state.metrics_token else { return Ok(false) };
    match state.access.guesses.check(token, request).await {
        TokenCheck::Right => Ok(true),
        TokenCheck::Nothing => Ok(false),
        TokenCheck::Wrong => Err(HttpProblem::new(
            ProblemKind::Unauthenticated,
            "this is neither METRICS_TOKEN nor a PROCESS_API_TOKEN with the scope read",
        )),
        TokenCheck::TooMany => {
            let why = "too many wrong tokens at a time came from this address";
            Err(HttpProblem::new(ProblemKind::TooManyRequests, why).retry_after(1))
        }
    }
}

async fn readiness(state: &HttpState) -> Readiness {
    worker::readiness(&state.probe.look(state.draining.begun(), state.pulse.age()).await)
}

pub(super) async fn readyz(
    request: HttpRequest,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let all = sees_all(&state, &request).await?;
    let readiness = readiness(&state).await;
    let mut response =
        if readiness.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((CACHE_CONTROL, "no-store"));
    Ok(if all { response.json(readiness) } else { response.json(readiness.states()) })
}

pub(super) async fn metrics(
    request: HttpRequest,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    if !sees_all(&state, &request).await? && !state.metrics_public {
        let why = "metrics are for those who send METRICS_TOKEN or have signed in; METRICS_PUBLIC opens them";
        return Err(HttpProblem::new(ProblemKind::Unauthenticated, why));
    }
    let mut text = states(&readiness(&state).await);
    text.push_str(&state.metrics.render());
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(text))
}

/// The states as metrics.
fn states(readiness: &Readiness) -> String {
    let mut text = format!(
        "# HELP render_signal_ready 1 = /readyz says ready.\n# TYPE render_signal_ready gauge\n\
         render_signal_ready {}\n\
         # HELP render_signal_check State of each check of /readyz: 0 = ok, 1 = worth a look, 2 = not ready because of it.\n\
         # TYPE render_signal_check gauge\n",
        u8::from(readiness.is_ready())
    );
    for check in &readiness.checks {
        let name = &check.name;
        let level = match check.state() {
            Severity::Ok => 0,
            Severity::Warn => 1,
            Severity::Fail => 2,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "render_signal_check{{check=\"{name}\"}} {level}");
    }
    text
}
