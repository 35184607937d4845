//! `/api/v1/attention`: what nothing happens to until somebody does something.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, to};
use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::readmodel::queries;
use serde::Serialize;
use utoipa::ToSchema;

use super::Params;
use super::operations::status::FindingView;
use super::page::{Nothing, unavailable};
use super::targets::TargetView;
use crate::http::HttpState;
use crate::http::access::Scope;
use crate::http::openapi::refusals::Refused;
use crate::http::problem::Problem;
use crate::http::readiness::{Readiness, readiness};
use crate::http::routes::{Route, Who};
use crate::services::attention::{self, Item, Known, What};
use crate::services::board::Mailbox;

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/api/v1/attention", Who::Api(Scope::Read), || to(attention))]
}

/// What needs a person; empty and nought = nothing does.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Attention {
    /// Deliveries that were given up, by target.
    dead_letters: Vec<DeadLettersView>,
    /// Mails that could not be read.
    quarantined: u64,
    /// Mails that workers ended over.
    set_aside: u64,
    /// Targets that said they are gone.
    disabled_targets: Vec<TargetView>,
    /// What was found out about the program and what it stands on, and needs somebody, gravest first.
    findings: Vec<FindingView>,
    /// How many things need a person: dead letters are one for each target, mails that could not be
    /// read are one, and each finding is one.
    count: u64,
    /// The last attempt that failed, whatever became of it.
    last_failure: Option<FailureView>,
}

/// Dead letters of a target.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DeadLettersView {
    /// Id of the target.
    target: String,
    /// How many.
    count: u64,
    /// When the first of them was given up.
    since: Option<DateTime<Utc>>,
}

/// An attempt that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FailureView {
    /// Id of the target.
    target: String,
    /// When.
    at: DateTime<Utc>,
    /// What went wrong.
    why: Option<String>,
    /// Of which mail.
    mail: Option<String>,
}

/// What needs a person, and what it was found out from.
pub(in crate::http) struct Look {
    /// What the read models say.
    pub(in crate::http) needs: queries::NeedsPerson,
    /// How each part is.
    pub(in crate::http) ready: Readiness,
    /// The mailbox as the worker sees it that polls; `None` = nobody is known to.
    pub(in crate::http) mailbox: Option<Mailbox>,
    /// What needs a person.
    pub(in crate::http) items: Vec<Item>,
}

/// A worker that has started a moment ago may take the lease yet.
const SETTLED: TimeDelta = TimeDelta::seconds(15);

/// Looks at everything.
///
/// # Errors
/// The journal cannot be read now.
pub(in crate::http) async fn look(state: &HttpState) -> Result<Look, Problem> {
    let views = state.journal.views();
    let (found, needs, words) = tokio::join!(
        state.probe.look(state.draining.begun(), state.pulse.age()),
        views.read(|db| Ok((queries::needs_person(db)?, queries::open_deliveries(db)?))),
        state.services.board.workers(),
    );
    let ((needs, open), ready) = (needs.map_err(unavailable)?, readiness(&found));
    let limited = open.iter().filter(|row| row.reason == "held_rate").map(|row| row.n).sum();
    let held = found.lock.as_ref().and_then(|lock| lock.as_ref().ok()).is_some_and(|lock| lock.held);
    // Who cannot be asked may well be there.
    let polled = held || words.as_ref().map_or(true, |words| words.iter().any(|word| word.polls));
    let settled = found.now - state.services.board.started_at > SETTLED;
    let unpolled = settled && !polled && found.idle.is_none() && state.reference.mailbox.is_some();
    let known = Known { signed: state.services.signed, limited, unpolled };
    let items = attention::items(&needs, &ready, known);
    // What this worker knows is newer than any word of it; the others have never looked.
    let own = found.poller.as_ref().and_then(|poller| poller.as_ref().ok()).filter(|_| held).map(Mailbox::of);
    let mailbox = own.or_else(|| {
        words.unwrap_or_default().into_iter().filter(|word| word.polls).find_map(|word| word.mailbox)
    });
    Ok(Look { needs, ready, mailbox, items })
}

/// How many things need a person; 0 when the journal does not answer, too.
pub(in crate::http) async fn count(state: &HttpState) -> u64 {
    look(state).await.map_or(0, |look| look.items.len() as u64)
}

/// What needs a person.
#[utoipa::path(get, path = "/api/v1/attention", tag = "mails", operation_id = "attention",
    responses((status = 200, body = Attention), Refused))]
pub(in crate::http) async fn attention(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let Look { needs, items, .. } = look(&state).await?;
    let failure = state.journal.views().read(queries::last_failure).await.map_err(unavailable)?;
    let found = |item: &Item| match &item.what {
        What::Found { finding, .. } => Some(FindingView::from(finding)),
        _ => None,
    };
    let dead =
        |row: queries::DeadLetters| DeadLettersView { target: row.target, count: row.n, since: row.since };
    let attention = Attention {
        dead_letters: needs.dead_letters.into_iter().map(dead).collect(),
        quarantined: needs.quarantined,
        set_aside: needs.set_aside,
        disabled_targets: needs.disabled_targets.into_iter().map(TargetView::from).collect(),
        findings: items.iter().filter_map(found).collect(),
        count: items.len() as u64,
        last_failure: failure.map(|failure| FailureView {
            target: failure.target,
            at: failure.at,
            why: failure.why,
            mail: failure.email_id,
        }),
    };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(attention))
}
