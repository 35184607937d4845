//! The list of mails: filters, text, pages, counts.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::{self, Fate, FateCount, MailFilter, StageCount};
use render_signal_actors::search::{MailPage, MailQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{MailFate, MailStateParam, MailView};
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::HttpProblem;
use crate::http::v1::Params;
use crate::http::v1::page::{Limit, Nothing, unavailable};

/// What to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct MailListParams {
    /// Words, each of which is a part of the subject or the sender; case and accents do not matter.
    text: Option<String>,
    /// Words, each of which is a part of the sender.
    sender: Option<String>,
    /// Those in one of these states, with commas between them.
    #[serde(default)]
    #[param(style = Form, explode = false, inline)]
    state: Vec<MailStateParam>,
    /// Those of which this became: `delivered` (every receiver took its webhook, but for those that
    /// somebody cancelled), `waiting` (held, or a webhook has not ended), `ignored` (nothing is sent, or all was
    /// cancelled), `failed` (a webhook was given up), `unreadable` (no mail that can be read, or workers ended over it).
    #[param(inline)]
    fate: Option<MailFate>,
    /// Those with this reason, such as `no_links`.
    reason: Option<String>,
    /// Those that this detector recognised.
    detector: Option<String>,
    /// Those that were routed to this target.
    target: Option<String>,
    /// Those that came then or later.
    since: Option<DateTime<Utc>>,
    /// Those that came before.
    until: Option<DateTime<Utc>>,
    /// `true`: those of which a delivery was given up, or has failed so far.
    #[serde(default)]
    failed: bool,
    /// From where: `next_cursor` or `previous_cursor` of another page.
    cursor: Option<String>,
    /// How many at most, 1 to 200.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Mails, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailPageView {
    /// The mails.
    items: Vec<MailView>,
    /// Send it as `cursor` for older ones; null = there are none. A page may be short, or empty,
    /// and have one: what is rare is looked for in steps.
    next_cursor: Option<String>,
    /// Send it as `cursor` for newer ones; null = this is the newest page.
    previous_cursor: Option<String>,
    /// How many mails match.
    count: u64,
    /// There are more than `count`: counting ends there.
    count_capped: bool,
    /// False: mails are still being made known to the search, and more may be found in a moment.
    complete: bool,
}

impl From<MailPage> for MailPageView {
    fn from(page: MailPage) -> Self {
        Self {
            items: page.mails.into_iter().map(MailView::from).collect(),
            next_cursor: page.older.map(|position| format!("o{position}")),
            previous_cursor: page.newer.map(|position| format!("n{position}")),
            count: page.matches.count,
            count_capped: page.matches.capped,
            complete: page.complete,
        }
    }
}

impl MailListParams {
    fn query(self) -> Result<MailQuery, HttpProblem> {
        let (before, after) = self.cursor.as_deref().map_or(Ok((None, None)), place)?;
        let filter = MailFilter {
            stages: self.state.into_iter().map(MailStateParam::stored).collect(),
            fate: self.fate.map(Fate::from),
            // The store has an empty one where there is none.
            reason: self.reason.filter(|reason| !reason.is_empty()),
            detector: self.detector,
            target: self.target,
            since: self.since,
            until: self.until,
            failed: self.failed,
            positions: None,
            before,
            after,
            limit: self.limit.get(),
        };
        Ok(MailQuery { filter, text: self.text, sender: self.sender })
    }
}

/// Before or after which mail.
pub(in crate::http) fn place(cursor: &str) -> Result<(Option<u64>, Option<u64>), HttpProblem> {
    let refused = || HttpProblem::parameter("cursor", "is none that a page gave");
    let (way, position) = cursor.split_at_checked(1).ok_or_else(refused)?;
    let position: u64 = position.parse().map_err(|_| refused())?;
    match way {
        "o" => Ok((Some(position), None)),
        "n" => Ok((None, Some(position))),
        _ => Err(refused()),
    }
}

/// Mails, filtered and searched.
#[utoipa::path(get, path = "/api/v1/mails", tag = "mails", operation_id = "list_mails", params(MailListParams),
    responses((status = 200, body = MailPageView), ReadRefusals))]
pub(in crate::http) async fn list(
    Params(params): Params<MailListParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let page = state.search.mails(&params.query()?).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(MailPageView::from(page)))
}

/// How many mails there are in a state, for a reason.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailCount {
    /// The state.
    state: String,
    /// The reason, where the state has one.
    reason: Option<String>,
    /// How many.
    count: u64,
}

/// How many mails a fate has, for a reason.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailFateCount {
    /// What became of them.
    fate: MailFate,
    /// Why they are held, skipped or ignored; null = of another state.
    reason: Option<String>,
    /// How many.
    count: u64,
}

/// Counts. Each of both lists has every mail once.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailCounts {
    /// By state and reason.
    items: Vec<MailCount>,
    /// By what became of them and reason, the most first: what `fate` filters by.
    fates: Vec<MailFateCount>,
}

/// How many mails there are: by state and reason, and by what became of them and reason.
#[utoipa::path(get, path = "/api/v1/mails/counts", tag = "mails", operation_id = "count_mails",
    responses((status = 200, body = MailCounts), ReadRefusals))]
pub(in crate::http) async fn counts(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    // In one look, so that both lists are of the same mails.
    let views = state.journal.views();
    let both = views
        .read(|db| Ok((queries::count_by_reason(db)?, queries::count_fates(db, &MailFilter::default())?)));
    let (stages, fates) = both.await.map_err(unavailable)?;
    let stage = |row: StageCount| MailCount { state: row.stage, reason: row.reason, count: row.n };
    let fate = |row: FateCount| MailFateCount { fate: row.fate.into(), reason: row.reason, count: row.n };
    let counts = MailCounts {
        items: stages.into_iter().map(stage).collect(),
        fates: fates.into_iter().map(fate).collect(),
    };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_one_that_a_page_gave() {
        assert_eq!(place("o12").ok(), Some((Some(12), None)));
        assert_eq!(place("n0").ok(), Some((None, Some(0))));
        for wrong in ["", "o", "12", "x12", "o-1", "é1", "o99999999999999999999"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
