//! What a list of mails is asked for, as it stands in an address: every link of the page carries it on.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use render_signal_actors::readmodel::queries::{Fate, MailFilter};
use render_signal_actors::search::MailQuery;
use serde::Deserialize;

use crate::http::pages::form::FormData;
use crate::http::pages::frame::in_query;
use crate::http::problem::HttpProblem;
use crate::http::v1::mails::list;

/// Mails of a page.
pub(super) const PAGE_SIZE: usize = 50;
/// Rows that an address may name at most.
const MAX_ROWS: usize = 200;

/// Said as the reason of mails that are on their way.
pub(super) const SENDING: &str = "sending";
/// Said as the reason of mails whose webhooks were all cancelled.
pub(super) const CANCELLED: &str = "cancelled";

/// The query of `/mails`. What is empty does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MailListQuery {
    /// Words, each of which is a part of the subject or the sender.
    pub(super) text: String,
    /// What became of them: the word of a [`Fate`], or a stage of the API that has one fate.
    pub(super) state: String,
    /// Why: a code, or [`SENDING`], [`CANCELLED`].
    pub(super) reason: String,
    /// Id of a target that they were routed to.
    pub(super) target: String,
    /// The first day, in the configured zone; or an instant (RFC 3339), as charts say it.
    pub(super) since: String,
    /// The last day; or the instant before which.
    pub(super) until: String,
    /// `true` = those of which a webhook was given up: the API's word for a state.
    pub(super) failed: String,
    /// From where: what a link of the page says.
    pub(super) cursor: String,
    /// Exactly the mails at these positions, whatever has become of them: how a page that is open is
    /// brought up to date.
    pub(super) rows: Vec<u64>,
}

/// A field that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidFilter {
    /// `since` is no day.
    Since,
    /// `until` is no day.
    Until,
    /// `until` is before `since`.
    Order,
}

impl MailListQuery {
    /// What a form says of a list.
    pub(super) fn of(form: &FormData) -> Self {
        let text = |name: &str| form.text(name).to_owned();
        Self {
            text: text("text"),
            state: text("state"),
            reason: text("reason"),
            target: text("target"),
            since: text("since"),
            until: text("until"),
            ..Self::default()
        }
        .in_own_words()
    }

    /// With the words of the API's filters, which other pages link with, put as this page has them.
    pub(super) fn in_own_words(mut self) -> Self {
        if self.failed == "true" && self.state.is_empty() {
            self.state = Fate::Failed.as_str().to_owned();
        }
        self.failed = String::new();
        if self.state == "routed" {
            self.state = Fate::Waiting.as_str().to_owned();
            self.reason = SENDING.to_owned();
        }
        self
    }

    /// What became of them.
    ///
    /// # Errors
    /// The word is unknown.
    pub(super) fn fate(&self) -> Result<Option<Fate>, HttpProblem> {
        Ok(Some(match self.state.as_str() {
            "" | "all" => return Ok(None),
            "held" => Fate::Waiting,
            "skipped" => Fate::Ignored,
            "quarantined" | "set_aside" => Fate::Unreadable,
            word => Fate::named(word).ok_or_else(|| {
                HttpProblem::parameter(
                    "state",
                    "is one of delivered, waiting, ignored, failed, unreadable (or held, skipped, quarantined, set_aside)",
                )
            })?,
        }))
    }

    /// What cannot be used of it.
    pub(super) fn wrong(&self) -> Option<InvalidFilter> {
        let [since, until] = [(&self.since, false), (&self.until, true)].map(|(text, end)| {
            if text.is_empty() { Ok(None) } else { bound(text, Tz::UTC, end).map(Some).ok_or(()) }
        });
        match (since, until) {
            (Err(()), _) => Some(InvalidFilter::Since),
            (_, Err(())) => Some(InvalidFilter::Until),
            (Ok(Some(since)), Ok(Some(until))) if until <= since => Some(InvalidFilter::Order),
            _ => None,
        }
    }

    /// The days for the inputs of a form, whatever was said.
    pub(super) fn days(&self, zone: Tz) -> [String; 2] {
        [(&self.since, TimeDelta::zero()), (&self.until, TimeDelta::seconds(1))].map(|(text, back)| {
            match instant(text) {
                Some(at) => (at - back).with_timezone(&zone).date_naive().to_string(),
                None => text.clone(),
            }
        })
    }

    /// From when to when, where that is no matter of whole days.
    pub(super) fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        Some((instant(&self.since)?, instant(&self.until)?))
    }

    /// The filter without the page.
    ///
    /// # Errors
    /// The state is unknown.
    pub(super) fn filter(&self, zone: Tz) -> Result<MailFilter, HttpProblem> {
        let mut filter = MailFilter {
            fate: self.fate()?,
            target: some(&self.target),
            limit: PAGE_SIZE,
            ..MailFilter::default()
        };
        match self.reason.as_str() {
            SENDING => filter.stages = vec!["received".to_owned(), "routed".to_owned()],
            CANCELLED => filter.stages = vec!["routed".to_owned()],
            reason => filter.reason = some(reason),
        }
        if self.wrong().is_none() {
            filter.since = bound(&self.since, zone, false);
            filter.until = bound(&self.until, zone, true);
        }
        Ok(filter)
    }

    /// What is asked for: this page of what the filter matches.
    ///
    /// # Errors
    /// The state or the cursor is unknown.
    pub(super) fn mail_query(&self, zone: Tz) -> Result<MailQuery, HttpProblem> {
        let mut filter = self.filter(zone)?;
        if !self.cursor.is_empty() {
            (filter.before, filter.after) = list::place(&self.cursor)?;
        }
        Ok(MailQuery { filter, text: some(self.text.trim()), sender: None })
    }

    /// Exactly the rows that are named; `None` = none are.
    pub(super) fn pinned(&self) -> Option<MailQuery> {
        let rows: Vec<u64> = self.rows.iter().copied().take(MAX_ROWS).collect();
        let limit = rows.len();
        let filter = MailFilter { positions: Some(rows), limit, ..MailFilter::default() };
        (limit > 0).then(|| MailQuery { filter, ..MailQuery::default() })
    }

    /// Something is asked for besides what became of them.
    pub(super) fn narrows(&self) -> bool {
        !(self.text.trim().is_empty()
            && self.target.is_empty()
            && self.since.is_empty()
            && self.until.is_empty())
    }

    /// What its address has, in order; what is empty is left out.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let pairs = [
            ("text", self.text.trim()),
            ("state", &self.state),
            ("reason", &self.reason),
            ("target", &self.target),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let kept = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Its address, at the newest page.
    pub(super) fn href(&self) -> String {
        address(&self.pairs())
    }

    /// The address of another page of the same.
    pub(super) fn page(&self, cursor: &str) -> String {
        let mut pairs = self.pairs();
        pairs.push(("cursor".to_owned(), cursor.to_owned()));
        address(&pairs)
    }

    /// The address that brings exactly these rows up to date.
    pub(super) fn live(&self, positions: impl Iterator<Item = u64>) -> String {
        let rows: Vec<String> = positions.map(|position| position.to_string()).collect();
        let mut pairs = self.pairs();
        if !self.cursor.is_empty() {
            pairs.push(("cursor".to_owned(), self.cursor.clone()));
        }
        pairs.push(("rows".to_owned(), rows.join(",")));
        address(&pairs)
    }

    /// The same about mails of this fate, for any reason.
    pub(super) fn with_state(&self, state: &str) -> Self {
        Self {
            state: state.to_owned(),
            reason: String::new(),
            cursor: String::new(),
            rows: Vec::new(),
            ..self.clone()
        }
    }

    /// The same for this reason.
    pub(super) fn with_reason(&self, reason: &str) -> Self {
        Self { reason: reason.to_owned(), cursor: String::new(), rows: Vec::new(), ..self.clone() }
    }
}

fn address(pairs: &[(String, String)]) -> String {
    let query: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", in_query(value))).collect();
    if query.is_empty() { "/mails".to_owned() } else { format!("/mails?{}", query.join("&")) }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A day as browsers send it (HTML, valid date string).
fn day(text: &str) -> Option<NaiveDate> {
    // Years of four digits, as SQLite and people have them.
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10)
}

/// When a text begins to hold, or ends to.
fn bound(text: &str, zone: Tz, end: bool) -> Option<DateTime<Utc>> {
    if let Some(at) = instant(text) {
        return Some(at);
    }
    let day = day(text)?;
    midnight(zone, if end { day.checked_add_days(Days::new(1))? } else { day })
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

/// When a day begins: an hour later where the clocks go forward at midnight.
fn midnight(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    let begins = day.and_time(NaiveTime::MIN);
    let at = |time| zone.from_local_datetime(&time).earliest();
    at(begins).or_else(|| at(begins + TimeDelta::hours(1))).map(|at| at.with_timezone(&Utc))
}
