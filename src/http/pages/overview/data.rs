//! What the overview is made of, read at one moment.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::readmodel::queries::{
    self, DeliveryHour, HourRow, MailFilter, TargetCount, TargetRow, Waiting,
};
use render_signal_actors::search::{ListedMail, MailQuery};

use crate::health::attention::Item;
use crate::health::worker::Readiness;
use crate::http::HttpState;
use crate::http::problem::HttpProblem;
use crate::http::v1::attention;
use crate::http::v1::page::unavailable;
use crate::services::board::MailboxReport;

/// Mails that are shown.
const LAST_MAILS: usize = 5;

/// How long back the trend goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrendSpan {
    /// By hour.
    Day,
    /// By day.
    Month,
}

impl TrendSpan {
    pub(super) fn since(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Day => now - TimeDelta::hours(23),
            Self::Month => now - TimeDelta::days(29),
        }
    }
}

/// Everything that the overview shows, read at one moment.
pub(super) struct OverviewData {
    /// How each part is.
    pub(super) ready: Readiness,
    /// What needs a person.
    pub(super) items: Vec<Item>,
    /// The mailbox as the worker sees it that polls; `None` = nobody polls.
    pub(super) mailbox: Option<MailboxReport>,
    /// Mails that wait, by reason.
    pub(super) held: Vec<Waiting>,
    /// Webhooks that wait, by state.
    pub(super) open: Vec<Waiting>,
    pub(super) targets: Vec<TargetRow>,
    /// How the attempts of a day came out, by target.
    pub(super) day: BTreeMap<String, DeliveryHour>,
    /// Attempts by hour.
    pub(super) attempts: Vec<DeliveryHour>,
    /// Events by hour.
    pub(super) events: Vec<HourRow>,
    /// The newest mails.
    pub(super) last: Vec<ListedMail>,
}

/// What the read models say.
struct Rows {
    held: Vec<Waiting>,
    open: Vec<Waiting>,
    targets: Vec<TargetRow>,
    counts: Vec<TargetCount>,
    day: Vec<DeliveryHour>,
    attempts: Vec<DeliveryHour>,
    events: Vec<HourRow>,
}

impl OverviewData {
    /// Looks.
    ///
    /// # Errors
    /// The journal cannot be read now.
    pub(super) async fn at(
        state: &HttpState,
        span: TrendSpan,
        now: DateTime<Utc>,
    ) -> Result<Self, HttpProblem> {
        let (since, day) = (span.since(now), TrendSpan::Day.since(now));
        let views = state.journal.views();
        let rows = views.read(move |db| {
            Ok(Rows {
                held: queries::held_mails(db)?,
                open: queries::open_deliveries(db)?,
                targets: queries::targets(db)?,
                counts: queries::count_by_target(db)?,
                day: queries::delivery_sums(db, day)?,
                attempts: queries::delivery_hours(db, since)?,
                events: queries::hours(db, since)?,
            })
        });
        let newest = MailFilter { limit: LAST_MAILS, ..MailFilter::default() };
        let last = MailQuery { filter: newest, ..MailQuery::default() };
        let (found, rows, last) = tokio::join!(attention::look(state), rows, state.search.mails(&last));
        let (found, rows) = (found?, rows.map_err(unavailable)?);
        let last = last.map_err(unavailable)?;
        Ok(Self {
            items: found.items,
            mailbox: found.mailbox,
            ready: found.ready,
            held: rows.held,
            open: rows.open,
            targets: with_unused(rows.targets, &rows.counts),
            day: rows.day.into_iter().map(|row| (row.target.clone(), row)).collect(),
            attempts: rows.attempts,
            events: rows.events,
            last: last.mails,
        })
    }

    /// When the last mail came.
    pub(super) fn last_mail(&self) -> Option<DateTime<Utc>> {
        self.last.first().map(|listed| listed.mail.received_at)
    }

    /// Whether webhooks wait because a receiver does not take them.
    pub(super) fn fails(&self) -> bool {
        let failed = |row: &TargetRow| match (row.last_success_at, row.last_failure_at) {
            (Some(success), Some(failure)) => failure > success,
            (success, failure) => success.is_none() && failure.is_some(),
        };
        self.open.iter().any(|row| row.reason == "retrying")
            || self.targets.iter().any(|row| row.breaker == "open" || failed(row))
    }

    /// How much waits.
    pub(super) fn waits(&self) -> u64 {
        self.held.iter().chain(&self.open).map(|row| row.n).sum()
    }
}

/// With those whose first delivery still waits: nothing is known of them yet.
fn with_unused(mut targets: Vec<TargetRow>, counts: &[TargetCount]) -> Vec<TargetRow> {
    for count in counts {
        if !targets.iter().any(|row| row.id == count.target) {
            targets.push(TargetRow { id: count.target.clone(), ..TargetRow::default() });
        }
    }
    targets.sort_by(|one, other| one.id.cmp(&other.id));
    targets
}
