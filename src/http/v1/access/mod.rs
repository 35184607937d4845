//! `/api/v1/session`, `/sessions`, `/magic-links` and `/actions`: who has come in, how, and what
//! they did.

pub(in crate::http) mod actions;
pub(in crate::http) mod links;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, to};
use chrono::{DateTime, Utc};
use render_signal_actors::access::AccessError;
use render_signal_actors::access::sessions::{Session, Sessions};
use render_signal_actors::readmodel::queries::access::SessionRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Params;
use super::page::{Limit, Nothing, Position};
use crate::http::HttpState;
use crate::http::access::{ApiScope, Caller, Login};
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};

pub(super) fn routes() -> Vec<Route> {
    let who = RouteAccess::Api(ApiScope::Access);
    vec![
        Route::get("/api/v1/session", RouteAccess::Api(ApiScope::Read), || to(mine)),
        Route::delete("/api/v1/session", RouteAccess::Session, || to(end_mine)),
        Route::get("/api/v1/sessions", who, || to(sessions)),
        Route::delete("/api/v1/sessions", who, || to(end_all)),
        Route::delete("/api/v1/sessions/{id}", who, || to(end_one)),
        Route::get("/api/v1/magic-links", who, || to(links::list)),
        Route::post("/api/v1/magic-links", who, || to(links::create)).takes(Takes::Json).secret(),
        Route::delete("/api/v1/magic-links/{id}", who, || to(links::revoke)),
        Route::get("/api/v1/actions", RouteAccess::Api(ApiScope::Read), || to(actions::list)),
    ]
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
pub(in crate::http) struct CallerIdentity {
    /// The name in events, such as `session:admin` or `token:PROCESS_API_TOKEN`.
    by: String,
    /// The session; null for a token.
    session: Option<MySession>,
}

/// The session of whoever asks.
#[derive(Debug, Serialize, ToSchema)]
struct MySession {
    /// What it is called; opens nothing.
    id: String,
    /// Whose.
    user: String,
    /// `password` or `magic_link`.
    method: String,
    /// When it was opened, UTC.
    opened_at: DateTime<Utc>,
    /// It is over then, unless it is used before.
    idle_ends_at: DateTime<Utc>,
    /// It is over then, whatever happens.
    ends_at: DateTime<Utc>,
}

impl From<Session> for MySession {
    fn from(session: Session) -> Self {
        let Session { id, user, method, opened_at, idle_ends_at, ends_at } = session;
        Self { id, user, method, opened_at, idle_ends_at, ends_at }
    }
}

/// An open session.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SessionView {
    /// What it is called; opens nothing.
    pub(in crate::http) id: String,
    /// Whose.
    pub(in crate::http) user: String,
    /// `password` or `magic_link`.
    pub(in crate::http) method: String,
    /// The sign-in link that opened it; null for another method.
    pub(in crate::http) magic_link: Option<String>,
    /// It is that of whoever asks.
    pub(in crate::http) current: bool,
    /// From where it was used last; null = not known.
    pub(in crate::http) address: Option<String>,
    /// What the browser calls itself; null = it does not say.
    pub(in crate::http) user_agent: Option<String>,
    /// When it was opened, UTC.
    pub(in crate::http) opened_at: DateTime<Utc>,
    /// When it was used last, to a quarter of an hour.
    pub(in crate::http) used_at: DateTime<Utc>,
    /// It is over then, unless it is used before.
    pub(in crate::http) idle_ends_at: DateTime<Utc>,
    /// It is over then, whatever happens.
    pub(in crate::http) ends_at: DateTime<Utc>,
}

/// Open sessions, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SessionPage {
    /// The sessions.
    pub(in crate::http) items: Vec<SessionView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    pub(in crate::http) next_cursor: Option<u64>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PageParams {
    /// From where: `next_cursor` of the page before.
    #[param(value_type = Option<u64>)]
    cursor: Option<Position>,
    /// How many at most, 1 to 200.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Which sessions are ended.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct EndParams {
    /// Leave that of whoever asks.
    #[serde(default)]
    keep_current: bool,
}

/// How many were ended.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EndedSessions {
    /// Sessions that are over now.
    ended: u64,
}

/// How people sign in.
pub(in crate::http) fn login(state: &HttpState) -> Result<&Login, HttpProblem> {
    let nobody = || HttpProblem::new(ProblemKind::Unavailable, "nobody can sign in here");
    state.access.login.as_ref().ok_or_else(nobody)
}

/// What cannot be done while the journal or the document does not answer.
pub(in crate::http) fn not_now(error: AccessError) -> HttpProblem {
    tracing::warn!(%error, "a request about sessions or sign-in links could not be answered");
    HttpProblem::unavailable(error)
}

/// The part of a list that a page has, and what follows it: one more was asked for.
fn cut<T>(mut rows: Vec<T>, limit: usize, place: impl Fn(&T) -> u64) -> (Vec<T>, Option<u64>) {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(place);
    (rows, next)
}

fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn view(row: SessionRow, caller: &Caller) -> SessionView {
    SessionView {
        current: caller.session().is_some_and(|session| session.id == row.id),
        idle_ends_at: Sessions::idle_end(row.used_at),
        id: row.id,
        user: row.user,
        method: row.method,
        magic_link: said(row.link),
        address: said(row.address),
        user_agent: said(row.agent),
        opened_at: row.opened_at,
        used_at: row.used_at,
        ends_at: row.ends_at,
    }
}

/// Who I am, and until when.
#[utoipa::path(get, path = "/api/v1/session", tag = "access",
    responses((status = 200, body = CallerIdentity), ReadRefusals))]
pub(in crate::http) async fn mine(_: Params<Nothing>, caller: Caller) -> HttpResponse {
    let by = caller.by();
    HttpResponse::Ok().json(CallerIdentity { by, session: caller.session().cloned().map(MySession::from) })
}

/// Sign out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access",
    responses((status = 204, description = "It is over"), ChangeRefusals))]
pub(in crate::http) async fn end_mine(
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    if let Some(session) = caller.session() {
        login(&state)?.sessions.end(&session.id, "logout", &caller.by()).await.map_err(not_now)?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Who has signed in.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "access", params(PageParams),
    responses((status = 200, body = SessionPage), ReadRefusals))]
pub(in crate::http) async fn sessions(
    Params(params): Params<PageParams>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let cursor = params.cursor.map(Position::get);
    Ok(HttpResponse::Ok().json(session_page(&state, &caller, cursor, params.limit.get()).await?))
}

/// The open sessions below a position, the newest first.
pub(in crate::http) async fn session_page(
    state: &HttpState,
    caller: &Caller,
    cursor: Option<u64>,
    limit: usize,
) -> Result<SessionPage, HttpProblem> {
    let rows = login(state)?.sessions.list(cursor, limit + 1).await.map_err(not_now)?;
    let (rows, next_cursor) = cut(rows, limit, |row| row.position);
    let items = rows.into_iter().map(|row| view(row, caller)).collect();
    Ok(SessionPage { items, next_cursor })
}

/// Sign everybody out, everywhere.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "access", params(EndParams),
    responses((status = 200, body = EndedSessions), ChangeRefusals))]
pub(in crate::http) async fn end_all(
    Params(params): Params<EndParams>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let kept = caller.session().filter(|_| params.keep_current).map(|session| session.id.as_str());
    let ended = login(&state)?.sessions.end_all("everywhere", &caller.by(), kept).await.map_err(not_now)?;
    Ok(HttpResponse::Ok().json(EndedSessions { ended }))
}

/// End a session.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "access",
    params(("id" = String, Path, description = "What it is called")),
    responses((status = 204, description = "It is over, on every worker within a second"), ChangeRefusals))]
pub(in crate::http) async fn end_one(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    if login(&state)?.sessions.end(&id, "revoked", &caller.by()).await.map_err(not_now)? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(HttpProblem::new(
        ProblemKind::NotFound,
        "there is no session of this name; /api/v1/sessions lists them",
    ))
}
