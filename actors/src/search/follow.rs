//! Brings the index up to date, behind the log: no mail waits for it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::index::{IndexEntry, IndexMark};
use super::{Search, SearchError};
use crate::kernel::journal::{Journal, lost};
use crate::mail::heading::{Heading, heading_key};
use crate::readmodel::queries;
use crate::retention::Rounds;
use crate::stored_mail::{self, KeptError};

/// Pause between looks when no hint says that there is something.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// After a hint, more is let come.
const SETTLE: Duration = Duration::from_millis(500);
/// Whoever looks for something waits so long for the next mails to be taken in.
const ASKED: Duration = Duration::from_millis(250);
/// Mails taken in at once; so many are asked for with one request.
pub(super) const BATCH: usize = 500;

/// Keeps the index up to date until it is dropped.
pub(super) async fn follow(search: Search, mut rounds: watch::Receiver<Rounds>) {
    let mut hints = search.journal.hints();
    let mut losses = search.journal.losses();
    let (mut hints_open, mut rounds_open) = (true, true);
    let mut trouble = String::new();
    // What was erased while nobody was here.
    let mut sweep = true;
    loop {
        hints.mark_unchanged();
        let done = round(&search, &mut sweep).await;
        trouble = tell(done, trouble);
        tokio::select! {
            () = sleep(POLL_INTERVAL) => {}
            changed = hints.changed(), if hints_open => {
                hints_open = changed.is_ok();
                sleep(SETTLE).await;
            }
            changed = rounds.changed(), if rounds_open => {
                rounds_open = changed.is_ok();
                sweep |= !rounds.borrow_and_update().under_way;
            }
            () = lost(&mut losses) => trouble = tell(search.start_anew().await, trouble),
        }
    }
}

async fn round(search: &Search, sweep: &mut bool) -> Result<(), SearchError> {
    while search.catch_up().await? {}
    if *sweep {
        search.sweep().await?;
        *sweep = false;
    }
    Ok(())
}

/// Says what is wrong once, and when it is over; returns what is wrong now.
fn tell(done: Result<(), SearchError>, before: String) -> String {
    match done {
        Ok(()) => {
            if !before.is_empty() {
                tracing::info!("the index of the search is up to date again");
            }
            String::new()
        }
        Err(error) => {
            let now = error.to_string();
            if now != before {
                tracing::warn!(why = now, "the index of the search is not up to date");
            }
            now
        }
    }
}

impl From<KeptError> for SearchError {
    fn from(error: KeptError) -> Self {
        match error {
            KeptError::Read(error) => Self::Read(error),
            KeptError::Event(error) => Self::Event(error),
        }
    }
}

impl Search {
    /// Takes the next mails in; whether there are more.
    pub(super) async fn catch_up(&self) -> Result<bool, SearchError> {
        let _following = self.following.lock().await;
        self.take_in().await
    }

    /// The same for somebody who waits for an answer: while another is at it, there may be more.
    /// Nobody waits for another where there is nothing to take in.
    pub(super) async fn catch_up_soon(&self) -> Result<bool, SearchError> {
        if self.has_all().await? {
            return Ok(false);
        }
        match timeout(ASKED, self.following.lock()).await {
            Ok(_following) => self.take_in().await,
            Err(_) => Ok(true),
        }
    }

    /// Whether the last mail of the journal is the last one that was taken in, which is asked of the
    /// read model alone: who is not sure looks closer.
    async fn has_all(&self) -> Result<bool, SearchError> {
        if !self.is_ours.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let Some(mark) = self.mark().await? else { return Ok(false) };
        let from = mark.position.saturating_sub(1);
        let last = self.journal.views().read(move |db| queries::mails_above(db, from, 2)).await?;
        Ok(matches!(last.as_slice(), [(position, _)] if *position == mark.position))
    }

    /// What [`Self::catch_up`] does; `following` is held.
    async fn take_in(&self) -> Result<bool, SearchError> {
        let from = match self.mark().await? {
            Some(mark) if !self.is_of_this_log(mark).await? => {
                tracing::info!("the index of the search is of another log and is made anew");
                self.start_anew().await?;
                None
            }
            mark => mark,
        };
        self.is_ours.store(true, Ordering::Relaxed);
        let after = from.map_or(0, |mark| mark.position);
        let mails = self.journal.views().read(move |db| queries::mails_above(db, after, BATCH)).await?;
        let Some((last, _)) = mails.last() else { return Ok(false) };
        let Some(event) = self.journal.read_log(last.saturating_sub(1), 1).await?.pop() else {
            return Ok(false);
        };
        let mark = IndexMark { position: *last, event: event.id };
        let more = mails.len() == BATCH;
        let headings = headings(self.journal.as_ref(), &mails).await?;
        let entries: Vec<IndexEntry> = mails
            .into_iter()
            .zip(headings)
            .filter_map(|((position, email_id), heading)| {
                let Heading { sender, subject } = heading?;
                Some(IndexEntry { position, email_id, subject, sender })
            })
            .collect();
        let added = self.run(move |index| index.add(&entries, from, mark)).await?;
        Ok(more || !added)
    }

    /// Whether the log still has the event that the index knows as the last, or has archived it.
    async fn is_of_this_log(&self, mark: IndexMark) -> Result<bool, SearchError> {
        match self.journal.read_log(mark.position.saturating_sub(1), 1).await?.pop() {
            Some(event) if event.position == mark.position => Ok(event.id == mark.event),
            Some(_) => Ok(true),
            None => Ok(self.journal.head().await? >= mark.position),
        }
    }

    /// Erases what is erased in the journal: of mails whose time is over, and of those that have
    /// left it.
    pub(super) async fn sweep(&self) -> Result<(), SearchError> {
        let mut after = 0;
        loop {
            // Held for one page: over all of them, each search would wait for minutes.
            let _following = self.following.lock().await;
            let page = self.run(move |index| index.page(after, BATCH)).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let known = page.clone();
            let there: HashSet<u64> = self
                .journal
                .views()
                .read(move |db| queries::still_there(db, &known))
                .await?
                .into_iter()
                .collect();
            let headings = headings(self.journal.as_ref(), &page).await?;
            let gone: Vec<u64> = page
                .iter()
                .zip(headings)
                .filter(|((position, _), heading)| heading.is_none() || !there.contains(position))
                .map(|((position, _), _)| *position)
                .collect();
            self.run(move |index| index.erase(&gone)).await?;
        }
    }
}

/// What is kept of who sent these mails and what they are called, in their order; asked for at once
/// but for those that are known otherwise.
pub(super) async fn headings(
    journal: &dyn Journal,
    mails: &[(u64, String)],
) -> Result<Vec<Option<Heading>>, KeptError> {
    let keys: Vec<String> = mails.iter().map(|(_, email_id)| heading_key(email_id)).collect();
    let kept = journal.bodies_of(&keys).await?;
    let mut headings = Vec::with_capacity(mails.len());
    for ((_, email_id), kept) in mails.iter().zip(kept) {
        headings.push(match kept.and_then(|bytes| Heading::read(&bytes)) {
            Some(heading) => Some(heading),
            None => stored_mail::heading(journal, email_id).await?,
        });
    }
    Ok(headings)
}
