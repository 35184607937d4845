//! Load, decide, append; when somebody else wrote first, again.

use futures::future::BoxFuture;

use super::journal::{AppendError, Commit, Journal};

/// How often something is decided before it is given up because others keep writing to its
/// streams. Each further time means that yet another writer was faster within a millisecond or
/// two: past this, something is wrong, and waiting longer would hold up whoever asked.
pub const ATTEMPTS: u32 = 10;

/// What was decided from what the journal holds now.
#[derive(Debug)]
pub struct Decision<T> {
    /// What is to be written; `None` = it is already so.
    pub commit: Option<Commit>,
    /// What to answer once that is written.
    pub answer: T,
}

impl Decision<()> {
    /// Something is to be written, and there is nothing to tell.
    #[must_use]
    pub const fn write(commit: Commit) -> Self {
        Self { commit: Some(commit), answer: () }
    }
}

impl<T> Decision<T> {
    /// Nothing is to be written.
    #[must_use]
    pub const fn already(answer: T) -> Self {
        Self { commit: None, answer }
    }
}

/// Why what was decided is not known to be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// Others wrote to the same streams, [`ATTEMPTS`] times in a row.
    #[error("others keep writing to it; try again")]
    Busy,
    /// The journal did not take it, and not because of a conflict.
    #[error(transparent)]
    Append(AppendError),
}

/// Carries out what `decide` decides. It reads what it needs and makes a commit that expects
/// the versions which it read, so that it is asked again when somebody else wrote in between.
///
/// # Errors
/// What `decide` refuses, and what `unwritten` makes of a journal that did not take it. Safe to
/// repeat; except after [`AppendError::Indeterminate`], nothing was written.
pub async fn execute<'a, T, E>(
    journal: &dyn Journal,
    // Boxed: of a plain async closure the compiler cannot show that its future is `Send`.
    mut decide: impl FnMut() -> BoxFuture<'a, Result<Decision<T>, E>>,
    unwritten: impl FnOnce(Unwritten) -> E,
) -> Result<T, E> {
    for _ in 0..ATTEMPTS {
        let Decision { commit, answer } = decide().await?;
        let Some(commit) = commit else { return Ok(answer) };
        match journal.append(commit).await {
            Ok(_) => return Ok(answer),
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(unwritten(Unwritten::Append(error))),
        }
    }
    Err(unwritten(Unwritten::Busy))
}

#[cfg(test)]
mod tests;
