//! A request to restart: the program stops in order, with an exit code of its own, and what
//! supervises it (the platform, systemd, a container's restart policy) starts it again.

use std::sync::Arc;

use tokio::sync::Notify;

/// The request. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Restart(Arc<Notify>);

impl Restart {
    /// Asks for a restart. Asking twice is as good as once.
    pub(crate) fn ask(&self) {
        self.0.notify_one();
    }

    /// Returns when somebody has asked.
    pub(crate) async fn asked(&self) {
        self.0.notified().await;
    }
}
