//! The read models: a private, disposable database in memory that follows the log.
//!
//! Before a view is read it catches up with the head, so that it shows every commit that
//! was acknowledged before, by whichever worker. A log that is not the one it has followed
//! rebuilds it.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::link::{CLOSED, JournalServer};
use super::read_log;
use crate::kernel::event::Recorded;
use crate::kernel::journal::JournalError;
use crate::kernel::projection::{self, Projections, ViewError, ViewJob, ViewRunner};

/// Events fetched and fed at once.
const PAGE_SIZE: usize = 500;

type ProjectionReply = oneshot::Sender<Result<(), String>>;

enum ProjectionJob {
    Run(ViewJob),
    Feed(Vec<Recorded>, ProjectionReply),
    Reset(ProjectionReply),
}

/// How far the read models have come, and in which log.
#[derive(Default)]
struct ProjectionMark {
    epoch: String,
    position: u64,
    last: Option<Uuid>,
}

/// The read models of a journal in Redis, kept up by a thread that follows the log. The thread ends with it.
pub(super) struct LogViews {
    link: Arc<JournalServer>,
    jobs: Sender<ProjectionJob>,
    seen: Mutex<ProjectionMark>,
    /// The last time that the log could not be followed.
    failed: std::sync::Mutex<Option<(Instant, JournalError)>>,
}

impl LogViews {
    /// Starts the thread with empty tables.
    pub(super) fn start(link: Arc<JournalServer>, projections: Projections) -> Result<Self, JournalError> {
        let unusable =
            |why: &dyn std::fmt::Display| JournalError::Unavailable(format!("no read models: {why}"));
        let tables = Connection::open_in_memory().map_err(|error| unusable(&error))?;
        projection::prepare(&tables, &projections).map_err(|error| unusable(&error))?;
        let (jobs, queue) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .name("journal-views".to_owned())
            .spawn(move || serve(&tables, &projections, &queue))
            .map_err(|error| unusable(&error))?;
        Ok(Self { link, jobs, seen: Mutex::default(), failed: std::sync::Mutex::default() })
    }

    async fn tell(&self, job: impl FnOnce(ProjectionReply) -> ProjectionJob) -> Result<(), JournalError> {
        let gone = || JournalError::Unavailable("the read models stopped".to_owned());
        let (answer, answered) = oneshot::channel();
        self.jobs.send(job(answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(JournalError::Unavailable)
    }

    /// Feeds what the log has and the tables have not. Who waits while somebody else fails is given
    /// that failure: a server that does not answer costs all who ask its time once, and not one
    /// after the other.
    pub(super) async fn catch_up(&self) -> Result<(), JournalError> {
        let asked = Instant::now();
        let mut seen = self.seen.lock().await;
        if let Some(why) = self.failure_since(asked) {
            return Err(why);
        }
        let done = self.follow(&mut seen).await;
        if let Err(why) = &done {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed = Some((Instant::now(), why.clone()));
        }
        done
    }

    fn failure_since(&self, asked: Instant) -> Option<JournalError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().filter(|(at, _)| *at >= asked).map(|(_, why)| why.clone())
    }

    async fn follow(&self, seen: &mut ProjectionMark) -> Result<(), JournalError> {
        let mut head = self.link.look().await?;
        if head.epoch != seen.epoch || head.head < seen.position {
            self.reset(seen, head.epoch.clone()).await?;
        }
        while seen.position < head.head {
            // The last known event comes again, and shows whether this is still the same log.
            let mut page = read_log(&self.link, seen.position.saturating_sub(1), PAGE_SIZE).await?;
            if let Some(last) = seen.last {
                match page.first() {
                    Some(event) if event.id == last => drop(page.remove(0)),
                    Some(event) if event.position == seen.position => {
                        // Cut, and grown again before anybody looked at its end.
                        head = self.link.cut(&seen.epoch).await?;
                        self.reset(seen, head.epoch.clone()).await?;
                        continue;
                    }
                    // It has left the log, into an archive.
                    _ => {}
                }
            }
            let Some((position, last)) = page.last().map(|event| (event.position, event.id)) else { break };
            self.tell(|answer| ProjectionJob::Feed(page, answer)).await?;
            (seen.position, seen.last) = (position, Some(last));
        }
        Ok(())
    }

    async fn reset(&self, seen: &mut ProjectionMark, epoch: String) -> Result<(), JournalError> {
        self.tell(ProjectionJob::Reset).await?;
        *seen = ProjectionMark { epoch, position: 0, last: None };
        Ok(())
    }
}

#[async_trait]
impl ViewRunner for LogViews {
    async fn run(&self, job: ViewJob) -> Result<(), ViewError> {
        let _open = self.link.enter().await.map_err(|_| ViewError(CLOSED.to_owned()))?;
        self.catch_up().await.map_err(|error| ViewError(error.to_string()))?;
        self.jobs.send(ProjectionJob::Run(job)).map_err(|_| ViewError(CLOSED.to_owned()))
    }
}

fn serve(tables: &Connection, projections: &Projections, queue: &Receiver<ProjectionJob>) {
    while let Ok(job) = queue.recv() {
        match job {
            ProjectionJob::Run(job) => {
                // A query that panics is an error for whoever asked, and for nobody else.
                let run = std::panic::AssertUnwindSafe(|| job(tables));
                if std::panic::catch_unwind(run).is_err() {
                    tracing::error!("a query over the journal panicked");
                }
            }
            ProjectionJob::Feed(events, answer) => {
                _ = answer.send(in_transaction(tables, || {
                    events.iter().try_for_each(|event| projection::feed(tables, projections, event))?;
                    let head = events.last().map_or(0, |event| event.position);
                    projections.iter().try_for_each(|one| projection::advance(tables, one.name(), head))
                }));
            }
            ProjectionJob::Reset(answer) => {
                _ = answer.send(in_transaction(tables, || {
                    projections.iter().try_for_each(|one| projection::reset(tables, one.as_ref()))
                }));
            }
        }
    }
}

fn in_transaction(tables: &Connection, work: impl FnOnce() -> rusqlite::Result<()>) -> Result<(), String> {
    let done =
        tables.execute_batch("BEGIN").and_then(|()| work()).and_then(|()| tables.execute_batch("COMMIT"));
    if done.is_err() && !tables.is_autocommit() {
        // What matters is why the work failed.
        _ = tables.execute_batch("ROLLBACK");
    }
    done.map_err(|error| error.to_string())
}
