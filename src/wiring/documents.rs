//! Which stores the configuration documents are in.

use std::sync::Arc;

use render_signal_actors::config::notes::EarlierNotes;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::DocumentStore;
use render_signal_actors::config::store::fallback::{FallbackDeps, FallbackStore};
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::store::php::PhpStore;
use render_signal_actors::config::store::redis::{RedisSettings, RedisStore};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;

use super::no_client;
use crate::exit::CommandFailure;
use crate::settings::{Storage, StoreOrder, host_name};

/// Where the configuration documents are: the configured stores, one behind the other. The journal
/// says which changes wait, and what a store that is silent last held; it may be open for looking
/// only where nothing is changed. A process without one sees the stores alone.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn documents(
    storage: &Storage,
    env: &Arc<EnvDefaults>,
    world: &World,
    journal: Option<Arc<dyn Journal>>,
) -> Result<Arc<dyn DocumentStore>, CommandFailure> {
    let mut stores = remote_documents(storage, &EgressPolicy::new(env.egress_allow.clone()), world)?;
    let magic_links = Some(storage.magic_links_file.clone());
    let files: Arc<dyn DocumentStore> = Arc::new(FileStore::new(storage.config_dir.clone(), magic_links));
    stores.push(Arc::clone(&files));
    Ok(chained(stores, env, world, journal).unwrap_or(files))
}

/// The stores of documents besides files, in the order of `CONFIG_STORE_MODE`.
///
/// # Errors
/// When no HTTP client can be set up, or the address of Redis cannot be used.
pub(crate) fn remote_documents(
    storage: &Storage,
    egress: &EgressPolicy,
    world: &World,
) -> Result<Vec<Arc<dyn DocumentStore>>, CommandFailure> {
    let mut stores: Vec<Arc<dyn DocumentStore>> = Vec::new();
    if let Some(host) = &storage.php {
        let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
        stores.push(Arc::new(PhpStore::new(host.clone(), http)));
    }
    if let Some(redis) = redis_documents(storage, world)? {
        let place = if storage.store_order == StoreOrder::RedisFirst { 0 } else { stores.len() };
        stores.insert(place, redis);
    }
    Ok(stores)
}

/// Redis itself, when documents are there.
///
/// # Errors
/// When the address of Redis cannot be used.
pub(crate) fn redis_documents(
    storage: &Storage,
    world: &World,
) -> Result<Option<Arc<dyn DocumentStore>>, CommandFailure> {
    Ok(redis_store(storage, world)?.map(|redis| Arc::new(redis) as Arc<dyn DocumentStore>))
}

fn redis_store(storage: &Storage, world: &World) -> Result<Option<RedisStore>, CommandFailure> {
    let (Some(server), Some(prefix)) = (&storage.redis, &storage.redis_documents) else { return Ok(None) };
    let writer = format!("{}/{}", host_name(), std::process::id());
    let settings = RedisSettings { address: server.clone(), prefix: prefix.clone(), writer };
    let redis = RedisStore::new(settings, world.clone())
        .map_err(|error| CommandFailure::found(format!("REDIS_URL: {error}")))?;
    Ok(Some(redis))
}

/// Has what earlier versions noted beside the stores become events, once.
pub(super) async fn adopt_notes(
    storage: &Storage,
    journal: &dyn Journal,
    world: &World,
) -> Result<(), CommandFailure> {
    let redis = redis_store(storage, world)?;
    let folder = storage.data_dir.join("config-store");
    let notes = EarlierNotes { folder: &folder, shared: redis.as_ref(), journal, world };
    notes.adopt().await;
    Ok(())
}

/// Redis and the PHP host as one store, or those of them that are configured; no files.
///
/// # Errors
/// See [`remote_documents`].
pub(crate) fn shared_documents(
    storage: &Storage,
    env: &Arc<EnvDefaults>,
    world: &World,
    journal: Option<Arc<dyn Journal>>,
) -> Result<Option<Arc<dyn DocumentStore>>, CommandFailure> {
    let stores = remote_documents(storage, &EgressPolicy::new(env.egress_allow.clone()), world)?;
    Ok(chained(stores, env, world, journal))
}

fn chained(
    mut stores: Vec<Arc<dyn DocumentStore>>,
    env: &Arc<EnvDefaults>,
    world: &World,
    journal: Option<Arc<dyn Journal>>,
) -> Option<Arc<dyn DocumentStore>> {
    if stores.is_empty() {
        return None;
    }
    let authority = stores.remove(0);
    let deps = FallbackDeps { world: world.clone(), env: Arc::clone(env), journal };
    Some(Arc::new(FallbackStore::new(authority, stores, deps)))
}
