//! Repeating a commit until the journal has answered.
//!
//! Used where the world has already moved (a receiver has answered, a flag is set) and
//! the outcome must not be forgotten because the disk was full for a minute. Repeating is
//! safe: the ids of the events make a commit that had landed answer "already there".

use std::time::Duration;

use super::{AppendError, Appended, Commit, Journal};
use crate::kernel::backoff::Backoff;
use crate::kernel::clock::World;

/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Appends `commit`, again and again while the journal refuses it or does not answer.
///
/// Cancel by dropping the future. A commit without events is not recognised when it is
/// repeated; it may only settle, defer or replace rows, which is the same done twice.
///
/// # Errors
/// [`AppendError::Conflict`], [`AppendError::ClaimLost`] and [`AppendError::Fenced`]: these
/// are answers, and repeating does not change them.
pub async fn persist(journal: &dyn Journal, world: &World, commit: Commit) -> Result<Appended, AppendError> {
    let mut retries = Backoff::new(Duration::from_millis(50), MAX_PAUSE).retries();
    let mut unsure = false;
    loop {
        match journal.append(commit.clone()).await {
            Ok(appended) => return Ok(appended),
            // After an unknown outcome, a lost claim can be our own settlement.
            Err(AppendError::ClaimLost { .. })
                if unsure && commit.writes.iter().all(|w| w.events.is_empty()) =>
            {
                return Ok(Appended { position: 0, already_there: true });
            }
            Err(
                error @ (AppendError::Conflict { .. }
                | AppendError::ClaimLost { .. }
                | AppendError::Fenced { .. }),
            ) => {
                return Err(error);
            }
            Err(error) => {
                unsure |= matches!(error, AppendError::Indeterminate(_));
                tracing::warn!(%error, "the journal did not take a commit, trying again");
                retries.pause(world.jitter.as_ref()).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
