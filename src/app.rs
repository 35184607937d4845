//! `serve`: settings → journal → actors → HTTP → signals → exit code.
//!
//! Also what `demo` shares with it: the runtime, and the one place that starts actors and server.

mod background;
mod http_state;
mod listener;
mod oauth;
mod signals;
mod stop;

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use render_signal_actors::access::links::MagicLinks;
use render_signal_actors::access::upkeep;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::{Journal, JournalAdmin};
use render_signal_actors::oauth::TokenService;
use render_signal_actors::system::{self, Parts, System};
use tokio::sync::watch;

use self::background::{keep_alive, retention, search};
use self::listener::bind;
pub(crate) use self::listener::listen;
pub(crate) use self::signals::Signals;
use self::signals::{OtherSignals, heed};
use self::stop::until_the_end;
use crate::descriptors::Descriptors;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::health::eviction;
use crate::health::probe::{Draining, Idle, Pulse, StatusProbe};
use crate::http::access::bearer::TokenDigest;
use crate::http::bodies::BodyPermits;
use crate::http::idempotency::Idempotency;
use crate::http::recent::Recent;
use crate::http::streams::StreamLimit;
use crate::http::{BoundServer, EventHub, HttpState, LiveHub};
use crate::journal::{self, Watched};
use crate::restart::Restart;
use crate::services::board::WorkerBoard;
use crate::settings::Settings;
use crate::telemetry::traces::TraceExporter;
use crate::{disk, privacy, telemetry, wiring};

async fn parts(
    settings: &Settings,
    journal: &Arc<Watched>,
    tokens: Option<&Arc<TokenService>>,
    world: &World,
) -> Result<Parts, CommandFailure> {
    wiring::parts(settings, Arc::clone(journal) as Arc<dyn Journal>, tokens, world).await
}

/// Runs a future on an actix system over a multi-threaded runtime: the actors live on this
/// thread, their effect tasks may use the other cores.
///
/// # Errors
/// What the future fails with, or why there is no runtime.
pub(crate) fn on_actix<F: Future<Output = CommandResult>>(work: F) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("worker")
        .build()
        .map_err(|error| CommandFailure::found(format!("no runtime: {error}")))?;
    let system = actix_rt::System::with_tokio_rt(move || runtime);
    let outcome = system.block_on(work);
    // Dropping it would wait for every blocking call, a hanging name look-up among them. All
    // that has to be finished is finished; the process ends now.
    std::mem::forget(system);
    outcome
}

/// The service.
pub(crate) fn serve(settings: Settings) -> CommandResult {
    let metrics = telemetry::start_metrics()?;
    on_actix(run(settings, metrics))
}

async fn run(settings: Settings, metrics: PrometheusHandle) -> CommandResult {
    let world = World::real();
    // First, so that no signal finds the default action.
    let mut signals = Signals::listen()?;
    let others = OtherSignals::listen()?;
    let listener = bind(settings.bind, settings.port)?;
    let descriptors = Descriptors::raise();
    if let Some(why) = settings.storage.refusal() {
        return Err(CommandFailure::journal(why.said().english));
    }
    for warning in settings.warnings.iter().chain(&descriptors.warning()) {
        tracing::warn!(code = warning.code(), "{}", warning.said());
    }
    privacy::tighten(&settings.storage, &settings.lock_file);
    let place = &settings.storage.journal;
    let journal = tokio::select! {
        opened = journal::open_for_work(&settings, &world) => opened?,
        name = signals.next() => {
            tracing::info!(signal = name, "a signal to stop came before the journal could be opened");
            return Ok(Exit::Ok);
        }
    };
    journal::say_what_is_kept(place, journal.durability());
    let service = Service::start(&settings, &journal, &world, listener, metrics, &descriptors).await?;
    heed(others, service.actors.read_again.clone(), settings.webhook_authorities.clone());
    tracing::info!(address = %service.http.address(), journal = %place, "serving");
    let Service { actors, http, draining, board, restart, traces, .. } = service;
    let exit = until_the_end(actors, signals, &restart, &draining, http.start(), journal.as_ref()).await;
    board.leave().await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    Ok(exit)
}

/// A service whose actors run and whose HTTP server is bound.
pub(crate) struct Service {
    pub(crate) actors: System,
    /// The server: it answers once it is started.
    pub(crate) http: BoundServer,
    /// Links that sign somebody in.
    pub(crate) links: Arc<MagicLinks>,
    /// Set once it stops.
    pub(crate) draining: Draining,
    /// What it says of itself to other workers.
    board: WorkerBoard,
    /// What posts traces; `None` = nobody wants them.
    traces: Option<TraceExporter>,
    /// Somebody wants it started again.
    restart: Restart,
}

impl Service {
    /// Starts it on a journal and a listener that are there already.
    ///
    /// # Errors
    /// When a part cannot be set up.
    pub(crate) async fn start(
        settings: &Settings,
        journal: &Arc<Watched>,
        world: &World,
        listener: TcpListener,
        metrics: PrometheusHandle,
        descriptors: &Descriptors,
    ) -> Result<Self, CommandFailure> {
        let tokens = wiring::oauth::tokens(settings, world)?;
        let mut parts = parts(settings, journal, tokens.as_ref(), world).await?;
        let (retention, rounds) = retention(settings, journal, world)?.chore();
        let search = search(settings, journal)?;
        let (look, eviction) = eviction::watch(&settings.storage).unzip();
        let disk = disk::watch(settings.storage.data_dir.clone());
        let draining = Draining::default();
        let pulse = Pulse::new();
        let shared = http_state::shared_facts(settings, world)?;
        let login = http_state::login(settings, &parts, world, &shared)?;
        let links = Arc::clone(&login.links);
        let upkeep = upkeep::chore(Arc::clone(&login.sessions), Arc::clone(&login.links));
        let services = http_state::services(settings, &parts, journal, &shared, world);
        let (probe, probed) = watch::channel(None);
        let checks = wiring::oauth::check(settings, tokens.as_ref(), world)?
            .filter(|check| !check.settings.every.is_zero());
        let holder = oauth::holder_checks(probed.clone(), idle(settings).is_none());
        let (checks, checked) = checks.map(|checks| checks.chore(holder)).unzip();
        let board = services.board.clone();
        let says = board.clone().chore(probed, draining.clone(), pulse.clone());
        let indexes = search.chore(rounds.clone());
        let traces = wiring::traces(settings, &parts.worker, world)?;
        let posts = traces.as_ref().map(TraceExporter::chore);
        let always = [retention, disk, says, indexes, upkeep];
        parts.chores = always.into_iter().chain(look).chain(posts).chain(checks).collect();
        let actors = system::start(&parts);
        let asked = StatusProbe {
            journal: Arc::clone(journal),
            actors: actors.probe.clone(),
            world: world.clone(),
            eviction,
            retention: Some(rounds),
            idle: idle(settings),
            oauth: tokens.map(|tokens| oauth::probe(settings, tokens, checked)),
        };
        probe.send_replace(Some(asked.clone()));
        keep_alive(pulse.clone(), metrics.clone());
        let restart = Restart::default();
        let reference = http_state::reference(settings, &parts, actors.ingress.clone(), &restart, world)?;
        let state = HttpState {
            probe: asked,
            services,
            metrics,
            draining: draining.clone(),
            pulse,
            metrics_token: settings.metrics_token.as_ref().map(TokenDigest::new),
            metrics_public: settings.metrics_public,
            access: http_state::access(settings, login),
            config_api: http_state::config_api(settings, &parts, world),
            journal: Arc::clone(journal) as Arc<dyn JournalAdmin>,
            editor: http_state::editor(&parts, world),
            world: world.clone(),
            bodies: BodyPermits::default(),
            idempotency: Idempotency::new(shared),
            search,
            hub: EventHub::new(Arc::clone(&parts.journal)),
            live: LiveHub::default(),
            recent: Recent::default(),
            streams: StreamLimit::new(descriptors.connections() / 2),
            reference,
        };
        let http = BoundServer::on(listener, descriptors.connections(), state)?;
        Ok(Self { actors, http, links, draining, board, restart, traces })
    }
}

/// Why this worker has nothing to poll, if that is so.
fn idle(settings: &Settings) -> Option<Idle> {
    match (settings.defaults.background_tasks, &settings.mail) {
        (false, _) => Some(Idle::SwitchedOff),
        (true, None) => Some(Idle::NoMailbox),
        (true, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use render_signal_actors::kernel::clock::Clock;
    use render_signal_actors::kernel::guardian::Restarts;

    use super::*;
    use crate::http::access::Access;
    use std::net::IpAddr;
    use std::time::Duration;

    struct NoTime;
    impl Clock for NoTime {
        fn now(&self) -> DateTime<Utc> {
            panic!("broken on purpose")
        }
    }

    fn settings(folder: &std::path::Path) -> Settings {
        let at = |name: &str| folder.join(name).display().to_string();
        Settings::from_env(|name| match name {
            "DATA_DIR" | "CONFIG_DIR" => Some(at("data")),
            "BG_POLLER_LOCK_FILE" => Some(at("poller.lock")),
            "WEBHOOK_LINKS_FILE" => Some(at("links.json")),
            "MAIL_SOURCE" => Some(format!("maildir:{}", at("mail"))),
            "WEBHOOK_URL" => Some("https://hook.example.com/recv".to_owned()),
            "FLASK_SECRET_KEY"
            | "TRIGGER_PAGE_PASSWORD"
            | "EMAIL_ADDRESS"
            | "EMAIL_PASSWORD"
            | "IMAP_SERVER"
            | "PROCESS_API_TOKEN" => Some("set".to_owned()),
            _ => None,
        })
        .expect("settings")
    }

    /// As `serve` does it, with the real journal, over a system of which one actor always panics.
    async fn serve_with_a_broken(actor: &'static str, folder: &std::path::Path) -> CommandResult {
        let (settings, world) = (settings(folder), World::real());
        let journal = journal::open(&settings.storage.journal, &world).await?;
        let for_all = world.clone();
        let mut parts =
            wiring::parts(&settings, Arc::clone(&journal) as Arc<dyn Journal>, None, &world).await?;
        parts.worlds = Arc::new(move |name| {
            let clock: Arc<dyn Clock> = if name == actor { Arc::new(NoTime) } else { for_all.clock.clone() };
            World { clock, ..for_all.clone() }
        });
        parts.restarts = Restarts { first_backoff: Duration::from_millis(1), ..Restarts::default() };
        let actors = system::start(&parts);
        let draining = Draining::default();
        let restart = Restart::default();
        let http = BoundServer::on(
            bind(IpAddr::from([127, 0, 0, 1]), 0)?,
            16,
            HttpState {
                probe: StatusProbe {
                    journal: Arc::clone(&journal),
                    actors: actors.probe.clone(),
                    world: world.clone(),
                    eviction: None,
                    retention: None,
                    idle: None,
                    oauth: None,
                },
                metrics: PrometheusBuilder::new().build_recorder().handle(),
                draining: draining.clone(),
                pulse: Pulse::new(),
                metrics_token: None,
                metrics_public: false,
                access: Access::default(),
                config_api: None,
                journal: Arc::clone(&journal) as Arc<dyn JournalAdmin>,
                editor: http_state::editor(&parts, &world),
                services: http_state::services(
                    &settings,
                    &parts,
                    &journal,
                    &http_state::shared_facts(&settings, &world)?,
                    &world,
                ),
                world: world.clone(),
                bodies: BodyPermits::default(),
                idempotency: Idempotency::new(http_state::shared_facts(&settings, &world)?),
                search: search(&settings, &journal)?,
                hub: EventHub::new(Arc::clone(&parts.journal)),
                live: LiveHub::default(),
                recent: Recent::default(),
                streams: StreamLimit::new(1),
                reference: http_state::reference(
                    &settings,
                    &parts,
                    actors.ingress.clone(),
                    &restart,
                    &world,
                )?,
            },
        )?;
        let signals = Signals::listen()?;
        let exit = until_the_end(actors, signals, &restart, &draining, http.start(), journal.as_ref()).await;
        assert!(draining.begun(), "it was not ready any more while it stopped");
        Ok(exit)
    }

    #[test]
    fn a_storm_of_restarts_ends_the_process_with_70_and_is_in_the_journal() {
        for actor in ["webhook", "r2", "dedup", "poller", "lock", "config"] {
            let folder = tempfile::tempdir().expect("a folder");
            let outcome = on_actix(serve_with_a_broken(actor, folder.path()));
            let exit = outcome.expect("an orderly stop");
            assert_eq!((exit, exit.code()), (Exit::Escalated, 70), "{actor}");

            // The file was closed in order, and says what happened.
            let journal = settings(folder.path()).storage.journal;
            let log = actix_rt::System::new().block_on(async move {
                let journal = journal::open_to_look(&journal, &World::real()).await.expect("the journal");
                journal.read_log(0, usize::MAX).await.expect("the log")
            });
            let restarts: Vec<_> =
                log.iter().filter(|event| event.kind == "worker.actor_restarted").collect();
            assert_eq!(restarts.len(), Restarts::default().limit, "{actor}");
            assert!(restarts.iter().all(|event| event.payload["actor"] == actor));
            let stopped = log.iter().find(|event| event.kind == "worker.stopped").expect("the end");
            assert_eq!(stopped.payload["reason"], "escalation");
        }
    }
}
