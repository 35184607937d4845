//! `/api/v1/overview` and `/api/v1/live`: how everything is, once and as it changes. The state is
//! made once per change for all clients, at most once a second, and not at all while there are none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, to};
use actix_web::{HttpRequest, HttpResponse};
use bytestring::ByteString;
use chrono::{DateTime, Utc};
use futures::stream;
use render_signal_actors::poller::PollerStatus;
use render_signal_actors::readmodel::queries::{
    Waiting, count_deliveries, count_mails, held_mails, oldest_held, oldest_open_delivery, open_deliveries,
};
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::Params;
use super::events::stream::{message, respond};
use super::page::{Nothing, unavailable};
use crate::health::probe::Answers;
use crate::health::worker;
use crate::http::HttpState;
use crate::http::access::ApiScope;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::HttpProblem;
use crate::http::routes::{Route, RouteAccess};

/// The shortest time between two states.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// How often everything is looked at without a hint: no event tells that a mailbox has gone silent.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/overview", RouteAccess::Api(ApiScope::Read), || to(overview)),
        Route::get("/api/v1/live", RouteAccess::Api(ApiScope::Read), || to(live)),
    ]
}

/// How everything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Overview)]
pub(in crate::http) struct LiveOverview {
    /// `ready` or `not_ready`.
    status: String,
    /// How each part is: `ok`, `warn` or `fail`.
    checks: BTreeMap<String, String>,
    /// Mails by stage.
    mails: BTreeMap<String, u64>,
    /// Deliveries by state.
    deliveries: BTreeMap<String, u64>,
    /// What waits, and why.
    waiting: Vec<WaitingView>,
    /// Since when the oldest held mail waits.
    oldest_held: Option<DateTime<Utc>>,
    /// Since when the oldest delivery that has not ended is due to go out.
    oldest_open_delivery: Option<DateTime<Utc>>,
    /// Position of the last event of the log.
    head: u64,
}

/// What waits for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Waiting)]
pub(in crate::http) struct WaitingView {
    /// `mail` (it is decided again) or `delivery` (it is sent).
    what: &'static str,
    /// Of a mail why it is held, such as `outside_window`; of a delivery its state, such as `retrying`.
    reason: String,
    /// How many.
    count: u64,
    /// Since when the oldest of them waits.
    since: Option<DateTime<Utc>>,
    /// When the next of them goes on by itself; null = at once, or when something changes.
    next_at: Option<DateTime<Utc>>,
}

impl WaitingView {
    fn of(what: &'static str, row: Waiting) -> Self {
        Self { what, reason: row.reason, count: row.n, since: row.since, next_at: row.next_at }
    }
}

/// What the mailbox's reader does: that is told on pages, while a check is as well when the reader
/// rests by its schedule as when it watches. Fetching is part of watching: each mail is an event.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Doing {
    phase: String,
    reason: Option<String>,
}

impl Doing {
    fn of(status: &PollerStatus) -> Self {
        let phase = if status.phase == "fetching" { "watching" } else { &status.phase };
        Self { phase: phase.to_owned(), reason: status.reason.clone() }
    }
}

/// Makes the overview from what every part answers.
async fn live_overview(state: &HttpState) -> Result<LiveOverview, HttpProblem> {
    let answers = state.probe.look(state.draining.begun(), state.pulse.age()).await;
    overview_of(state, &answers).await
}

/// The same, of parts that were asked already.
async fn overview_of(state: &HttpState, answers: &Answers) -> Result<LiveOverview, HttpProblem> {
    let readiness = worker::readiness(answers);
    let views = state.journal.views();
    let counts = views.read(|db| {
        let waiting = (held_mails(db)?, open_deliveries(db)?);
        Ok((count_mails(db)?, count_deliveries(db)?, waiting, oldest_held(db)?, oldest_open_delivery(db)?))
    });
    let (mails, deliveries, (waiting, due), held, open) = counts.await.map_err(unavailable)?;
    let waiting = waiting.into_iter().map(|row| WaitingView::of("mail", row));
    let due = due.into_iter().map(|row| WaitingView::of("delivery", row));
    Ok(LiveOverview {
        status: readiness.status.to_owned(),
        checks: readiness
            .checks
            .iter()
            .map(|check| (check.name.to_string(), check.state().as_str().to_owned()))
            .collect(),
        mails: mails.into_iter().collect(),
        deliveries: deliveries.into_iter().collect(),
        waiting: waiting.chain(due).collect(),
        oldest_held: held.map(|mail| mail.received_at),
        oldest_open_delivery: open.map(|delivery| delivery.routed_at),
        head: state.journal.head().await.map_err(unavailable)?,
    })
}

/// How everything is.
#[utoipa::path(get, path = "/api/v1/overview", tag = "operations",
    responses((status = 200, body = LiveOverview), ReadRefusals))]
pub(in crate::http) async fn overview(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let overview = live_overview(&state).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(overview))
}

/// How everything is, now and whenever it changes.
#[utoipa::path(get, path = "/api/v1/live", tag = "operations",
    responses((status = 200, content_type = "text/event-stream", body = String,
        description = "`state`: an overview; `bye`: the program stops"), ReadRefusals))]
pub(in crate::http) async fn live(
    request: HttpRequest,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let permit = state.streams.enter()?;
    let states = state.live.follow(&state);
    let (answer, draining) = (state.clone(), state.draining.clone());
    let follower = Follower { states, draining, ended: false };
    let events = stream::unfold((follower, permit), |(mut follower, permit)| async move {
        let event = follower.next().await?;
        Some((event, (follower, permit)))
    });
    Ok(respond(&request, &answer, events))
}

/// One who follows.
struct Follower {
    states: watch::Receiver<Option<ByteString>>,
    draining: crate::health::probe::Draining,
    ended: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<actix_sse::Event> {
        while !self.ended {
            tokio::select! {
                biased;
                () = self.draining.wait() => {
                    self.ended = true;
                    return Some(message("bye", "{}"));
                }
                changed = self.states.changed() => {
                    changed.ok()?;
                    // Only the last one counts: who was slow has missed nothing.
                    let text = self.states.borrow_and_update().clone();
                    if let Some(text) = text {
                        return Some(message("state", text));
                    }
                }
            }
        }
        None
    }
}

type States = watch::Sender<Option<ByteString>>;

/// The state as it changes. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct LiveHub(Arc<Mutex<Option<Arc<States>>>>);

impl LiveHub {
    /// What is, and what will be. The first who asks starts the looking, which ends with the last.
    fn follow(&self, state: &Data<HttpState>) -> watch::Receiver<Option<ByteString>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(states) = &*open {
            let mut receiver = states.subscribe();
            // What is known already is news for whoever comes.
            receiver.mark_changed();
            return receiver;
        }
        let states = Arc::new(States::new(None));
        let receiver = states.subscribe();
        *open = Some(Arc::clone(&states));
        drop(open);
        let (hub, state) = (self.clone(), state.clone());
        drop(actix_rt::spawn(async move { hub.tell(&state, &states).await }));
        receiver
    }

    /// Looks until nobody listens.
    async fn tell(self, state: &HttpState, states: &States) {
        let mut hints = state.journal.hints();
        let mut last = None;
        while !self.is_over(states) {
            let findings = state.probe.look(state.draining.begun(), state.pulse.age()).await;
            let doing = findings.poller.as_ref().and_then(|found| found.as_ref().ok()).map(Doing::of);
            match overview_of(state, &findings).await.map(|overview| (overview, doing)) {
                Ok(found) if last.as_ref() != Some(&found) => {
                    // A struct of texts and numbers always has a JSON form.
                    let text = serde_json::to_string(&found.0).unwrap_or_default();
                    last = Some(found);
                    // A client that is told of a change asks for the page again.
                    state.recent.forget();
                    states.send_replace(Some(text.into()));
                }
                Ok(_) => {}
                Err(problem) => tracing::debug!(%problem, "live states wait for the journal"),
            }
            tokio::time::sleep(MIN_INTERVAL).await;
            // A journal that is closed gives no more hints: the timer is enough.
            tokio::select! {
                Ok(()) = hints.changed() => {}
                () = tokio::time::sleep(POLL_INTERVAL.saturating_sub(MIN_INTERVAL)) => {}
            }
        }
    }

    fn is_over(&self, states: &States) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = states.receiver_count() == 0;
        if over {
            *open = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_stops_is_news_and_one_that_fetches_is_not() {
        let doing = |phase: &str, reason: Option<&str>| {
            Doing::of(&PollerStatus {
                phase: phase.to_owned(),
                reason: reason.map(str::to_owned),
                ..PollerStatus::default()
            })
        };
        assert_eq!(doing("watching", None), doing("fetching", None));
        for other in
            [doing("inactive", Some("vacation")), doing("waiting", Some("refused")), doing("standby", None)]
        {
            assert_ne!(doing("watching", None), other);
        }
        assert_ne!(doing("inactive", Some("vacation")), doing("inactive", Some("outside the hours")));
    }
}
