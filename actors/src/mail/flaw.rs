//! What is wrong with a document that is read by hand, field by field.

use crate::kernel::said::Said;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where, such as `.conditions.all[0].value` in a detector or `providers[0].hosts[1]` in a
    /// document; empty = the whole.
    pub field: String,
    /// In plain words.
    pub message: Said,
}

/// What was read, or the first thing that is wrong.
pub(super) type Checked<T> = Result<T, Flaw>;

/// Refuses what stands at `field`.
pub(super) fn flaw<T>(field: impl Into<String>, message: Said) -> Checked<T> {
    Err(Flaw { field: field.into(), message })
}
