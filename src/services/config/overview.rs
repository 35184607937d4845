//! What is in force, where it is kept, and which workers run it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use render_signal_actors::config::ConfigStatus;
use render_signal_actors::config::active::{ActiveDocuments, canonical_hash};
use render_signal_actors::config::diff::masked;
use render_signal_actors::config::documents::{self, FieldProblem, Governs, Key};
use render_signal_actors::config::load::of_readings;
use render_signal_actors::config::store::{self, Ack, DocumentStore, StoreError, StoreHealth, StoreReading};
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::readmodel::queries::{ConfigRow, configs};
use render_signal_actors::said;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};
use utoipa::ToSchema;

use super::ConfigService;
use crate::services::ServiceError;

/// How long each store and the journal may take to say what they hold; they are asked at the same
/// time.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the whole answer may take; it then says what is known by then.
const OVERVIEW_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of all documents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Configuration)]
pub(crate) struct ConfigOverview {
    /// The stores, the authority first; empty when there is one only.
    #[schema(value_type = Vec<Object>)]
    pub(crate) stores: Vec<StoreHealth>,
    /// The documents.
    pub(crate) documents: Vec<DocumentOverview>,
    /// What is wanted and cannot be had, or means more than it seems to.
    #[schema(value_type = Vec<String>)]
    pub(crate) remarks: Vec<Said>,
    /// Why the workers could not be asked, if so.
    #[serde(skip)]
    pub(crate) workers_unknown: Option<String>,
}

/// What is known of one document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentState)]
pub(crate) struct DocumentOverview {
    /// Which.
    pub(crate) key: &'static str,
    /// `ok`, `absent`, `missing` (in force, but not stored any more), `invalid`, or `unknown`: it cannot be read now. Of the last two the
    /// last good one is in force, if there ever was one; otherwise see `withholds`.
    pub(crate) state: String,
    /// What stands still, because it is refused and there is no good one before it.
    #[schema(value_type = Option<String>)]
    pub(crate) withholds: Option<Governs>,
    /// It is refused, but its switch says off, which is obeyed.
    pub(crate) switched_off: bool,
    /// What is wrong with it.
    #[schema(value_type = Vec<String>)]
    pub(crate) problems: Vec<FieldProblem>,
    /// What of it changes nothing.
    #[schema(value_type = Vec<String>)]
    pub(crate) remarks: Vec<Said>,
    /// Of the history; `None` = not recorded yet.
    pub(crate) version: Option<u64>,
    /// Who changed it last.
    pub(crate) origin: Option<String>,
    /// When.
    pub(crate) changed_at: Option<DateTime<Utc>>,
    /// How long ago.
    pub(crate) age_seconds: Option<i64>,
    /// Who runs it.
    pub(crate) workers: DocumentWorkers,
    /// As stored, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) stored: Option<Value>,
    /// The last good one, masked, when the stored one is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) in_force: Option<Value>,
}

/// Who runs the stored document.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = DocumentWorkers)]
pub(crate) struct DocumentWorkers {
    /// Workers that are alive; 0 = none, or they could not be asked.
    pub(crate) alive: usize,
    /// Of these, those that run the stored document.
    pub(crate) running: usize,
    /// Why others do not.
    pub(crate) refused: Vec<Keeps>,
}

/// A worker that keeps the version before.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeepsEarlierVersion)]
pub(crate) struct Keeps {
    /// Its name.
    pub(crate) worker: String,
    /// Why.
    #[schema(value_type = String)]
    pub(crate) why: Said,
}

impl ConfigService {
    /// What is known of these documents; with what they say, if asked for.
    pub(crate) async fn overview(&self, keys: &[Key], content: bool) -> Result<ConfigOverview, ServiceError> {
        let store = self.editor.store.as_ref();
        let (env, journal) = (&self.editor.env, self.editor.journal.as_deref());
        let (now, end) = (self.editor.world.now(), Instant::now() + OVERVIEW_TIMEOUT);
        let (readings, recorded, told) =
            tokio::join!(readings(store), recorded(journal), timeout(READ_TIMEOUT, store::workers(store)));
        let (acks, workers_unknown) = match told {
            Ok(Ok(acks)) => (acks, None),
            Ok(Err(error)) => (Vec::new(), Some(error.to_string())),
            Err(_) => (Vec::new(), Some(silent())),
        };
        let active = match timeout_at(end, of_readings(readings.clone(), env, journal, now)).await {
            Ok(active) => active,
            // Without the last good copies, which are in the journal.
            Err(_) => of_readings(readings.clone(), env, None, now).await,
        };
        let rows = recorded.as_deref().unwrap_or_default();
        let documents = keys.iter().map(|key| {
            let read = readings.iter().find(|(one, _)| one == key).and_then(|(_, read)| read.clone().ok());
            shown(*key, &active, read, rows, &acks, now, content)
        });
        let documents = documents.collect();
        let mut remarks = active.policy(env, 1).remarks();
        remarks.extend(active.stand_ins());
        remarks.extend(recorded.err());
        Ok(ConfigOverview { stores: store::health(store), documents, remarks, workers_unknown })
    }
}

impl ConfigOverview {
    /// Says of documents of which no worker is known to run them what this worker says of itself: one
    /// that is alone has nobody to tell.
    pub(crate) fn with_own(&mut self, own: &ConfigStatus) {
        for document in self.documents.iter_mut().filter(|document| document.workers.alive == 0) {
            if let Some(status) = own.documents.iter().find(|status| status.key == document.key) {
                (document.workers.alive, document.workers.running) = (own.workers, status.running);
            }
        }
    }
}

/// What the store holds under every key, or that it did not say so in time.
async fn readings(store: &dyn DocumentStore) -> Vec<(Key, Result<StoreReading, StoreError>)> {
    let read = async |key: Key| {
        let read = timeout(READ_TIMEOUT, store.read(key)).await;
        let late = |_| Err(StoreError::Unreadable { what: key.to_string(), why: silent() });
        (key, read.unwrap_or_else(late))
    };
    join_all(Key::ALL.map(read)).await
}

/// What the history knows of the documents, or why it is not known.
async fn recorded(journal: Option<&dyn Journal>) -> Result<Vec<ConfigRow>, Said> {
    let Some(journal) = journal else { return Ok(Vec::new()) };
    let why = match timeout(READ_TIMEOUT, journal.views().read(configs)).await {
        Ok(Ok(rows)) => return Ok(rows),
        Ok(Err(error)) => error.to_string(),
        Err(_) => silent(),
    };
    Err(said!(
        "versions et auteurs manquent, l'historique n'a pas pu être lu\u{a0}: {why}",
        "versions and authors are missing, the history could not be read: {why}"
    ))
}

fn silent() -> String {
    format!("no answer within {} s", READ_TIMEOUT.as_secs())
}

/// `read`: `None` = it cannot be read now.
fn shown(
    key: Key,
    active: &ActiveDocuments,
    read: Option<StoreReading>,
    recorded: &[ConfigRow],
    acks: &[Ack],
    now: DateTime<Utc>,
    content: bool,
) -> DocumentOverview {
    let status = active.status().into_iter().find(|status| status.key == key.as_str()).unwrap_or_default();
    let state = match &read {
        None if active.is_refused(key) => "unknown".to_owned(),
        _ => status.state,
    };
    // What is no JSON is among the problems, and might show a secret.
    let stored: Option<Value> = match read {
        Some(StoreReading::Found { text, .. }) => documents::from_json(&text).ok(),
        _ => None,
    };
    let hash = stored.as_ref().map(canonical_hash).unwrap_or_default();
    let row =
        recorded.iter().find(|row| row.key == key.as_str() && row.hash == hash && !active.is_refused(key));
    let last_good = active.in_force(key).filter(|_| active.is_refused(key) || active.is_missing(key));
    DocumentOverview {
        key: key.as_str(),
        state,
        withholds: status.withholds,
        switched_off: status.switched_off,
        problems: status.problems,
        remarks: status.remarks,
        version: row.map(|row| row.version),
        origin: row.map(|row| row.origin.clone()),
        changed_at: row.map(|row| row.changed_at),
        age_seconds: row.map(|row| (now - row.changed_at).num_seconds()),
        workers: workers(key, &hash, acks),
        in_force: last_good
            .filter(|_| content)
            .and_then(|last| documents::from_json(&last.text).ok())
            .map(|last: Value| masked(key, &last)),
        stored: stored.filter(|_| content).map(|stored| masked(key, &stored)),
    }
}

fn workers(key: Key, hash: &str, acks: &[Ack]) -> DocumentWorkers {
    let of = |ack: &Ack| ack.documents.get(&key).cloned().unwrap_or_default();
    DocumentWorkers {
        alive: acks.len(),
        running: acks.iter().filter(|ack| of(ack).refused.is_none() && of(ack).hash == hash).count(),
        refused: acks
            .iter()
            .filter_map(|ack| Some(Keeps { worker: ack.worker.clone(), why: of(ack).refused? }))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use async_trait::async_trait;
    use render_signal_actors::config::edit::Editor;
    use render_signal_actors::config::store::{DocumentChange, Rollout, WriteReceipt};
    use render_signal_actors::kernel::clock::World;

    use super::*;
    use crate::services::migrate::by_name;

    /// Answers for one document, and for nothing else ever.
    struct Frozen;

    #[async_trait]
    impl DocumentStore for Frozen {
        fn name(&self) -> &'static str {
            "frozen"
        }

        async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
            if key == Key::ProcessingPrefs { Ok(StoreReading::Absent) } else { pending().await }
        }

        async fn changed(&self) {
            pending().await
        }

        async fn write(&self, _: &DocumentChange) -> Result<WriteReceipt, StoreError> {
            pending().await
        }

        fn rollout(&self) -> Option<&dyn Rollout> {
            Some(self)
        }
    }

    #[async_trait]
    impl Rollout for Frozen {
        async fn acknowledge(&self, _: &Ack) -> Result<(), StoreError> {
            pending().await
        }

        async fn leave(&self, _: &str) {
            pending().await
        }

        async fn workers(&self) -> Result<Vec<Ack>, StoreError> {
            pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_frozen_is_waited_for_once_and_each_document_says_so() {
        let editor =
            Editor { store: Arc::new(Frozen), env: Arc::default(), journal: None, world: World::real() };
        let configuration = ConfigService { editor };
        let keys = by_name();
        let asked =
            timeout(OVERVIEW_TIMEOUT + Duration::from_millis(100), configuration.overview(&keys, false))
                .await;
        let overview = asked.expect("an answer in time").expect("what is known");
        assert_eq!(overview.workers_unknown, Some(silent()));
        for document in overview.documents {
            let known = document.key == Key::ProcessingPrefs.as_str();
            assert_eq!(document.state, if known { "absent" } else { "unknown" }, "{}", document.key);
            let told = document.problems.iter().any(|problem| problem.to_string().contains(&silent()));
            assert_eq!(told, !known, "{}: {:?}", document.key, document.problems);
        }
    }
}
