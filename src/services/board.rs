//! What each worker says of itself, for the others to show: how its mailbox lags, what the server
//! last said, which documents it runs, what it found out. A report expires after some seconds, so a
//! worker that died is not listed for long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use render_signal_actors::chore::Chore;
use render_signal_actors::kernel::ephemeral::Ephemeral;
use render_signal_actors::poller::PollerStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::ServiceError;
use crate::health::probe::{Draining, Pulse, StatusProbe};
use crate::health::worker::readiness;
use crate::words::recorded;

/// How often a worker reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// How long a report is kept: a worker may miss two before it counts as gone.
const REPORT_TTL: Duration = Duration::from_secs(20);
/// What the keys begin with.
const PREFIX: &str = "worker/";

/// A worker, as it says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct WorkerReport {
    /// Its name: `<host>/<pid>/<start id>`.
    pub(crate) worker: String,
    /// When it said so.
    pub(crate) at: DateTime<Utc>,
    /// When it started.
    pub(crate) started_at: DateTime<Utc>,
    /// Of the program.
    pub(crate) version: String,
    /// `ready` or `not_ready`.
    pub(crate) status: String,
    /// Position of the last event it knows.
    pub(crate) position: Option<u64>,
    /// Its mailbox, as it sees it; `None` = it never polls.
    pub(crate) mailbox: Option<MailboxReport>,
    /// It holds the right to poll.
    pub(crate) polls: bool,
    /// Version of the policy in force there.
    pub(crate) policy: Option<u64>,
    /// Hashes of the documents in force there, by name; empty = absent.
    pub(crate) documents: BTreeMap<String, String>,
    /// By check: its state and its findings, as `/readyz` tells them, with their words in French and English.
    #[schema(value_type = Object)]
    pub(crate) checks: Value,
}

/// A mailbox, as a worker sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = MailboxSeen)]
pub(crate) struct MailboxReport {
    /// Its name.
    pub(crate) name: String,
    /// What the poller is at.
    pub(crate) phase: String,
    /// Why it waits.
    pub(crate) reason: Option<String>,
    /// When the server last said anything.
    pub(crate) last_heard: Option<DateTime<Utc>>,
    /// Mails on the server that are not yet in the journal.
    pub(crate) lag_mails: u64,
    /// Arrival of the oldest of them.
    pub(crate) oldest_waiting: Option<DateTime<Utc>>,
    /// Errors in a row.
    pub(crate) failures: u32,
    /// It has been silent for longer than it should.
    pub(crate) silent: bool,
}

impl MailboxReport {
    /// As this worker's poller has it.
    pub(crate) fn of(status: &PollerStatus) -> Self {
        Self {
            name: status.mailbox.clone(),
            phase: status.phase.clone(),
            reason: status.reason.clone(),
            last_heard: status.last_heard,
            lag_mails: status.lag_mails,
            oldest_waiting: status.oldest_waiting,
            failures: status.failures,
            silent: status.silent,
        }
    }
}

/// Where workers say how they are.
#[derive(Clone)]
pub(crate) struct WorkerBoard {
    /// Where words are kept.
    pub(crate) said: Arc<dyn Ephemeral>,
    /// This worker's name.
    pub(crate) worker: String,
    pub(crate) started_at: DateTime<Utc>,
    /// The program's version.
    pub(crate) version: String,
}

impl WorkerBoard {
    /// What the workers say that are alive, by their names.
    pub(crate) async fn workers(&self) -> Result<Vec<WorkerReport>, ServiceError> {
        let said = self.said.published(PREFIX).await;
        let said = said.map_err(|error| ServiceError::Away(recorded::said(error)))?;
        // One of another version may say it in other words.
        let mut words: Vec<WorkerReport> =
            said.iter().filter_map(|report| serde_json::from_str(&report.value).ok()).collect();
        words.sort_by(|one, other| one.worker.cmp(&other.worker));
        Ok(words)
    }

    /// This worker, as it is now.
    pub(crate) async fn own(&self, probe: &StatusProbe, draining: bool, pulse: Duration) -> WorkerReport {
        let found = probe.look(draining, pulse).await;
        let ready = readiness(&found);
        let poller = found.poller.as_ref().and_then(|answer| answer.as_ref().ok());
        let config = found.config.as_ref().ok();
        WorkerReport {
            worker: self.worker.clone(),
            at: found.now,
            started_at: self.started_at,
            version: self.version.clone(),
            status: ready.status.to_owned(),
            position: found.journal.as_ref().ok().map(|journal| journal.head),
            mailbox: poller.map(MailboxReport::of),
            polls: found.lock.as_ref().and_then(|answer| answer.as_ref().ok()).is_some_and(|lock| lock.held),
            policy: config.map(|config| config.version),
            documents: config
                .map(|config| {
                    let documents = config.documents.iter();
                    documents.map(|document| (document.key.clone(), document.hash.clone())).collect()
                })
                .unwrap_or_default(),
            checks: ready.findings(),
        }
    }

    /// Says how this worker is, until the process ends; as soon as there is a way to ask.
    pub(crate) fn chore(
        self,
        probe: watch::Receiver<Option<StatusProbe>>,
        draining: Draining,
        pulse: Pulse,
    ) -> Chore {
        Chore::new("worker_board", move || {
            say_for_ever(self.clone(), probe.clone(), draining.clone(), pulse.clone())
        })
    }

    /// Takes this worker's word back: it stops.
    pub(crate) async fn leave(&self) {
        // It is forgotten by itself within seconds.
        drop(self.said.withdraw(&self.key()).await);
    }

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.worker)
    }

    async fn say(&self, report: &WorkerReport) {
        let Ok(text) = serde_json::to_string(report) else { return };
        if let Err(error) = self.said.publish(&self.key(), &text, REPORT_TTL).await {
            tracing::debug!(%error, "the state of this worker could not be shared with the others");
        }
    }
}

async fn say_for_ever(
    board: WorkerBoard,
    mut probe: watch::Receiver<Option<StatusProbe>>,
    draining: Draining,
    pulse: Pulse,
) {
    let probe = match probe.wait_for(Option::is_some).await {
        Ok(found) => found.clone(),
        // The program ends before it has begun.
        Err(_) => None,
    };
    let Some(probe) = probe else { return std::future::pending().await };
    loop {
        let report = board.own(&probe, draining.begun(), pulse.age()).await;
        board.say(&report).await;
        tokio::time::sleep(REPORT_INTERVAL).await;
    }
}
