//! From settings to the parts of a system: which adapter stands behind which port.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use render_signal_actors::config::load::load;
use render_signal_actors::config::store::DocumentStore;
use render_signal_actors::config::store::fallback::FallbackStore;
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::store::php::PhpStore;
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::guardian::Restarts;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::lock::file::FileLease;
use render_signal_actors::poller::imap::ImapSource;
use render_signal_actors::poller::maildir::{MaildirSettings, MaildirSource};
use render_signal_actors::poller::source;
use render_signal_actors::r2::direct::{DirectSettings, DirectStore};
use render_signal_actors::r2::worker::WorkerClient;
use render_signal_actors::r2::{Copied, Copies, Job, LinkStore};
use render_signal_actors::system::Parts;
use render_signal_actors::webhook::lanes::Limits;
use render_signal_actors::webhook::port::GuardedReceiver;

use crate::exit::Failure;
use crate::settings::{MailSource, R2Settings, Settings, Storage};

/// Everything a system is made of.
///
/// # Errors
/// When a part cannot be set up, with what to change.
pub(crate) async fn parts(
    settings: &Settings,
    journal: Arc<dyn Journal>,
    world: &World,
) -> Result<Parts, Failure> {
    let defaults = Arc::new(settings.defaults.clone());
    let egress = egress(settings);
    let documents = documents(&settings.storage, &egress)?;
    let book = load(documents.as_ref(), &defaults, Some(journal.as_ref()), world.now()).await;
    let worker = worker_name(settings, world);
    let for_all = world.clone();
    Ok(Parts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        worlds: Arc::new(move |_| for_all.clone()),
        journal,
        policy: Arc::new(ArcSwap::from_pointee(book.policy(&defaults, 1))),
        lease: Arc::new(FileLease::new(settings.lock_file.clone(), worker.clone(), settings.storage.render)),
        lease_ttl: settings.lock_ttl,
        source: settings.defaults.background_tasks.then(|| mail_source(&settings.mail)),
        links: links(settings, &egress, world)?,
        copies: copies(settings),
        receiver: Arc::new(GuardedReceiver::new(&egress, &ClientOptions::default()).map_err(no_client)?),
        keys: settings.signing_keys.clone(),
        limits: Limits::default(),
        restarts: Restarts::default(),
        defaults,
        documents,
        worker,
    })
}

/// Where the configuration documents are: files, behind a PHP host if there is one.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn documents(storage: &Storage, egress: &EgressPolicy) -> Result<Arc<dyn DocumentStore>, Failure> {
    let files = Arc::new(FileStore::new(storage.config_dir.clone(), Some(storage.magic_links_file.clone())));
    let Some(host) = &storage.php else { return Ok(files) };
    let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
    Ok(Arc::new(FallbackStore::new(Arc::new(PhpStore::new(host.clone(), http)), files)))
}

/// Where requests may go.
pub(crate) fn egress(settings: &Settings) -> EgressPolicy {
    EgressPolicy::new(settings.defaults.egress_allow.clone())
}

/// The mailbox.
pub(crate) fn mail_source(mail: &MailSource) -> Arc<dyn source::MailSource> {
    match mail {
        MailSource::Maildir(path) => Arc::new(MaildirSource::new(MaildirSettings { path: path.clone() })),
        MailSource::Imap(imap) => Arc::new(ImapSource::new(imap.clone())),
    }
}

fn links(settings: &Settings, egress: &EgressPolicy, world: &World) -> Result<Arc<dyn LinkStore>, Failure> {
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
) -> Result<DirectStore, Failure> {
    let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
    Ok(DirectStore::new(direct.clone(), http, world.clone()))
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

fn no_client(error: render_signal_actors::egress::EgressError) -> Failure {
    Failure::found(error.to_string())
}

/// Without R2 no mail is routed through the offload; a mail that was, before R2 was removed
/// from the configuration, goes on with its source links.
struct NoR2;

#[async_trait]
impl LinkStore for NoR2 {
    async fn offload(&self, _: Job) -> Result<Copied, String> {
        Err("R2 is not configured".to_owned())
    }
}

/// `<host>/<pid>/<start id>`: unique over restarts, and readable.
fn worker_name(settings: &Settings, world: &World) -> String {
    let host = settings.worker_name.clone().unwrap_or_else(|| {
        std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "worker".to_owned())
    });
    let start = world.ids.next().simple().to_string();
    // The last digits of a version 7 id are its random part.
    let start = start.get(start.len().saturating_sub(8)..).unwrap_or_default();
    format!("{host}/{}/{start}", std::process::id())
}
