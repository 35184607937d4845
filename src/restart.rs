//! A wish to be started again: the program stops in order, with an exit code of its own, and
//! whoever watches it (the platform, systemd, a container's restart policy) starts it again.

use std::sync::Arc;

use tokio::sync::Notify;

/// The wish. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Restart(Arc<Notify>);

impl Restart {
    /// Somebody wants it. Asking twice is as good as once.
    pub(crate) fn ask(&self) {
        self.0.notify_one();
    }

    /// Returns when somebody has asked.
    pub(crate) async fn asked(&self) {
        self.0.notified().await;
    }
}
