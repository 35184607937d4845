//! What the overview is made of: one look at everything.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::readmodel::queries::{
    self, DeliveryHour, HourRow, MailFilter, NeedsPerson, TargetCount, TargetRow, Waiting,
};
use render_signal_actors::search::{ListedMail, MailQuery};

use crate::http::HttpState;
use crate::http::problem::Problem;
use crate::http::readiness::{Readiness, readiness};
use crate::http::v1::page::unavailable;
use crate::services::attention::{self, Item};
use crate::services::board::{Mailbox, Word};

/// Mails that are shown.
const LAST: usize = 5;

/// How long back the trend goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// By hour.
    Day,
    /// By day.
    Month,
}

impl Span {
    /// Since when.
    pub(super) fn since(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Day => now - TimeDelta::hours(23),
            Self::Month => now - TimeDelta::days(29),
        }
    }
}

/// Everything, as it is now.
pub(super) struct Look {
    /// How each part is.
    pub(super) ready: Readiness,
    /// What needs a person.
    pub(super) items: Vec<Item>,
    /// The mailbox as the worker sees it that polls; `None` = nobody polls.
    pub(super) mailbox: Option<Mailbox>,
    /// Mails that wait, by reason.
    pub(super) held: Vec<Waiting>,
    /// Webhooks that wait, by state.
    pub(super) open: Vec<Waiting>,
    /// Targets.
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
    needs: NeedsPerson,
    held: Vec<Waiting>,
    open: Vec<Waiting>,
    targets: Vec<TargetRow>,
    counts: Vec<TargetCount>,
    day: Vec<DeliveryHour>,
    attempts: Vec<DeliveryHour>,
    events: Vec<HourRow>,
}

impl Look {
    /// Looks.
    ///
    /// # Errors
    /// The journal cannot be read now.
    pub(super) async fn at(state: &HttpState, span: Span, now: DateTime<Utc>) -> Result<Self, Problem> {
        let (since, day) = (span.since(now), Span::Day.since(now));
        let views = state.journal.views();
        let rows = views.read(move |db| {
            Ok(Rows {
                needs: queries::needs_person(db)?,
                held: queries::held_mails(db)?,
                open: queries::open_deliveries(db)?,
                targets: queries::targets(db)?,
                counts: queries::count_by_target(db)?,
                day: queries::delivery_sums(db, day)?,
                attempts: queries::delivery_hours(db, since)?,
                events: queries::hours(db, since)?,
            })
        });
        let newest = MailFilter { limit: LAST, ..MailFilter::default() };
        let last = MailQuery { filter: newest, ..MailQuery::default() };
        let (found, rows, last, words) = tokio::join!(
            state.probe.look(state.draining.begun(), state.pulse.age()),
            rows,
            state.search.mails(&last),
            state.services.board.workers(),
        );
        let (rows, last) = (rows.map_err(unavailable)?, last.map_err(unavailable)?);
        let ready = readiness(&found);
        // Other workers may be away: what this one knows is shown then.
        let words = words.unwrap_or_default();
        Ok(Self {
            items: attention::items(&rows.needs, &ready, state.services.signed),
            mailbox: mailbox(words),
            ready,
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

    /// How much waits.
    pub(super) fn waits(&self) -> u64 {
        self.held.iter().chain(&self.open).map(|row| row.n).sum()
    }
}

/// As the worker sees it that polls.
fn mailbox(words: Vec<Word>) -> Option<Mailbox> {
    let (polls, others): (Vec<Word>, Vec<Word>) = words.into_iter().partition(|word| word.polls);
    polls.into_iter().chain(others).find_map(|word| word.mailbox)
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
