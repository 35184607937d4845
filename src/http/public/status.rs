//! `/readyz`: states for everybody, and the rest for those who have signed in or have
//! `METRICS_TOKEN`. Names, hosts, hashes and numbers tell a stranger who the operator is and when
//! he is not looking. `/metrics`: for those alone, unless `METRICS_PUBLIC` opens it to everybody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::findings::Severity;
use crate::health::attention::Item;
use crate::health::worker::{self, Readiness};
use crate::http::HttpState;
use crate::http::access::ApiScope;
use crate::http::access::bearer::TokenCheck;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::attention;
use crate::telemetry::metrics::{ASKED, Metric};

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
    let (readiness, items) = attention::known(&state).await;
    let mut text = asked(&readiness, &items);
    text.push_str(&state.metrics.render());
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(text))
}

/// What was found out, as metrics.
fn asked(readiness: &Readiness, items: &[Item]) -> String {
    let [ready, checks, needs] = &ASKED;
    let mut text = String::new();
    let ready_now = u8::from(readiness.is_ready());
    gauge(&mut text, ready, [format!("{} {ready_now}", ready.name)]);
    let states = readiness.checks.iter().map(|check| {
        let level = match check.state() {
            Severity::Ok => 0,
            Severity::Warn => 1,
            Severity::Fail => 2,
        };
        format!("{}{{check=\"{}\"}} {level}", checks.name, check.name)
    });
    gauge(&mut text, checks, states);
    // A name stands once, however many things have it.
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for item in items {
        *counts.entry(item.code()).or_default() += item.count();
    }
    let counts = counts.into_iter().map(|(what, count)| format!("{}{{what=\"{what}\"}} {count}", needs.name));
    gauge(&mut text, needs, counts);
    text
}

/// A gauge with its values, as Prometheus reads it. Writing to a String cannot fail.
fn gauge(text: &mut String, metric: &Metric, values: impl IntoIterator<Item = String>) {
    let Metric { name, meaning, .. } = metric;
    let _ = writeln!(text, "# HELP {name} {meaning}\n# TYPE {name} gauge");
    for value in values {
        let _ = writeln!(text, "{value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Finding;
    use crate::health::Check;
    use crate::health::attention::AttentionKind;

    #[test]
    fn what_needs_a_person_is_counted_by_what_it_is() {
        let readiness = Readiness::of(vec![Check::new("lease", Finding::NobodyPollsYet {})]);
        let dead = |target: &str, count| Item {
            what: AttentionKind::DeadLetters { target: target.to_owned(), count },
            since: None,
        };
        let unsigned = AttentionKind::Found { check: "deliveries".into(), finding: Finding::Unsigned {} };
        let text = asked(&readiness, &[dead("a", 2), Item { what: unsigned, since: None }, dead("b", 3)]);
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            values,
            [
                "render_signal_ready 1",
                "render_signal_check{check=\"lease\"} 0",
                "render_signal_attention{what=\"dead_letters\"} 5",
                "render_signal_attention{what=\"unsigned\"} 1",
            ]
        );
        assert_eq!(text.matches("# TYPE").count(), 3, "{text}");
    }
}
