//! Follows what others write: hints by subscription, and a look on a timer.

use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisError;
use futures::StreamExt as _;

use super::link::Link;
use super::scripts::{ELSEWHERE, EVENTS};

/// How often the documents are looked at, hints or not: a program that knows nothing of the
/// hints, such as the reference system, is heard within this time.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// First pause before subscribing again; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Runs until it is aborted.
pub(super) async fn follow(link: Arc<Link>) {
    tokio::join!(look_again_and_again(&link), listen_again_and_again(&link));
}

async fn look_again_and_again(link: &Link) {
    loop {
        link.look().await;
        tokio::time::sleep(link.world.jitter.spread(LOOK)).await;
    }
}

async fn listen_again_and_again(link: &Link) {
    let mut pause = FIRST_PAUSE;
    loop {
        match listen(link, &mut pause).await {
            Ok(()) => tracing::warn!("the subscription to changes of the configuration ended"),
            Err(error) => {
                tracing::warn!(%error, "no subscription to changes of the configuration; it is tried again");
            }
        }
        tokio::time::sleep(link.world.jitter.spread(pause)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

async fn listen(link: &Link, pause: &mut Duration) -> Result<(), RedisError> {
    let slow = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let subscribe = async {
        let mut hints = link.server.dialer().subscriber().await?;
        hints.subscribe(link.key(EVENTS)).await?;
        Ok::<_, RedisError>(hints)
    };
    let mut hints = tokio::time::timeout(link.server.response(), subscribe).await.map_err(slow)??;
    *pause = FIRST_PAUSE;
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
