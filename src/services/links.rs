//! The copies of linked files, and the list that is kept of them.

use std::sync::Arc;

use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::r2::links::book::Counts;
use render_signal_actors::r2::links::file::{FileTrouble, LinksFile};
use render_signal_actors::r2::links::follower;
use render_signal_actors::readmodel::queries::{LinkRow, copies_after, copies_before};
use render_signal_actors::said;
use serde::Serialize;

use super::ServiceError;
use crate::words::recorded;

/// What a list holds, and what lies beside it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stats {
    /// Its path.
    pub(crate) file: String,
    /// How much of what.
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Files into which the list was put when it had become too long, or was damaged.
    pub(crate) archives: usize,
}

/// The copies, newest first.
pub(crate) async fn copies(journal: &dyn Journal, limit: usize) -> Result<Vec<LinkRow>, ServiceError> {
    let copies = journal.views().read(move |db| copies_after(db, 0, limit)).await;
    Ok(copies.map_err(ServiceError::journal)?.into_iter().rev().collect())
}

/// The copies that were made before a position, newest first; `None` = the newest.
pub(crate) async fn before(
    journal: &dyn Journal,
    position: Option<u64>,
    limit: usize,
) -> Result<Vec<LinkRow>, ServiceError> {
    let position = position.unwrap_or(u64::MAX);
    journal.views().read(move |db| copies_before(db, position, limit)).await.map_err(ServiceError::journal)
}

/// Counts what the list holds.
pub(crate) fn stats(list: &LinksFile) -> Result<Stats, ServiceError> {
    let file = list.path().display().to_string();
    if !list.exists() {
        return Err(ServiceError::Missing(said!("il n'y a pas de liste {file}", "there is no list {file}")));
    }
    let counts = list.counts().map_err(|trouble| unusable(&trouble))?;
    let archives = list.archives().map_err(|trouble| unusable(&trouble))?.len();
    Ok(Stats { file, counts, archives })
}

/// Rewrites the list from the journal. Answers how many entries it has.
pub(crate) async fn rebuild(
    journal: &dyn Journal,
    world: &World,
    list: &Arc<LinksFile>,
) -> Result<usize, ServiceError> {
    follower::rebuild(journal, world, list)
        .await
        .map_err(|error| ServiceError::Away(recorded::said(error)))?;
    if list.exists() { list.count().map_err(|trouble| unusable(&trouble)) } else { Ok(0) }
}

fn unusable(trouble: &FileTrouble) -> ServiceError {
    ServiceError::Away(recorded::said(trouble))
}
