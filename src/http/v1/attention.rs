//! `/api/v1/attention`: what needs a person, and stays as it is until somebody acts.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, to};
use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries;
use serde::Serialize;
use utoipa::ToSchema;

use super::Params;
use super::operations::status::FindingView;
use super::page::{Nothing, unavailable};
use super::targets::TargetView;
use crate::health::attention::{self, AttentionInputs, AttentionKind, Item};
use crate::health::probe::Answers;
use crate::health::worker::{Readiness, readiness};
use crate::http::HttpState;
use crate::http::access::ApiScope;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::HttpProblem;
use crate::http::routes::{Route, RouteAccess};
use crate::services::board::{MailboxReport, WorkerReport};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/api/v1/attention", RouteAccess::Api(ApiScope::Read), || to(attention))]
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
pub(in crate::http) struct AttentionReport {
    /// What the read models say.
    pub(in crate::http) needs: queries::NeedsPerson,
    /// How each part is.
    pub(in crate::http) ready: Readiness,
    /// The mailbox as the worker sees it that polls; `None` = nobody is known to.
    pub(in crate::http) mailbox: Option<MailboxReport>,
    /// What needs a person.
    pub(in crate::http) items: Vec<Item>,
}

/// What is asked of others than the read models.
#[derive(Debug)]
pub(crate) struct Around {
    /// What the parts of this worker say.
    found: Answers,
    /// What the workers say; `None` = they cannot be asked now.
    words: Option<Vec<WorkerReport>>,
}

impl Around {
    async fn now(state: &HttpState) -> Self {
        let (found, words) = tokio::join!(
            state.probe.look(state.draining.begun(), state.pulse.age()),
            state.services.board.workers(),
        );
        Self { found, words: words.ok() }
    }

    /// There is a mailbox, and nobody polls it.
    fn is_unpolled(&self, state: &HttpState) -> bool {
        let others = self.words.as_ref().map(|words| words.iter().any(|word| word.polls));
        let started_at = state.services.board.started_at;
        state.reference.mailbox.is_some() && attention::is_unpolled(&self.found, others, started_at)
    }

    /// What this worker knows of the mailbox is newer than any word of it; the others have never looked.
    fn mailbox(&self) -> Option<MailboxReport> {
        let poller = self.found.poller.as_ref().and_then(|poller| poller.as_ref().ok());
        let own = poller.filter(|_| self.found.holds_lease()).map(MailboxReport::of);
        let others = || self.words.iter().flatten().filter(|word| word.polls);
        own.or_else(|| others().find_map(|word| word.mailbox.clone()))
    }
}

/// What the read models say: what needs a person, and how many webhooks the hourly limit holds.
async fn counted(state: &HttpState) -> Result<(queries::NeedsPerson, u64), HttpProblem> {
    let views = state.journal.views();
    let read = views.read(|db| Ok((queries::needs_person(db)?, queries::open_deliveries(db)?)));
    let (needs, open) = read.await.map_err(unavailable)?;
    Ok((needs, open.iter().filter(|row| row.reason == "held_rate").map(|row| row.n).sum()))
}

fn items(
    state: &HttpState,
    around: &Around,
    (needs, limited): &(queries::NeedsPerson, u64),
) -> (Readiness, Vec<Item>) {
    let (ready, unpolled) = (readiness(&around.found), around.is_unpolled(state));
    let known = AttentionInputs { signed: state.services.signed, limited: *limited, unpolled };
    let items = attention::items(needs, &ready, known);
    (ready, items)
}

/// Looks at everything.
///
/// # Errors
/// The journal cannot be read now.
pub(in crate::http) async fn look(state: &HttpState) -> Result<AttentionReport, HttpProblem> {
    let (around, counted) = tokio::join!(Around::now(state), counted(state));
    let counted = counted?;
    let (ready, items) = items(state, &around, &counted);
    Ok(AttentionReport { needs: counted.0, ready, mailbox: around.mailbox(), items })
}

/// How each part is, and what needs a person: of a journal that cannot be read, what else is known.
pub(in crate::http) async fn known(state: &HttpState) -> (Readiness, Vec<Item>) {
    let (around, counted) = tokio::join!(Around::now(state), counted(state));
    items(state, &around, &counted.unwrap_or_default())
}

/// How many things need a person; 0 when the journal does not answer, too. Every page asks: what the
/// parts said a moment ago will do, and one look is for all who ask at once.
pub(in crate::http) async fn count(state: &HttpState) -> u64 {
    let around = state.recent.get(state.journal.hints(), Box::pin(Around::now(state)));
    let (around, counted) = tokio::join!(around, counted(state));
    counted.map_or(0, |counted| items(state, &around, &counted).1.len() as u64)
}

/// What needs a person.
#[utoipa::path(get, path = "/api/v1/attention", tag = "mails", operation_id = "attention",
    responses((status = 200, body = Attention), ReadRefusals))]
pub(in crate::http) async fn attention(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let AttentionReport { needs, items, .. } = look(&state).await?;
    let failure = state.journal.views().read(queries::last_failure).await.map_err(unavailable)?;
    let found = |item: &Item| match &item.what {
        AttentionKind::Found { finding, .. } => Some(FindingView::from(finding)),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use actix::{Actor, Context, Handler, MessageResult};
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, web};
    use render_signal_actors::kernel::port::Port;
    use render_signal_actors::poller::PollerStatus;
    use render_signal_actors::webhook::{GetWebhookStatus, WebhookStatus};

    use super::*;
    use crate::http::{routes, tests};

    /// An actor that counts how often it is asked how it is.
    struct Asked(Arc<AtomicUsize>);

    impl Actor for Asked {
        type Context = Context<Self>;
    }

    impl Handler<GetWebhookStatus> for Asked {
        type Result = MessageResult<GetWebhookStatus>;

        fn handle(&mut self, _: GetWebhookStatus, _: &mut Self::Context) -> Self::Result {
            self.0.fetch_add(1, Ordering::SeqCst);
            MessageResult(WebhookStatus::default())
        }
    }

    #[actix_web::test]
    async fn many_pages_at_once_ask_the_parts_once_and_a_page_behind_a_form_asks_anew() {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut state = tests::state(PollerStatus::default());
        let actor = Asked(Arc::clone(&asked)).start();
        state.probe.actors.webhook = Port::new("webhook", &actor, 8, Duration::from_secs(1));
        let times = || asked.load(Ordering::SeqCst);

        let right = look(&state).await.unwrap().items.len() as u64;
        assert_eq!(times(), 1);
        let counts = futures::future::join_all((0..50).map(|_| count(&state))).await;
        assert!(counts.iter().all(|count| *count == right), "{counts:?} {right}");
        assert_eq!(times(), 2, "50 pages, one look");
        look(&state).await.unwrap();
        assert_eq!(times(), 3, "who asks how everything is, is told how it is now");
        count(&state).await;
        assert_eq!(times(), 3);

        let app = App::new().app_data(web::Data::new(state.clone())).configure(routes::configure);
        let app = init_service(app).await;
        call_service(&app, TestRequest::get().uri("/health").to_request()).await;
        count(&state).await;
        assert_eq!(times(), 3, "nothing has changed");
        call_service(&app, TestRequest::post().uri("/preferences").to_request()).await;
        count(&state).await;
        assert_eq!(times(), 4, "a form was sent");
    }
}
