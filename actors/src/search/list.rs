//! A page of the list of mails: what a filter and a text match, with who wrote and what about, and
//! how each mail stands with each of its targets.

use serde::Serialize;

use super::follow::{BATCH, headings};
use super::index::{Span, Wanted};
use super::{Search, SearchError, fold};
use crate::readmodel::queries::{self, DeliveryRow, MailFilter, MailRow, Matches};

/// Counting what a filter matches ends there.
const COUNTED: u64 = 10_000;
/// Counting what a text matches ends there: each has to be found first.
const COUNTED_BY_TEXT: u64 = 1_000;
/// Mails found by their text that are held against a filter for one page. A page may end there, and
/// the next one goes on.
const LOOKED_AT: usize = 20_000;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailQuery {
    /// All but the texts; the page, too.
    pub filter: MailFilter,
    /// Each word of it is a part of the subject or the sender.
    pub text: Option<String>,
    /// Each word of it is a part of the sender.
    pub sender: Option<String>,
}

impl MailQuery {
    fn wanted(&self) -> Wanted {
        let words = |text: &Option<String>| text.as_deref().map(fold::words).unwrap_or_default();
        Wanted { anywhere: words(&self.text), sender: words(&self.sender) }
    }
}

/// A mail of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedMail {
    /// Where it stands.
    #[serde(flatten)]
    pub mail: MailRow,
    /// Clean address; `None` = erased.
    pub sender: Option<String>,
    /// Decoded subject; `None` = erased.
    pub subject: Option<String>,
    /// How it stands with each of its targets.
    pub deliveries: Vec<DeliveryRow>,
}

/// A page of mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailPage {
    /// Newest first.
    pub mails: Vec<ListedMail>,
    /// What the next page begins before; `None` = there is none.
    pub older: Option<u64>,
    /// What the page before ends after; `None` = there is none.
    pub newer: Option<u64>,
    /// How many mails match.
    pub matches: Matches,
    /// Whether every mail of the journal can be found by its text already. The index is filled
    /// behind the log, newest last.
    pub complete: bool,
}

/// Rows in the order of the page, and whether there are more that way.
struct Found {
    rows: Vec<MailRow>,
    /// Where the next page in this direction begins.
    next: Option<u64>,
}

impl Search {
    /// A page of mails.
    ///
    /// # Errors
    /// See [`SearchError`].
    pub async fn mails(&self, query: &MailQuery) -> Result<MailPage, SearchError> {
        let wanted = query.wanted();
        let by_text = !wanted.is_nothing();
        // Whoever has just seen a mail arrive looks for it now.
        let complete = !by_text || !self.catch_up_soon().await?;
        let found = match by_text {
            true => self.by_text(&wanted, &query.filter).await?,
            false => self.by_filter(&query.filter).await?,
        };
        let is_all = query.filter.before.is_none() && query.filter.after.is_none() && found.next.is_none();
        let matches = match (is_all, by_text) {
            (true, _) => Matches { count: found.rows.len() as u64, capped: false },
            (false, true) => self.count_by_text(&wanted, &query.filter).await?,
            (false, false) => self.count_by_filter(&query.filter).await?,
        };
        let back = query.filter.after.is_some() && query.filter.before.is_none();
        let ends = |row: Option<&MailRow>| row.map(|row| row.position);
        let (first, last) = (ends(found.rows.first()), ends(found.rows.last()));
        // Where one came from there is a page, unless it was the beginning.
        let (older, newer) = match (back, query.filter.before) {
            (true, _) => (last, found.next),
            (false, Some(_)) => (found.next, first),
            (false, None) => (found.next, None),
        };
        Ok(MailPage { mails: self.listed(found.rows).await?, older, newer, matches, complete })
    }

    /// How many mails match that came after the one at a position, counted up to `most`.
    ///
    /// # Errors
    /// See [`SearchError`].
    pub async fn newer(&self, query: &MailQuery, position: u64, most: u64) -> Result<Matches, SearchError> {
        let wanted = query.wanted();
        let limit = usize::try_from(most).unwrap_or(usize::MAX);
        let filter = MailFilter { before: None, after: Some(position), limit, ..query.filter.clone() };
        let found = match wanted.is_nothing() {
            true => self.by_filter(&filter).await?,
            false => self.by_text(&wanted, &filter).await?,
        };
        Ok(Matches { count: found.rows.len() as u64, capped: found.next.is_some() })
    }

    async fn by_filter(&self, filter: &MailFilter) -> Result<Found, SearchError> {
        let wanted = filter.limit;
        let filter = MailFilter { limit: wanted.saturating_add(1), ..filter.clone() };
        let back = filter.after.is_some() && filter.before.is_none();
        let rows = self.journal.views().read(move |db| queries::mails(db, &filter)).await?;
        Ok(cut(rows, wanted, back, None))
    }

    async fn count_by_filter(&self, filter: &MailFilter) -> Result<Matches, SearchError> {
        let filter = filter.clone();
        Ok(self.journal.views().read(move |db| queries::count_matches(db, &filter, COUNTED)).await?)
    }

    async fn by_text(&self, wanted: &Wanted, filter: &MailFilter) -> Result<Found, SearchError> {
        let back = filter.after.is_some() && filter.before.is_none();
        let most = filter.limit.saturating_add(1);
        let mut span = Span { before: filter.before, after: filter.after, limit: BATCH };
        let (mut rows, mut looked_at, mut ended_at) = (Vec::new(), 0, None);
        loop {
            let hits = self.find(wanted, span).await?;
            let (count, last) = (hits.len(), hits.last().map(|(position, _)| *position));
            looked_at += count;
            let batch = MailFilter {
                positions: Some(hits.into_iter().map(|(position, _)| position).collect()),
                // The nearest first, as they were found.
                before: if back { None } else { span.before },
                after: span.after,
                limit: most - rows.len(),
                ..filter.clone()
            };
            let more = self.journal.views().read(move |db| queries::mails(db, &batch)).await?;
            if back {
                rows.splice(0..0, more);
            } else {
                rows.extend(more);
            }
            if rows.len() >= most || count < BATCH {
                break;
            }
            if looked_at >= LOOKED_AT {
                ended_at = last;
                break;
            }
            if back {
                span.after = last;
            } else {
                span.before = last;
            }
        }
        Ok(cut(rows, filter.limit, back, ended_at))
    }

    async fn count_by_text(&self, wanted: &Wanted, filter: &MailFilter) -> Result<Matches, SearchError> {
        let unfiltered = MailFilter {
            limit: filter.limit,
            before: filter.before,
            after: filter.after,
            ..MailFilter::default()
        };
        let wanted = wanted.clone();
        if *filter == unfiltered {
            let found = self.run(move |index| index.count(&wanted, COUNTED_BY_TEXT + 1)).await?;
            return Ok(Matches::of(found, COUNTED_BY_TEXT));
        }
        let limit = usize::try_from(COUNTED + 1).unwrap_or(usize::MAX);
        let hits = self.find(&wanted, Span { limit, ..Span::default() }).await?;
        let capped = hits.len() >= limit;
        let positions = Some(hits.into_iter().map(|(position, _)| position).collect());
        let filter = MailFilter { positions, ..filter.clone() };
        let matches =
            self.journal.views().read(move |db| queries::count_matches(db, &filter, COUNTED)).await?;
        Ok(Matches { capped: matches.capped || capped, ..matches })
    }

    /// With all that a list shows of them.
    async fn listed(&self, rows: Vec<MailRow>) -> Result<Vec<ListedMail>, SearchError> {
        let ids: Vec<(u64, String)> = rows.iter().map(|row| (row.position, row.email_id.clone())).collect();
        let headings = headings(self.journal.as_ref(), &ids).await?;
        let ids: Vec<String> = ids.into_iter().map(|(_, email_id)| email_id).collect();
        let mut deliveries = self.journal.views().read(move |db| queries::deliveries_of(db, &ids)).await?;
        let listed = rows.into_iter().zip(headings).map(|(mail, heading)| {
            let (sender, subject) = heading.map(|heading| (heading.sender, heading.subject)).unzip();
            let own = deliveries.extract_if(.., |row| row.email_id == mail.email_id).collect();
            ListedMail { mail, sender, subject, deliveries: own }
        });
        Ok(listed.collect())
    }
}

/// Cuts the one row too many off, which tells that there is another page.
fn cut(mut rows: Vec<MailRow>, wanted: usize, back: bool, ended_at: Option<u64>) -> Found {
    let mut next = ended_at;
    if rows.len() > wanted {
        if back {
            rows.drain(..rows.len() - wanted);
            next = rows.first().map(|row| row.position);
        } else {
            rows.truncate(wanted);
            next = rows.last().map(|row| row.position);
        }
    }
    Found { rows, next }
}
