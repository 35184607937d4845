//! `/api/v1/events`: what has happened, as pages and as a stream.

mod hub;
pub(in crate::http) mod stream;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, to};
use chrono::{DateTime, Utc};
use render_signal_actors::kernel::event::{Recorded, StreamId};
use render_signal_actors::readmodel::log::{self, LogSelection};
use render_signal_actors::registry;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{ObjectBuilder, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

use super::Params;
use super::page::{Limit, Position, unavailable};
use crate::http::HttpState;
use crate::http::access::ApiScope;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess};

pub(crate) use hub::EventHub;

pub(super) fn routes() -> Vec<Route> {
    let who = RouteAccess::Api(ApiScope::Read);
    vec![
        Route::get("/api/v1/events", who, || to(list)),
        Route::get("/api/v1/events/stream", who, || to(stream::events)),
        Route::get("/api/v1/events/{position}", who, || to(one)),
    ]
}

/// A fact of the journal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct EventView {
    /// Its place in the log, from 1.
    position: u64,
    /// Unique id given by the writer.
    id: Uuid,
    /// Stream it belongs to, such as `mail-<id>`.
    stream: String,
    /// Version within the stream, from 1.
    version: u64,
    /// `noun.past_tense`; `docs/EVENTS.md` lists them.
    kind: String,
    /// When it was decided, UTC.
    at: DateTime<Utc>,
    /// Id of what led to it.
    cause: Option<Uuid>,
    /// The fact, in today's shape whatever version wrote it.
    payload: Value,
}

impl From<Recorded> for EventView {
    fn from(event: Recorded) -> Self {
        // One of a kind that nobody knows any more is shown as it is.
        let payload = registry::read(&event).unwrap_or(event.payload);
        Self {
            position: event.position,
            id: event.id,
            stream: event.stream.as_str().to_owned(),
            version: event.version,
            kind: event.kind,
            at: event.at,
            cause: event.cause,
            payload,
        }
    }
}

/// Events, in the order that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EventPage {
    /// The events.
    items: Vec<EventView>,
    /// Send it as `cursor` for what follows; null = there is no more now. A page may be short, or
    /// empty, and have one: what is rare is looked for in steps.
    next_cursor: Option<u64>,
    /// Position of the last event of the log.
    head: u64,
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Order)]
pub(in crate::http) enum EventOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct EventListParams {
    /// Those of this stream, such as `mail-<id>`.
    stream: Option<String>,
    /// Those of streams of this category, such as `mail`.
    category: Option<String>,
    /// Those of these kinds, with commas between them.
    #[serde(default)]
    #[param(style = Form, explode = false, inline, value_type = Vec<KindName>)]
    kind: Vec<String>,
    /// Newest or oldest first.
    #[serde(default)]
    #[param(inline)]
    order: EventOrder,
    /// From where: `next_cursor` of the page before. It is a position.
    #[param(value_type = Option<u64>)]
    cursor: Option<Position>,
    /// How many at most, 1 to 200.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// A kind of event, as the description lists them.
pub(super) struct KindName;

impl PartialSchema for KindName {
    fn schema() -> RefOr<Schema> {
        let names = registry::all_kinds().into_iter().map(|kind| kind.kind);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for KindName {}

/// Which events a query names.
fn selection(
    stream: Option<&String>,
    category: Option<&String>,
    kinds: &[String],
) -> Result<LogSelection, HttpProblem> {
    if let Some(unknown) = kinds.iter().find(|kind| registry::known_kind(kind).is_none()) {
        let why = format!("{unknown:?} is no kind of event; docs/EVENTS.md lists them");
        return Err(HttpProblem::parameter("kind", why));
    }
    Ok(LogSelection {
        stream: stream.map(|name| StreamId::from_stored(name)),
        category: category.cloned(),
        kinds: kinds.to_vec(),
        ..LogSelection::default()
    })
}

/// Events by position, stream and kind.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventListParams),
    responses((status = 200, body = EventPage), ReadRefusals))]
pub(in crate::http) async fn list(
    Params(params): Params<EventListParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let selection = selection(params.stream.as_ref(), params.category.as_ref(), &params.kind)?;
    let (journal, limit) = (state.journal.as_ref(), params.limit.get());
    let cursor = params.cursor.map(Position::get);
    let page = match params.order {
        EventOrder::Newest => log::back(journal, &selection, cursor.unwrap_or(u64::MAX), limit).await,
        EventOrder::Oldest => log::onward(journal, &selection, cursor.unwrap_or(0), limit).await,
    };
    let page = page.map_err(unavailable)?;
    let head = journal.head().await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(EventPage {
        items: page.events.into_iter().map(EventView::from).collect(),
        next_cursor: page.next,
        head,
    }))
}

/// One event.
#[utoipa::path(get, path = "/api/v1/events/{position}", tag = "events",
    params(("position" = u64, Path, description = "Its place in the log")),
    responses((status = 200, body = EventView), ReadRefusals))]
pub(in crate::http) async fn one(
    position: Path<String>,
    _: Params<super::page::Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let nothing =
        || HttpProblem::new(ProblemKind::NotFound, "there is no event at this position, or it was archived");
    let position: u64 = position.parse().map_err(|_| nothing())?;
    let before = position.checked_sub(1).ok_or_else(nothing)?;
    let events = state.journal.read_log(before, 1).await.map_err(unavailable)?;
    let event = events.into_iter().find(|event| event.position == position).ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(EventView::from(event)))
}
