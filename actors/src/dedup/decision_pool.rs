//! Mails that take a while to decide: large texts, or many or large expressions.
//!
//! Searching takes linear time and each expression has a budget, but a hostile set of
//! rules over a hostile text can still add up to seconds. Such a mail is decided on a
//! thread of its own, so that the tasks of all others go on; and it waits only for mails of
//! its own weight, so that a small one never stands behind large ones. Small mails are decided
//! by a task of the runtime, so a simulation stays on one thread.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use crate::mail::policy::Policy;

/// Places × bytes of all searches (see [`crate::mail::pattern`]) that a task of the runtime
/// may cost: about ten milliseconds in the worst case, usually far below one.
const LIGHT: usize = 1 << 21;
/// What reading a mail costs beside the searches, per byte, in the same unit.
const READING: usize = 64;
/// Classes of weight beyond that. One mail of each is decided at a time.
const CLASSES: usize = 5;
/// How much heavier a class is than the one before, as a power of two.
const STEP: u32 = 2;
/// From this class on, a mail is counted as heavy: about a second in the worst case.
const HEAVY: usize = 3;

/// The threads that decide heavy mails: at most one of each class at a time. Clones share them.
#[derive(Clone)]
pub(super) struct DecisionPool([Arc<Semaphore>; CLASSES]);

impl Default for DecisionPool {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Arc::new(Semaphore::new(1))))
    }
}

impl DecisionPool {
    /// Runs `decide`, which reads or decides a mail of `bytes` under `policy`.
    ///
    /// # Errors
    /// It panicked, or the runtime is shutting down.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        policy: &Policy,
        bytes: usize,
        decide: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let work = policy.search_work(bytes).saturating_add(bytes.saturating_mul(READING));
        let Some(class) = class(work) else {
            // A task of its own: another core may take it, and a panic stays in it.
            return tokio::spawn(async move { decide() }).await;
        };
        if class >= HEAVY {
            metrics::counter!("render_signal_mails_heavy_total").increment(1);
        }
        // Never closed; without a permit there is merely no limit.
        let permit = match self.0.get(class) {
            Some(one) => Arc::clone(one).acquire_owned().await.ok(),
            None => None,
        };
        // The thread holds the permit: the caller may be dropped before the decision is made.
        spawn_blocking(move || {
            let decided = decide();
            drop(permit);
            decided
        })
        .await
    }
}

/// The class of so much work; `None` = light.
fn class(work: usize) -> Option<usize> {
    let steps = work.checked_div(LIGHT)?.checked_ilog2()? / STEP;
    usize::try_from(steps).ok().map(|class| class.min(CLASSES - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_waits_for_its_own_kind_only() {
        let classes: Vec<_> =
            [0, LIGHT - 1, LIGHT, 4 * LIGHT - 1, 4 * LIGHT, 16 * LIGHT, 64 * LIGHT, 256 * LIGHT, usize::MAX]
                .map(class)
                .into();
        let places = [None, None, Some(0), Some(0), Some(1), Some(2), Some(3), Some(4), Some(4)];
        assert_eq!(classes, places);
    }
}
