//! What was found out, check by check, and the report of `doctor`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use askama::filters::HtmlSafe;
use render_signal_actors::kernel::said::Said;
use serde_json::Value;

use super::words::Words;
use super::{HOME, SystemResults, page};
use crate::findings::{self, Finding, Severity};
use crate::health::{Check, installation};
use crate::http::pages::names::{sentence, told};
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Badge, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::lang::Lang;
use crate::settings::environment;

/// One thing that was looked at.
#[derive(Template)]
#[template(path = "system/check.html")]
pub(super) struct CheckRow {
    pub(super) name: UntrustedText,
    /// As its gravest finding.
    pub(super) badge: Badge,
    pub(super) well: bool,
    /// What was found, in order.
    pub(super) lines: Vec<FindingLine>,
    /// Stands before what to do.
    what_to_do: &'static str,
}

impl HtmlSafe for CheckRow {}

pub(super) struct FindingLine {
    /// In words, which may be a server's.
    pub(super) text: UntrustedText,
    /// What to do about it.
    pub(super) advice: Option<UntrustedText>,
}

/// The report of `doctor`.
pub(super) struct DoctorChecksView {
    /// As the gravest check.
    pub(super) badge: Badge,
    /// When it was made.
    pub(super) at: When,
    /// In the order of looking, those that are not well first.
    pub(super) rows: Vec<CheckRow>,
}

/// How grave it is, in a word.
pub(super) fn badge(severity: Severity, w: &Words) -> Badge {
    match severity {
        Severity::Ok => Badge::new(Mood::Good, w.ok),
        Severity::Warn => Badge::new(Mood::Care, w.warn),
        Severity::Fail => Badge::new(Mood::Bad, w.fail),
    }
}

/// The checks of a worker, as it says them itself; see [`Finding::worded`].
pub(super) fn of_word(checks: &Value, lang: Lang) -> Vec<CheckRow> {
    let w = Words::of(lang);
    let Some(checks) = checks.as_object() else { return Vec::new() };
    let row = |(name, check): (&String, &Value)| {
        let severity = severity(check.get("state"));
        let findings = check.get("findings").and_then(Value::as_array).into_iter().flatten();
        CheckRow {
            name: UntrustedText(sentence(&lang.one(findings::subject(name)))),
            badge: badge(severity, w),
            well: severity == Severity::Ok,
            lines: findings.map(|finding| line_of_word(finding, lang)).collect(),
            what_to_do: w.what_to_do,
        }
    };
    grave_first(checks.iter().map(row).collect())
}

fn severity(state: Option<&Value>) -> Severity {
    match state.and_then(Value::as_str) {
        Some("ok") => Severity::Ok,
        Some("warn") => Severity::Warn,
        _ => Severity::Fail,
    }
}

/// A worker of another version may say no words: then there is its code.
fn line_of_word(finding: &Value, lang: Lang) -> FindingLine {
    let said = |field: &str| {
        let of = |code: &str| finding.get(field)?.get(code)?.as_str().map(str::to_owned);
        Some(told(&Said { french: of("fr")?, english: of("en")? }, lang))
    };
    let code = || finding.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
    FindingLine {
        text: UntrustedText(said("said").unwrap_or_else(code)),
        advice: said("advice").map(UntrustedText),
    }
}

fn of_doctor(check: &Check, lang: Lang) -> CheckRow {
    let severity = check.state();
    CheckRow {
        name: UntrustedText(sentence(&lang.one(findings::subject(&check.name)))),
        badge: badge(severity, Words::of(lang)),
        well: severity == Severity::Ok,
        lines: check.findings.iter().map(|finding| line(finding, lang)).collect(),
        what_to_do: Words::of(lang).what_to_do,
    }
}

fn line(finding: &Finding, lang: Lang) -> FindingLine {
    FindingLine {
        text: UntrustedText(told(&finding.said(), lang)),
        advice: finding.advice().map(|advice| UntrustedText(told(&advice, lang))),
    }
}

/// What is not well is read first; otherwise the order stays.
fn grave_first(mut rows: Vec<CheckRow>) -> Vec<CheckRow> {
    rows.sort_by_key(|row| row.well);
    rows
}

/// POST `/systeme/verifier`: reaches everything that is configured.
pub(super) async fn look_at_all(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let Ok(_alone) = visit.state.services.doctor.try_acquire() else {
        return Ok(visit.back(HOME, &Notice::care(Words::of(visit.lang).busy)));
    };
    let report = installation::look(environment).await;
    let view = DoctorChecksView {
        badge: badge(report.state(), Words::of(visit.lang)),
        at: When::short(visit.clock, visit.state.world.now()),
        rows: grave_first(report.checks.iter().map(|check| of_doctor(check, visit.lang)).collect()),
    };
    page(&visit, StatusCode::OK, SystemResults { doctor: Some(view), ..SystemResults::default() }).await
}
