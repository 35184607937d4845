//! The parts: workers, leases, queues, mailboxes, stores.

use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::store::StoreHealth;
use render_signal_actors::kernel::journal::{Due, OutboxRow, Queue};
use render_signal_actors::readmodel::queries::{self, LeaseRow, MailboxRow, WorkerRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::HttpProblem;
use crate::http::v1::Params;
use crate::http::v1::page::{Nothing, unavailable};
use crate::services::board::{MailboxReport, WorkerReport};

/// Rows of a queue that are counted; of more it is only said that there are more.
const MAX_COUNTED: usize = 20_000;
/// Workers that are listed besides those that are alive.
const MAX_ENDED_WORKERS: usize = 50;

/// A worker of the past, as the journal has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkerRecord)]
pub(in crate::http) struct WorkerView {
    /// `<host>/<pid>/<start id>`.
    pub(in crate::http) worker: String,
    /// When it started.
    pub(in crate::http) started_at: DateTime<Utc>,
    /// When it stopped in an orderly way; null = it runs, or died.
    pub(in crate::http) stopped_at: Option<DateTime<Utc>>,
    /// Why it stopped.
    pub(in crate::http) stop_reason: Option<String>,
    /// Version of the program.
    pub(in crate::http) version: String,
    /// Actors that were restarted.
    pub(in crate::http) restarts: u64,
}

impl From<WorkerRow> for WorkerView {
    fn from(row: WorkerRow) -> Self {
        let WorkerRow { worker, started_at, stopped_at, stop_reason, version, restarts } = row;
        Self { worker, started_at, stopped_at, stop_reason, version, restarts }
    }
}

/// The workers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Workers)]
pub(in crate::http) struct WorkersView {
    /// Those that are alive, as each says of itself.
    pub(in crate::http) alive: Vec<WorkerReport>,
    /// Those that the journal knows, latest first.
    pub(in crate::http) known: Vec<WorkerView>,
}

/// The workers that are alive, as each says of itself, and those that there were.
#[utoipa::path(get, path = "/api/v1/workers", tag = "operations",
    responses((status = 200, body = WorkersView), ReadRefusals))]
pub(in crate::http) async fn workers(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    Ok(answer(known_and_alive(&state).await?))
}

/// The workers that are alive, and those that the journal knows.
pub(in crate::http) async fn known_and_alive(state: &HttpState) -> Result<WorkersView, HttpProblem> {
    let known = state
        .journal
        .views()
        .read(|db| queries::workers(db, MAX_ENDED_WORKERS))
        .await
        .map_err(unavailable)?;
    Ok(WorkersView { alive: alive(state).await?, known: known.into_iter().map(WorkerView::from).collect() })
}

/// What the workers say; this one as it is now, whatever it said last.
async fn alive(state: &HttpState) -> Result<Vec<WorkerReport>, HttpProblem> {
    let board = &state.services.board;
    let mut words = board.workers().await?;
    words.retain(|word| word.worker != board.worker);
    words.push(board.own(&state.probe, state.draining.begun(), state.pulse.age()).await);
    words.sort_by(|one, other| one.worker.cmp(&other.worker));
    Ok(words)
}

/// A right that one worker has at a time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lease)]
pub(in crate::http) struct LeaseView {
    /// Name, such as `poller`.
    pub(in crate::http) name: String,
    /// Who holds it; null after a release.
    pub(in crate::http) holder: Option<String>,
    /// Fence of the last grant.
    pub(in crate::http) fence: u64,
    /// When it was last granted or released.
    pub(in crate::http) since: DateTime<Utc>,
}

impl From<LeaseRow> for LeaseView {
    fn from(LeaseRow { name, holder, fence, since }: LeaseRow) -> Self {
        Self { name, holder, fence, since }
    }
}

/// Who may do what only one worker does.
#[utoipa::path(get, path = "/api/v1/leases", tag = "operations",
    responses((status = 200, body = Vec<LeaseView>), ReadRefusals))]
pub(in crate::http) async fn leases(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    Ok(answer(granted(&state).await?))
}

/// The leases, by name.
pub(in crate::http) async fn granted(state: &HttpState) -> Result<Vec<LeaseView>, HttpProblem> {
    let rows = state.journal.views().read(queries::leases).await.map_err(unavailable)?;
    Ok(rows.into_iter().map(LeaseView::from).collect())
}

/// A durable queue of the journal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub(in crate::http) struct QueueView {
    /// `hold`, `offload`, `deliver`, `flag`.
    queue: &'static str,
    /// Rows in all.
    rows: usize,
    /// There are more rows than were counted.
    more: bool,
    /// Rows that may be taken now.
    due: usize,
    /// Rows that come due later.
    later: usize,
    /// Rows that wait for an earlier step.
    reserved: usize,
    /// Dead letters.
    parked: usize,
    /// Rows that a worker is on.
    claimed: usize,
    /// When the oldest row that is due came due.
    oldest_due: Option<DateTime<Utc>>,
    /// When the next one comes due.
    next_due: Option<DateTime<Utc>>,
}

fn queue(queue: Queue, mut rows: Vec<OutboxRow>, now: DateTime<Utc>) -> QueueView {
    let more = rows.len() > MAX_COUNTED;
    rows.truncate(MAX_COUNTED);
    let times = |due: fn(DateTime<Utc>, DateTime<Utc>) -> bool| {
        rows.iter().filter_map(move |row| match row.due {
            Due::At(at) if due(at, now) => Some(at),
            _ => None,
        })
    };
    let (past, future) = (times(|at, now| at <= now), times(|at, now| at > now));
    let all = |due: Due| rows.iter().filter(|row| row.due == due).count();
    QueueView {
        queue: queue.as_str(),
        rows: rows.len(),
        more,
        due: past.clone().count(),
        later: future.clone().count(),
        reserved: all(Due::Reserved),
        parked: all(Due::Parked),
        claimed: rows.iter().filter(|row| row.claimed).count(),
        oldest_due: past.min(),
        next_due: future.min(),
    }
}

/// The work that waits in the journal.
#[utoipa::path(get, path = "/api/v1/queues", tag = "operations",
    responses((status = 200, body = Vec<QueueView>), ReadRefusals))]
pub(in crate::http) async fn queues(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let now = state.world.now();
    let mut queues = Vec::with_capacity(Queue::ALL.len());
    for name in Queue::ALL {
        let rows = state.journal.outbox(name, MAX_COUNTED + 1).await.map_err(unavailable)?;
        queues.push(queue(name, rows, now));
    }
    Ok(answer(queues))
}

/// A mailbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MailboxState)]
pub(in crate::http) struct MailboxView {
    /// Its name.
    mailbox: String,
    /// UIDVALIDITY.
    validity: u64,
    /// Highest UID at first sight; 0 after a renumbering.
    cursor: u64,
    /// When it was first seen.
    since: Option<DateTime<Utc>>,
    /// How often the server renumbered it.
    resets: u64,
    /// Mails marked as read.
    flagged: u64,
    /// How the worker that polls sees it; null = none says so now.
    seen: Option<MailboxReport>,
    /// That worker.
    worker: Option<String>,
}

/// Every mailbox that was ever opened, and how far behind its server we are.
#[utoipa::path(get, path = "/api/v1/mailboxes", tag = "operations",
    responses((status = 200, body = Vec<MailboxView>), ReadRefusals))]
pub(in crate::http) async fn mailboxes(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let rows = state.journal.views().read(queries::mailboxes).await.map_err(unavailable)?;
    let mut words = alive(&state).await?;
    // Who polls knows best.
    words.sort_by_key(|word| !word.polls);
    let view = |row: MailboxRow| {
        let sees = |word: &&WorkerReport| word.mailbox.as_ref().is_some_and(|seen| seen.name == row.mailbox);
        let word = words.iter().find(sees);
        let MailboxRow { mailbox, validity, cursor, since, resets, flagged } = row;
        MailboxView {
            mailbox,
            validity,
            cursor,
            since,
            resets,
            flagged,
            seen: word.and_then(|word| word.mailbox.clone()),
            worker: word.map(|word| word.worker.clone()),
        }
    };
    Ok(answer(rows.into_iter().map(view).collect::<Vec<_>>()))
}

/// A store of documents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Store)]
pub(in crate::http) struct StoreView {
    /// `redis`, `php`, `file`.
    store: &'static str,
    /// It has the last word.
    authority: bool,
    /// Since when it is as it is.
    since: Option<DateTime<Utc>>,
    /// What is wrong with it.
    trouble: Option<String>,
    /// Documents that it must still be given.
    pending: Vec<&'static str>,
    /// Documents that it and another one changed, each without the other's knowledge.
    conflicts: Vec<&'static str>,
}

impl From<StoreHealth> for StoreView {
    fn from(health: StoreHealth) -> Self {
        let names = |keys: &[Key]| keys.iter().map(|key| key.as_str()).collect();
        Self {
            store: health.store,
            authority: health.authority,
            since: health.since,
            pending: names(&health.pending),
            conflicts: names(&health.conflicts),
            trouble: health.trouble,
        }
    }
}

/// Where the documents are, the store that has the last word first; empty when there are only
/// files.
#[utoipa::path(get, path = "/api/v1/stores", tag = "operations",
    responses((status = 200, body = Vec<StoreView>), ReadRefusals))]
pub(in crate::http) async fn stores(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let health = state.services.configuration.store_health();
    Ok(answer(health.into_iter().map(StoreView::from).collect::<Vec<_>>()))
}
