//! Mails that may take long to decide: large texts under many or large expressions.
//!
//! Searching takes linear time and each expression has a budget, but a hostile set of
//! rules over a hostile text can still add up to seconds. Such a mail is thought about on
//! a thread of its own, so that the tasks of all others go on; what is usual never gets
//! there, so a simulation stays on one thread.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use crate::mail::policy::Policy;

/// Places × bytes of all searches (see [`crate::mail::pattern`]) from which on a mail is
/// heavy: about a second in the worst case, usually some milliseconds.
const HEAVY: usize = 1 << 28;
/// Heavy mails thought about at the same time.
const AT_ONCE: usize = 2;

/// Who thinks.
#[derive(Clone)]
pub(super) struct Thinking(Arc<Semaphore>);

impl Default for Thinking {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Thinking {
    /// Runs `think`, which decides a mail of `bytes` under `policy`.
    ///
    /// # Errors
    /// It panicked, or the runtime is shutting down.
    pub(super) async fn about<T: Send + 'static>(
        &self,
        policy: &Policy,
        bytes: usize,
        think: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        if policy.search_work(bytes) < HEAVY {
            // A task of its own: another core may take it, and a panic stays in it.
            return tokio::spawn(async move { think() }).await;
        }
        metrics::counter!("render_signal_mails_heavy_total").increment(1);
        // Never closed; without a permit there is merely no limit.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        spawn_blocking(move || {
            let thought = think();
            drop(permit);
            thought
        })
        .await
    }
}
