//! `/api/v1/session`, `/sessions`, `/magic-links` and `/actions`: who has come in, how, and what
//! they did.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, to};
use chrono::{DateTime, Utc};
use render_signal_actors::access::AccessError;
use render_signal_actors::access::links::{LinkSeen, Standing};
use render_signal_actors::access::sessions::{Session, Sessions};
use render_signal_actors::readmodel::queries::access::{ActionRow, SessionRow, actions};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::{Limit, Nothing, unavailable};
use super::{JsonBody, Params};
use crate::http::HttpState;
use crate::http::access::{Caller, Login, Scope};
use crate::http::openapi::refusals::{Refused, RefusedChange};
use crate::http::problem::{Kind, Problem};
use crate::http::routes::{Route, Takes, Who};

pub(super) fn routes() -> Vec<Route> {
    let who = Who::Api(Scope::Access);
    vec![
        Route::get("/api/v1/session", Who::Api(Scope::Read), || to(mine)),
        Route::delete("/api/v1/session", Who::Session, || to(end_mine)),
        Route::get("/api/v1/sessions", who, || to(sessions)),
        Route::delete("/api/v1/sessions", who, || to(end_all)),
        Route::delete("/api/v1/sessions/{id}", who, || to(end_one)),
        Route::get("/api/v1/magic-links", who, || to(links)),
        Route::post("/api/v1/magic-links", who, || to(create_link)).takes(Takes::Json).secret(),
        Route::delete("/api/v1/magic-links/{id}", who, || to(revoke_link)),
        Route::get("/api/v1/actions", Who::Api(Scope::Read), || to(who_did_what)),
    ]
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Identity {
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
    id: String,
    /// Whose.
    user: String,
    /// `password` or `magic_link`.
    method: String,
    /// The sign-in link that opened it; null for another method.
    magic_link: Option<String>,
    /// It is that of whoever asks.
    current: bool,
    /// From where it was used last; null = not known.
    address: Option<String>,
    /// What the browser calls itself; null = it does not say.
    user_agent: Option<String>,
    /// When it was opened, UTC.
    opened_at: DateTime<Utc>,
    /// When it was used last, to a quarter of an hour.
    used_at: DateTime<Utc>,
    /// It is over then, unless it is used before.
    idle_ends_at: DateTime<Utc>,
    /// It is over then, whatever happens.
    ends_at: DateTime<Utc>,
}

/// Open sessions, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SessionPage {
    /// The sessions.
    items: Vec<SessionView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    next_cursor: Option<u64>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PageParams {
    /// From where: `next_cursor` of the page before.
    cursor: Option<u64>,
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

/// Where a sign-in link stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LinkState {
    /// It opens a session.
    Open,
    /// It has opened its one session.
    Used,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// Another program has removed it.
    Gone,
}

impl From<Standing> for LinkState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Open => Self::Open,
            Standing::Used => Self::Used,
            Standing::Expired => Self::Expired,
            Standing::Revoked => Self::Revoked,
            Standing::Gone => Self::Gone,
        }
    }
}

/// A sign-in link, without what opens a session.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct LinkView {
    /// What it is called; opens nothing.
    id: String,
    /// Where it stands.
    state: LinkState,
    /// It opens one session; otherwise any number.
    single_use: bool,
    /// When it was made, UTC; null = another program made it.
    created_at: Option<DateTime<Utc>>,
    /// Who made it; `external` = another program.
    created_by: String,
    /// It opens nothing after that; null = never ends.
    expires_at: Option<DateTime<Utc>>,
    /// When it was used last, as far as that is known.
    used_at: Option<DateTime<Utc>>,
    /// Sessions that it opened here.
    uses: u64,
}

impl From<LinkSeen> for LinkView {
    fn from(link: LinkSeen) -> Self {
        Self {
            id: link.name,
            state: link.standing.into(),
            single_use: link.single_use,
            created_at: link.created_at,
            created_by: link.created_by,
            expires_at: link.expires_at,
            used_at: link.used_at,
            uses: link.uses,
        }
    }
}

/// Sign-in links: those that open a session, then those that were over in the last 30 days.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct LinkPage {
    /// The links.
    items: Vec<LinkView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    next_cursor: Option<u64>,
}

/// What link is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct WantedLink {
    /// It never ends and opens any number of sessions, until it is revoked.
    #[serde(default)]
    permanent: bool,
}

/// A link that was made. Its address is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MadeLink {
    /// What it is called; opens nothing.
    id: String,
    /// Whoever has it can sign in.
    url: String,
    /// It opens one session; otherwise any number.
    single_use: bool,
    /// It opens nothing after that; null = never ends.
    expires_at: Option<DateTime<Utc>>,
}

/// Somebody did something.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ActionView {
    /// Position of its event, under which `/api/v1/events` has the whole of it.
    position: u64,
    /// When, UTC.
    at: DateTime<Utc>,
    /// Who: `session:<user>`, `token:<name>`, `cli` …
    by: String,
    /// What: the kind of the event, such as `config.changed`.
    kind: String,
    /// To what: the stream of the event, such as `config-webhook_config`.
    stream: String,
}

impl From<ActionRow> for ActionView {
    fn from(row: ActionRow) -> Self {
        Self { position: row.position, at: row.at, by: row.actor, kind: row.kind, stream: row.stream }
    }
}

/// What was done, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ActionPage {
    /// What was done.
    items: Vec<ActionView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    next_cursor: Option<u64>,
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ActionParams {
    /// What this one did, such as `session:admin`.
    by: Option<String>,
    /// From where: `next_cursor` of the page before.
    cursor: Option<u64>,
    /// How many at most, 1 to 200.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

fn login(state: &HttpState) -> Result<&Login, Problem> {
    let nobody = || Problem::new(Kind::Unavailable, "nobody can sign in here");
    state.access.login.as_ref().ok_or_else(nobody)
}

fn not_now(error: AccessError) -> Problem {
    tracing::warn!(%error, "a request about sessions or sign-in links could not be answered");
    Problem::unavailable(error)
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
    responses((status = 200, body = Identity), Refused))]
pub(in crate::http) async fn mine(_: Params<Nothing>, caller: Caller) -> HttpResponse {
    let by = caller.by();
    HttpResponse::Ok().json(Identity { by, session: caller.session().cloned().map(MySession::from) })
}

/// Sign out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access",
    responses((status = 204, description = "It is over"), RefusedChange))]
pub(in crate::http) async fn end_mine(
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    if let Some(session) = caller.session() {
        login(&state)?.sessions.end(&session.id, "logout", &caller.by()).await.map_err(not_now)?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Who has signed in.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "access", params(PageParams),
    responses((status = 200, body = SessionPage), Refused))]
pub(in crate::http) async fn sessions(
    Params(params): Params<PageParams>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let limit = params.limit.get();
    let rows = login(&state)?.sessions.list(params.cursor, limit + 1).await.map_err(not_now)?;
    let (rows, next_cursor) = cut(rows, limit, |row| row.position);
    let items = rows.into_iter().map(|row| view(row, &caller)).collect();
    Ok(HttpResponse::Ok().json(SessionPage { items, next_cursor }))
}

/// Sign everybody out, everywhere.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "access", params(EndParams),
    responses((status = 200, body = EndedSessions), RefusedChange))]
pub(in crate::http) async fn end_all(
    Params(params): Params<EndParams>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let kept = caller.session().filter(|_| params.keep_current).map(|session| session.id.as_str());
    let ended = login(&state)?.sessions.end_all("everywhere", &caller.by(), kept).await.map_err(not_now)?;
    Ok(HttpResponse::Ok().json(EndedSessions { ended }))
}

/// End a session.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "access",
    params(("id" = String, Path, description = "What it is called")),
    responses((status = 204, description = "It is over, on every worker within a second"), RefusedChange))]
pub(in crate::http) async fn end_one(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    if login(&state)?.sessions.end(&id, "revoked", &caller.by()).await.map_err(not_now)? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::new(Kind::NotFound, "there is no session of this name; /api/v1/sessions lists them"))
}

/// Sign-in links.
#[utoipa::path(get, path = "/api/v1/magic-links", tag = "access", params(PageParams),
    responses((status = 200, body = LinkPage), Refused))]
pub(in crate::http) async fn links(
    Params(params): Params<PageParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let limit = params.limit.get();
    let from = params.cursor.unwrap_or(0);
    let all = login(&state)?.links.list().await.map_err(not_now)?;
    let rest = all.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX));
    let mut items: Vec<LinkView> = rest.take(limit + 1).map(LinkView::from).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = more.then(|| from.saturating_add(limit as u64));
    Ok(HttpResponse::Ok().json(LinkPage { items, next_cursor }))
}

/// Make a sign-in link.
#[utoipa::path(post, path = "/api/v1/magic-links", tag = "access", request_body = WantedLink,
    responses((status = 201, body = MadeLink), RefusedChange))]
pub(in crate::http) async fn create_link(
    caller: Caller,
    state: Data<HttpState>,
    _: Params<Nothing>,
    JsonBody(wanted): JsonBody<WantedLink>,
) -> Result<HttpResponse, Problem> {
    let login = login(&state)?;
    let url = |token: &str| login.link_url(token);
    let missing = || {
        let why = "set PUBLIC_BASE_URL to the address under which browsers reach this service, such as \
                   https://signal.example.fr: links begin with it, and a request must not choose it";
        Problem::new(Kind::Conflict, why)
    };
    // Before there is a link of which nobody learns.
    url("").ok_or_else(missing)?;
    let made = login.links.create(wanted.permanent, &caller.by()).await.map_err(not_now)?;
    let url = url(made.token.expose_secret()).ok_or_else(missing)?;
    let (id, expires_at) = (made.name, made.expires_at);
    Ok(HttpResponse::Created().json(MadeLink { id, url, single_use: !wanted.permanent, expires_at }))
}

/// Have a sign-in link open nothing any more.
#[utoipa::path(delete, path = "/api/v1/magic-links/{id}", tag = "access",
    params(("id" = String, Path, description = "What it is called")),
    responses((status = 204, description = "It opens nothing any more, here and in the system before"), RefusedChange))]
pub(in crate::http) async fn revoke_link(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    if login(&state)?.links.revoke(&id, &caller.by()).await.map_err(not_now)? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::new(Kind::NotFound, "there is no sign-in link of this name; /api/v1/magic-links lists them"))
}

/// Who did what.
#[utoipa::path(get, path = "/api/v1/actions", tag = "access", params(ActionParams),
    responses((status = 200, body = ActionPage), Refused))]
pub(in crate::http) async fn who_did_what(
    Params(params): Params<ActionParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (limit, by, cursor) = (params.limit.get(), params.by, params.cursor);
    let rows = state.journal.views().read(move |db| actions(db, by.as_deref(), cursor, limit + 1)).await;
    let (rows, next_cursor) = cut(rows.map_err(unavailable)?, limit, |row| row.position);
    let items = rows.into_iter().map(ActionView::from).collect();
    Ok(HttpResponse::Ok().json(ActionPage { items, next_cursor }))
}
