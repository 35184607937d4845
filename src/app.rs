//! `serve`: settings → journal → actors → HTTP → signals → exit code.
//!
//! Also what `demo` shares with it: the runtime, and the one place that starts the actors.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, LocalBoxFuture};
use metrics_exporter_prometheus::PrometheusHandle;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal as _;
use render_signal_actors::kernel::port::Port;
use render_signal_actors::messages::{GetConfigStatus, GetLockStatus, GetPollerStatus, GetWebhookStatus};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Exit, Failure, Outcome};
use crate::http::probe::{Draining, Probe, Pulse};
use crate::http::{Http, HttpState};
use crate::journal::{self, Watched};
use crate::settings::Settings;
use crate::telemetry;

/// From the signal to the end of the process; Render kills after 30 s.
const STOP: Duration = Duration::from_secs(25);
/// Of that, what the HTTP server and the journal may take at the end.
const LAST_STEPS: Duration = Duration::from_secs(4);
/// Between two beats of the actors' thread.
const BEAT: Duration = Duration::from_secs(1);
/// Beats between two rounds of the metrics' housekeeping.
const UPKEEP: u32 = 5;

/// The actors, as the program sees them.
pub(crate) struct Running {
    /// Asks the poller; `None` when background tasks are off.
    pub(crate) poller: Option<Port<GetPollerStatus>>,
    /// Asks who polls; `None` when background tasks are off.
    pub(crate) lock: Option<Port<GetLockStatus>>,
    /// Asks about deliveries.
    pub(crate) webhook: Port<GetWebhookStatus>,
    /// Asks about documents.
    pub(crate) config: Port<GetConfigStatus>,
    /// Comes true when a guardian has given up; names the actor and the reason.
    pub(crate) escalated: BoxFuture<'static, String>,
    /// No new work, what is under way finishes or is given back, leases are released.
    /// The text goes into `worker.stopped`.
    pub(crate) stop: Box<dyn FnOnce(&'static str, Duration) -> LocalBoxFuture<'static, ()>>,
}

// ─── The one place where the supervision tree is started ─────────────────────────────────

/// Starts the actors on the current thread, which has an actix system.
///
/// # Errors
/// When one of them cannot be set up.
pub(crate) async fn start_actors(
    settings: &Settings,
    journal: &Arc<Watched>,
    world: &World,
) -> Result<Running, Failure> {
    let _ = (settings, journal, world);
    Err(Failure::found("the supervision tree is not part of this build"))
}

// ─────────────────────────────────────────────────────────────────────────────────────────

/// Runs a future on an actix system over a multi-threaded runtime: the actors live on this
/// thread, their effect tasks may use the other cores.
///
/// # Errors
/// What the future fails with, or why there is no runtime.
pub(crate) fn on_actix<F: Future<Output = Outcome>>(work: F) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("worker")
        .build()
        .map_err(|error| Failure::found(format!("no runtime: {error}")))?;
    let system = actix_rt::System::with_tokio_rt(move || runtime);
    let outcome = system.block_on(work);
    // Dropping it would wait for every blocking call, a hanging name look-up among them. All
    // that has to be finished is finished; the process ends now.
    std::mem::forget(system);
    outcome
}

/// The service.
pub(crate) fn serve(settings: Settings) -> Outcome {
    let metrics = telemetry::start_metrics()?;
    on_actix(run(settings, metrics))
}

async fn run(settings: Settings, metrics: PrometheusHandle) -> Outcome {
    let world = World::real();
    // First, so that no signal finds the default action.
    let mut signals = Signals::listen()?;
    let listener = bind(settings.port)?;
    let path = settings.journal_path();
    journal::refuse_ephemeral(&path, settings.allow_ephemeral_journal)?;
    let journal = journal::open(&path, &world)?;
    let running = start_actors(&settings, &journal, &world).await?;

    let draining = Draining::default();
    let pulse = Pulse::new();
    keep_alive(pulse.clone(), metrics.clone());
    let http = Http::on(
        listener,
        HttpState {
            probe: Probe {
                journal: Arc::clone(&journal),
                poller: running.poller,
                lock: running.lock,
                webhook: running.webhook,
                config: running.config,
                world: world.clone(),
            },
            metrics,
            draining: draining.clone(),
            pulse,
        },
    )?;
    tracing::info!(address = %http.address(), journal = %path.display(), "serving");
    let http = http.start();

    let (reason, exit) = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping");
            ("signal", Exit::Ok)
        }
        why = running.escalated => {
            tracing::error!(why, "an actor failed again and again, stopping");
            ("escalation", Exit::Escalated)
        }
    };
    draining.begin();
    let orderly = async {
        (running.stop)(reason, STOP.saturating_sub(LAST_STEPS)).await;
        http.stop(true).await;
        journal.close().await;
    };
    tokio::select! {
        stopped = tokio::time::timeout(STOP, orderly) => match stopped {
            Ok(()) => tracing::info!("stopped"),
            Err(_) => tracing::warn!(seconds = STOP.as_secs(), "not stopped in time; what was under way comes due again"),
        },
        name = signals.next() => tracing::warn!(signal = name, "told twice: ending at once; what was under way comes due again"),
    }
    Ok(exit)
}

/// The port on every address: the platform's router must reach it.
fn bind(port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map_err(|error| {
        let advice = if error.kind() == io::ErrorKind::AddrInUse {
            "; another program has it, set PORT to a free one"
        } else {
            ""
        };
        Failure::found(format!("port {port} cannot be listened on: {error}{advice}"))
    })
}

/// Beats on the actors' thread, and does the metrics' housekeeping.
fn keep_alive(pulse: Pulse, metrics: PrometheusHandle) {
    drop(actix_rt::spawn(async move {
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for beat in 0_u32.. {
            ticks.tick().await;
            pulse.beat();
            if beat % UPKEEP == 0 {
                metrics.run_upkeep();
            }
        }
    }));
}

/// SIGTERM and SIGINT.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
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
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
