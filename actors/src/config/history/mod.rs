//! Every change of a document is an event, with a copy of the document beside it.
//!
//! * `record`: the one function through which something is entered; `commit`: what is written
//!   with it.
//! * [`follow`]: what the streams say now.
//! * [`import`]: the changes of a store's own list.
//! * `versions`: what happened, version by version; `copies`: what a version said.

mod commit;
mod copies;
pub mod follow;
pub mod import;
mod record;
mod versions;

#[cfg(test)]
pub(super) use self::copies::kept_for_ever;
pub(super) use self::copies::text_of;
pub use self::copies::{CopyError, copy, copy_with, is_kept, last_good};
pub(super) use self::record::needed;
pub use self::record::{LastRecorded, ObservedIn, last, record, record_absent};
pub use self::versions::{DecidedUnder, HistoryVersion, RECONCILED, versions, versions_of};
