//! The journal under test, with the invariants checked after every commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use render_signal_actors::kernel::event::{Recorded, StreamId};
use render_signal_actors::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use render_signal_actors::kernel::journal::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Hint, Journal, JournalError, Loss, OutboxRow, Queue,
};
use render_signal_actors::kernel::projection::Views;
use tokio::sync::watch;

use crate::chaos::{self, Chaos};
use crate::receiver::Inbox;

/// Faults of the journal, drawn from the run's chaos; quiet while the checker itself looks.
pub(crate) struct JournalFaults {
    pub(crate) chaos: Chaos,
    pub(crate) quiet: AtomicBool,
    pub(crate) drawn: AtomicU64,
}

impl Faults for JournalFaults {
    fn next(&self, point: FaultPoint) -> Fault {
        if self.quiet.load(Ordering::SeqCst) {
            return Fault::Ok;
        }
        let fault = match self.chaos.draw_journal() {
            chaos::Fault::Ok | chaos::Fault::CrashBefore | chaos::Fault::CrashAfter => return Fault::Ok,
            chaos::Fault::Error if self.chaos.below(2) == 0 => Fault::IndeterminateNotWritten,
            chaos::Fault::Error => Fault::Rejected,
            chaos::Fault::DoneButError => Fault::IndeterminateWritten,
            // A journal that takes minutes is a journal that does not answer.
            chaos::Fault::Delay(wait) => Fault::Delay(wait.min(Duration::from_secs(4))),
        };
        self.chaos.note(format!("journal {point:?}: {fault:?}"));
        self.drawn.fetch_add(1, Ordering::SeqCst);
        fault
    }
}

#[derive(Default)]
struct Seen {
    head: u64,
    versions: HashMap<StreamId, u64>,
    fences: BTreeMap<String, u64>,
}

/// See the module page.
pub(crate) struct Checked {
    pub(crate) inner: Arc<MemoryJournal>,
    pub(crate) faults: Arc<JournalFaults>,
    pub(crate) inbox: Inbox,
    seen: Mutex<Seen>,
    /// One channel for each that listens: those of one channel are woken in a random order.
    hints: Mutex<Vec<watch::Sender<Hint>>>,
}

impl Checked {
    pub(crate) fn new(inner: Arc<MemoryJournal>, faults: Arc<JournalFaults>, inbox: Inbox) -> Self {
        Self { inner, faults, inbox, seen: Mutex::default(), hints: Mutex::default() }
    }

    /// Runs `look` without faults. Nothing else can run meanwhile: the memory journal
    /// answers without waiting when no fault is drawn.
    pub(crate) async fn quietly<T>(&self, look: impl Future<Output = T>) -> T {
        self.faults.quiet.store(true, Ordering::SeqCst);
        let found = look.await;
        self.faults.quiet.store(false, Ordering::SeqCst);
        found
    }

    /// Passes the journal's hints on, to each in its turn.
    fn hint(&self) {
        let latest = *self.inner.hints().borrow();
        let mut listening = self.hints.lock().unwrap();
        listening.retain(|one| !one.is_closed());
        for one in &*listening {
            one.send_if_modified(|known| std::mem::replace(known, latest) != latest);
        }
    }

    async fn check(&self) {
        let from = self.seen.lock().unwrap().head;
        let new = self.quietly(self.inner.read_log(from, usize::MAX)).await.expect("the log");
        let mut seen = self.seen.lock().unwrap();
        for event in new {
            self.check_event(&mut seen, &event);
        }
    }

    fn check_event(&self, seen: &mut Seen, event: &Recorded) {
        assert_eq!(event.position, seen.head + 1, "INVARIANT: positions are gapless");
        seen.head = event.position;
        let version = seen.versions.entry(event.stream.clone()).or_default();
        assert_eq!(event.version, *version + 1, "INVARIANT: versions of {} are gapless", event.stream);
        *version = event.version;
        let text = |field: &str| event.payload[field].as_str().unwrap_or_default().to_owned();
        match event.kind.as_str() {
            "delivery.succeeded" => {
                let id = format!("msg_{}_{}", text("email_id"), text("target"));
                assert!(self.inbox.has(&id), "INVARIANT: {id} is recorded as delivered, nobody received it");
            }
            "lease.acquired" | "lease.taken_over" => {
                let fence = event.payload["fence"].as_u64().expect("a fence");
                let last = seen.fences.entry(event.stream.to_string()).or_default();
                assert!(fence > *last, "INVARIANT: fences increase ({last} then {fence})");
                *last = fence;
            }
            _ => {}
        }
    }
}

#[async_trait]
impl Journal for Checked {
    async fn append(&self, commit: Commit) -> Result<Appended, AppendError> {
        let answer = self.inner.append(commit).await;
        self.check().await;
        self.hint();
        answer
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
        self.hint();
        claimed
    }

    async fn hasten(
        &self,
        queue: Queue,
        only: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<u64, JournalError> {
        let hastened = self.inner.hasten(queue, only, now).await;
        self.hint();
        hastened
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
        let (hints, listening) = watch::channel(*self.inner.hints().borrow());
        self.hints.lock().unwrap().push(hints);
        listening
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
