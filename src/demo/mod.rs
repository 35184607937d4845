//! The demo: the whole job on sample mails, with nothing but this program.

pub(crate) mod documents;
pub(crate) mod ledger;
pub(crate) mod maildir;
pub(crate) mod narrator;
pub(crate) mod receiver;
pub(crate) mod samples;
pub(crate) mod summary;
pub(crate) mod words;
pub(crate) mod worker;
