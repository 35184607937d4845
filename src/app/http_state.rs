//! What HTTP is given besides the actors: who may enter, what the services need, what the endpoints of
//! the reference need.

use std::sync::Arc;

use render_signal_actors::access::links::MagicLinks;
use render_signal_actors::access::password::Passwords;
use render_signal_actors::access::sessions::Sessions;
use render_signal_actors::access::throttle::Throttle;
use render_signal_actors::access::token::Signer;
use render_signal_actors::config::edit::Editor;
use render_signal_actors::deploy::Deployer;
use render_signal_actors::egress::{ClientOptions, GuardedClient};
use render_signal_actors::ingress::Ingress;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::ephemeral::{Ephemeral, MemoryEphemeral, RedisEphemeral};
use render_signal_actors::kernel::journal::JournalAdmin;
use render_signal_actors::system::Parts;
use render_signal_actors::webhook::test_webhook::Tester;
use tokio::sync::Semaphore;

use crate::exit::CommandFailure;
use crate::http::Reference;
use crate::http::access::bearer::{Guesses, TokenDigest};
use crate::http::access::{Access, Login};
use crate::http::client::Proxies;
use crate::http::compat::config_api::ConfigApi;
use crate::http::compat::make::MakeAccess;
use crate::http::compat::utility::TRIGGER;
use crate::journal::Watched;
use crate::restart::Restart;
use crate::services::Services;
use crate::services::backup::Backups;
use crate::services::board::WorkerBoard;
use crate::services::config::ConfigService;
use crate::services::jobs::Jobs;
use crate::settings::{JournalPlace, Settings};
use crate::wiring::{self, egress, mailbox_name, no_client};

/// What serves the documents to those who have `CONFIG_API_SERVE_TOKEN`, if there is one.
pub(super) fn config_api(settings: &Settings, parts: &Parts, world: &World) -> Option<ConfigApi> {
    let allow = settings.config_api_allow.clone();
    let token = settings.config_api_serve_token.as_ref()?;
    Some(ConfigApi::new(token, editor(parts, world), allow))
}

/// What changes the documents, whoever asks.
pub(super) fn editor(parts: &Parts, world: &World) -> Editor {
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
pub(super) fn login(
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
pub(super) fn reference(
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
        make: MakeAccess {
            host: outside.make.host.clone(),
            parts: wiring::scenarios(settings)?,
            configured: outside.make.is_configured(),
        },
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
pub(super) fn shared_facts(settings: &Settings, world: &World) -> Result<Arc<dyn Ephemeral>, CommandFailure> {
    Ok(match &settings.storage.journal {
        JournalPlace::Redis(place) => {
            let shared = RedisEphemeral::new(&place.server, &place.prefix);
            Arc::new(shared.map_err(|error| CommandFailure::found(error.to_string()))?)
        }
        JournalPlace::File(_) => Arc::new(MemoryEphemeral::new(world.clone())),
    })
}

/// What the service can be asked to do.
pub(super) fn services(
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

/// The doors and their keys.
pub(super) fn access(settings: &Settings, login: Login) -> Access {
    Access {
        api_token: Some(TokenDigest::new(&settings.process_api_token)),
        scopes: settings.api_token_scopes.clone(),
        test_key: settings.test_api_key.as_ref().map(TokenDigest::new),
        guesses: Guesses::behind(Proxies::new(settings.trusted_proxies.clone())),
        login: Some(login),
    }
}
