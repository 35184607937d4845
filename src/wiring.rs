//! From settings to the parts of a system: which adapter stands behind which port.

mod buckets;
mod documents;
pub(crate) mod oauth;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use render_signal_actors::config::history::import::put_back;
use render_signal_actors::config::load::load;
use render_signal_actors::egress::{ClientOptions, Collector, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::guardian::Restarts;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::lock;
use render_signal_actors::lock::file::FileLease;
use render_signal_actors::lock::redis::RedisLease;
use render_signal_actors::lock::store::LeaseStore;
use render_signal_actors::make::{MakeApi, ScenarioParts};
use render_signal_actors::oauth::TokenService;
use render_signal_actors::poller::imap::{ImapLogin, ImapSource};
use render_signal_actors::poller::maildir::{MaildirSettings, MaildirSource};
use render_signal_actors::poller::source;
use render_signal_actors::system::Parts;
use render_signal_actors::webhook::port::GuardedReceiver;
use render_signal_actors::webhook::scheduler::DeliveryLimits;

pub(crate) use self::buckets::{archive, archive_bucket, bucket};
use self::buckets::{copies, links};
use self::documents::adopt_notes;
pub(crate) use self::documents::{documents, redis_documents, remote_documents, shared_documents};
use crate::exit::CommandFailure;
use crate::settings::{MailSourceSettings, MailboxLogin, Settings, host_name};
use crate::telemetry;
use crate::telemetry::traces::TraceExporter;

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
    Box::pin(adopt_notes(&settings.storage, journal.as_ref(), world)).await?;
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
        traced: settings.traces.is_some(),
        chores: Vec::new(),
        scenarios: settings.outside.make.is_configured().then(|| scenarios(settings)).transpose()?,
        restarts: Restarts::default(),
        defaults,
        documents,
        worker,
    })
}

/// What posts traces, when the environment names a collector.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn traces(
    settings: &Settings,
    worker: &str,
    world: &World,
) -> Result<Option<TraceExporter>, CommandFailure> {
    let Some(traces) = &settings.traces else { return Ok(None) };
    let collector = Collector::new(traces.url.clone(), traces.headers.clone()).map_err(no_client)?;
    let told = (traces.service.clone(), worker.to_owned());
    Ok(telemetry::traces::exporter(collector, told, world))
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

/// The scenarios at Make.com, and how they are switched.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn scenarios(settings: &Settings) -> Result<ScenarioParts, CommandFailure> {
    let make = &settings.outside.make;
    let http = GuardedClient::new(&egress(settings), ClientOptions::default()).map_err(no_client)?;
    let key = make.key.clone().unwrap_or_default();
    let api = MakeApi::new(http, &make.host, key, make.auth)
        .of_organization(make.organization.clone())
        .through(make.webhook.clone());
    Ok(ScenarioParts { api: Arc::new(api), scenarios: make.scenarios.clone() })
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

pub(crate) fn no_client(error: render_signal_actors::egress::EgressError) -> CommandFailure {
    CommandFailure::found(error.to_string())
}

/// `<host>/<pid>/<start id>`: unique over restarts, and readable.
fn worker_name(settings: &Settings, world: &World) -> String {
    let host = settings.worker_name.clone().unwrap_or_else(host_name);
    let start = world.ids.next().simple().to_string();
    // The last digits of a version 7 id are its random part.
    let start = start.get(start.len().saturating_sub(8)..).unwrap_or_default();
    format!("{host}/{}/{start}", std::process::id())
}
