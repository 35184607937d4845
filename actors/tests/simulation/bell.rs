//! A counter that can be waited for. Unlike a watch channel of tokio, whose waiters are woken
//! in a random order, it wakes them in the order in which they began to wait: a run replays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Cheap to clone; all clones are the same bell.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<(AtomicU64, Notify)>);

impl Bell {
    /// How often it has rung.
    pub(crate) fn count(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn ring(&self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    /// Waits until it has rung since `count` was read.
    pub(crate) async fn rung_since(&self, count: u64) {
        loop {
            let ringing = self.0.1.notified();
            if self.count() != count {
                return;
            }
            ringing.await;
        }
    }
}
