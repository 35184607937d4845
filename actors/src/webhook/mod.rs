//! `WebhookActor`: takes due deliveries from the outbox, posts them, and stores what came of it.
//!
//! ```text
//! outbox ─claim─▶ one task per row ─▶ a permit (slots, breaker) ─▶ a place of the hour ─▶ post ─▶ decide ─▶ ONE commit:
//!     delivery.attempted + outcome, mail.settled, the row, the mails to mark as seen
//! ```
//!
//! | file | what |
//! |---|---|
//! | `scheduler` | which delivery goes next: slots, breaker, urgency (pure) |
//! | `dispatch` | the rows that are owned, their tasks, the permits |
//! | `claims` | the loop that claims rows and reads targets |
//! | `deliver` | the task of one delivery, from its claim to its commit |
//! | `outcome`, `delivery` | what becomes of a delivery; what may be asked for (pure) |
//! | `limit` | the hourly limit, of all workers together |
//! | `waits` | deliveries that wait for the limit or the window |
//! | `target` | a target's address, breaker and health |
//! | `dead_letters`, `resend`, `cancel`, `bulk` | what an operator can do about deliveries, one or many |
//! | `sign`, `answer`, `events` | signatures, what is kept of an answer, payloads (pure) |
//! | `port` | [`Receiver`]: the way out |
//! | `test_webhook` | a webhook that is sent to see whether it is taken |
//!
//! Metrics: `render_signal_delivery_attempts_total{outcome}`, `render_signal_delivery_seconds`,
//! `render_signal_delivery_in_flight`, `render_signal_local_faults_total`, `render_signal_dead_letters_total{target}`,
//! `render_signal_target_breaker{target}` (0 closed, 1 half-open, 2 open, 3 disabled).

pub mod answer;
pub mod bulk;
pub mod cancel;
mod claimed;
mod claims;
pub mod dead_letters;
mod deliver;
pub mod delivery;
mod dispatch;
pub mod events;
mod limit;
pub mod outcome;
pub mod port;
mod reads;
pub mod resend;
pub mod scheduler;
mod status;
pub mod target;
pub mod test_webhook;
#[cfg(test)]
mod tests;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, MessageResult, ResponseFuture, Supervised};
use chrono_tz::Tz;
use tokio_util::task::AbortOnDropHandle;

pub use self::status::{GetWebhookStatus, TargetStatus, WebhookStatus};
use crate::kernel::clock::World;
use crate::kernel::guardian::depend_on;
use crate::kernel::journal::Journal;
use crate::mail::policy::{Policy, PolicyCell, Window};
use crate::messages::{Drain, PolicyChanged};
use crate::signing::SigningKeys;
use dispatch::Dispatcher;
pub use port::Receiver;
use scheduler::DeliveryLimits;
use waits::HeldByLimit;

/// How long attempts under way may go on after a [`Drain`]; then they are given back, for another
/// worker to make them at once. Whoever stops the whole waits 8 s for an answer: the rest is for
/// the commits that give them back.
const DRAIN_GRACE: Duration = Duration::from_secs(6);

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
    pub limits: DeliveryLimits,
    /// Receivers are told which trace a webhook belongs to.
    pub traced: bool,
}

/// What decides how long a row waits, of the policy.
#[derive(PartialEq, Eq)]
struct WaitTerms {
    rate_limit: u32,
    window: Option<Window>,
    zone: Tz,
}

impl WaitTerms {
    fn of(policy: &Policy) -> Self {
        Self { rate_limit: policy.rate_limit_per_hour, window: policy.window.clone(), zone: policy.zone }
    }
}

/// Ends everything that is under way when the actor goes, as a crash would.
struct EndsWithActor(Arc<Dispatcher>);

impl Drop for EndsWithActor {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// See the module page. What it does is done by the [`Dispatcher`] and its tasks, which outlive a
/// failure of the actor, and by the loop in [`claims`], which is started anew.
pub struct WebhookActor {
    dispatcher: Arc<EndsWithActor>,
    /// What waiting rows were judged by.
    terms: WaitTerms,
    claims: Option<AbortOnDropHandle<()>>,
    /// Deliveries are being let go because a setting has changed.
    hastening: Vec<AbortOnDropHandle<()>>,
}

impl WebhookActor {
    /// An actor that has not started yet.
    #[must_use]
    pub fn new(deps: WebhookDeps) -> Self {
        Self::with(Arc::new(EndsWithActor(Dispatcher::new(deps))))
    }

    fn with(dispatcher: Arc<EndsWithActor>) -> Self {
        let terms = WaitTerms::of(&dispatcher.0.deps.policy.load());
        Self { dispatcher, terms, claims: None, hastening: Vec::new() }
    }

    fn dispatcher(&self) -> Arc<Dispatcher> {
        Arc::clone(&self.dispatcher.0)
    }
}

impl Actor for WebhookActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let dispatcher = self.dispatcher();
        let policy = dispatcher.deps.policy.load_full();
        self.terms = WaitTerms::of(&policy);
        dispatcher.configure(&policy);
        self.claims = Some(depend_on(ctx, claims::run(dispatcher)));
    }
}

impl Supervised for WebhookActor {
    /// What is under way is not cut off: a receiver that has just answered would be asked twice.
    fn restarting(&mut self, _: &mut Self::Context) {
        let dispatcher = Arc::clone(&self.dispatcher);
        *self = Self::with(dispatcher);
        self.dispatcher.0.restart();
    }
}

impl Handler<PolicyChanged> for WebhookActor {
    type Result = ();

    fn handle(&mut self, PolicyChanged(policy): PolicyChanged, _: &mut Self::Context) {
        let dispatcher = self.dispatcher();
        let before = std::mem::replace(&mut self.terms, WaitTerms::of(&policy));
        if before != self.terms {
            let is_new_limit = before.rate_limit != self.terms.rate_limit;
            if is_new_limit {
                dispatcher.limiter.forget();
            }
            let held = if is_new_limit { HeldByLimit::All } else { HeldByLimit::None };
            let hastens = Arc::clone(&dispatcher);
            self.hastening.retain(|task| !task.is_finished());
            self.hastening.push(AbortOnDropHandle::new(tokio::spawn(async move {
                waits::hasten(&hastens, held).await;
            })));
        }
        dispatcher.configure(&policy);
    }
}

impl Handler<Drain> for WebhookActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        let dispatcher = self.dispatcher();
        dispatcher.drain(DRAIN_GRACE);
        Box::pin(async move { dispatcher.drained().await })
    }
}

impl Handler<GetWebhookStatus> for WebhookActor {
    type Result = MessageResult<GetWebhookStatus>;

    fn handle(&mut self, _: GetWebhookStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.dispatcher.0.status())
    }
}
