//! The list of deliveries, and one of them.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use render_signal_actors::mail::outbox_rows::{delivery_body_key, webhook_id};
use render_signal_actors::readmodel::queries::{self, DeliveryPlace, DeliverySelection};
use render_signal_actors::story::{DeliveryStory, delivery_steps};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{DeliveryStateParam, DeliveryStoryView, DeliveryView};
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::Params;
use crate::http::v1::page::{Limit, Nothing, Status, unavailable};

/// Deliveries that are counted; of more it is only said that there are more.
const MAX_COUNTED: u64 = 10_000;

/// What to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct DeliveryListParams {
    /// Those in one of these states, with commas between them.
    #[serde(default)]
    #[param(style = Form, explode = false)]
    state: Vec<DeliveryStateParam>,
    /// Those to this target.
    target: Option<String>,
    /// Those of this mail.
    mail: Option<String>,
    /// Those whose last attempt was answered with this HTTP status.
    #[param(value_type = Option<u16>, minimum = 100, maximum = 599)]
    status: Option<Status>,
    /// Those whose last error has this part; upper and lower case are alike.
    error: Option<String>,
    /// Those that were decided then or later.
    since: Option<DateTime<Utc>>,
    /// Those that were decided before.
    until: Option<DateTime<Utc>>,
    /// From where: `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many at most, 1 to 200.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Deliveries, latest decided first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DeliveryPage {
    /// The deliveries.
    items: Vec<DeliveryView>,
    /// Send it as `cursor` for what follows; null = there is no more.
    next_cursor: Option<String>,
    /// How many deliveries match.
    count: u64,
    /// There are more than `count`: counting ends there.
    count_capped: bool,
}

fn cursor(place: &DeliveryPlace) -> String {
    // Numbers and texts always have a JSON form.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

fn place(cursor: &str) -> Result<DeliveryPlace, HttpProblem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.ok_or_else(|| HttpProblem::parameter("cursor", "is none that a page gave"))
}

/// Deliveries, filtered.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "deliveries", operation_id = "list_deliveries", params(DeliveryListParams),
    responses((status = 200, body = DeliveryPage), ReadRefusals))]
pub(in crate::http) async fn list(
    Params(params): Params<DeliveryListParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let after = params.cursor.as_deref().map(place).transpose()?;
    let limit = params.limit.get();
    let selection = DeliverySelection {
        states: params.state.into_iter().map(DeliveryStateParam::stored).collect(),
        target: params.target,
        email_id: params.mail,
        last_status: params.status.map(Status::get),
        error: params.error,
        since: params.since,
        until: params.until,
    };
    let views = state.journal.views();
    let read = views.read(move |db| {
        let rows = queries::select_deliveries(db, &selection, after.as_ref(), limit.saturating_add(1))?;
        Ok((rows, queries::count_selection(db, &selection, MAX_COUNTED)?))
    });
    let (mut rows, matches) = read.await.map_err(unavailable)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor(&DeliveryPlace::of(row)));
    let items = rows.into_iter().map(DeliveryView::from).collect();
    let page = DeliveryPage { items, next_cursor, count: matches.count, count_capped: matches.capped };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(page))
}

/// There is no such delivery.
pub(super) fn unknown(mail: &str, target: &str) -> HttpProblem {
    let why = format!("no webhook of mail {mail} to target {target:?} is known, or it was archived");
    HttpProblem::new(ProblemKind::NotFound, why)
}

/// One delivery with every attempt, and what the receiver said about those that failed.
#[utoipa::path(get, path = "/api/v1/deliveries/{mail}/{target}", tag = "deliveries", operation_id = "delivery_story",
    params(("mail" = String, Path, description = "Identity of the mail"),
        ("target" = String, Path, description = "Id of the target")),
    responses((status = 200, body = DeliveryStoryView), ReadRefusals))]
pub(in crate::http) async fn one(
    path: Path<(String, String)>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let (mail, target) = path.into_inner();
    let journal = state.journal.as_ref();
    let asked = (mail.clone(), target.clone());
    let row = journal.views().read(move |db| queries::delivery(db, &asked.0, &asked.1)).await;
    let row = row.map_err(unavailable)?.ok_or_else(|| unknown(&mail, &target))?;
    let steps = delivery_steps(journal, &mail, &target).await.map_err(unavailable)?;
    let body = journal.body(&delivery_body_key(&mail, &target)).await.map_err(unavailable)?;
    let story = DeliveryStory {
        row,
        webhook_id: webhook_id(&mail, &target),
        body_kept: body.is_some_and(|bytes| !bytes.is_empty()),
        steps,
    };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(DeliveryStoryView::from(story)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let there = DeliveryPlace { routed_at: -5, email_id: "a".to_owned(), target: "é/\"".to_owned() };
        assert_eq!(place(&cursor(&there)).ok(), Some(there));
        for wrong in ["", "x", "e30", "????"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
