//! Carries every copy that the journal knows into the list.
//!
//! A broken disk or a file that cannot be written costs the list its latest entries until
//! it is mended, and nothing else: no offload waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::file::{Cursor, FileTrouble, LinksFile, ListChange, Written};
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;
use crate::kernel::projection::ViewError;
use crate::readmodel::queries::{LinkRow, copies_after, copy_at};

/// Pause between looks when no hint says that there is something.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// After a hint, more is let come before the file is written.
const SETTLE: Duration = Duration::from_millis(500);
/// Pause before another try at a file that somebody else writes.
const BUSY: Duration = Duration::from_millis(50);
/// Tries at a file that is busy, or changes while it is looked at.
const TRIES: u32 = 100;
/// How long the last look may take when the worker stops.
const LAST: Duration = Duration::from_secs(2);

/// Why the list could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum ListTrouble {
    /// The journal could not be asked.
    #[error(transparent)]
    Journal(#[from] ViewError),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileTrouble),
    /// Somebody else has the file all the time.
    #[error("{0} is locked by another program all the time")]
    Busy(String),
    /// The writing ended unexpectedly.
    #[error("the writing of the list failed: {0}")]
    Failed(String),
}

/// Keeps the list up to date until it is dropped.
pub(in crate::r2) async fn follow(journal: Arc<dyn Journal>, world: World, list: Arc<LinksFile>) {
    let mut hints = journal.hints();
    let mut hints_open = true;
    let mut trouble = String::new();
    loop {
        hints.mark_unchanged();
        trouble = tell(catch_up(journal.as_ref(), &world, &list).await, &list, trouble);
        tokio::select! {
            () = sleep(POLL_INTERVAL) => {}
            changed = hints.changed(), if hints_open => {
                hints_open = changed.is_ok();
                sleep(world.jitter.spread(SETTLE)).await;
            }
        }
    }
}

/// The last look of a worker that stops.
pub(in crate::r2) async fn catch_up_at_the_end(
    journal: Arc<dyn Journal>,
    world: World,
    list: Arc<LinksFile>,
) {
    // What is missing is written by the next one to start.
    if let Ok(caught_up) = timeout(LAST, catch_up(journal.as_ref(), &world, &list)).await {
        tell(caught_up, &list, String::new());
    }
}

/// Says what is wrong once, and when it is over; returns what is wrong now.
fn tell(caught_up: Result<(), ListTrouble>, list: &LinksFile, before: String) -> String {
    let path = list.path().display();
    match caught_up {
        Ok(()) => {
            if !before.is_empty() {
                tracing::info!(%path, "the list of copied files is up to date again");
            }
            String::new()
        }
        Err(trouble) => {
            // Looks at the journal after which the list was not up to date.
            metrics::counter!("render_signal_links_file_errors_total").increment(1);
            let now = trouble.to_string();
            if now != before {
                tracing::warn!(%path, why = now, "the list of copied files is not up to date; the copies are safe in the journal");
            }
            now
        }
    }
}

/// Carries over what the list does not have yet.
///
/// # Errors
/// [`ListTrouble`]; the list is then as before.
pub async fn catch_up(
    journal: &dyn Journal,
    world: &World,
    list: &Arc<LinksFile>,
) -> Result<(), ListTrouble> {
    bring_up_to_date(journal, world, list, false).await
}

/// Writes the whole list anew from the journal. What others have put into it stays.
///
/// # Errors
/// [`ListTrouble`]; the list is then as before.
pub async fn rebuild(journal: &dyn Journal, world: &World, list: &Arc<LinksFile>) -> Result<(), ListTrouble> {
    bring_up_to_date(journal, world, list, true).await
}

async fn bring_up_to_date(
    journal: &dyn Journal,
    world: &World,
    list: &Arc<LinksFile>,
    wanted_anew: bool,
) -> Result<(), ListTrouble> {
    let mut anew = wanted_anew;
    for _ in 0..TRIES {
        let from = list.cursor();
        let ListNews { copies, known_cursor } = news(journal, list, from.clone(), anew).await?;
        let whole = anew || !known_cursor;
        if copies.is_empty() && !wanted_anew {
            if !whole && !list.exists() {
                // Somebody has removed it.
                anew = true;
                continue;
            }
            return Ok(());
        }
        let change = ListChange { from, copies, anew: whole, now: world.now() };
        match write(list, change).await? {
            Written::Done { archived } => {
                if let Some(archive) = archived {
                    tracing::info!(path = %archive.display(), "the list of copied files had become too long and was archived");
                }
                return Ok(());
            }
            Written::Moved => {}
            Written::Busy => sleep(world.jitter.spread(BUSY)).await,
            Written::Missing => anew = true,
            Written::PutAside { path, why } => {
                tracing::error!(path = %path.display(), why, "the list of copied files was damaged; it was put aside and is written anew");
                anew = true;
            }
        }
    }
    Err(ListTrouble::Busy(list.path().display().to_string()))
}

/// What the journal has for the list.
struct ListNews {
    copies: Vec<LinkRow>,
    /// The cursor is of this journal.
    known_cursor: bool,
}

async fn news(
    journal: &dyn Journal,
    list: &LinksFile,
    cursor: Option<Cursor>,
    anew: bool,
) -> Result<ListNews, ViewError> {
    let most = list.capacity();
    let look = move |db: &rusqlite::Connection| {
        let known = match &cursor {
            Some(cursor) => copy_at(db, cursor.position)?.is_some_and(|id| id == cursor.event_id),
            None => false,
        };
        let after = cursor.filter(|_| known && !anew).map_or(0, |cursor| cursor.position);
        Ok(ListNews { copies: copies_after(db, after, most)?, known_cursor: known })
    };
    journal.views().read(look).await
}

/// Off the threads that the deliveries run on: a disk may hang.
async fn write(list: &Arc<LinksFile>, change: ListChange) -> Result<Written, ListTrouble> {
    let list = Arc::clone(list);
    match tokio::task::spawn_blocking(move || list.apply(&change)).await {
        Ok(written) => Ok(written?),
        Err(error) => Err(ListTrouble::Failed(error.to_string())),
    }
}
