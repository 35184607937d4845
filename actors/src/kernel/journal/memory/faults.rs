//! Faults that a test asks for, and what becomes of an operation by one.

use std::time::Duration;

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// A commit, a new fence or a purge.
    Append,
    /// A claim, or making rows due.
    Claim,
    /// Anything that only reads.
    Read,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Ok,
    /// It is refused, and nothing has changed.
    Rejected,
    /// It is done, but the answer is lost. A read is simply lost.
    IndeterminateWritten,
    /// It is not done, and nobody knows.
    IndeterminateNotWritten,
    /// It is done, but only after this long (of tokio's time).
    Delay(Duration),
}

/// Decides what goes wrong. Asked once before each operation, in order.
pub trait Faults: Send + Sync {
    /// What happens to the next operation.
    fn next(&self, point: FaultPoint) -> Fault;
}

/// How an operation ended badly.
pub(super) enum OperationLost {
    Rejected,
    Unknown,
}
