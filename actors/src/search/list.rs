//! A page of the list of mails: what a filter and a text match, with who wrote and what about, and
//! how each mail stands with each of its targets.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::Serialize;

use super::find::{ResultSpan, SearchTerms};
use super::follow::{BATCH, headings};
use super::{Search, SearchError, fold};
use crate::readmodel::queries::{self, DeliveryRow, MailFilter, MailRow, Matches};

/// Counting what a filter matches ends there.
const COUNTED: u64 = 10_000;
/// Counting what a text matches ends there: each has to be found first.
const COUNTED_BY_TEXT: u64 = 1_000;
/// Mails found by their text that are held against a filter to count them. Then there may be more.
const COUNTED_AMONG: usize = 10_000;
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
    /// What the texts ask for.
    pub(super) fn wanted(&self) -> SearchTerms {
        let words = |text: &Option<String>| text.as_deref().map(fold::words).unwrap_or_default();
        SearchTerms { anywhere: words(&self.text), sender: words(&self.sender) }
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

/// A mail, and how it stands with each of its targets.
type TargetStanding = (MailRow, Vec<DeliveryRow>);

/// Mails in the order of the page, and whether there are more that way.
struct ListedMails {
    mails: Vec<TargetStanding>,
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
            (true, _) => Matches { count: found.mails.len() as u64, capped: false },
            (false, true) => self.count_by_text(&wanted, &query.filter).await?,
            (false, false) => self.count_by_filter(&query.filter, COUNTED).await?,
        };
        let back = is_back(&query.filter);
        let (first, last) = (found.mails.first().map(position), found.mails.last().map(position));
        // Where one came from there is a page, unless it was the beginning.
        let (older, newer) = match (back, query.filter.before) {
            (true, _) => (last, found.next),
            (false, Some(_)) => (found.next, first),
            (false, None) => (found.next, None),
        };
        Ok(MailPage { mails: self.listed(found.mails).await?, older, newer, matches, complete })
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
        Ok(Matches { count: found.mails.len() as u64, capped: found.next.is_some() })
    }

    async fn by_filter(&self, filter: &MailFilter) -> Result<ListedMails, SearchError> {
        let wanted = filter.limit;
        let back = is_back(filter);
        let mails = self.standing(MailFilter { limit: wanted.saturating_add(1), ..filter.clone() }).await?;
        Ok(cut(mails, wanted, back, None))
    }

    async fn standing(&self, filter: MailFilter) -> Result<Vec<TargetStanding>, SearchError> {
        Ok(self.journal.views().read(move |db| standing(db, &filter)).await?)
    }

    async fn count_by_filter(&self, filter: &MailFilter, most: u64) -> Result<Matches, SearchError> {
        let filter = filter.clone();
        Ok(self.journal.views().read(move |db| queries::count_matches(db, &filter, most)).await?)
    }

    async fn by_text(&self, wanted: &SearchTerms, filter: &MailFilter) -> Result<ListedMails, SearchError> {
        let back = is_back(filter);
        let most = filter.limit.saturating_add(1);
        // What is found is the page, unless a filter takes some of it away.
        let limit = if is_unfiltered(filter) { most } else { BATCH };
        let mut span = ResultSpan { before: filter.before, after: filter.after, limit };
        let (mut mails, mut looked_at, mut ended_at) = (Vec::new(), 0, None);
        loop {
            let hits = self.find(wanted, span).await?;
            let (count, last) = (hits.len(), hits.last().copied());
            looked_at += count;
            let batch = MailFilter {
                positions: Some(hits),
                // The nearest first, as they were found.
                before: if back { None } else { span.before },
                after: span.after,
                limit: most - mails.len(),
                ..filter.clone()
            };
            let more = self.standing(batch).await?;
            if back {
                mails.splice(0..0, more);
            } else {
                mails.extend(more);
            }
            if mails.len() >= most || count < span.limit {
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
        Ok(cut(mails, filter.limit, back, ended_at))
    }

    async fn count_by_text(&self, wanted: &SearchTerms, filter: &MailFilter) -> Result<Matches, SearchError> {
        if is_unfiltered(filter) {
            let wanted = wanted.clone();
            let found = self.run(move |index| index.count(&wanted, COUNTED_BY_TEXT + 1)).await?;
            return Ok(Matches::of(found, COUNTED_BY_TEXT));
        }
        let mut span = ResultSpan { limit: BATCH, ..ResultSpan::default() };
        let (mut found, mut looked_at) = (0, 0);
        loop {
            let hits = self.find(wanted, span).await?;
            let count = hits.len();
            span.before = hits.last().copied();
            looked_at += count;
            let batch = MailFilter { positions: Some(hits), ..filter.clone() };
            found += self.count_by_filter(&batch, BATCH as u64).await?.count;
            let is_all = count < span.limit;
            if is_all || looked_at >= COUNTED_AMONG || found > COUNTED_BY_TEXT {
                let matches = Matches::of(found, COUNTED_BY_TEXT);
                return Ok(Matches { capped: matches.capped || !is_all, ..matches });
            }
        }
    }

    /// With all that a list shows of them.
    async fn listed(&self, mails: Vec<TargetStanding>) -> Result<Vec<ListedMail>, SearchError> {
        let ids: Vec<(u64, String)> =
            mails.iter().map(|(row, _)| (row.position, row.email_id.clone())).collect();
        let headings = headings(self.journal.as_ref(), &ids).await?;
        let listed = mails.into_iter().zip(headings).map(|((mail, deliveries), heading)| {
            let (sender, subject) = heading.map(|heading| (heading.sender, heading.subject)).unzip();
            ListedMail { mail, sender, subject, deliveries }
        });
        Ok(listed.collect())
    }
}

/// Mails that a filter matches, with their deliveries.
fn standing(db: &Connection, filter: &MailFilter) -> rusqlite::Result<Vec<TargetStanding>> {
    let rows = queries::mails(db, filter)?;
    let ids: Vec<String> = rows.iter().map(|row| row.email_id.clone()).collect();
    let mut deliveries: HashMap<String, Vec<DeliveryRow>> = HashMap::new();
    for row in queries::deliveries_of(db, &ids)? {
        deliveries.entry(row.email_id.clone()).or_default().push(row);
    }
    let with_their_own = rows.into_iter().map(|row| {
        let own = deliveries.remove(&row.email_id).unwrap_or_default();
        (row, own)
    });
    Ok(with_their_own.collect())
}

fn position(mail: &TargetStanding) -> u64 {
    mail.0.position
}

/// Whether the nearest after a place are wanted, and not those before one.
fn is_back(filter: &MailFilter) -> bool {
    filter.after.is_some() && filter.before.is_none()
}

/// Whether nothing but a page is chosen.
fn is_unfiltered(filter: &MailFilter) -> bool {
    let MailFilter { before, after, limit, .. } = *filter;
    *filter == MailFilter { before, after, limit, ..MailFilter::default() }
}

/// Cuts the one mail too many off, which tells that there is another page.
fn cut(mut mails: Vec<TargetStanding>, wanted: usize, back: bool, ended_at: Option<u64>) -> ListedMails {
    let mut next = ended_at;
    if mails.len() > wanted {
        if back {
            mails.drain(..mails.len() - wanted);
            next = mails.first().map(position);
        } else {
            mails.truncate(wanted);
            next = mails.last().map(position);
        }
    }
    ListedMails { mails, next }
}
