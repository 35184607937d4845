//! Work whose cost grows with what strangers send: off the threads that everybody's tasks
//! run on, and one piece at a time.
//!
//! All such work is linear, but a mail of many megabytes still takes tenths of a second. What
//! belongs to an ordinary mail is done at once and never waits behind it.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// What a task of the runtime may read or write at once, in bytes: below a millisecond.
const LIGHT: usize = 64 * 1024;

/// A place for one piece of heavy work. Clones share it.
#[derive(Debug, Clone)]
pub struct Heavy(Arc<Semaphore>);

impl Default for Heavy {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Heavy {
    /// Does `work`, which reads or writes about `bytes`: here when it is light, else on a
    /// blocking thread, when those before it are done. So a simulation, whose mails are
    /// small, stays on one thread. A panic of the work is one of whoever asked for it.
    pub async fn run<T: Send + 'static>(&self, bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
        if bytes <= LIGHT {
            return work();
        }
        // Never closed; without a permit there is merely no limit.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        // The permit goes along: whoever asked may have gone before the work has ended.
        let done = spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        match done.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down: nobody waits any more.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn light_work_is_done_here_and_heavy_work_elsewhere_one_at_a_time() {
        let heavy = Heavy::default();
        let here = thread::current().id();
        assert_eq!(heavy.run(LIGHT, || thread::current().id()).await, here);
        let (begun, waiting) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let heavy = heavy.clone();
            async move { heavy.run(LIGHT + 1, move || waiting.recv().is_err()).await }
        });
        while heavy.0.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        // A light piece does not wait for it; a heavy one does.
        assert_eq!(heavy.run(1, || thread::current().id()).await, here);
        let mut second = Box::pin(heavy.run(LIGHT + 1, || thread::current().id()));
        assert!(futures::poll!(&mut second).is_pending());
        drop(begun);
        assert_eq!(first.await.ok(), Some(true));
        assert_ne!(second.await, here);
    }
}
