//! `/api/v1/magic-links`: links that sign somebody in.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use render_signal_actors::access::links::{LinkSeen, LinkStatus};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PageParams, login, not_now};
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::page::{Nothing, Position};
use crate::http::v1::{JsonBody, Params};

/// Where a sign-in link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MagicLinkState)]
pub(in crate::http) enum MagicLinkStatus {
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

impl From<LinkStatus> for MagicLinkStatus {
    fn from(standing: LinkStatus) -> Self {
        match standing {
            LinkStatus::Open => Self::Open,
            LinkStatus::Used => Self::Used,
            LinkStatus::Expired => Self::Expired,
            LinkStatus::Revoked => Self::Revoked,
            LinkStatus::Gone => Self::Gone,
        }
    }
}

/// A sign-in link, without what opens a session.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MagicLinkView {
    /// What it is called; opens nothing.
    pub(in crate::http) id: String,
    /// Where it stands.
    pub(in crate::http) state: MagicLinkStatus,
    /// It opens one session; otherwise any number.
    pub(in crate::http) single_use: bool,
    /// When it was made, UTC; null = another program made it.
    pub(in crate::http) created_at: Option<DateTime<Utc>>,
    /// Who made it; `external` = another program.
    pub(in crate::http) created_by: String,
    /// It opens nothing after that; null = never ends.
    pub(in crate::http) expires_at: Option<DateTime<Utc>>,
    /// When it was used last, as far as that is known.
    pub(in crate::http) used_at: Option<DateTime<Utc>>,
    /// Sessions that it opened here.
    pub(in crate::http) uses: u64,
}

impl From<LinkSeen> for MagicLinkView {
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
pub(in crate::http) struct MagicLinkPage {
    /// The links.
    pub(in crate::http) items: Vec<MagicLinkView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    pub(in crate::http) next_cursor: Option<u64>,
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
    pub(in crate::http) id: String,
    /// Whoever has it can sign in.
    pub(in crate::http) url: String,
    /// It opens one session; otherwise any number.
    pub(in crate::http) single_use: bool,
    /// It opens nothing after that; null = never ends.
    pub(in crate::http) expires_at: Option<DateTime<Utc>>,
}

/// Sign-in links.
#[utoipa::path(get, path = "/api/v1/magic-links", tag = "access", params(PageParams),
    responses((status = 200, body = MagicLinkPage), ReadRefusals))]
pub(in crate::http) async fn list(
    Params(params): Params<PageParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let from = params.cursor.map_or(0, Position::get);
    Ok(HttpResponse::Ok().json(link_page(&state, from, params.limit.get()).await?))
}

/// The sign-in links from a place of their list on.
pub(in crate::http) async fn link_page(
    state: &HttpState,
    from: u64,
    limit: usize,
) -> Result<MagicLinkPage, HttpProblem> {
    let all = login(state)?.links.list().await.map_err(not_now)?;
    let rest = all.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX));
    let mut items: Vec<MagicLinkView> = rest.take(limit + 1).map(MagicLinkView::from).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = more.then(|| from.saturating_add(limit as u64));
    Ok(MagicLinkPage { items, next_cursor })
}

/// Make a sign-in link.
#[utoipa::path(post, path = "/api/v1/magic-links", tag = "access", request_body = WantedLink,
    responses((status = 201, body = MadeLink), ChangeRefusals))]
pub(in crate::http) async fn create(
    caller: Caller,
    state: Data<HttpState>,
    _: Params<Nothing>,
    JsonBody(wanted): JsonBody<WantedLink>,
) -> Result<HttpResponse, HttpProblem> {
    let made = make(&state, wanted.permanent, &caller.by()).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Makes a link, whose address is in the answer and nowhere else.
pub(in crate::http) async fn make(
    state: &HttpState,
    permanent: bool,
    by: &str,
) -> Result<MadeLink, HttpProblem> {
    let login = login(state)?;
    let url = |token: &str| login.link_url(token);
    let missing = || {
        let why = "set PUBLIC_BASE_URL to the address under which browsers reach this service, such as \
                   https://signal.example.fr: links begin with it, and a request must not choose it";
        HttpProblem::new(ProblemKind::Conflict, why)
    };
    // Before there is a link of which nobody learns.
    url("").ok_or_else(missing)?;
    let made = login.links.create(permanent, by).await.map_err(not_now)?;
    let url = url(made.token.expose_secret()).ok_or_else(missing)?;
    let (id, expires_at) = (made.name, made.expires_at);
    Ok(MadeLink { id, url, single_use: !permanent, expires_at })
}

/// Have a sign-in link open nothing any more, and end the sessions that it opened.
#[utoipa::path(delete, path = "/api/v1/magic-links/{id}", tag = "access",
    params(("id" = String, Path, description = "What it is called")),
    responses((status = 204, description = "It opens nothing any more, here and in the system before; the sessions that it opened here are over"), ChangeRefusals))]
pub(in crate::http) async fn revoke(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    if let Some(ended) = login(&state)?.links.revoke(&id, &caller.by()).await.map_err(not_now)? {
        tracing::info!(ended, "a sign-in link was revoked; the sessions that it opened were ended");
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(HttpProblem::new(
        ProblemKind::NotFound,
        "there is no sign-in link of this name; /api/v1/magic-links lists them",
    ))
}
