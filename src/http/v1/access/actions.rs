//! `/api/v1/actions`: who did what.

use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::access::{ActionRow, actions};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cut;
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::HttpProblem;
use crate::http::v1::Params;
use crate::http::v1::page::{Limit, Position, unavailable};

/// Somebody did something.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ActionView {
    /// Position of its event, under which `/api/v1/events` has the whole of it.
    pub(in crate::http) position: u64,
    /// When, UTC.
    pub(in crate::http) at: DateTime<Utc>,
    /// Who: `session:<user>`, `token:<name>`, `cli` …
    pub(in crate::http) by: String,
    /// What: the kind of the event, such as `config.changed`.
    pub(in crate::http) kind: String,
    /// To what: the stream of the event, such as `config-webhook_config`.
    pub(in crate::http) stream: String,
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
    pub(in crate::http) items: Vec<ActionView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    pub(in crate::http) next_cursor: Option<u64>,
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ActionParams {
    /// What this one did, such as `session:admin`.
    by: Option<String>,
    /// From where: `next_cursor` of the page before.
    #[param(value_type = Option<u64>)]
    cursor: Option<Position>,
    /// How many at most, 1 to 200.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Who did what.
#[utoipa::path(get, path = "/api/v1/actions", tag = "access", params(ActionParams),
    responses((status = 200, body = ActionPage), ReadRefusals))]
pub(in crate::http) async fn list(
    Params(params): Params<ActionParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let cursor = params.cursor.map(Position::get);
    Ok(HttpResponse::Ok().json(action_page(&state, params.by, cursor, params.limit.get()).await?))
}

/// What was done below a position, the newest first; by one actor when one is named.
pub(in crate::http) async fn action_page(
    state: &HttpState,
    by: Option<String>,
    cursor: Option<u64>,
    limit: usize,
) -> Result<ActionPage, HttpProblem> {
    let rows = state.journal.views().read(move |db| actions(db, by.as_deref(), cursor, limit + 1)).await;
    let (rows, next_cursor) = cut(rows.map_err(unavailable)?, limit, |row| row.position);
    let items = rows.into_iter().map(ActionView::from).collect();
    Ok(ActionPage { items, next_cursor })
}
