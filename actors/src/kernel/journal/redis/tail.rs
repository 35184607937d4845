//! Follows what other workers do: hints by subscription, and a look on a timer.

use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisError;
use futures::StreamExt as _;

use super::link::JournalServer;
use super::scripts::HINT;
use crate::kernel::backoff::{Backoff, Retries};
use crate::kernel::journal::Queue;

/// How often the end of the log is looked at, hints or not.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Pauses before connecting again.
const RECONNECT: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Runs until it is aborted.
pub(super) async fn follow(link: Arc<JournalServer>) {
    let mut retries = RECONNECT.retries();
    let mut before = false;
    loop {
        match listen(&link, &mut before, &mut retries).await {
            Ok(()) => tracing::warn!("the subscription to the journal's hints ended"),
            Err(error) => {
                tracing::warn!(%error, "no subscription to the journal's hints; it is tried again");
            }
        }
        retries.pause(link.world.jitter.as_ref()).await;
    }
}

async fn listen(link: &JournalServer, before: &mut bool, retries: &mut Retries) -> Result<(), RedisError> {
    let slow = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let subscribe = async {
        let mut hints = link.dialer().subscriber().await?;
        hints.subscribe(link.key(HINT)).await?;
        Ok::<_, RedisError>(hints)
    };
    let mut hints = tokio::time::timeout(link.response(), subscribe).await.map_err(slow)??;
    retries.succeeded();
    look(link).await;
    if *before {
        // Whatever was said meanwhile was not heard.
        link.noted(None, 0, [1; Queue::COUNT]);
    }
    *before = true;
    let mut messages = hints.on_message();
    let mut timer = tokio::time::interval(POLL_INTERVAL);
    timer.tick().await;
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => heard(link, message.get_payload_bytes()),
                None => return Ok(()),
            },
            _ = timer.tick() => look(link).await,
        }
    }
}

async fn look(link: &JournalServer) {
    if let Err(error) = link.look().await {
        tracing::warn!(%error, "the end of the journal cannot be seen");
    }
}

fn heard(link: &JournalServer, message: &[u8]) {
    let mut words = std::str::from_utf8(message).unwrap_or_default().split(' ');
    if words.next() == Some(&link.origin) {
        return;
    }
    let mut numbers = words.map(|word| word.parse().unwrap_or(0));
    let head = numbers.next().unwrap_or(0);
    let mut touched = [0; Queue::COUNT];
    for (count, more) in touched.iter_mut().zip(numbers) {
        *count = more;
    }
    link.noted(None, head, touched);
}
