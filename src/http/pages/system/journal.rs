//! The journal: how large it is, what it promises, whether it is sound, and a copy of it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::checks::badge;
use super::words::Words;
use super::{HOME, SystemResults, page};
use crate::findings;
use crate::http::pages::names::told;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Badge, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::operations::journal::{ReportView, checked, handed_out, seen};
use crate::words::integrity::problem;

pub(super) struct JournalPart {
    /// A file or a server, in words.
    pub(super) kind: &'static str,
    /// Where, without what opens it.
    pub(super) place: UntrustedText,
    /// How large it is.
    pub(super) size: String,
    /// Position of the last event.
    pub(super) position: String,
    /// How grave it is what an acknowledgement does not mean.
    pub(super) badge: Badge,
    /// What an acknowledgement means.
    pub(super) durability: UntrustedText,
    /// What to do about it.
    pub(super) advice: Option<UntrustedText>,
    /// The last loss of commits, and when it was noticed.
    pub(super) loss: Option<(When, String)>,
}

/// What a check of the whole journal found.
pub(super) struct VerifyView {
    pub(super) badge: Badge,
    /// When it was read.
    pub(super) at: When,
    /// What was counted: what, how many.
    pub(super) counts: Vec<(&'static str, String)>,
    /// Each thing that is wrong.
    pub(super) problems: Vec<UntrustedText>,
}

/// What is known of the journal, or why nothing is.
pub(super) async fn part(visit: &PageVisit) -> Result<JournalPart, String> {
    let (lang, clock, w) = (visit.lang, visit.clock, Words::of(visit.lang));
    let view = seen(&visit.state).await.map_err(|problem| Words::unknown(lang, &problem.detail))?;
    let promise = findings::durability(visit.state.journal.durability());
    Ok(JournalPart {
        kind: if view.kind == "file" { w.kind_file } else { w.kind_redis },
        place: UntrustedText(view.place),
        size: view.bytes.map_or_else(|| w.size_unknown.to_owned(), |bytes| clock.bytes(bytes)),
        position: clock.number(view.position),
        badge: badge(promise.severity(), w),
        durability: UntrustedText(told(&promise.said(), lang)),
        advice: promise.advice().map(|advice| UntrustedText(told(&advice, lang))),
        loss: view.last_loss.map(|loss| {
            let said = Words::lost(clock, loss.known_position, loss.found_position);
            (When::short(clock, loss.at), said)
        }),
    })
}

/// POST `/systeme/journal`: reads the whole of it.
pub(super) async fn verify(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let report = match checked(&visit.state).await {
        Ok(report) => report,
        Err(problem) if problem.kind == ProblemKind::TooManyRequests => {
            return Ok(visit.back(HOME, &Notice::care(Words::of(visit.lang).busy)));
        }
        Err(problem) => return Err(problem),
    };
    let view = report_view(report, &visit);
    page(&visit, StatusCode::OK, SystemResults { journal: Some(view), ..SystemResults::default() }).await
}

fn report_view(report: ReportView, visit: &PageVisit) -> VerifyView {
    let (clock, w) = (visit.clock, Words::of(visit.lang));
    let counts = [
        (w.events, report.events),
        (w.trimmed, report.trimmed),
        (w.streams, report.streams),
        (w.outbox, report.outbox),
    ];
    VerifyView {
        badge: match report.sound {
            true => Badge::new(Mood::Good, w.sound),
            false => Badge::new(Mood::Bad, w.unsound),
        },
        at: When::short(clock, visit.state.world.now()),
        counts: counts.map(|(what, count)| (what, clock.number(count))).to_vec(),
        problems: report
            .problems
            .iter()
            .map(|what| UntrustedText(problem(clock.lang, what).into_owned()))
            .collect(),
    }
}

/// GET `/systeme/sauvegarde`: makes a copy, and hands it out.
pub(super) async fn backup(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    handed_out(&visit.state).await
}
