//! The same done about many deliveries: those of a selection are counted first, then acted upon one
//! by one. Each is whole for itself; what cannot be done about one is said, and the others go on.

use serde::Serialize;

use super::cancel::{CancelError, cancel};
use super::dead_letters::{RetryError, Undelivered};
use crate::kernel::clock::World;
use crate::kernel::journal::{Journal, JournalError};
use crate::kernel::projection::ViewError;
use crate::readmodel::queries::{self, DeliveryRow, DeliverySelection, Matches};

/// At most so many are acted upon at a time: whoever wants more asks again.
pub const AT_ONCE: usize = 1_000;
/// Counting ends there.
pub const COUNTED: u64 = 100_000;

/// What is done about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send dead letters again.
    Retry,
    /// Do not send what is not delivered.
    Cancel,
}

impl Action {
    /// The states that it makes sense in.
    const fn states(self) -> &'static [&'static str] {
        match self {
            Self::Retry => &["dead_lettered"],
            Self::Cancel => &["waiting", "retrying", "held_rate", "held_window", "dead_lettered"],
        }
    }

    /// What of a selection it can be done about; `None` = nothing.
    fn of(self, selection: &DeliverySelection) -> Option<DeliverySelection> {
        let wanted =
            |state: &str| selection.states.is_empty() || selection.states.iter().any(|one| one == state);
        let states: Vec<String> =
            self.states().iter().filter(|state| wanted(state)).map(|state| (*state).to_owned()).collect();
        (!states.is_empty()).then(|| DeliverySelection { states, ..selection.clone() })
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The read models could not be asked.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
}

/// One that nothing was done about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BulkRefusal {
    /// `<email_id>/<target>`.
    pub id: String,
    /// Why not.
    pub why: String,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BulkOutcome {
    /// How many there were.
    pub matches: Matches,
    /// How many it was done about.
    pub done: u64,
    /// Those that it was not done about.
    pub refused: Vec<BulkRefusal>,
}

/// How many deliveries of a selection an action would be done about.
///
/// # Errors
/// See [`BulkError`].
pub async fn count(
    journal: &dyn Journal,
    action: Action,
    selection: &DeliverySelection,
) -> Result<Matches, BulkError> {
    let Some(selection) = action.of(selection) else { return Ok(Matches::of(0, COUNTED)) };
    Ok(journal.views().read(move |db| queries::count_selection(db, &selection, COUNTED)).await?)
}

/// Acts upon a selection, at most [`AT_ONCE`] of it. `by` says who asked, such as `cli`.
///
/// # Errors
/// See [`BulkError`]; then nothing has changed.
pub async fn act(
    journal: &dyn Journal,
    world: &World,
    action: Action,
    selection: &DeliverySelection,
    by: &str,
) -> Result<BulkOutcome, BulkError> {
    let matches = count(journal, action, selection).await?;
    let mut done = BulkOutcome { matches, done: 0, refused: Vec::new() };
    let Some(selection) = action.of(selection) else { return Ok(done) };
    let rows =
        journal.views().read(move |db| queries::select_deliveries(db, &selection, None, AT_ONCE)).await?;
    let undelivered = match action {
        Action::Retry => Some(Undelivered::read(journal).await?),
        Action::Cancel => None,
    };
    for DeliveryRow { email_id, target, .. } in rows {
        let outcome = match &undelivered {
            Some(undelivered) => undelivered
                .retry(journal, world, &email_id, &target, by)
                .await
                .map_err(|error: RetryError| error.to_string()),
            None => cancel(journal, world, &email_id, &target, by)
                .await
                .map_err(|error: CancelError| error.to_string()),
        };
        match outcome {
            Ok(()) => done.done += 1,
            Err(why) => done.refused.push(BulkRefusal { id: format!("{email_id}/{target}"), why }),
        }
    }
    Ok(done)
}
