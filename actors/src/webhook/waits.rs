//! Deliveries that wait for the hourly limit or for the delivery window, and are let go when a
//! setting changes.
//!
//! Whoever makes what waits due does not see the rows that are claimed at that moment; whoever has
//! one in hand looks again once it is stored.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::claimed::ClaimedDelivery;
use super::deliver::store;
use super::dispatch::Dispatcher;
use super::outcome;
use super::reads::READ_RETRY_PAUSE;
use crate::kernel::journal::{Due, OutboxRow, Queue};
use crate::mail::outbox_rows::InWindow;
use crate::mail::policy::Priority;
use crate::mail::windows;

/// Which deliveries that wait for the hourly limit are made due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldByLimit {
    /// None.
    None,
    /// Of each target as many as there are free places.
    ForFreePlaces,
    /// All: those that must go on waiting are given another time, under the new limit.
    All,
}

/// Stores that a delivery waits until then, because it is over this limit.
pub(super) async fn for_the_limit(
    dispatcher: &Dispatcher,
    mut claimed: ClaimedDelivery,
    until: DateTime<Utc>,
    limit: u32,
) {
    claimed.drop_body();
    let waits = outcome::over_the_limit(&claimed.meta, until);
    store(dispatcher, &claimed.key, claimed.claim, waits).await;
    if dispatcher.deps.policy.load().rate_limit_per_hour != limit {
        make_due(dispatcher, std::slice::from_ref(&claimed.key)).await;
    }
}

/// Stores that a delivery waits for the window to open.
pub(super) async fn for_the_window(dispatcher: &Dispatcher, mut claimed: ClaimedDelivery) {
    claimed.drop_body();
    let deps = &dispatcher.deps;
    let opens = || windows::opens(&deps.policy.load(), deps.world.now());
    let until = opens();
    let waits = outcome::outside_the_window(&claimed.meta, until);
    store(dispatcher, &claimed.key, claimed.claim, waits).await;
    if opens() < until {
        make_due(dispatcher, std::slice::from_ref(&claimed.key)).await;
    }
}

/// Makes deliveries that wait due: for the limit as `held` says, oldest first; for the window, those
/// that were told a later time than it opens now.
pub(super) async fn hasten(dispatcher: &Dispatcher, held: HeldByLimit) {
    let deps = &dispatcher.deps;
    let now = deps.world.now();
    let mut rows = outbox(dispatcher).await;
    // The most urgent first; the others as they came.
    rows.sort_by_key(|row| std::cmp::Reverse(field::<Priority>(row, "priority")));
    let opens = windows::opens(&deps.policy.load(), now);
    let mut free: HashMap<String, usize> = HashMap::new();
    let mut keys = Vec::new();
    for row in rows.into_iter().filter(|row| !row.claimed && matches!(row.due, Due::At(due) if due > now)) {
        let is_let_go = if field::<InWindow>(&row, "window") == InWindow::Waits {
            matches!(row.due, Due::At(due) if due > opens)
        } else if field::<u32>(&row, "attempts") > 0 {
            // Only a first attempt waits for the limit; it waits for nothing else but the window.
            false
        } else {
            match held {
                HeldByLimit::None => false,
                HeldByLimit::All => true,
                HeldByLimit::ForFreePlaces => take_free(dispatcher, &mut free, &row.partition).await,
            }
        };
        if is_let_go {
            keys.push(row.key);
        }
    }
    if !keys.is_empty() {
        make_due(dispatcher, &keys).await;
    }
}

/// Takes one of the free places of a target, if there is one: of those who ask here, each gets
/// another.
async fn take_free(dispatcher: &Dispatcher, free: &mut HashMap<String, usize>, target: &str) -> bool {
    if !free.contains_key(target) {
        let places = dispatcher.limiter.free(&dispatcher.deps, target).await;
        free.insert(target.to_owned(), places);
    }
    match free.get_mut(target).filter(|places| **places > 0) {
        Some(places) => {
            *places -= 1;
            true
        }
        None => false,
    }
}

async fn outbox(dispatcher: &Dispatcher) -> Vec<OutboxRow> {
    let deps = &dispatcher.deps;
    loop {
        match deps.journal.outbox(Queue::Deliver, usize::MAX).await {
            Ok(rows) => return rows,
            Err(error) => {
                tracing::warn!(%error, "the deliveries that wait could not be read, trying again");
                tokio::time::sleep(deps.world.jitter.spread(READ_RETRY_PAUSE)).await;
            }
        }
    }
}

/// Makes deliveries due now, as soon as the journal can: nobody looks for them again, and their
/// time may be days away. Those that somebody has claimed meanwhile stay as they are.
async fn make_due(dispatcher: &Dispatcher, keys: &[String]) {
    let deps = &dispatcher.deps;
    while let Err(error) = deps.journal.hasten(Queue::Deliver, Some(keys), deps.world.now()).await {
        tracing::warn!(%error, "deliveries that wait could not be made due, trying again");
        tokio::time::sleep(deps.world.jitter.spread(READ_RETRY_PAUSE)).await;
    }
}

/// A field of a row's meta. Not the whole of it: there may be very many rows.
fn field<'de, T: Deserialize<'de> + Default>(row: &'de OutboxRow, name: &str) -> T {
    row.meta.get(name).and_then(|value| T::deserialize(value).ok()).unwrap_or_default()
}
