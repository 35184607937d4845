//! Reads of the journal that wait until it can tell.

use std::time::Duration;

use super::WebhookDeps;
use crate::kernel::event::{Recorded, StreamId};

/// Pause before something that could not be read is read again.
pub(super) const READ_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The events of a stream after a version.
pub(super) async fn stream(deps: &WebhookDeps, stream: &StreamId, after: u64) -> Vec<Recorded> {
    loop {
        match deps.journal.read_stream(stream, after).await {
            Ok(events) => return events,
            Err(error) => {
                tracing::warn!(%error, %stream, "a stream could not be read, trying again");
                tokio::time::sleep(deps.world.jitter.spread(READ_RETRY_PAUSE)).await;
            }
        }
    }
}
