//! Asks every part how it is. What the answers mean is decided in [`super::worker`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Message;
use chrono::{DateTime, Utc};
use render_signal_actors::config::{ConfigStatus, GetConfigStatus};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::{
    Difference, Durability, Journal as _, JournalAdmin as _, JournalError, Loss, Queue,
};
use render_signal_actors::kernel::port::Port;
use render_signal_actors::lock::{GetLockStatus, LockStatus};
use render_signal_actors::oauth::check::CheckReport;
use render_signal_actors::oauth::{OAuthReport, TokenService};
use render_signal_actors::poller::{GetPollerStatus, PollerStatus};
use render_signal_actors::r2::{GetR2Status, R2Status};
use render_signal_actors::retention::Rounds;
use render_signal_actors::said;
use render_signal_actors::system;
use render_signal_actors::webhook::{GetWebhookStatus, WebhookStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use super::eviction;
use crate::findings::Finding;
use crate::journal::Watched;
use crate::words::recorded;

/// How long each part may take to say how it is.
const PART_TIMEOUT: Duration = Duration::from_secs(2);

/// The ways to ask.
#[derive(Clone)]
pub(crate) struct StatusProbe {
    pub(crate) journal: Arc<Watched>,
    pub(crate) actors: system::Probe,
    /// The clock.
    pub(crate) world: World,
    /// What the Redis servers do when their memory is full; `None` = there are none.
    pub(crate) eviction: Option<eviction::Watch>,
    /// When what is kept no longer was dropped last; `None` = nobody does it here.
    pub(crate) retention: Option<watch::Receiver<Rounds>>,
    /// Why nothing is polled here; `None` = this worker may poll.
    pub(crate) idle: Option<Idle>,
    /// Access tokens; `None` = there are none.
    pub(crate) oauth: Option<OauthProbe>,
}

/// How to ask for the state of the access tokens.
#[derive(Clone)]
pub(crate) struct OauthProbe {
    /// Who gives those that open the mailbox; `None` = a password does.
    pub(crate) tokens: Option<Arc<TokenService>>,
    /// What the checks find; `None` = there are none.
    pub(crate) check: Option<watch::Receiver<CheckReport>>,
}

impl OauthProbe {
    fn answer(&self) -> OauthAnswer {
        OauthAnswer {
            tokens: self.tokens.as_ref().map(|tokens| tokens.report()),
            check: self.check.as_ref().map(|check| check.borrow().clone()),
        }
    }
}

/// How the access tokens are.
#[derive(Debug, Clone)]
pub(crate) struct OauthAnswer {
    /// Those that open the mailbox.
    pub(crate) tokens: Option<OAuthReport>,
    /// What the checks found.
    pub(crate) check: Option<CheckReport>,
}

/// Why a worker never polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// `ENABLE_BACKGROUND_TASKS` or `DISABLE_BACKGROUND_TASKS` says so.
    SwitchedOff,
    /// No mailbox is named.
    NoMailbox,
}

/// What the journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalAnswer {
    /// Position of the last event.
    pub(crate) head: u64,
    /// What an acknowledgement means.
    pub(crate) durability: Durability,
    /// When the next delivery is, or was, due.
    pub(crate) next_delivery: Option<DateTime<Utc>>,
    /// The last loss of commits that this worker has noticed.
    pub(crate) loss: Option<Loss>,
    /// In what other workers of the journal have another environment.
    pub(crate) others: Vec<Difference>,
}

/// Everything that was answered; an error is why there was no answer.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    /// When.
    pub(crate) now: DateTime<Utc>,
    /// The program is stopping.
    pub(crate) draining: bool,
    /// How long ago the actors' thread last beat.
    pub(crate) pulse: Duration,
    /// The journal.
    pub(crate) journal: Result<JournalAnswer, Finding>,
    /// The mailbox; `None` = switched off.
    pub(crate) poller: Option<Result<PollerStatus, Finding>>,
    /// The lease; `None` = switched off with the mailbox.
    pub(crate) lock: Option<Result<LockStatus, Finding>>,
    /// The deliveries.
    pub(crate) webhook: Result<WebhookStatus, Finding>,
    /// The copies of linked files.
    pub(crate) r2: Result<R2Status, Finding>,
    /// The documents.
    pub(crate) config: Result<ConfigStatus, Finding>,
    /// The Redis servers; `None` = there are none.
    pub(crate) redis: Option<eviction::EvictionReport>,
    /// When what is kept no longer was dropped last; `None` = nobody does it here.
    pub(crate) retention: Option<Rounds>,
    /// Why nothing is polled here.
    pub(crate) idle: Option<Idle>,
    /// Access tokens; `None` = there are none.
    pub(crate) oauth: Option<OauthAnswer>,
}

impl Answers {
    /// This worker polls the mailbox.
    pub(crate) fn holds_lease(&self) -> bool {
        self.lock.as_ref().and_then(|lock| lock.as_ref().ok()).is_some_and(|lock| lock.held)
    }
}

impl StatusProbe {
    /// Asks all of them at once.
    pub(crate) async fn look(&self, draining: bool, pulse: Duration) -> Answers {
        let actors = &self.actors;
        let (journal, poller, lock, webhook, r2, config) = futures::join!(
            self.journal(),
            ask_if_any(actors.poller.as_ref(), GetPollerStatus),
            ask_if_any(actors.lock.as_ref(), GetLockStatus),
            ask(&actors.webhook, GetWebhookStatus),
            ask(&actors.r2, GetR2Status),
            ask(&actors.config, GetConfigStatus),
        );
        let redis = self.eviction.as_ref().map(eviction::Watch::found);
        let retention = self.retention.as_ref().map(|rounds| rounds.borrow().clone());
        let (now, idle) = (self.world.now(), self.idle);
        let oauth = self.oauth.as_ref().map(OauthProbe::answer);
        Answers {
            now,
            draining,
            pulse,
            journal,
            poller,
            lock,
            webhook,
            r2,
            config,
            redis,
            retention,
            idle,
            oauth,
        }
    }

    async fn journal(&self) -> Result<JournalAnswer, Finding> {
        if let Some(trouble) = self.journal.check().await {
            return Err(Finding::JournalRefuses { trouble: trouble.into() });
        }
        let loss = self.journal.losses().borrow().clone();
        let look = async {
            Ok::<_, JournalError>(JournalAnswer {
                head: self.journal.head().await?,
                durability: self.journal.durability(),
                next_delivery: self.journal.next_due(Queue::Deliver).await?,
                loss,
                others: self.journal.others().await?,
            })
        };
        let seconds = PART_TIMEOUT.as_secs();
        match tokio::time::timeout(PART_TIMEOUT, look).await {
            Ok(Ok(finding)) => Ok(finding),
            Ok(Err(error)) => Err(Finding::NoAnswer { why: recorded::said(error) }),
            Err(_) => Err(Finding::NoAnswer {
                why: said!(
                    "aucune réponse du journal en {seconds} s",
                    "no answer from the journal within {seconds} s"
                ),
            }),
        }
    }
}

/// Asks an actor that not every worker has.
async fn ask_if_any<M>(port: Option<&Port<M>>, message: M) -> Option<Result<M::Result, Finding>>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    match port {
        Some(port) => Some(ask(port, message).await),
        None => None,
    }
}

/// Asks an actor; whoever asks whether the worker is ready does not wait for long.
async fn ask<M>(port: &Port<M>, message: M) -> Result<M::Result, Finding>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    match tokio::time::timeout(PART_TIMEOUT, port.ask(message)).await {
        Ok(answer) => answer.map_err(|error| Finding::NoAnswer { why: recorded::said(error) }),
        Err(_) => {
            let seconds = PART_TIMEOUT.as_secs();
            let why = said!("aucune réponse en {seconds} s", "no answer within {seconds} s");
            Err(Finding::NoAnswer { why })
        }
    }
}

/// Set once the program has begun to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draining(Arc<watch::Sender<bool>>);

impl Draining {
    /// From now on `/readyz` answers 503.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether the program is stopping.
    pub(crate) fn begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Until the program stops.
    pub(crate) async fn wait(&self) {
        // The sender lives in here, so the wait ends with what is waited for.
        drop(self.0.subscribe().wait_for(|begun| *begun).await);
    }
}

/// The heartbeat of the thread on which the actors live. HTTP has threads of its own, so
/// it can tell that the actors' thread hangs.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    started: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Pulse {
    /// The actors' thread is dead to the world after this long without a beat.
    pub(crate) const LIMIT: Duration = Duration::from_secs(30);

    /// A pulse that has beaten just now.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), last_ms: Arc::default() }
    }

    /// Beats; called on the actors' thread every second.
    pub(crate) fn beat(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Release);
    }

    /// How long ago it last beat.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Acquire)))
    }
}
