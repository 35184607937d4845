//! What is in force, where it is kept, and which workers run it.

use chrono::{DateTime, Utc};
use render_signal_actors::config::book::{Book, canonical_hash};
use render_signal_actors::config::diff::masked;
use render_signal_actors::config::documents::{self, Governs, Key, Problem};
use render_signal_actors::config::load::load;
use render_signal_actors::config::store::{Ack, Read, StoreHealth};
use render_signal_actors::kernel::said::Said;
use render_signal_actors::readmodel::queries::{ConfigRow, configs};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Configuration;
use crate::services::Refused;

/// What is known of all documents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Configuration)]
pub(crate) struct Overview {
    /// The stores, the authority first; empty when there is one only.
    #[schema(value_type = Vec<Object>)]
    pub(crate) stores: Vec<StoreHealth>,
    /// The documents.
    pub(crate) documents: Vec<Shown>,
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
pub(crate) struct Shown {
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
    pub(crate) problems: Vec<Problem>,
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
    pub(crate) workers: Workers,
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
pub(crate) struct Workers {
    /// Workers that are alive; 0 = none, or they cannot tell each other.
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

impl Configuration {
    /// What is known of these documents; with what they say, if asked for.
    pub(crate) async fn overview(&self, keys: &[Key], content: bool) -> Result<Overview, Refused> {
        let store = self.editor.store.as_ref();
        let (env, journal) = (&self.editor.env, self.editor.journal.as_deref());
        let now = self.editor.world.now();
        let book = load(store, env, journal, now).await;
        let recorded = match journal {
            Some(journal) => journal.views().read(configs).await.map_err(Refused::journal)?,
            None => Vec::new(),
        };
        let (acks, workers_unknown) = match store.workers().await {
            Ok(acks) => (acks, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut documents = Vec::with_capacity(keys.len());
        for key in keys.iter().copied() {
            let read = store.read(key).await.ok();
            documents.push(shown(key, &book, read, &recorded, &acks, now, content));
        }
        let mut remarks = book.policy(env, 1).remarks();
        remarks.extend(book.stand_ins());
        Ok(Overview { stores: store.health(), documents, remarks, workers_unknown })
    }
}

/// `read`: `None` = it cannot be read now.
fn shown(
    key: Key,
    book: &Book,
    read: Option<Read>,
    recorded: &[ConfigRow],
    acks: &[Ack],
    now: DateTime<Utc>,
    content: bool,
) -> Shown {
    let status = book.status().into_iter().find(|status| status.key == key.as_str()).unwrap_or_default();
    let state = match &read {
        None if book.is_refused(key) => "unknown".to_owned(),
        _ => status.state,
    };
    // What is no JSON is among the problems, and might show a secret.
    let stored: Option<Value> = match read {
        Some(Read::Found { text, .. }) => documents::from_json(&text).ok(),
        _ => None,
    };
    let hash = stored.as_ref().map(canonical_hash).unwrap_or_default();
    let row =
        recorded.iter().find(|row| row.key == key.as_str() && row.hash == hash && !book.is_refused(key));
    let last_good = book.in_force(key).filter(|_| book.is_refused(key) || book.is_missing(key));
    Shown {
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

fn workers(key: Key, hash: &str, acks: &[Ack]) -> Workers {
    let of = |ack: &Ack| ack.documents.get(&key).cloned().unwrap_or_default();
    Workers {
        alive: acks.len(),
        running: acks.iter().filter(|ack| of(ack).refused.is_none() && of(ack).hash == hash).count(),
        refused: acks
            .iter()
            .filter_map(|ack| Some(Keeps { worker: ack.worker.clone(), why: of(ack).refused? }))
            .collect(),
    }
}
