//! `DedupActor`: admission of a mail, once; and the second thoughts about a held one.
//!
//! ```text
//! Admit ──▶ pipeline: parse and decide (many at once) ──▶ append, in order of arrival
//! a stranger's mail ──▶ kept apart, until the list of senders has him
//! hold queue ──▶ decide again ──▶ append
//! ```
//!
//! A duplicate is refused by the journal (`NoStream` on `mail-<email_id>`), not by a set
//! in memory; and it is one only if it says the same ([`crate::mail::content`]). So so the actor has nothing to lose: a restart costs the mails under way a
//! repetition and nothing else.

mod admit;
mod commit;
mod copies;
mod decision_pool;
mod hold;
pub mod release;
mod sequencer;
mod strangers;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix::{Actor, Context, Handler, ResponseFuture, Supervised};
use futures::FutureExt as _;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use self::decision_pool::DecisionPool;
use self::strangers::Strangers;
use crate::kernel::clock::World;
use crate::kernel::guardian::depend_on;
use crate::kernel::journal::Journal;
use crate::mail::policy::PolicyCell;
use crate::messages::{Admit, AdmitError, Admitted, Drain, PolicyChanged};

/// Mails that may wait for the pipeline. The poller's port allows fewer.
const QUEUE: usize = 1_024;

/// What the actor needs.
#[derive(Clone)]
pub struct DedupDeps {
    /// Time, ids, chance.
    pub world: World,
    /// Where a mail is taken in.
    pub journal: Arc<dyn Journal>,
    /// The policy in force.
    pub policy: PolicyCell,
}

/// One mail on its way through the pipeline.
struct AdmissionJob {
    admit: Admit,
    answer: oneshot::Sender<Result<Admitted, AdmitError>>,
}

/// Admits mails: reads, decides and records each once, and decides held ones again.
pub struct DedupActor {
    deps: DedupDeps,
    jobs: Option<mpsc::Sender<AdmissionJob>>,
    look: Arc<Notify>,
    draining: watch::Sender<bool>,
    /// How many of the tasks have finished what they had.
    finished: watch::Sender<usize>,
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl DedupActor {
    /// An actor that has not started yet.
    #[must_use]
    pub fn new(deps: DedupDeps) -> Self {
        Self {
            deps,
            jobs: None,
            look: Arc::new(Notify::new()),
            draining: watch::Sender::new(false),
            finished: watch::Sender::new(0),
            tasks: Vec::new(),
        }
    }
}

impl Actor for DedupActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        self.jobs = Some(jobs);
        let (thinking, strangers) = (DecisionPool::default(), Strangers::default());
        let (deps, look) = (self.deps.clone(), Arc::clone(&self.look));
        let pipeline = admit::pipeline(deps, thinking.clone(), strangers.clone(), look, queue);
        let (deps, look) = (self.deps.clone(), Arc::clone(&self.look));
        let holds = hold::watch(deps, thinking, strangers, look, self.draining.subscribe());
        for task in [pipeline.boxed(), holds.boxed()] {
            let finished = self.finished.clone();
            let task = async move {
                task.await;
                finished.send_modify(|finished| *finished += 1);
            };
            self.tasks.push(depend_on(ctx, task));
        }
    }
}

impl Supervised for DedupActor {
    fn restarting(&mut self, _: &mut Self::Context) {
        let draining = *self.draining.borrow();
        *self = Self::new(self.deps.clone());
        self.draining.send_replace(draining);
    }
}

impl Handler<Admit> for DedupActor {
    type Result = ResponseFuture<Result<Admitted, AdmitError>>;

    fn handle(&mut self, admit: Admit, _: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        // Read here, not in the pipeline: the handler is where the actor may fail as a whole.
        let now = self.deps.world.now();
        tracing::trace!(item = admit.location.item, %now, "mail handed over");
        let handed_over = match &self.jobs {
            Some(jobs) if !*self.draining.borrow() => jobs.try_send(AdmissionJob { admit, answer }).is_ok(),
            _ => false,
        };
        Box::pin(async move {
            if !handed_over {
                return Err(AdmitError::Journal("admission is stopping or overloaded".to_owned()));
            }
            answered.await.unwrap_or_else(|_| Err(AdmitError::Journal("admission was restarted".to_owned())))
        })
    }
}

impl Handler<PolicyChanged> for DedupActor {
    type Result = ();

    /// The cell is what counts; the message says that it is worth looking.
    fn handle(&mut self, _: PolicyChanged, _: &mut Self::Context) {
        self.look.notify_one();
    }
}

impl Handler<Drain> for DedupActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.draining.send_replace(true);
        // Closing the queue lets the pipeline finish what it has, and end.
        let started = self.jobs.take().is_some();
        let tasks = self.tasks.len();
        let mut finished = self.finished.subscribe();
        Box::pin(async move {
            if started {
                // An error means that the actor is gone, and its tasks with it.
                drop(finished.wait_for(|finished| *finished == tasks).await);
            }
        })
    }
}
