//! [`Guardian`]: restarts an actor that panics or stops.
//!
//! actix alone closes the mailbox of an actor that panics, for ever. The guardian
//! polls the actor's context inside `catch_unwind`; on a panic (or a stop that nobody
//! ordered) it drops the context's futures, waits, lets the actor replace itself by a
//! fresh value through [`actix::Supervised::restarting`], and goes on with the same
//! mailbox: every `Addr` and [`crate::kernel::port::Port`] survives. The message that
//! was being handled gets an error; those still queued are served by the fresh value.
//!
//! More than [`Restarts::limit`] restarts within [`Restarts::window`] is a fault that
//! a restart does not mend: the guardian gives up and tells the root, which stops the
//! process with a documented exit code.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use actix::dev::{ContextFut, channel};
use actix::{Actor, Addr, AsyncContext, Context, Supervised};
use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::kernel::backoff::Backoff;
use crate::kernel::clock::World;

/// How often an actor may be restarted.
#[derive(Debug, Clone, Copy)]
pub struct Restarts {
    /// Wait before the first restart; doubles with each further one in the window.
    pub first_backoff: Duration,
    /// The wait never grows beyond this.
    pub max_backoff: Duration,
    /// Restarts older than this are forgotten.
    pub window: Duration,
    /// This many restarts in the window are borne; one more escalates.
    pub limit: usize,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            first_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            window: Duration::from_secs(60),
            limit: 5,
        }
    }
}

/// What a guardian tells the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardianNotice {
    /// An actor failed and will be restarted after `after`.
    Restarting {
        /// Name of the actor.
        actor: &'static str,
        /// Why: the panic's message, or "stopped".
        reason: String,
        /// How many restarts there were in the window, this one included.
        count: usize,
        /// How long the guardian waits first.
        after: Duration,
    },
    /// An actor failed too often; the process must stop.
    Escalated {
        /// Name of the actor.
        actor: &'static str,
        /// Why it failed last.
        reason: String,
    },
}

/// Where guardians report to.
pub type Notices = mpsc::UnboundedSender<GuardianNotice>;

/// Runs one actor for the life of the process.
pub struct Guardian<A>
where
    A: Supervised + Actor<Context = Context<A>>,
{
    name: &'static str,
    restarts: Restarts,
    world: World,
    notices: Notices,
    context: ContextFut<A, Context<A>>,
    waiting: Option<Pin<Box<Sleep>>>,
    failures: VecDeque<Instant>,
}

impl<A> Guardian<A>
where
    A: Supervised + Actor<Context = Context<A>>,
{
    /// Starts an actor on the current arbiter, guarded. The guardian ends when the last
    /// `Addr` is dropped, after an escalation, or when the returned handle is dropped:
    /// then the actor goes at once, with all its effects, as in a crash.
    ///
    /// Must be called on a thread with an actix system.
    pub fn start<F>(
        name: &'static str,
        restarts: Restarts,
        world: World,
        notices: Notices,
        make: F,
    ) -> (Addr<A>, AbortOnDropHandle<()>)
    where
        F: FnOnce(&Addr<A>) -> A,
    {
        // actix's own bound per Addr; the real bound is the port's permits.
        const MAILBOX: usize = 1_024;
        let (sender, receiver) = channel::channel(MAILBOX);
        let context = Context::with_receiver(receiver);
        let address = context.address();
        let actor = make(&address);
        let guardian = Self {
            name,
            restarts,
            world,
            notices,
            context: context.into_future(actor),
            waiting: None,
            failures: VecDeque::new(),
        };
        drop(address);
        (Addr::new(sender), AbortOnDropHandle::new(actix_rt::spawn(guardian)))
    }

    /// Notes a failure. `true` = restart after the returned wait, `false` = give up.
    fn failed(&mut self, reason: String) -> bool {
        let now = Instant::now();
        while let Some(first) = self.failures.front() {
            if now.duration_since(*first) > self.restarts.window {
                self.failures.pop_front();
            } else {
                break;
            }
        }
        self.failures.push_back(now);
        let count = self.failures.len();
        if count > self.restarts.limit {
            tracing::error!(actor = self.name, reason, count, "actor failed too often, giving up");
            // A closed channel means that the root is stopping already.
            drop(self.notices.send(GuardianNotice::Escalated { actor: self.name, reason }));
            return false;
        }
        let backoff = Backoff::new(self.restarts.first_backoff, self.restarts.max_backoff);
        let failures = u32::try_from(count).unwrap_or(u32::MAX);
        let after = backoff.wait(failures, self.world.jitter.as_ref());
        tracing::warn!(
            actor = self.name,
            reason,
            count,
            after_ms = after.as_millis(),
            "actor failed, restarting"
        );
        metrics::counter!("render_signal_actor_restarts_total", "actor" => self.name).increment(1);
        drop(self.notices.send(GuardianNotice::Restarting { actor: self.name, reason, count, after }));
        self.waiting = Some(Box::pin(tokio::time::sleep(after)));
        true
    }
}

/// The text of a panic, as far as it is text.
#[must_use]
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

/// Runs an effect that the actor cannot do without. When it panics, the actor fails with the
/// same panic, and its guardian starts a fresh one. Dropping the handle ends the effect, and
/// its end is no failure.
pub fn depend_on<A>(
    ctx: &mut Context<A>,
    effect: impl Future<Output = ()> + Send + 'static,
) -> AbortOnDropHandle<()>
where
    A: Actor<Context = Context<A>>,
{
    let (failed, failure) = oneshot::channel();
    let task = tokio::spawn(async move {
        if let Err(payload) = AssertUnwindSafe(effect).catch_unwind().await {
            // Nobody listens any more: the actor is gone, or restarting.
            drop(failed.send(payload));
        }
    });
    ctx.spawn(actix::fut::wrap_future(async move {
        if let Ok(payload) = failure.await {
            std::panic::resume_unwind(payload);
        }
    }));
    AbortOnDropHandle::new(task)
}

impl<A> Future for Guardian<A>
where
    A: Supervised + Actor<Context = Context<A>>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            if let Some(sleep) = this.waiting.as_mut() {
                if sleep.as_mut().poll(task).is_pending() {
                    return Poll::Pending;
                }
                this.waiting = None;
                // Drops the old futures, runs `restarting`; false = nobody can reach it any more.
                let restarted = std::panic::catch_unwind(AssertUnwindSafe(|| this.context.restart()));
                match restarted {
                    Ok(true) => {}
                    Ok(false) => return Poll::Ready(()),
                    Err(payload) => {
                        if this.failed(panic_text(payload.as_ref())) {
                            continue;
                        }
                        return Poll::Ready(());
                    }
                }
            }
            let polled =
                std::panic::catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.context).poll(task)));
            let reason = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                // Nobody can reach it any more: that is its end, not a failure.
                Ok(Poll::Ready(())) if !this.context.ctx().connected() => return Poll::Ready(()),
                Ok(Poll::Ready(())) => "stopped".to_owned(),
                Err(payload) => panic_text(payload.as_ref()),
            };
            if !this.failed(reason) {
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
