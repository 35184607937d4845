//! Who wrote and what about, found by any part of it (ADR 0052).
//!
//! ```text
//! journal ─ mails above the mark ─▶ follow ─ headings ─▶ index (a database of its own, one thread)
//!                                                          ▲
//!                       list: text and filters ─ find ─────┘
//! ```
//!
//! Subjects and senders are no part of the log (ADR 0040): the index is filled behind it from what is
//! kept beside it, and loses a mail when that is erased. It is disposable: lost, damaged, or of
//! another log it is made anew.

mod find;
mod fold;
mod follow;
mod index;
mod list;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

use tokio::sync::{Mutex, oneshot, watch};

use self::find::{ResultSpan, SearchTerms};
pub use self::fold::fold;
use self::index::{IndexMark, SearchIndex, is_damage};
pub use self::list::{ListedMail, MailPage, MailQuery};
use crate::chore::Chore;
use crate::kernel::event::EventError;
use crate::kernel::journal::{Journal, JournalError};
use crate::kernel::projection::ViewError;
use crate::retention::Rounds;

/// Why the search does not answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index cannot be used.
    #[error("the index of the search cannot be used: {0}")]
    Index(String),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// The read models could not be asked.
    #[error(transparent)]
    View(#[from] ViewError),
    /// An event could not be read.
    #[error(transparent)]
    Event(#[from] EventError),
}

type SearchJob = Box<dyn FnOnce(&mut SearchIndex) + Send>;

/// The search; clones are the same. See the module page.
#[derive(Clone)]
pub struct Search {
    journal: Arc<dyn Journal>,
    jobs: Sender<SearchJob>,
    /// One at a time goes on with the log.
    following: Arc<Mutex<()>>,
    /// Whether the index was found to be of this log.
    is_ours: Arc<AtomicBool>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Search")
    }
}

impl Search {
    /// Over the mails of a journal, with the index at a path; in memory without one, or when the file
    /// cannot be used, which is said: then it is filled anew at each start.
    ///
    /// # Errors
    /// [`SearchError::Index`] when there is no memory or thread for it.
    pub fn open(journal: Arc<dyn Journal>, path: Option<PathBuf>) -> Result<Self, SearchError> {
        let index = match SearchIndex::open(path.clone()) {
            Ok(index) => index,
            Err(why) => {
                let path = path.map(|path| path.display().to_string()).unwrap_or_default();
                tracing::warn!(path, why, "the index of the search is kept in memory");
                SearchIndex::open(None).map_err(SearchError::Index)?
            }
        };
        let (jobs, queue) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .name("search".to_owned())
            .spawn(move || work(index, &queue))
            .map_err(|error| SearchError::Index(error.to_string()))?;
        Ok(Self { journal, jobs, following: Arc::default(), is_ours: Arc::default() })
    }

    /// What keeps the index up to date. `rounds`: those of the retention, after which it erases
    /// what was erased.
    #[must_use]
    pub fn chore(&self, rounds: watch::Receiver<Rounds>) -> Chore {
        let search = self.clone();
        Chore::new("search", move || follow::follow(search.clone(), rounds.clone()))
    }

    /// Runs something where the index lives; an index that turns out to be damaged is made anew.
    async fn run<T, F>(&self, job: F) -> Result<T, SearchError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SearchIndex) -> rusqlite::Result<T> + Send + 'static,
    {
        let gone = || SearchError::Index("its thread stopped".to_owned());
        let (answer, answered) = oneshot::channel();
        let job: SearchJob = Box::new(move |index| {
            let done = job(index);
            if let Err(error) = &done
                && is_damage(error)
            {
                tracing::warn!(%error, "the index of the search is damaged and is made anew");
                if let Err(why) = index.start_anew() {
                    tracing::error!(why, "the index of the search could not be made anew");
                }
            }
            // The asker may have gone away; there is nobody to tell.
            drop(answer.send(done));
        });
        self.jobs.send(job).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(|error| SearchError::Index(error.to_string()))
    }

    async fn start_anew(&self) -> Result<(), SearchError> {
        let anew = self.run(|index| Ok(index.start_anew())).await?;
        anew.map_err(SearchError::Index)
    }

    async fn find(&self, wanted: &SearchTerms, span: ResultSpan) -> Result<Vec<u64>, SearchError> {
        let wanted = wanted.clone();
        self.run(move |index| index.find(&wanted, span)).await
    }

    async fn mark(&self) -> Result<Option<IndexMark>, SearchError> {
        self.run(|index| index.mark()).await
    }
}

/// A query that panics is an error for whoever asked, and for nobody else.
fn work(mut index: SearchIndex, queue: &std::sync::mpsc::Receiver<SearchJob>) {
    while let Ok(job) = queue.recv() {
        let run = std::panic::AssertUnwindSafe(|| job(&mut index));
        if std::panic::catch_unwind(run).is_err() {
            tracing::error!("a query of the search panicked");
        }
    }
}
