//! `serve`: settings → journal → actors → HTTP → signals → exit code.
//!
//! Also what `demo` shares with it: the runtime, and the one place that starts actors and server.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use metrics_exporter_prometheus::PrometheusHandle;
use render_signal_actors::access::links::MagicLinks;
use render_signal_actors::access::upkeep;
use render_signal_actors::archive::Archiver;
use render_signal_actors::egress::Roots;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::{Journal, JournalAdmin};
use render_signal_actors::kernel::port::Port;
use render_signal_actors::messages::ReadAgain;
use render_signal_actors::oauth::TokenService;
use render_signal_actors::oauth::check::CheckReport;
use render_signal_actors::retention::Retention;
use render_signal_actors::search::Search;
use render_signal_actors::system::{self, Parts, System};
use tokio::net::TcpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::descriptors::Descriptors;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::health::eviction;
use crate::health::probe::{Draining, Idle, OauthProbe, Pulse, StatusProbe};
use crate::http::access::bearer::{Guesses, TokenDigest};
use crate::http::access::{Access, Login};
use crate::http::bodies::BodyPermits;
use crate::http::client::Proxies;
use crate::http::idempotency::Idempotency;
use crate::http::recent::Recent;
use crate::http::streams::StreamLimit;
use crate::http::{BoundServer, EventHub, HttpState, LiveHub};
use crate::journal::{self, Watched};
use crate::restart::Restart;
use crate::services::board::WorkerBoard;
use crate::settings::{MailSourceSettings, MailboxLogin, Settings};
use crate::{disk, privacy, telemetry, wiring};

/// From the signal to the end of the process; Render kills after 30 s.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);
/// Of that, what the HTTP server and the journal may take at the end.
const LAST_STEPS_TIMEOUT: Duration = Duration::from_secs(4);
/// Between two beats of the actors' thread.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is checked whether the journal still answers.
const JOURNAL_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Connections that may wait to be accepted. More are refused by the system.
const ACCEPT_BACKLOG: u32 = 256;
/// Beats between two rounds of the metrics' housekeeping.
const BEATS_PER_UPKEEP: u32 = 5;

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
    let Service { actors, http, draining, board, restart, .. } = service;
    let exit = until_the_end(actors, signals, &restart, &draining, http.start(), journal.as_ref()).await;
    board.leave().await;
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
        let shared = wiring::shared_facts(settings, world)?;
        let login = wiring::login(settings, &parts, world, &shared)?;
        let links = Arc::clone(&login.links);
        let upkeep = upkeep::chore(Arc::clone(&login.sessions), Arc::clone(&login.links));
        let services = wiring::services(settings, &parts, journal, &shared, world);
        let (probe, probed) = watch::channel(None);
        let checks = wiring::oauth::check(settings, tokens.as_ref(), world)?
            .filter(|check| !check.settings.every.is_zero());
        let holder = wiring::oauth::holder_checks(probed.clone(), idle(settings).is_none());
        let (checks, checked) = checks.map(|checks| checks.chore(holder)).unzip();
        let board = services.board.clone();
        let says = board.clone().chore(probed, draining.clone(), pulse.clone());
        let indexes = search.chore(rounds.clone());
        parts.chores =
            [retention, disk, says, indexes, upkeep].into_iter().chain(look).chain(checks).collect();
        let actors = system::start(&parts);
        let asked = StatusProbe {
            journal: Arc::clone(journal),
            actors: actors.probe.clone(),
            world: world.clone(),
            eviction,
            retention: Some(rounds),
            idle: idle(settings),
            oauth: tokens.map(|tokens| oauth_probe(settings, tokens, checked)),
        };
        probe.send_replace(Some(asked.clone()));
        keep_alive(pulse.clone(), metrics.clone());
        let restart = Restart::default();
        let reference = wiring::reference(settings, &parts, actors.ingress.clone(), &restart, world)?;
        let state = HttpState {
            probe: asked,
            services,
            metrics,
            draining: draining.clone(),
            pulse,
            metrics_token: settings.metrics_token.as_ref().map(TokenDigest::new),
            metrics_public: settings.metrics_public,
            access: access(settings, login),
            config_api: wiring::config_api(settings, &parts, world),
            journal: Arc::clone(journal) as Arc<dyn JournalAdmin>,
            editor: wiring::editor(&parts, world),
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
        Ok(Self { actors, http, links, draining, board, restart })
    }
}

/// The doors and their keys.
fn access(settings: &Settings, login: Login) -> Access {
    Access {
        api_token: Some(TokenDigest::new(&settings.process_api_token)),
        scopes: settings.api_token_scopes.clone(),
        test_key: settings.test_api_key.as_ref().map(TokenDigest::new),
        guesses: Guesses::behind(Proxies::new(settings.trusted_proxies.clone())),
        login: Some(login),
    }
}

/// How the access tokens are asked for their state.
fn oauth_probe(
    settings: &Settings,
    tokens: Arc<TokenService>,
    check: Option<watch::Receiver<CheckReport>>,
) -> OauthProbe {
    let open = matches!(&settings.mail, Some(MailSourceSettings::Imap(_, MailboxLogin::OAuth2)));
    OauthProbe { tokens: open.then_some(tokens), check }
}

/// Why this worker has nothing to poll, if that is so.
fn idle(settings: &Settings) -> Option<Idle> {
    match (settings.defaults.background_tasks, &settings.mail) {
        (false, _) => Some(Idle::SwitchedOff),
        (true, None) => Some(Idle::NoMailbox),
        (true, Some(_)) => None,
    }
}

/// Serves until a signal comes, somebody wants a restart, or an actor is given up; stops everything then. How the
/// program ends.
async fn until_the_end(
    actors: System,
    mut signals: Signals,
    restart: &Restart,
    draining: &Draining,
    http: ServerHandle,
    journal: &dyn JournalAdmin,
) -> Exit {
    let (reason, exit) = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping");
            ("signal", Exit::Ok)
        }
        () = restart.asked() => {
            tracing::info!("a restart was asked for, stopping");
            ("restart", Exit::Restart)
        }
        why = gone(journal) => {
            tracing::error!(why, "the journal was taken away, stopping");
            ("journal gone", Exit::Journal)
        }
        why = actors.escalated() => {
            tracing::error!(why, "an actor failed again and again, stopping");
            ("escalation", Exit::Escalated)
        }
    };
    draining.begin();
    let orderly = async {
        // Claims and leases that are not given back in time run out by themselves.
        if tokio::time::timeout(SHUTDOWN_TIMEOUT.saturating_sub(LAST_STEPS_TIMEOUT), actors.stop(reason))
            .await
            .is_err()
        {
            tracing::warn!("some work was still under way; it comes due again");
        }
        http.stop(true).await;
        journal.close().await;
    };
    tokio::select! {
        stopped = tokio::time::timeout(SHUTDOWN_TIMEOUT, orderly) => match stopped {
            Ok(()) => tracing::info!("stopped"),
            Err(_) => tracing::warn!(seconds = SHUTDOWN_TIMEOUT.as_secs(), "not stopped in time; what was under way comes due again"),
        },
        name = signals.next() => tracing::warn!(signal = name, "a second signal: ending at once; what was under way comes due again"),
    }
    exit
}

/// Why the journal may not be written any more.
async fn gone(journal: &dyn JournalAdmin) -> String {
    loop {
        tokio::time::sleep(JOURNAL_CHECK_INTERVAL).await;
        if let Some(why) = journal.gone() {
            return why;
        }
    }
}

fn bind(address: IpAddr, port: u16) -> Result<TcpListener, CommandFailure> {
    listen(SocketAddr::new(address, port)).map_err(|error| {
        let advice = if error.kind() == io::ErrorKind::AddrInUse {
            "; another program has it: set PORT to a free one"
        } else {
            ""
        };
        CommandFailure::found(format!("{address} port {port} cannot be listened on: {error}{advice}"))
    })
}

/// A listener, the address of which may have been used a moment ago.
///
/// # Errors
/// What the system says.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As the standard library does it: the connections of the process before may still be dying.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_BACKLOG)?.into_std()
}

/// Beats on the actors' thread, and does the metrics' housekeeping.
fn keep_alive(pulse: Pulse, metrics: PrometheusHandle) {
    drop(actix_rt::spawn(async move {
        let mut ticks = tokio::time::interval(HEARTBEAT_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for beat in 0_u32.. {
            ticks.tick().await;
            pulse.beat();
            if beat % BEATS_PER_UPKEEP == 0 {
                metrics.run_upkeep();
            }
        }
    }));
}

/// What finds mails by their texts. Its index lies beside the journal, or beside what a worker keeps
/// of one that is elsewhere.
fn search(settings: &Settings, journal: &Arc<Watched>) -> Result<Search, CommandFailure> {
    let path = settings.storage.search_index();
    Search::open(Arc::clone(journal) as Arc<dyn Journal>, Some(path))
        .map_err(|error| CommandFailure::found(error.to_string()))
}

/// What drops what is kept no longer.
fn retention(
    settings: &Settings,
    journal: &Arc<Watched>,
    world: &World,
) -> Result<Retention, CommandFailure> {
    Ok(Retention {
        world: world.clone(),
        journal: Arc::clone(journal) as Arc<dyn JournalAdmin>,
        history: settings.storage.config_history,
        archiver: archiver(settings, journal, world)?,
    })
}

/// What moves old events out of the journal, if anything does.
fn archiver(
    settings: &Settings,
    journal: &Arc<Watched>,
    world: &World,
) -> Result<Option<Archiver>, CommandFailure> {
    let Some(days) = settings.storage.journal_retention_days else { return Ok(None) };
    if let Some(why) = settings.no_archive() {
        tracing::warn!(code = why.code(), why = %why.said(), "old events stay in the journal");
        return Ok(None);
    }
    Ok(Some(Archiver {
        world: world.clone(),
        journal: Arc::clone(journal) as Arc<dyn Journal>,
        store: wiring::archive(settings)?,
        days,
    }))
}

/// The signals that stop the program: SIGTERM, SIGINT and SIGQUIT.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// From now on they are ours.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}

/// The signals that end nothing, and would if nobody listened.
struct OtherSignals {
    hangup: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl OtherSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }
}

/// SIGHUP has the documents and certificates read again. SIGUSR1 and SIGUSR2 are sent by tools that rotate logs;
/// ours goes to standard error and has no file to reopen.
fn heed(mut signals: OtherSignals, read_again: Port<ReadAgain>, authorities: Roots) {
    drop(actix_rt::spawn(async move {
        loop {
            let ignored = tokio::select! {
                _ = signals.hangup.recv() => {
                    tracing::info!(
                        signal = "SIGHUP",
                        "documents are read again, and WEBHOOK_CA_FILE; IMAP_CA_FILE and REDIS_CA_FILE are with each new connection"
                    );
                    if let Err(why) = authorities.read_again() {
                        tracing::error!(why, "WEBHOOK_CA_FILE is not used, the authorities from before stay");
                    }
                    if let Err(error) = read_again.ask(ReadAgain).await {
                        tracing::warn!(%error, "the documents are not read now, but within seconds");
                    }
                    continue;
                }
                _ = signals.user_1.recv() => "SIGUSR1",
                _ = signals.user_2.recv() => "SIGUSR2",
            };
            tracing::info!(signal = ignored, "nothing to do: the log goes to standard error");
        }
    }));
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use render_signal_actors::kernel::clock::Clock;
    use render_signal_actors::kernel::guardian::Restarts;

    use super::*;

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
                editor: wiring::editor(&parts, &world),
                services: wiring::services(
                    &settings,
                    &parts,
                    &journal,
                    &wiring::shared_facts(&settings, &world)?,
                    &world,
                ),
                world: world.clone(),
                bodies: BodyPermits::default(),
                idempotency: Idempotency::new(wiring::shared_facts(&settings, &world)?),
                search: search(&settings, &journal)?,
                hub: EventHub::new(Arc::clone(&parts.journal)),
                live: LiveHub::default(),
                recent: Recent::default(),
                streams: StreamLimit::new(1),
                reference: wiring::reference(&settings, &parts, actors.ingress.clone(), &restart, &world)?,
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
