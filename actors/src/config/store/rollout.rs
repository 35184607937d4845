//! What the workers tell each other of the documents they run.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DocumentStore, StoreError};
use crate::config::documents::Key;
use crate::kernel::said::Said;

/// What a worker makes of the stored documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Name of the worker: `<host>/<pid>/<start id>`.
    pub worker: String,
    /// When it said so.
    pub at: DateTime<Utc>,
    /// One entry per document.
    pub documents: BTreeMap<Key, AckState>,
}

/// What a worker makes of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredAckState", into = "StoredAckState")]
pub struct AckState {
    /// [`crate::config::active::canonical_hash`] of the document in force there; empty = absent.
    pub hash: String,
    /// Why it could not apply the stored document and keeps the one before.
    pub refused: Option<Said>,
}

/// As workers write it for each other; those of an earlier version write English only.
#[derive(Serialize, Deserialize)]
struct StoredAckState {
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_fr: Option<String>,
}

impl From<AckState> for StoredAckState {
    fn from(AckState { hash, refused }: AckState) -> Self {
        let (refused, refused_fr) = refused.map(|said| (said.english, said.french)).unzip();
        Self { hash, refused, refused_fr }
    }
}

impl From<StoredAckState> for AckState {
    fn from(StoredAckState { hash, refused, refused_fr }: StoredAckState) -> Self {
        let refused =
            refused.map(|english| Said { french: refused_fr.unwrap_or_else(|| english.clone()), english });
        Self { hash, refused }
    }
}

/// Where the workers tell each other what they run.
#[async_trait]
pub trait Rollout: Send + Sync {
    /// Tells the other workers what this one makes of the documents. It is forgotten after
    /// some seconds, so it is said again and again.
    ///
    /// # Errors
    /// They do not know it yet.
    async fn acknowledge(&self, ack: &Ack) -> Result<(), StoreError>;

    /// Tells the others that this worker stops.
    async fn leave(&self, worker: &str);

    /// What the workers that are alive make of the documents.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn workers(&self) -> Result<Vec<Ack>, StoreError>;
}

/// What the workers that are alive make of the documents; empty where they cannot tell each
/// other.
///
/// # Errors
/// When it cannot be said.
pub async fn workers(store: &dyn DocumentStore) -> Result<Vec<Ack>, StoreError> {
    match store.rollout() {
        Some(rollout) => rollout.workers().await,
        None => Ok(Vec::new()),
    }
}
