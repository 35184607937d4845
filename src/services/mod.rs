//! What can be done with the program: one implementation for the command, the API and the pages.
//!
//! | file | what |
//! |---|---|
//! | [`config`] | the documents: overview, versions, restoring, deciding a conflict; all of them in one file |
//! | [`check`] | the documents where they belong, judged with the reference system's words |
//! | [`migrate`] | documents from files into the shared store, with a log |
//! | [`explain`] | why a mail would or would not trigger |
//! | [`trial`], [`jobs`] | what changed documents would change, mail by mail; as a job with progress |
//! | [`queue`] | dead letters again, targets again, mails released |
//! | [`links`] | the copies of linked files, and the list of them |
//! | [`backup`] | a consistent copy of the journal |
//! | [`board`] | what each worker says of itself |
//!
//! Nothing here prints or knows HTTP: results are values, errors are [`Refused`].

pub(crate) mod backup;
pub(crate) mod board;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod explain;
pub(crate) mod jobs;
pub(crate) mod links;
pub(crate) mod migrate;
pub(crate) mod queue;
mod refused;
pub(crate) mod trial;

pub(crate) use self::refused::Refused;
