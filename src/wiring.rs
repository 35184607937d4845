//! From settings to the parts of a system: which adapter stands behind which port.

pub(crate) mod oauth;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use render_signal_actors::access::links::MagicLinks;
use render_signal_actors::access::password::Passwords;
use render_signal_actors::access::sessions::Sessions;
use render_signal_actors::access::throttle::Throttle;
use render_signal_actors::access::token::Signer;
use render_signal_actors::archive::bucket::{BucketArchive, BucketSettings};
use render_signal_actors::archive::store::{ArchiveStore, FileArchive};
use render_signal_actors::config::edit::Editor;
use render_signal_actors::config::history::import::put_back;
use render_signal_actors::config::load::load;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::DocumentStore;
use render_signal_actors::config::store::fallback::{FallbackDeps, FallbackStore};
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::store::php::PhpStore;
use render_signal_actors::config::store::redis::{RedisSettings, RedisStore};
use render_signal_actors::deploy::Deployer;
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::ingress::Ingress;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::ephemeral::{Ephemeral, MemoryEphemeral, RedisEphemeral};
use render_signal_actors::kernel::guardian::Restarts;
use render_signal_actors::kernel::journal::{Journal, JournalAdmin};
use render_signal_actors::lock;
use render_signal_actors::lock::file::FileLease;
use render_signal_actors::lock::redis::RedisLease;
use render_signal_actors::lock::store::LeaseStore;
use render_signal_actors::oauth::TokenService;
use render_signal_actors::poller::imap::{ImapLogin, ImapSource};
use render_signal_actors::poller::maildir::{MaildirSettings, MaildirSource};
use render_signal_actors::poller::source;
use render_signal_actors::r2::direct::{DirectSettings, DirectStore};
use render_signal_actors::r2::worker::WorkerClient;
use render_signal_actors::r2::{Copied, Copies, Job, LinkStore, NoCopy};
use render_signal_actors::system::Parts;
use render_signal_actors::webhook::port::GuardedReceiver;
use render_signal_actors::webhook::scheduler::DeliveryLimits;
use render_signal_actors::webhook::test_webhook::Tester;
use tokio::sync::Semaphore;

use crate::exit::CommandFailure;
use crate::http::Reference;
use crate::http::access::Login;
use crate::http::compat::config_api::ConfigApi;
use crate::http::compat::utility::TRIGGER;
use crate::journal::Watched;
use crate::restart::Restart;
use crate::services::Services;
use crate::services::backup::Backups;
use crate::services::board::WorkerBoard;
use crate::services::config::ConfigService;
use crate::services::jobs::Jobs;
use crate::settings::{
    JournalPlace, MailSourceSettings, MailboxLogin, R2Settings, Settings, Storage, StoreOrder, host_name,
};

/// Everything a system is made of.
///
/// # Errors
/// When a part cannot be set up, with what to change.
pub(crate) async fn parts(
    settings: &Settings,
    journal: Arc<dyn Journal>,
    tokens: Option<&Arc<TokenService>>,
    world: &World,
) -> Result<Parts, CommandFailure> {
    let defaults = Arc::new(settings.defaults.clone());
    let egress = egress(settings);
    let documents = documents(&settings.storage, &defaults, world, Some(Arc::clone(&journal)))?;
    put_back(documents.as_ref(), journal.as_ref()).await;
    let book = load(documents.as_ref(), &defaults, Some(journal.as_ref()), world.now()).await;
    let worker = worker_name(settings, world);
    let for_all = world.clone();
    Ok(Parts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        worlds: Arc::new(move |_| for_all.clone()),
        journal,
        policy: Arc::new(ArcSwap::from_pointee(book.policy(&defaults, 1))),
        lease: lease(settings, &worker)?,
        lease_ttl: settings.lock_ttl,
        source: match settings.mail.as_ref().filter(|_| settings.defaults.background_tasks) {
            Some(mail) => Some(mail_source(mail, tokens)?),
            None => None,
        },
        links: links(settings, &egress, world)?,
        copies: copies(settings),
        links_per_mail: settings.r2_links_per_mail,
        copies_patience: settings.r2_patience,
        receiver: Arc::new(receiver(settings, &egress)?),
        keys: settings.signing_keys.clone(),
        limits: DeliveryLimits::default(),
        chores: Vec::new(),
        restarts: Restarts::default(),
        defaults,
        documents,
        worker,
    })
}

fn receiver(settings: &Settings, egress: &EgressPolicy) -> Result<GuardedReceiver, CommandFailure> {
    let options =
        ClientOptions { extra_roots: settings.webhook_authorities.clone(), ..ClientOptions::default() };
    GuardedReceiver::new(egress, &options).map_err(no_client)
}

/// Who polls: decided on the Redis server when there is one, else by a file.
fn lease(settings: &Settings, worker: &str) -> Result<Arc<dyn LeaseStore>, CommandFailure> {
    let Some(server) = settings.storage.lease_server() else {
        return Ok(Arc::new(FileLease::new(settings.lock_file.clone(), worker, settings.storage.render)));
    };
    let key = lock::redis::key_of(&settings.storage.journal_prefix);
    let lease = RedisLease::new(server, key, worker, settings.lock_ttl)
        .map_err(|error| CommandFailure::found(error.to_string()))?;
    Ok(Arc::new(lease))
}

/// Where the configuration documents are: the configured stores, one behind the other. A
/// process without a journal leaves the history to the service.
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
    Ok(chained(stores, storage, env, world, journal).unwrap_or(files))
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
    let (Some(server), Some(prefix)) = (&storage.redis, &storage.redis_documents) else { return Ok(None) };
    let writer = format!("{}/{}", host_name(), std::process::id());
    let settings = RedisSettings { address: server.clone(), prefix: prefix.clone(), writer };
    let redis = RedisStore::new(settings, world.clone())
        .map_err(|error| CommandFailure::found(format!("REDIS_URL: {error}")))?;
    Ok(Some(Arc::new(redis)))
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
    Ok(chained(stores, storage, env, world, journal))
}

fn chained(
    mut stores: Vec<Arc<dyn DocumentStore>>,
    storage: &Storage,
    env: &Arc<EnvDefaults>,
    world: &World,
    journal: Option<Arc<dyn Journal>>,
) -> Option<Arc<dyn DocumentStore>> {
    if stores.is_empty() {
        return None;
    }
    let authority = stores.remove(0);
    let notes = storage.data_dir.join("config-store");
    let deps = FallbackDeps { notes, world: world.clone(), env: Arc::clone(env), journal };
    Some(Arc::new(FallbackStore::new(authority, stores, deps)))
}

/// What serves the documents to those who have `CONFIG_API_SERVE_TOKEN`, if there is one.
pub(crate) fn config_api(settings: &Settings, parts: &Parts, world: &World) -> Option<ConfigApi> {
    let allow = settings.config_api_allow.clone();
    let token = settings.config_api_serve_token.as_ref()?;
    Some(ConfigApi::new(token, editor(parts, world), allow))
}

/// What changes the documents, whoever asks.
pub(crate) fn editor(parts: &Parts, world: &World) -> Editor {
    Editor {
        store: Arc::clone(&parts.documents),
        env: Arc::clone(&parts.defaults),
        journal: Some(Arc::clone(&parts.journal)),
        world: world.clone(),
    }
}

/// How people sign in.
///
/// # Errors
/// When the password cannot be used.
pub(crate) fn login(
    settings: &Settings,
    parts: &Parts,
    world: &World,
    shared: &Arc<dyn Ephemeral>,
) -> Result<Login, CommandFailure> {
    let access = &settings.access;
    let passwords = Passwords::new(&access.user, &access.password, &access.secret_key)
        .map_err(|why| CommandFailure::found(format!("TRIGGER_PAGE_PASSWORD {why}")))?;
    let journal = Arc::clone(&parts.journal);
    let sessions = Arc::new(Sessions::new(Arc::clone(&journal), world.clone(), passwords.fingerprint()));
    let signer = Signer::new(access.secret_key.clone());
    let (editor, life) = (editor(parts, world), access.link_life);
    let links = MagicLinks::new(editor, journal, Arc::clone(&sessions), signer, &access.user, life);
    Ok(Login {
        sessions,
        links: Arc::new(links),
        passwords,
        throttle: Throttle::new(Arc::clone(shared), world.clone()),
        base_url: access.base_url.clone(),
        tls: access.tls,
    })
}

/// What the endpoints of the reference need besides.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn reference(
    settings: &Settings,
    parts: &Parts,
    ingress: Ingress,
    restart: &Restart,
    world: &World,
) -> Result<Reference, CommandFailure> {
    let outside = &settings.outside;
    let http = GuardedClient::new(&egress(settings), ClientOptions::default()).map_err(no_client)?;
    Ok(Reference {
        env: Arc::clone(&parts.defaults),
        policy: Arc::clone(&parts.policy),
        mailbox: settings.mail.as_ref().map(mailbox_name),
        ingress,
        ingress_keys: outside.ingress_keys.clone(),
        tester: Tester {
            receiver: Arc::clone(&parts.receiver),
            keys: parts.keys.clone(),
            policy: Arc::clone(&parts.policy),
            allow: settings.defaults.egress_allow.clone(),
            world: world.clone(),
        },
        deployer: Deployer::new(http, outside.deploy.clone()),
        restart: restart.clone(),
        make: outside.make.clone(),
        origins: outside.origins.clone().into(),
        started: world.now(),
        trigger: TRIGGER.into(),
    })
}

/// What workers tell each other for a while: in the Redis of their journal, else in memory, since
/// a worker with a journal of its own has no others.
///
/// # Errors
/// When the address of Redis cannot be used.
pub(crate) fn shared_facts(settings: &Settings, world: &World) -> Result<Arc<dyn Ephemeral>, CommandFailure> {
    Ok(match &settings.storage.journal {
        JournalPlace::Redis(place) => {
            let shared = RedisEphemeral::new(&place.server, &place.prefix);
            Arc::new(shared.map_err(|error| CommandFailure::found(error.to_string()))?)
        }
        JournalPlace::File(_) => Arc::new(MemoryEphemeral::new(world.clone())),
    })
}

/// What the service can be asked to do.
pub(crate) fn services(
    settings: &Settings,
    parts: &Parts,
    journal: &Arc<Watched>,
    shared: &Arc<dyn Ephemeral>,
    world: &World,
) -> Services {
    Services {
        configuration: ConfigService { editor: editor(parts, world) },
        policy: Arc::clone(&parts.policy),
        jobs: Jobs::new(Arc::clone(&parts.journal), world.clone()),
        backups: Backups::new(
            settings.storage.journal.clone(),
            Arc::clone(journal) as Arc<dyn JournalAdmin>,
            world.clone(),
            settings.storage.data_dir.clone(),
        ),
        board: WorkerBoard {
            said: Arc::clone(shared),
            worker: parts.worker.clone(),
            started_at: world.now(),
            version: parts.version.clone(),
        },
        doctor: Arc::new(Semaphore::new(1)),
        verifying: Arc::new(Semaphore::new(1)),
        links: Arc::new(settings.storage.links.clone()),
        signed: settings.signing_keys.is_some(),
        storage: Arc::new(settings.storage.clone()),
    }
}

/// Where requests may go.
pub(crate) fn egress(settings: &Settings) -> EgressPolicy {
    EgressPolicy::new(settings.defaults.egress_allow.clone())
}

/// The mailbox, opened by a password or by these tokens.
///
/// # Errors
/// When tokens are to open it and there are none.
pub(crate) fn mail_source(
    mail: &MailSourceSettings,
    tokens: Option<&Arc<TokenService>>,
) -> Result<Arc<dyn source::MailSource>, CommandFailure> {
    let (imap, login) = match mail {
        MailSourceSettings::Maildir(path) => return Ok(Arc::new(maildir(path))),
        MailSourceSettings::Imap(imap, login) => (imap, login),
    };
    let login = match (login, tokens) {
        (MailboxLogin::Password(password), _) => ImapLogin::Password(password.clone()),
        (MailboxLogin::OAuth2, Some(tokens)) => {
            ImapLogin::Tokens(Arc::new(oauth::MailboxTokens(Arc::clone(tokens))))
        }
        (MailboxLogin::OAuth2, None) => {
            return Err(CommandFailure::found("IMAP_AUTH is oauth2, and nobody gives access tokens"));
        }
    };
    Ok(Arc::new(ImapSource::new(imap.clone(), login)))
}

fn maildir(path: &Path) -> MaildirSource {
    MaildirSource::new(MaildirSettings { path: path.to_owned() })
}

/// What events call the mailbox.
pub(crate) fn mailbox_name(mail: &MailSourceSettings) -> String {
    match mail {
        MailSourceSettings::Maildir(path) => source::MailSource::mailbox(&maildir(path)).to_owned(),
        MailSourceSettings::Imap(imap, _) => imap.name(),
    }
}

fn links(
    settings: &Settings,
    egress: &EgressPolicy,
    world: &World,
) -> Result<Arc<dyn LinkStore>, CommandFailure> {
    let Some(r2) = &settings.r2 else { return Ok(Arc::new(NoR2)) };
    Ok(match r2 {
        R2Settings::Worker(worker) => {
            let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
            Arc::new(WorkerClient::new(worker.clone(), Arc::new(http), world.clone()))
        }
        R2Settings::Direct(direct) => Arc::new(bucket(direct, egress, world)?),
    })
}

/// The bucket that files are copied into directly.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn bucket(
    direct: &DirectSettings,
    egress: &EgressPolicy,
    world: &World,
) -> Result<DirectStore, CommandFailure> {
    let options = ClientOptions::default();
    DirectStore::new(direct.clone(), egress, &options, world.clone()).map_err(no_client)
}

/// Where archived events go.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn archive(settings: &Settings) -> Result<Arc<dyn ArchiveStore>, CommandFailure> {
    Ok(match &settings.archive_bucket {
        Some(bucket) => Arc::new(archive_bucket(bucket, &egress(settings))?),
        None => Arc::new(FileArchive::new(settings.storage.archive_dir.clone())),
    })
}

/// The bucket of archived events.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn archive_bucket(
    bucket: &BucketSettings,
    egress: &EgressPolicy,
) -> Result<BucketArchive, CommandFailure> {
    let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
    Ok(BucketArchive::new(bucket, http))
}

fn copies(settings: &Settings) -> Copies {
    Copies {
        retention: settings.r2_retention,
        public_base_url: match &settings.r2 {
            Some(R2Settings::Worker(worker)) => worker.public_base_url.clone(),
            Some(R2Settings::Direct(direct)) => Some(direct.public_base_url.clone()),
            None => None,
        },
        list: Some(Arc::new(settings.storage.links.clone())),
    }
}

fn no_client(error: render_signal_actors::egress::EgressError) -> CommandFailure {
    CommandFailure::found(error.to_string())
}

/// Without R2 no mail is routed through the offload; a mail that was, before R2 was removed
/// from the configuration, goes on with its source links.
struct NoR2;

#[async_trait]
impl LinkStore for NoR2 {
    async fn offload(&self, _: Job) -> Result<Copied, NoCopy> {
        Err(NoCopy::lasting("R2 is not configured"))
    }
}

/// `<host>/<pid>/<start id>`: unique over restarts, and readable.
fn worker_name(settings: &Settings, world: &World) -> String {
    let host = settings.worker_name.clone().unwrap_or_else(host_name);
    let start = world.ids.next().simple().to_string();
    // The last digits of a version 7 id are its random part.
    let start = start.get(start.len().saturating_sub(8)..).unwrap_or_default();
    format!("{host}/{}/{start}", std::process::id())
}
