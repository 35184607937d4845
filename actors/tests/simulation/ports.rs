//! The other ports: lease, documents, copies, receivers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::store::{
    DocumentChange, DocumentStore, Precondition, Revision, StoreError, StoreReading, WriteReceipt,
};
use render_signal_actors::egress::{Answer, SendError};
use render_signal_actors::lock::store::{LeaseAnswer, LeaseError, LeaseStore, Renewal};
use render_signal_actors::r2::{Copied, Job, LinkStore, NoCopy};
use render_signal_actors::webhook::port::{Outgoing, Receiver};
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::time::Instant;

use crate::bell::Bell;
use crate::chaos::Chaos;
use crate::receiver::Inbox;

/// Who has the lease, and until when. All workers of a run share it.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Option<(String, Instant)>>>);

/// One worker's view of the registry.
pub(crate) struct SimLease {
    pub(crate) registry: Registry,
    pub(crate) worker: String,
    pub(crate) chaos: Chaos,
}

impl SimLease {
    fn unknown(&self) -> LeaseError {
        LeaseError { what: "of the simulation".to_owned(), why: "no answer".to_owned() }
    }
}

#[async_trait]
impl LeaseStore for SimLease {
    async fn try_acquire(&self, ttl: Duration) -> Result<LeaseAnswer, LeaseError> {
        let asked = Instant::now();
        self.chaos
            .through("lease.acquire", || {
                let mut held = self.registry.0.lock().unwrap();
                match &*held {
                    Some((holder, until)) if *holder != self.worker && *until > Instant::now() => {
                        LeaseAnswer::HeldBy(holder.clone())
                    }
                    _ => {
                        *held = Some((self.worker.clone(), asked + ttl));
                        LeaseAnswer::Granted
                    }
                }
            })
            .await
            .map_err(|_| self.unknown())
    }

    async fn renew(&self, ttl: Duration) -> Result<Renewal, LeaseError> {
        let asked = Instant::now();
        self.chaos
            .through("lease.renew", || {
                let mut held = self.registry.0.lock().unwrap();
                match &mut *held {
                    Some((holder, until)) if *holder == self.worker && *until > Instant::now() => {
                        *until = asked + ttl;
                        Renewal::Renewed
                    }
                    _ => Renewal::Lost,
                }
            })
            .await
            .map_err(|_| self.unknown())
    }

    async fn release(&self) -> Result<(), LeaseError> {
        self.chaos
            .through("lease.release", || {
                let mut held = self.registry.0.lock().unwrap();
                if held.as_ref().is_some_and(|(holder, _)| *holder == self.worker) {
                    *held = None;
                }
            })
            .await
            .map_err(|_| self.unknown())
    }

    fn warning(&self) -> Option<render_signal_actors::kernel::said::Said> {
        None
    }
}

/// Documents that an operator changes while everything else goes wrong.
#[derive(Clone)]
pub(crate) struct SimDocuments {
    pub(crate) values: Arc<Mutex<std::collections::BTreeMap<Key, Value>>>,
    pub(crate) version: Bell,
    pub(crate) chaos: Chaos,
    /// The store answers nobody: an outage.
    pub(crate) silent: Arc<AtomicBool>,
}

impl SimDocuments {
    pub(crate) fn new(chaos: Chaos) -> Self {
        Self { values: Arc::default(), version: Bell::default(), chaos, silent: Arc::default() }
    }

    pub(crate) fn put(&self, key: Key, value: Value) {
        self.values.lock().unwrap().insert(key, value);
        self.version.ring();
    }

    pub(crate) fn value(&self, key: Key) -> Option<Value> {
        self.values.lock().unwrap().get(&key).cloned()
    }

    /// An outage begins, or ends.
    #[allow(dead_code, reason = "the tests of panics know no outage")]
    pub(crate) fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    fn stands(&self, key: Key) -> StoreReading {
        self.value(key).map_or(StoreReading::Absent, |value| {
            let text = value.to_string();
            StoreReading::Found { revision: Revision::of(&text), text }
        })
    }

    fn compare_and_set(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        let is_as_believed = match (&change.expected, self.stands(change.key)) {
            (Precondition::Absent, StoreReading::Absent) => true,
            (Precondition::Revision(believed), StoreReading::Found { revision, .. }) => *believed == revision,
            _ => false,
        };
        if !is_as_believed {
            return Err(StoreError::Conflict(change.key));
        }
        self.put(change.key, change.value.clone());
        let revision = Revision::of(&change.value.to_string());
        Ok(WriteReceipt { revision, stored_in: self.name(), degraded: None })
    }
}

#[async_trait]
impl DocumentStore for SimDocuments {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        let failed = || StoreError::Unreadable { what: format!("{key}"), why: "no answer".to_owned() };
        if self.silent.load(Ordering::SeqCst) {
            return Err(failed());
        }
        self.chaos.through("documents.read", || self.stands(key)).await.map_err(|_| failed())
    }

    async fn changed(&self) {
        self.version.rung_since(self.version.count()).await;
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        let failed = || StoreError::Unwritable { what: change.key.to_string(), why: "no answer".to_owned() };
        if self.silent.load(Ordering::SeqCst) {
            return Err(failed());
        }
        self.chaos.through("documents.write", || self.compare_and_set(change)).await.map_err(|_| failed())?
    }
}

/// Copies that sometimes fail: the source link must then be sent.
pub(crate) struct SimLinks(pub Chaos);

#[async_trait]
impl LinkStore for SimLinks {
    async fn offload(&self, job: Job) -> Result<Copied, NoCopy> {
        self.0
            .through("r2", || Copied {
                source_url: job.source.url.clone(),
                r2_url: format!("https://r2.example/{}", job.email_id),
                original_filename: None,
                expires_at: None,
            })
            .await
            .map_err(|_| NoCopy::passing("the worker did not answer", None))
    }
}

/// All receivers: they share one inbox.
pub(crate) struct SimReceiver {
    pub(crate) inbox: Inbox,
    pub(crate) chaos: Chaos,
}

#[async_trait]
impl Receiver for SimReceiver {
    async fn post(&self, request: Outgoing) -> Result<Answer, SendError> {
        let id = request.headers.get("webhook-id").expect("a webhook-id").to_str().unwrap().to_owned();
        let answered =
            tokio::time::timeout(request.timeout, self.inbox.post(&self.chaos, &id, &request.body)).await;
        match answered {
            Err(_) => Err(SendError::Timeout),
            Ok(Err(_)) => Err(SendError::Transport("the connection broke".to_owned())),
            Ok(Ok(status)) => Ok(Answer {
                status,
                headers: HeaderMap::new(),
                body: Bytes::from_static(b"{}"),
                truncated: false,
            }),
        }
    }
}
