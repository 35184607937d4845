//! A journal that is watched: what its commits come to, and how long they take.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::event::{Recorded, StreamId};
use render_signal_actors::kernel::journal::{
    AppendError, Appended, Body, ClaimRequest, Claimed, Commit, Difference, Durability, Hint, Journal,
    JournalAdmin, JournalError, KeptBody, Loss, OutboxRow, Queue, Trim, VerifyReport,
};
use render_signal_actors::kernel::projection::Views;
use tokio::sync::watch;
use tokio::time::Instant;

/// A journal that remembers whether its last commit was taken, and counts and times them.
///
/// A full disk is noticed by the first commit that is refused, and by nothing else: reading
/// goes on as if nothing were. So this is where `/readyz` learns of it.
pub(crate) struct Watched {
    inner: Arc<dyn JournalAdmin>,
    world: World,
    /// What an acknowledgement means on this platform.
    durability: Durability,
    trouble: Mutex<Option<String>>,
}

/// Key of the body that [`Watched::check`] writes to find out whether the trouble is over.
const PROBE: &str = "probe/readiness";
/// Its size: that of a large mail's request body, since a small write may find room where a
/// mail does not.
const PROBE_BYTES: usize = 64 * 1_024;
/// How long such a try may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

impl Watched {
    /// Watches `inner`.
    pub(crate) fn over(inner: Arc<dyn JournalAdmin>, world: World) -> Arc<Self> {
        let durability = inner.durability();
        Self::lasting(inner, world, durability)
    }

    /// The same for one whose place lasts less long than it can know itself.
    pub(super) fn lasting(inner: Arc<dyn JournalAdmin>, world: World, durability: Durability) -> Arc<Self> {
        Arc::new(Self { inner, world, durability, trouble: Mutex::default() })
    }

    /// Why commits are not taken at present; tries a small one when the last one was not.
    pub(crate) async fn check(&self) -> Option<String> {
        self.trouble()?;
        let probe = Commit {
            at: self.world.now(),
            bodies: vec![Body {
                key: PROBE.to_owned(),
                bytes: vec![0; PROBE_BYTES].into(),
                keep_until: self.world.now(),
            }],
            ..Commit::default()
        };
        // The outcome is remembered by `append`; no answer in time changes nothing.
        drop(tokio::time::timeout(PROBE_DEADLINE, self.append(probe)).await);
        self.trouble()
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// The outcome's name, and whether it is the journal's own trouble. A refusal of the commit
/// as such shows that the journal works.
const fn judge(outcome: &Result<Appended, AppendError>) -> (&'static str, bool) {
    match outcome {
        Ok(_) => ("appended", false),
        Err(AppendError::Conflict { .. }) => ("conflict", false),
        Err(AppendError::ClaimLost { .. }) => ("claim_lost", false),
        Err(AppendError::Fenced { .. }) => ("fenced", false),
        Err(AppendError::Rejected(_)) => ("rejected", true),
        Err(AppendError::Indeterminate(_)) => ("indeterminate", true),
    }
}

#[async_trait]
impl Journal for Watched {
    async fn append(&self, commit: Commit) -> Result<Appended, AppendError> {
        let started = Instant::now();
        let outcome = self.inner.append(commit).await;
        let (name, trouble) = judge(&outcome);
        metrics::counter!("render_signal_journal_commits_total", "outcome" => name).increment(1);
        metrics::histogram!("render_signal_journal_append_seconds").record(started.elapsed());
        self.remember(match &outcome {
            Err(error) if trouble => Some(error.to_string()),
            _ => None,
        });
        outcome
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        self.inner.read_stream(stream, after).await
    }

    async fn read_log(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        self.inner.read_log(after, limit).await
    }

    async fn head(&self) -> Result<u64, JournalError> {
        self.inner.head().await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, JournalError> {
        let claimed = self.inner.claim(request).await;
        // A claim is a write, too. That one was possible says little: it may have found nothing.
        if let Err(error) = &claimed {
            self.remember(Some(error.to_string()));
        }
        claimed
    }

    async fn hasten(
        &self,
        queue: Queue,
        only: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<u64, JournalError> {
        self.inner.hasten(queue, only, now).await
    }

    async fn next_due(&self, queue: Queue) -> Result<Option<DateTime<Utc>>, JournalError> {
        self.inner.next_due(queue).await
    }

    async fn outbox(&self, queue: Queue, limit: usize) -> Result<Vec<OutboxRow>, JournalError> {
        self.inner.outbox(queue, limit).await
    }

    async fn body(&self, key: &str) -> Result<Option<Bytes>, JournalError> {
        self.inner.body(key).await
    }

    async fn bodies_of(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, JournalError> {
        self.inner.bodies_of(keys).await
    }

    async fn raise_fence(&self, lease: &str) -> Result<u64, JournalError> {
        self.inner.raise_fence(lease).await
    }

    fn hints(&self) -> watch::Receiver<Hint> {
        self.inner.hints()
    }

    fn losses(&self) -> watch::Receiver<Option<Loss>> {
        self.inner.losses()
    }

    fn views(&self) -> Views {
        self.inner.views()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl JournalAdmin for Watched {
    async fn bodies(&self, offset: u64, limit: usize) -> Result<Vec<KeptBody>, JournalError> {
        self.inner.bodies(offset, limit).await
    }

    async fn trimmed(&self, offset: u64, limit: usize) -> Result<Vec<Trim>, JournalError> {
        self.inner.trimmed(offset, limit).await
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, JournalError> {
        self.inner.purge(now).await
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn gone(&self) -> Option<String> {
        self.inner.gone()
    }

    async fn others(&self) -> Result<Vec<Difference>, JournalError> {
        self.inner.others().await
    }

    async fn verify(&self) -> Result<VerifyReport, JournalError> {
        self.inner.verify().await
    }
}
