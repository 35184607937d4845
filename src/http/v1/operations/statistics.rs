//! How much of what happened, by hour and by day.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::readmodel::queries::{self, HourRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer;
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::HttpProblem;
use crate::http::v1::Params;
use crate::http::v1::page::unavailable;

/// The longest time that statistics are made of.
const MAX_SPAN: TimeDelta = TimeDelta::days(400);

/// In which steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StatisticsBy)]
pub(in crate::http) enum StatisticsBy {
    /// By hour of UTC.
    #[default]
    Hour,
    /// By day of UTC.
    Day,
}

/// What to count.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StatisticsParams {
    /// In which steps.
    #[serde(default)]
    by: StatisticsBy,
    /// Since the hour of this instant (RFC 3339); a day ago when it is not sent, at most 400 days.
    since: Option<DateTime<Utc>>,
}

/// One step.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StatisticsStep)]
pub(in crate::http) struct StepView {
    /// Such as `2026-02-03T14` or `2026-02-03`, UTC.
    at: String,
    /// How often each kind of event happened; what did not happen is not named.
    events: BTreeMap<String, u64>,
}

/// Counts of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics)]
pub(in crate::http) struct StatisticsView {
    /// In which steps.
    by: StatisticsBy,
    /// Since then.
    since: DateTime<Utc>,
    /// Oldest first; a step in which nothing happened is left out.
    items: Vec<StepView>,
}

fn steps(rows: Vec<HourRow>, by: StatisticsBy) -> Vec<StepView> {
    let mut steps: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for HourRow { hour, kind, n } in rows {
        let at = match by {
            StatisticsBy::Hour => hour,
            StatisticsBy::Day => hour.split('T').next().unwrap_or_default().to_owned(),
        };
        *steps.entry(at).or_default().entry(kind).or_default() += n;
    }
    steps.into_iter().map(|(at, events)| StepView { at, events }).collect()
}

/// How often each kind of event happened, by hour or by day.
#[utoipa::path(get, path = "/api/v1/statistics", tag = "operations", params(StatisticsParams),
    responses((status = 200, body = StatisticsView), ReadRefusals))]
pub(in crate::http) async fn statistics(
    Params(StatisticsParams { by, since }): Params<StatisticsParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let now = state.world.now();
    let since = since.unwrap_or(now - TimeDelta::days(1));
    if now - since > MAX_SPAN {
        return Err(HttpProblem::parameter("since", "at most 400 days ago"));
    }
    let rows = state.journal.views().read(move |db| queries::hours(db, since)).await.map_err(unavailable)?;
    Ok(answer(StatisticsView { by, since, items: steps(rows, by) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_add_up_to_days() {
        let row = |hour: &str, kind: &str, n| HourRow { hour: hour.into(), kind: kind.into(), n };
        let rows = || {
            vec![
                row("2026-02-03T14", "mail.received", 2),
                row("2026-02-03T15", "mail.received", 3),
                row("2026-02-04T00", "mail.routed", 1),
            ]
        };
        assert_eq!(steps(rows(), StatisticsBy::Hour).len(), 3);
        let days = steps(rows(), StatisticsBy::Day);
        assert_eq!(
            days.iter().map(|day| (day.at.as_str(), day.events.values().sum())).collect::<Vec<(_, u64)>>(),
            [("2026-02-03", 5), ("2026-02-04", 1)]
        );
    }
}
