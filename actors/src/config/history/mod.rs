//! Every change of a document is an event, with a copy of the document beside it.
//!
//! * `record`: the one function through which something is entered.
//! * [`import`]: the changes of a store's own list.
//! * `versions`: what happened, version by version; `copies`: what a version said.

mod copies;
pub mod import;
mod record;
mod versions;

#[cfg(test)]
pub(super) use self::copies::kept_for_ever;
pub(super) use self::copies::text_of;
pub use self::copies::{CopyError, copy, copy_with, is_kept, last_good};
pub use self::record::{LastRecorded, ObservedIn, last, record};
pub use self::versions::{DecidedUnder, HistoryVersion, versions, versions_of};
