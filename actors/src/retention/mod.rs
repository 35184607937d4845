//! Drops what is kept no longer, at the start and every hour: copies of old documents
//! (`CONFIG_HISTORY_DAYS`), bodies (`MAIL_RETENTION_DAYS`), and events, after they were written
//! elsewhere (`JOURNAL_RETENTION_DAYS`).
//!
//! ```text
//! Guardian ─▶ ChoreActor "retention" ─▶ round ─▶ prune · purge · archive
//!                                          └────▶ Rounds, which `/readyz` shows
//! ```
//!
//! A round is done in steps that are whole for themselves, so it may end anywhere. One that
//! panics is an event of its guardian, and the next one waits, so that a fault that repeats
//! costs the retention and never the process.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;

use crate::archive::{Archiver, Round};
use crate::chore::Chore;
use crate::config::prune::{CopyLimits, prune};
use crate::kernel::clock::World;
use crate::kernel::journal::JournalAdmin;

/// Between two rounds.
pub const INTERVAL: Duration = Duration::from_secs(3_600);
/// After a round that panicked. Longer than the window in which a guardian counts restarts.
const AFTER_PANIC: Duration = Duration::from_secs(600);

/// What the rounds came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rounds {
    /// When the chore was begun first in this process.
    pub since: Option<DateTime<Utc>>,
    /// When a round ended last of which every step went well.
    pub finished_at: Option<DateTime<Utc>>,
    /// What went wrong in the last round; empty = nothing.
    pub trouble: Vec<String>,
    /// A round has begun and not ended.
    pub under_way: bool,
}

/// Drops what is past its time: copies of documents, bodies, archived events.
#[derive(Clone)]
pub struct Retention {
    /// Time and ids.
    pub world: World,
    /// Where everything is.
    pub journal: Arc<dyn JournalAdmin>,
    /// How many copies of documents stay.
    pub history: CopyLimits,
    /// What moves old events out; `None` = they stay.
    pub archiver: Option<Archiver>,
}

impl Retention {
    /// The chore, and what it tells of its rounds.
    #[must_use]
    pub fn chore(self) -> (Chore, watch::Receiver<Rounds>) {
        let (tell, told) = watch::channel(Rounds { since: Some(self.world.now()), ..Rounds::default() });
        let tell = Arc::new(tell);
        let chore = Chore::new("retention", move || self.clone().run(Arc::clone(&tell)));
        (chore, told)
    }

    async fn run(self, rounds: Arc<watch::Sender<Rounds>>) {
        if rounds.borrow().under_way {
            rounds.send_modify(|rounds| {
                rounds.trouble = vec!["the last round broke off by a fault of the program".to_owned()];
            });
            tokio::time::sleep(AFTER_PANIC).await;
        }
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            rounds.send_modify(|rounds| rounds.under_way = true);
            let trouble = self.round().await;
            let now = self.world.now();
            rounds.send_modify(|rounds| {
                rounds.under_way = false;
                rounds.finished_at = if trouble.is_empty() { Some(now) } else { rounds.finished_at };
                rounds.trouble = trouble;
            });
        }
    }

    /// Every step, whatever became of those before. What went wrong.
    async fn round(&self) -> Vec<String> {
        let mut trouble = Vec::new();
        let mut failed = |what: &str, error: String| {
            tracing::warn!(error, "{what} could not be dropped, trying again later");
            trouble.push(format!("{what} could not be dropped: {error}"));
        };
        match prune(self.journal.as_ref(), &self.world, self.history).await {
            Ok(0) => {}
            Ok(copies) => tracing::info!(copies, "dropped copies of documents whose time is over"),
            Err(error) => failed("old copies of documents", error),
        }
        match self.journal.purge(self.world.now()).await {
            Ok(0) => {}
            Ok(bodies) => {
                metrics::counter!("render_signal_journal_bodies_purged_total").increment(bodies);
                tracing::info!(bodies, "dropped bodies whose retention is over");
            }
            Err(error) => failed("old bodies", error.to_string()),
        }
        if let Some(archiver) = &self.archiver {
            match archiver.round().await {
                Ok(Round { events: 0, .. }) => {}
                Ok(Round { streams, events }) => {
                    tracing::info!(streams, events, "archived what is settled for long");
                }
                Err(error) => failed("old events", error),
            }
        }
        trouble
    }
}
