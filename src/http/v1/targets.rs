//! `/api/v1/targets`: how each target is, and how it has fared.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, to};
use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::readmodel::queries::{self, DeliveryHour, TargetCount, TargetRow};
use render_signal_actors::webhook::target::enable_target;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Params;
use super::page::{Nothing, unavailable};
use crate::http::HttpState;
use crate::http::access::{ApiScope, Caller};
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess};

/// The longest span that may be asked for: the numbers of an hour are kept for a month at least.
const MAX_HOURS: i64 = 31 * 24;

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/targets", RouteAccess::Api(ApiScope::Read), || to(list)),
        Route::get("/api/v1/targets/hours", RouteAccess::Api(ApiScope::Read), || to(hours)),
        Route::post("/api/v1/targets/{id}/enable", RouteAccess::Api(ApiScope::Actions), || to(enable)),
    ]
}

/// A target that something ever happened to.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(in crate::http) struct TargetView {
    /// `default`, that of a routing rule, or `@notify`.
    pub(super) id: String,
    /// It said that it is gone (410): its deliveries wait until its address changes or somebody enables it.
    disabled: bool,
    /// Why it is disabled.
    reason: Option<String>,
    /// It failed repeatedly: its deliveries wait.
    breaker_open: bool,
    /// When an open breaker lets one through.
    breaker_until: Option<DateTime<Utc>>,
    /// Last attempt that went well.
    last_success_at: Option<DateTime<Utc>>,
    /// Last attempt that failed.
    last_failure_at: Option<DateTime<Utc>>,
    /// What went wrong then.
    last_failure: Option<String>,
    /// Of which mail.
    last_failure_mail: Option<String>,
}

impl From<TargetRow> for TargetView {
    fn from(row: TargetRow) -> Self {
        Self {
            id: row.id,
            disabled: row.disabled,
            reason: row.reason,
            breaker_open: row.breaker == "open",
            breaker_until: row.breaker_until,
            last_success_at: row.last_success_at,
            last_failure_at: row.last_failure_at,
            last_failure: row.last_failure,
            last_failure_mail: row.last_failure_of,
        }
    }
}

/// How many webhooks were taken within how long after their mails came in.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(in crate::http) struct LatencyView {
    /// Up to 1 s.
    within_1s: u64,
    /// Up to 5 s.
    within_5s: u64,
    /// Up to 30 s.
    within_30s: u64,
    /// Up to 2 min.
    within_2min: u64,
    /// Up to 10 min.
    within_10min: u64,
    /// Up to 1 h.
    within_1h: u64,
    /// Later: a mail that was held, or a target that failed for long.
    later: u64,
}

/// Attempts of a target.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(in crate::http) struct AttemptsView {
    /// Attempts that went well.
    ok: u64,
    /// Attempts that failed.
    failed: u64,
    /// Of those that went well, how long after the mail came in; each is counted once.
    latency: LatencyView,
}

impl From<&DeliveryHour> for AttemptsView {
    fn from(row: &DeliveryHour) -> Self {
        let [within_1s, within_5s, within_30s, within_2min, within_10min, within_1h, later] = row.latency;
        let latency =
            LatencyView { within_1s, within_5s, within_30s, within_2min, within_10min, within_1h, later };
        Self { ok: row.ok, failed: row.failed, latency }
    }
}

/// How many deliveries of a target are in a state.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct StateCount {
    /// The state.
    state: String,
    /// How many.
    count: u64,
}

/// A target, how its deliveries stand, and how it has fared.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetStatus)]
pub(in crate::http) struct TargetStatusView {
    /// The target.
    target: TargetView,
    /// How its deliveries stand.
    deliveries: Vec<StateCount>,
    /// Attempts within the hours that were asked for.
    attempts: AttemptsView,
}

/// Targets.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TargetList {
    /// By id.
    items: Vec<TargetStatusView>,
}

/// Over which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct HoursParams {
    /// The last hours, the present one included, 1 to 744.
    #[serde(default = "a_day")]
    #[param(value_type = i64, minimum = 1, maximum = 744, default = 24)]
    hours: i64,
}

const fn a_day() -> i64 {
    24
}

impl HoursParams {
    fn since(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, HttpProblem> {
        if !(1..=MAX_HOURS).contains(&self.hours) {
            return Err(HttpProblem::parameter("hours", format!("at least 1 and at most {MAX_HOURS}")));
        }
        Ok(now - TimeDelta::hours(self.hours.saturating_sub(1)))
    }
}

/// Targets with their states and how they have fared.
#[utoipa::path(get, path = "/api/v1/targets", tag = "targets", operation_id = "list_targets",
    params(HoursParams), responses((status = 200, body = TargetList), ReadRefusals))]
pub(in crate::http) async fn list(
    Params(params): Params<HoursParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let since = params.since(state.world.now())?;
    let views = state.journal.views();
    let read = views.read(move |db| {
        Ok((queries::targets(db)?, queries::count_by_target(db)?, queries::delivery_sums(db, since)?))
    });
    let (rows, counts, sums) = read.await.map_err(unavailable)?;
    let items = together(rows, &counts, &sums);
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(TargetList { items }))
}

/// One for each id that is known from anywhere: a target whose first delivery waits has no row.
fn together(rows: Vec<TargetRow>, counts: &[TargetCount], sums: &[DeliveryHour]) -> Vec<TargetStatusView> {
    let mut targets: Vec<TargetView> = rows.into_iter().map(TargetView::from).collect();
    for count in counts {
        if !targets.iter().any(|target| target.id == count.target) {
            targets.push(TargetView { id: count.target.clone(), ..TargetView::default() });
        }
    }
    targets.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    let status = |target: TargetView| {
        let own = counts.iter().filter(|count| count.target == target.id);
        let deliveries = own.map(|count| StateCount { state: count.state.clone(), count: count.n }).collect();
        let fared = sums.iter().find(|sum| sum.target == target.id);
        TargetStatusView { deliveries, attempts: fared.map(AttemptsView::from).unwrap_or_default(), target }
    };
    targets.into_iter().map(status).collect()
}

/// Attempts of a target within an hour.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct HourView {
    /// UTC, such as `2026-02-03T14`.
    hour: String,
    /// Id of the target.
    target: String,
    /// The attempts.
    attempts: AttemptsView,
}

/// Hours.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct HourList {
    /// By hour and target; an hour without an attempt is not there.
    items: Vec<HourView>,
}

/// Attempts by hour and target.
#[utoipa::path(get, path = "/api/v1/targets/hours", tag = "targets", operation_id = "target_hours",
    params(HoursParams), responses((status = 200, body = HourList), ReadRefusals))]
pub(in crate::http) async fn hours(
    Params(params): Params<HoursParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let since = params.since(state.world.now())?;
    let rows = state.journal.views().read(move |db| queries::delivery_hours(db, since)).await;
    let hour = |row: DeliveryHour| {
        let attempts = AttemptsView::from(&row);
        HourView { hour: row.hour.unwrap_or_default(), target: row.target, attempts }
    };
    let items = rows.map_err(unavailable)?.into_iter().map(hour).collect();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(HourList { items }))
}

/// It takes deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetEnabled)]
pub(in crate::http) struct TargetEnabledView {
    /// The target.
    id: String,
    /// False: it did before.
    changed: bool,
}

/// Lets a target take deliveries again that said it is gone, or that failed repeatedly.
#[utoipa::path(post, path = "/api/v1/targets/{id}/enable", tag = "targets", operation_id = "enable_target",
    params(("id" = String, Path, description = "Id of the target")),
    responses((status = 200, body = TargetEnabledView), ChangeRefusals))]
pub(in crate::http) async fn enable(
    id: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let id = id.into_inner();
    let asked = id.clone();
    let views = state.journal.views();
    let known = views.read(move |db| {
        let targets = queries::targets(db)?;
        let counts = queries::count_by_target(db)?;
        Ok(targets.iter().any(|row| row.id == asked) || counts.iter().any(|row| row.target == asked))
    });
    if !known.await.map_err(unavailable)? {
        return Err(HttpProblem::new(
            ProblemKind::NotFound,
            format!("nothing was ever sent to a target {id:?}"),
        ));
    }
    let changed = enable_target(state.journal.as_ref(), &state.world, &id, &caller.by()).await;
    let changed = changed.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(TargetEnabledView { id, changed }))
}
