//! [`Chore`]: a task that lives as long as the process, guarded like an actor.
//!
//! A task that nobody watches ends silently with its first panic. A chore is started by a
//! [`Guardian`](crate::kernel::guardian::Guardian) like every actor: it is begun anew, the restart is an
//! event, and too many of them end the process.

use std::fmt;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Supervised};
use futures::future::BoxFuture;
use tokio_util::task::AbortOnDropHandle;

use crate::kernel::guardian::depend_on;
use crate::messages::Drain;

/// What a chore does: made anew at each start, and never to end.
#[derive(Clone)]
pub struct Chore {
    /// Names it in events, metrics and the log.
    pub name: &'static str,
    run: Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Chore {
    /// A chore that does what `run` makes, whenever it is begun.
    pub fn new<F, R>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self { name, run: Arc::new(move || Box::pin(run())) }
    }
}

impl fmt::Debug for Chore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chore").field(&self.name).finish()
    }
}

/// The actor around a [`Chore`].
#[derive(Debug)]
pub struct ChoreActor {
    chore: Chore,
    task: Option<AbortOnDropHandle<()>>,
    drained: bool,
}

impl ChoreActor {
    /// An actor that has not begun yet.
    #[must_use]
    pub const fn new(chore: Chore) -> Self {
        Self { chore, task: None, drained: false }
    }
}

impl Actor for ChoreActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if !self.drained {
            self.task = Some(depend_on(ctx, (self.chore.run)()));
        }
    }
}

impl Supervised for ChoreActor {}

impl Handler<Drain> for ChoreActor {
    type Result = ();

    /// Ends it where it stands: whatever a chore does is whole after each step.
    fn handle(&mut self, _: Drain, _: &mut Context<Self>) {
        self.drained = true;
        self.task = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use chrono::DateTime;
    use tokio::sync::mpsc;

    use super::*;
    use crate::kernel::clock::World;
    use crate::kernel::guardian::{Guardian, GuardianNotice, Restarts};

    #[actix_rt::test]
    async fn a_chore_that_panics_is_begun_anew_and_that_is_told() {
        tokio::time::pause();
        let begun = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&begun);
        let chore = Chore::new("tidy", move || {
            let nth = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert!(nth > 1, "broken on purpose");
                std::future::pending().await
            }
        });
        let world = World::seeded(DateTime::UNIX_EPOCH, 1);
        let (tell, mut notices) = mpsc::unbounded_channel();
        let (address, _guard) =
            Guardian::start("tidy", Restarts::default(), world, tell, |_| ChoreActor::new(chore));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
        for _ in 0..2 {
            let notice = notices.try_recv().unwrap();
            let GuardianNotice::Restarting { actor, reason, .. } = notice else { panic!("{notice:?}") };
            assert_eq!((actor, reason.as_str()), ("tidy", "broken on purpose"));
        }
        address.send(Drain).await.unwrap();
        assert!(notices.try_recv().is_err(), "its end is no failure");
    }
}
