//! Follows what others write: hints by subscription, and a look on a timer.

use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisError;
use futures::StreamExt as _;

use super::link::RedisLink;
use super::scripts::{ELSEWHERE, EVENTS};
use crate::kernel::backoff::{Backoff, Retries};

/// How often the documents are looked at, hints or not: a program that knows nothing of the
/// hints, such as the reference system, is heard within this time.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Pauses before subscribing again.
const RESUBSCRIBE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Runs until it is aborted.
pub(super) async fn follow(link: Arc<RedisLink>) {
    tokio::join!(look_again_and_again(&link), listen_again_and_again(&link));
}

async fn look_again_and_again(link: &RedisLink) {
    loop {
        link.look().await;
        tokio::time::sleep(link.world.jitter.spread(POLL_INTERVAL)).await;
    }
}

async fn listen_again_and_again(link: &RedisLink) {
    let mut retries = RESUBSCRIBE_BACKOFF.retries();
    loop {
        match listen(link, &mut retries).await {
            Ok(()) => tracing::warn!("the subscription to changes of the configuration ended"),
            Err(error) => {
                tracing::warn!(%error, "no subscription to changes of the configuration; it is tried again");
            }
        }
        retries.pause(link.world.jitter.as_ref()).await;
    }
}

async fn listen(link: &RedisLink, retries: &mut Retries) -> Result<(), RedisError> {
    let slow = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let subscribe = async {
        let mut hints = link.server.dialer().subscriber().await?;
        hints.subscribe(link.key(EVENTS)).await?;
        Ok::<_, RedisError>(hints)
    };
    let mut hints = tokio::time::timeout(link.server.response(), subscribe).await.map_err(slow)??;
    retries.succeeded();
    // What was said before was not heard.
    link.look().await;
    let mut messages = hints.on_message();
    while let Some(message) = messages.next().await {
        // A look sees nothing of what changed in another store.
        if message.get_payload_bytes().starts_with(ELSEWHERE.as_bytes()) {
            link.hint().await;
        } else {
            link.look().await;
        }
    }
    Ok(())
}
