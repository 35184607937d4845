//! What can be done with the program: one implementation for the command, the API and the pages.
//!
//! | file | what |
//! |---|---|
//! | [`config`] | the documents: overview, versions, restoring, deciding a conflict; all of them in one file |
//! | [`check`] | the documents where they belong, judged with the reference system's words |
//! | [`migrate`] | documents from files into the shared store, with a log |
//! | [`explain`] | why a mail would or would not trigger |
//! | [`replay`] | why it did or did not: a past decision made again under its documents |
//! | [`trial`], [`jobs`] | what changed documents would change, mail by mail; as a job with progress |
//! | [`links`] | the copies of linked files, and the list of them |
//! | [`backup`] | a consistent copy of the journal |
//! | [`board`] | what each worker says of itself |
//!
//! Nothing here prints or knows HTTP: results are values, errors are [`ServiceError`].

pub(crate) mod backup;
pub(crate) mod board;
pub(crate) mod check;
pub(crate) mod config;
mod error;
pub(crate) mod explain;
pub(crate) mod jobs;
pub(crate) mod links;
pub(crate) mod migrate;
pub(crate) mod replay;
pub(crate) mod trial;

use std::sync::Arc;

use render_signal_actors::mail::policy::PolicyCell;
use render_signal_actors::r2::links::file::LinksFile;
use tokio::sync::Semaphore;

pub(crate) use self::error::ServiceError;
use crate::settings::Storage;

/// What a running service offers.
#[derive(Clone)]
pub(crate) struct Services {
    /// The documents.
    pub(crate) configuration: config::ConfigService,
    /// The policy in force.
    pub(crate) policy: PolicyCell,
    /// Rule tests.
    pub(crate) jobs: jobs::Jobs,
    /// Copies of the journal.
    pub(crate) backups: backup::Backups,
    /// What the workers say of themselves.
    pub(crate) board: board::WorkerBoard,
    /// One run of `doctor` at a time: it asks every server.
    pub(crate) doctor: Arc<Semaphore>,
    /// One check of the whole journal at a time: it reads all of it.
    pub(crate) verifying: Arc<Semaphore>,
    /// The list of copies.
    pub(crate) links: Arc<LinksFile>,
    /// Webhooks are signed (`WEBHOOK_SECRET`).
    pub(crate) signed: bool,
    /// Where things are kept.
    pub(crate) storage: Arc<Storage>,
}
