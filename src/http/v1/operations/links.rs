//! The copies of linked files.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::LinkRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer;
use crate::http::HttpState;
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::HttpProblem;
use crate::http::v1::Params;
use crate::http::v1::page::{Limit, Nothing, Position};
use crate::services::links;

/// Which copies.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct LinkParams {
    /// What follows another answer: its `next_cursor`.
    #[param(value_type = Option<u64>)]
    cursor: Option<Position>,
    /// How many at most, from 1 to 200; 50 when it is not sent.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
}

/// A copy of a linked file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkCopy)]
pub(in crate::http) struct LinkView {
    /// Position of its event.
    position: u64,
    /// The mail it was made for.
    email_id: String,
    /// The link, normalised.
    source_url: String,
    /// Where the copy lies.
    r2_url: String,
    /// File service.
    provider: String,
    /// The file's own name.
    original_filename: Option<String>,
    /// When it was made.
    at: DateTime<Utc>,
    /// When it may be deleted at the earliest, where that is known.
    expires_at: Option<DateTime<Utc>>,
}

impl From<LinkRow> for LinkView {
    fn from(row: LinkRow) -> Self {
        Self {
            position: row.position,
            email_id: row.email_id,
            source_url: row.source_url,
            r2_url: row.r2_url,
            provider: row.provider,
            original_filename: row.original_filename,
            at: row.at,
            expires_at: row.expires_at,
        }
    }
}

/// Copies, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkCopies)]
pub(in crate::http) struct LinkCopiesView {
    /// The copies.
    items: Vec<LinkView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    next_cursor: Option<u64>,
}

/// The copies that were made, newest first.
#[utoipa::path(get, path = "/api/v1/links", tag = "operations", params(LinkParams),
    responses((status = 200, body = LinkCopiesView), ReadRefusals))]
pub(in crate::http) async fn list(
    Params(params): Params<LinkParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let limit = params.limit.get();
    let rows = links::before(state.journal.as_ref(), params.cursor.map(Position::get), limit + 1).await?;
    let more = rows.len() > limit;
    let items: Vec<LinkView> = rows.into_iter().take(limit).map(LinkView::from).collect();
    let next_cursor = items.last().filter(|_| more).map(|last| last.position);
    Ok(answer(LinkCopiesView { items, next_cursor }))
}

/// What the list of copies (`WEBHOOK_LINKS_FILE`) holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkListStats)]
pub(in crate::http) struct StatsView {
    /// Its path.
    file: String,
    /// Entries in all.
    entries: usize,
    /// Of these, copies: a source and its address in R2.
    r2: usize,
    /// Of these, links alone, as the pages of the system before wrote them.
    legacy: usize,
    /// Neither.
    other: usize,
    /// Entries by provider.
    providers: BTreeMap<String, usize>,
    /// Files into which the list was put when it had become too long, or was damaged.
    archives: usize,
}

/// What the list of copies holds.
#[utoipa::path(get, path = "/api/v1/links/list", tag = "operations",
    responses((status = 200, body = StatsView), ReadRefusals))]
pub(in crate::http) async fn stats(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let stats = links::stats(&state.services.links)?;
    Ok(answer(StatsView {
        file: stats.file,
        entries: stats.counts.entries,
        r2: stats.counts.r2,
        legacy: stats.counts.legacy,
        other: stats.counts.other,
        providers: stats.counts.providers,
        archives: stats.archives,
    }))
}

/// A list that was written anew.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkListRebuilt)]
pub(in crate::http) struct RebuiltView {
    /// Entries that it has now.
    entries: usize,
}

/// Writes the list of copies anew, from the journal.
#[utoipa::path(post, path = "/api/v1/links/rebuild", tag = "operations",
    responses((status = 200, body = RebuiltView), ChangeRefusals))]
pub(in crate::http) async fn rebuild(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let entries = links::rebuild(state.journal.as_ref(), &state.world, &state.services.links).await?;
    Ok(answer(RebuiltView { entries }))
}
