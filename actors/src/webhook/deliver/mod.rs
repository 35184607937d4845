//! One delivery, one task: it owns its row from the claim until the commit that ends the claim.
//!
//! ```text
//! claim ─▶ waits for a permit ─▶ a place of the hour ─▶ post ─▶ (the slot is free) ─▶ ONE commit:
//!                │                                                delivery.attempted + outcome, mail.settled,
//!                └─▶ waits for the window, or gives the row back  the row, the mails to mark as seen
//! ```
//!
//! Whatever becomes of the actor, a task goes on to its commit: a receiver that has just answered
//! would be asked twice otherwise. A task that panics gives its row back, and its permit with it.

mod attempt;
mod local_fault;
mod permit;
mod request;
mod store;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt as _;
use tokio::sync::oneshot;
use tracing::Instrument as _;
use uuid::Uuid;

use super::claimed::ClaimedDelivery;
use super::dispatch::{Dispatcher, Ownership};
use super::outcome::Resolution;
use super::waits;
use crate::kernel::journal::{Commit, Defer, Due, Queue};
use attempt::AttemptEnd;

pub(super) use self::local_fault::LocalFaults;
pub(super) use self::permit::Permit;
pub(super) use self::request::headers;
pub(super) use self::store::store;

/// A delivery whose task has panicked is made due again this much later: one that always panics
/// must not keep a worker busy.
const PANIC_SETBACK: TimeDelta = TimeDelta::seconds(1);

/// What a delivery that waits is told.
pub(super) enum Clearance {
    /// It may be attempted.
    Attempt(Permit),
    /// It goes only while the window is open, which it is not.
    AwaitWindow,
    /// It is to give its row back.
    GiveBack,
}

/// Works on a claimed row, and on the same row again if it is claimed anew before this is over: of
/// one row, no two attempts are ever under way here.
pub(super) async fn own(
    dispatcher: Arc<Dispatcher>,
    mut claimed: ClaimedDelivery,
    mut clearance: oneshot::Receiver<Clearance>,
) {
    let mut ownership = Ownership::new(&dispatcher, claimed.key.clone());
    loop {
        let claim = claimed.claim;
        let work = AssertUnwindSafe(deliver(&dispatcher, claimed, clearance)).catch_unwind();
        if work.await.is_err() {
            let due = dispatcher.deps.world.now() + PANIC_SETBACK;
            give_back(&dispatcher, ownership.key(), claim, Due::At(due)).await;
        }
        match ownership.successor() {
            Some(again) => (claimed, clearance) = again,
            None => return,
        }
    }
}

async fn deliver(
    dispatcher: &Arc<Dispatcher>,
    claimed: ClaimedDelivery,
    clearance: oneshot::Receiver<Clearance>,
) {
    match clearance.await {
        Ok(Clearance::Attempt(permit)) => {
            let meta = &claimed.meta;
            let (email_id, target, attempt) = (&meta.email_id, &meta.target, meta.attempts.saturating_add(1));
            // Whatever is logged below, by whichever room, names the mail.
            let span = tracing::info_span!("deliver", email_id, target, attempt);
            attempt_and_store(dispatcher, claimed, permit).instrument(span).await;
        }
        Ok(Clearance::AwaitWindow) => waits::for_the_window(dispatcher, claimed).await,
        // An error: whoever grants permits has failed.
        Ok(Clearance::GiveBack) | Err(_) => release(dispatcher, &claimed).await,
    }
}

async fn attempt_and_store(dispatcher: &Arc<Dispatcher>, mut claimed: ClaimedDelivery, permit: Permit) {
    let end = tokio::select! {
        biased;
        end = attempt::attempt(dispatcher, &mut claimed, permit) => end,
        // The program stops and waits no longer. What was answered is stored all the same.
        () = dispatcher.abandon.cancelled() => AttemptEnd::GivenUp,
    };
    match end {
        AttemptEnd::Decided(outcome) => {
            if outcome.resolution == Resolution::DeadLettered {
                metrics::counter!("render_signal_dead_letters_total", "target" => claimed.meta.target.clone())
                    .increment(1);
            }
            store(dispatcher, &claimed.key, claimed.claim, outcome).await;
        }
        AttemptEnd::OverTheLimit { until, limit } => {
            waits::for_the_limit(dispatcher, claimed, until, limit).await;
        }
        AttemptEnd::GivenUp => release(dispatcher, &claimed).await,
        AttemptEnd::Cancelled => {}
    }
}

/// Gives a row back unchanged, due at once.
async fn release(dispatcher: &Dispatcher, claimed: &ClaimedDelivery) {
    let now = dispatcher.deps.world.now();
    give_back(dispatcher, &claimed.key, claimed.claim, Due::At(now)).await;
}

/// Gives a row back unchanged. When the journal cannot take that, the claim runs out by itself.
pub(super) async fn give_back(dispatcher: &Dispatcher, key: &str, claim: Uuid, due: Due) {
    let defer = Defer {
        queue: Queue::Deliver,
        key: key.to_owned(),
        claim: Some(claim),
        due,
        meta: None,
        partition: None,
    };
    let commit = Commit { at: dispatcher.deps.world.now(), defer: vec![defer], ..Commit::default() };
    if let Err(error) = dispatcher.deps.journal.append(commit).await {
        tracing::debug!(%error, key, "a claimed delivery was not given back");
    }
}
