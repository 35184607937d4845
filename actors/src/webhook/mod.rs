//! `WebhookActor`: takes due deliveries from the outbox, posts them, and stores what came
//! of it.
//!
//! ```text
//! outbox ─claim─▶ lanes (slots, breaker, rate) ─▶ a place of the hour ─▶ attempt ─▶ decide ─▶ ONE commit:
//!     delivery.attempted + outcome, mail.settled, the row, the mails to mark as seen
//! ```
//!
//! | file | what |
//! |---|---|
//! | `state`, `delivery`, `notice`, `retry`, `breaker`, `rate`, `lane`, `lanes`, `sign`, `address`, `answer` | pure |
//! | `turn` | the actor between the two |
//! | `attempt`, `local_fault`, `effects`, `quota`, `target` | the journal and the receivers |
//! | `port` | [`Receiver`]: the way out |
//! | `redeliver`, `again`, `cancel`, `bulk` | what an operator can do about deliveries, one or many, and disabled targets |
//!
//! Metrics: `render_signal_delivery_attempts_total{outcome}`, `render_signal_delivery_seconds`,
//! `render_signal_delivery_in_flight`, `render_signal_local_faults_total`, `render_signal_dead_letters_total{target}`,
//! `render_signal_target_breaker{target}` (0 closed, 1 half-open, 2 open, 3 disabled).

pub mod address;
pub mod again;
pub mod answer;
mod attempt;
pub mod breaker;
pub mod bulk;
pub mod cancel;
pub mod delivery;
mod effects;
mod lane;
pub mod lanes;
mod local_fault;
pub mod notice;
pub mod port;
mod quota;
pub mod rate;
pub mod redeliver;
mod request;
pub mod retry;
pub mod sign;
pub mod state;
pub mod target;
#[cfg(test)]
mod tests;
pub mod trial;
mod turn;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler, Message, ResponseFuture, SpawnHandle, Supervised};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::kernel::clock::World;
use crate::kernel::guardian::depend_on;
use crate::kernel::heavy::Heavy;
use crate::kernel::journal::Journal;
use crate::kernel::load::Load;
use crate::kernel::port::Port;
use crate::mail::policy::{Policy, PolicyCell, Window};
use crate::mail::windows;
use crate::messages::{Drain, GetWebhookStatus, PolicyChanged, WebhookStatus};
use breaker::TargetState;
use lanes::{ClaimPlan, Earlier, Lanes, Limits, Row, Signal, Step, Trial};
use local_fault::LocalFaults;
pub use port::Receiver;
use quota::Quota;
use sign::SigningKeys;

/// Due rows are looked for at least this often, hint or no hint.
const TICK: Duration = Duration::from_secs(1);
/// How long attempts under way may go on after a [`Drain`]; then they are given back, for another
/// worker to make them at once. Whoever stops the whole waits 8 s for an answer: the rest is for
/// the commits that give them back.
const DRAIN_GRACE: Duration = Duration::from_secs(6);
/// Bytes of bodies that wait or are posted, but for the last one: an eighth of the memory of
/// a small machine (512 MiB). A body that is posted is held once more in part by its connection.
const BODIES: usize = 64 << 20;
/// A target that has as much gets no more. A slow one holds its bodies for as long as an attempt
/// may take, and leaves the rest to others; its light deliveries, and those of others, go on.
const BODIES_OF_A_TARGET: usize = 16 << 20;
/// Reports under way at a time; more wait.
const REPORTS: usize = 256;
/// A report that is not taken within this time is sent again.
const REPORT_DEADLINE: Duration = Duration::from_secs(30);

/// What the actor needs.
#[derive(Clone)]
pub struct WebhookDeps {
    /// Time, ids, chance.
    pub world: World,
    /// Where deliveries come from and outcomes go to.
    pub journal: Arc<dyn Journal>,
    /// The policy in force.
    pub policy: PolicyCell,
    /// The way to the receivers.
    pub receiver: Arc<dyn Receiver>,
    /// `WEBHOOK_SECRET`; `None` = webhooks are not signed.
    pub keys: Option<SigningKeys>,
    /// How much at a time.
    pub limits: Limits,
}

/// What effects need.
struct Shared {
    deps: WebhookDeps,
    quota: Quota,
    local_faults: LocalFaults,
    port: Port<Report>,
    /// Where large bodies are signed.
    heavy: Heavy,
    /// Bodies that wait or are posted.
    load: Load,
}

/// What effects tell the actor. Each may come twice.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
enum Report {
    /// What was counted in the last hour, by target.
    Recovered(HashMap<String, Vec<Earlier>>),
    /// There may be due rows.
    Look,
    /// The journal has lost commits.
    Lost,
    /// A second has passed.
    Tick,
    /// Rows were claimed, perhaps none.
    Claimed { serial: u64, plan: ClaimPlan, rows: Vec<Row>, next_due: Option<DateTime<Utc>> },
    /// Rows were claimed, and the actor has failed over it.
    Unclaimed(Vec<Row>),
    /// The journal could not be asked.
    ClaimFailed(u64),
    /// An attempt has ended, its outcome is being stored.
    Answered { key: String, flight: u64, signal: Signal, took: Duration },
    /// An attempt that was to be counted from `at` on was not begun: the places of the hour
    /// are taken.
    Over { row: Row, flight: u64, at: DateTime<Utc>, counted: Vec<DateTime<Utc>> },
    /// A row is done with, under this claim.
    Ended { key: String, flight: u64, claim: Uuid },
    /// A target was read.
    TargetRead { target: String, state: TargetState },
}

/// A row under way.
struct Flight {
    id: u64,
    target: String,
    trial: Trial,
    /// The attempt occupies a slot.
    posting: bool,
    claim: watch::Sender<Uuid>,
    claimed_until: DateTime<Utc>,
    /// The row, claimed again meanwhile.
    again: Option<Row>,
    task: AbortOnDropHandle<()>,
}

/// What decides how long a row waits, of the policy.
#[derive(PartialEq, Eq)]
struct Terms {
    rate_limit: u32,
    window: Option<Window>,
    zone: Tz,
}

impl Terms {
    fn of(policy: &Policy) -> Self {
        Self { rate_limit: policy.rate_limit_per_hour, window: policy.window.clone(), zone: policy.zone }
    }
}

/// See the module page.
pub struct WebhookActor {
    deps: WebhookDeps,
    shared: Option<Arc<Shared>>,
    lanes: Option<Lanes>,
    /// By key of the row; sorted, so that a simulation replays.
    flights: BTreeMap<String, Flight>,
    /// Numbers flights and claims.
    serial: u64,
    claiming: Option<(u64, AbortOnDropHandle<()>)>,
    /// There may be due rows that no lane knows of.
    look: bool,
    wake: Option<SpawnHandle>,
    /// It has been told to stop: until when attempts may go on.
    draining: Option<Instant>,
    drained: Vec<oneshot::Sender<()>>,
    /// What waiting rows were judged by.
    terms: Terms,
    targets: HashMap<String, AbortOnDropHandle<()>>,
    /// Bodies that wait or are posted, those of flights of an earlier value included.
    load: Load,
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl WebhookActor {
    /// An actor that has not started yet.
    #[must_use]
    pub fn new(deps: WebhookDeps) -> Self {
        let terms = Terms::of(&deps.policy.load());
        Self {
            deps,
            shared: None,
            lanes: None,
            flights: BTreeMap::new(),
            serial: 0,
            claiming: None,
            look: true,
            wake: None,
            draining: None,
            drained: Vec::new(),
            terms,
            targets: HashMap::new(),
            load: Load::new(BODIES, BODIES_OF_A_TARGET),
            tasks: Vec::new(),
        }
    }
}

fn spawn(effect: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(effect))
}

/// Ends the attempts that are still under way then.
fn abandon_at(end: Instant, ctx: &mut Context<WebhookActor>) {
    ctx.run_later(end.saturating_duration_since(Instant::now()), |actor, ctx| {
        actor.abandon(|flight| flight.posting);
        actor.turn(ctx);
    });
}

impl Actor for WebhookActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let port = Port::new("webhook", &ctx.address(), REPORTS, REPORT_DEADLINE);
        let shared = Arc::new(Shared {
            deps: self.deps.clone(),
            quota: Quota::default(),
            local_faults: LocalFaults::default(),
            port,
            heavy: Heavy::default(),
            load: self.load.clone(),
        });
        self.shared = Some(Arc::clone(&shared));
        self.tasks.push(depend_on(ctx, effects::ticks(Arc::clone(&shared), TICK)));
        self.tasks.push(depend_on(ctx, effects::hints(Arc::clone(&shared))));
        self.tasks.push(depend_on(ctx, effects::losses(Arc::clone(&shared))));
        self.tasks.push(depend_on(ctx, effects::recover(shared)));
        if let Some(end) = self.draining {
            abandon_at(end, ctx);
        }
    }
}

impl Supervised for WebhookActor {
    fn restarting(&mut self, _: &mut Self::Context) {
        let mut fresh = Self::new(self.deps.clone());
        fresh.draining = self.draining;
        fresh.drained = std::mem::take(&mut self.drained);
        // What is under way is not cut off: a receiver that has just answered would be asked
        // twice. The effects report to the same mailbox.
        fresh.serial = self.serial;
        fresh.flights = std::mem::take(&mut self.flights);
        fresh.load = self.load.clone();
        // What it claims nobody else can have until the claim ends.
        fresh.claiming = self.claiming.take();
        let waiting = self.lanes.take().map_or_else(Vec::new, Lanes::into_waiting);
        let shared = self.shared.take();
        *self = fresh;
        if let Some(shared) = shared {
            waiting.into_iter().for_each(|row| self.step(&shared, Step::Release(row)));
        }
    }
}

impl Handler<Report> for WebhookActor {
    type Result = ();

    fn handle(&mut self, report: Report, ctx: &mut Self::Context) {
        match report {
            Report::Recovered(_) if self.lanes.is_some() => {}
            Report::Recovered(sent) => {
                let mut lanes = Lanes::new(self.deps.limits, sent);
                let policy = self.deps.policy.load();
                lanes.configure(&policy);
                self.flights
                    .values()
                    .filter(|flight| flight.posting)
                    .for_each(|flight| lanes.adopt(&flight.target, flight.trial));
                // The limit may have been raised, or the window opened, while nobody was here.
                self.terms = Terms::of(&policy);
                let room = lanes.free(self.terms.rate_limit, self.deps.world.now());
                self.lanes = Some(lanes);
                self.hasten_waiting(room);
            }
            Report::Look => self.look = true,
            Report::Lost => self.lost(),
            Report::Tick => self.tick(),
            Report::Claimed { serial, plan, rows, next_due } if self.is_claiming(serial) => {
                self.claiming = None;
                self.claimed(&plan, rows);
                self.wake_at(next_due, ctx);
            }
            Report::ClaimFailed(serial) if self.is_claiming(serial) => self.claiming = None,
            // Asked for by a value of this actor that is gone.
            Report::Claimed { rows, .. } | Report::Unclaimed(rows) => self.give_back(rows),
            Report::ClaimFailed(_) => {}
            Report::Answered { key, flight, signal, took } => self.answered(&key, flight, signal, took),
            Report::Over { row, flight, at, counted } => self.over(flight, row, at, &counted),
            Report::Ended { key, flight, claim } => self.ended(&key, flight, claim),
            Report::TargetRead { target, state } => {
                if let Some(lanes) = &mut self.lanes {
                    lanes.target_read(&target, state);
                }
            }
        }
        self.turn(ctx);
    }
}

impl Handler<PolicyChanged> for WebhookActor {
    type Result = ();

    fn handle(&mut self, PolicyChanged(policy): PolicyChanged, ctx: &mut Self::Context) {
        if let Some(lanes) = &mut self.lanes {
            lanes.configure(&policy);
        }
        let before = std::mem::replace(&mut self.terms, Terms::of(&policy));
        if let Some(lanes) = self.lanes.as_mut().filter(|_| before != self.terms) {
            let mut room = HashMap::new();
            if before.rate_limit != self.terms.rate_limit {
                lanes.rate_limit_changed();
                // All of them: those that must go on waiting get a turn under the new limit.
                room = lanes.targets().map(|target| (target.to_owned(), usize::MAX)).collect();
            }
            self.hasten_waiting(room);
        }
        self.look = true;
        self.turn(ctx);
    }
}

impl Handler<Drain> for WebhookActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        if self.draining.is_none() {
            let end = Instant::now() + DRAIN_GRACE;
            self.draining = Some(end);
            abandon_at(end, ctx);
        }
        let (answer, answered) = oneshot::channel();
        self.drained.push(answer);
        if self.lanes.is_none() {
            // Nothing was begun yet, unless by a value of this actor that is gone.
            self.answer_drained();
        }
        self.turn(ctx);
        Box::pin(async move {
            // An error means that nothing was begun, or that the actor is gone with all it did.
            drop(answered.await);
        })
    }
}

impl Handler<GetWebhookStatus> for WebhookActor {
    type Result = actix::MessageResult<GetWebhookStatus>;

    fn handle(&mut self, _: GetWebhookStatus, _: &mut Self::Context) -> Self::Result {
        let now = self.deps.world.now();
        actix::MessageResult(WebhookStatus {
            in_flight: self.lanes.as_ref().map_or(0, Lanes::posting),
            targets: self.lanes.as_ref().map_or_else(Vec::new, |lanes| lanes.status(now)),
            paused: windows::sending(&self.deps.policy.load(), now).is_err(),
        })
    }
}
