//! An operator who changes a document through the program, while the store that has the last
//! word comes and goes. What was acknowledged to him is never lost: it is in force in the end, or
//! a conflict that he is asked about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::{Edit, Editor};
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::fallback::{FallbackDeps, FallbackStore};
use render_signal_actors::config::store::{
    ConflictWinner, DocumentChange, DocumentStore, Revision, StoreError, StoreReading, WriteReceipt,
};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use serde_json::{Value, json};

use crate::ports::SimDocuments;

/// The document and the field that he alone changes: a count, so that the last one can be told.
const DOCUMENT: Key = Key::ProcessingPrefs;
const FIELD: &str = "retry_delay_sec";
/// He gives a command up that has not ended by then, and does not know what became of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What stands behind the authority: it always answers, and keeps what it is given.
#[derive(Clone, Default)]
struct Behind(Arc<std::sync::Mutex<std::collections::BTreeMap<Key, Value>>>);

#[async_trait]
impl DocumentStore for Behind {
    fn name(&self) -> &'static str {
        "behind"
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        Ok(self.0.lock().unwrap().get(&key).map_or(StoreReading::Absent, |value| {
            let text = value.to_string();
            StoreReading::Found { revision: Revision::of(&text), text }
        }))
    }

    async fn changed(&self) {
        std::future::pending().await
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        self.0.lock().unwrap().insert(change.key, change.value.clone());
        let revision = Revision::of(&change.value.to_string());
        Ok(WriteReceipt { revision, stored_in: self.name(), degraded: None })
    }
}

/// The stores of a run, and what the operator was told.
#[derive(Clone)]
pub(crate) struct Operator {
    behind: Behind,
    world: World,
    env: Arc<EnvDefaults>,
    tried: Arc<AtomicU64>,
    acknowledged: Arc<AtomicU64>,
}

impl Operator {
    pub(crate) fn new(world: World, env: Arc<EnvDefaults>) -> Self {
        Self { behind: Behind::default(), world, env, tried: Arc::default(), acknowledged: Arc::default() }
    }

    /// The stores as one worker, or one command, has them.
    pub(crate) fn stores(&self, authority: SimDocuments, journal: Arc<dyn Journal>) -> Arc<FallbackStore> {
        let deps =
            FallbackDeps { world: self.world.clone(), env: Arc::clone(&self.env), journal: Some(journal) };
        Arc::new(FallbackStore::new(Arc::new(authority), vec![Arc::new(self.behind.clone())], deps))
    }

    /// He sets the next number. What he is told is noted.
    pub(crate) async fn change(&self, authority: SimDocuments, journal: Arc<dyn Journal>) {
        let next = self.tried.fetch_add(1, Ordering::SeqCst) + 1;
        let editor = Editor {
            store: self.stores(authority.clone(), Arc::clone(&journal)),
            env: Arc::clone(&self.env),
            journal: Some(journal),
            world: self.world.clone(),
        };
        let edit = Edit::merge(DOCUMENT, [(FIELD.to_owned(), Some(json!(next)))], "operator");
        let told = match tokio::time::timeout(PATIENCE, editor.apply(&edit)).await {
            Ok(Ok(_)) => {
                self.acknowledged.store(next, Ordering::SeqCst);
                "done".to_owned()
            }
            Ok(Err(error)) => format!("refused: {error}"),
            Err(_) => "no answer".to_owned(),
        };
        authority.chaos.note(format!("operator sets {FIELD} to {next}: {told}"));
    }

    /// Whether the last change that was acknowledged is with the authority, or a later one. A
    /// conflict is decided for what he wanted.
    pub(crate) async fn check(
        &self,
        authority: &SimDocuments,
        journal: Arc<dyn Journal>,
    ) -> Result<(), String> {
        let stores = self.stores(authority.clone(), journal);
        let fallbacks = stores.fallbacks().ok_or("the stores have no fallbacks")?;
        // Whether there is a conflict is known to whoever has read the document.
        stores.read(DOCUMENT).await.map_err(|error| error.to_string())?;
        let resolved = fallbacks.resolve(DOCUMENT, ConflictWinner::Pending, "operator").await;
        resolved.map_err(|error| format!("the conflict cannot be decided: {error}"))?;
        let (acknowledged, tried) =
            (self.acknowledged.load(Ordering::SeqCst), self.tried.load(Ordering::SeqCst));
        let held = authority.value(DOCUMENT).and_then(|value| value.get(FIELD).and_then(Value::as_u64));
        match held.unwrap_or_default() {
            held if (acknowledged..=tried).contains(&held) => Ok(()),
            held => Err(format!("{FIELD} {acknowledged} was acknowledged, and the authority has {held}")),
        }
    }
}
