//! Follows what other workers do: hints by subscription, and a look on a timer.

use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisError;
use futures::StreamExt as _;

use super::link::Link;
use super::scripts::HINT;

/// How often the end of the log is looked at, hints or not.
const LOOK: Duration = Duration::from_secs(5);
/// First pause before connecting again; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Runs until it is aborted.
pub(super) async fn follow(link: Arc<Link>) {
    let mut pause = FIRST_PAUSE;
    let mut before = false;
    loop {
        match listen(&link, &mut before, &mut pause).await {
            Ok(()) => tracing::warn!("the subscription to the journal's hints ended"),
            Err(error) => {
                tracing::warn!(%error, "no subscription to the journal's hints; it is tried again");
            }
        }
        tokio::time::sleep(link.world.jitter.spread(pause)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

async fn listen(link: &Link, before: &mut bool, pause: &mut Duration) -> Result<(), RedisError> {
    let slow = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let subscribe = async {
        let mut hints = link.dialer().subscriber().await?;
        hints.subscribe(link.key(HINT)).await?;
        Ok::<_, RedisError>(hints)
    };
    let mut hints = tokio::time::timeout(link.response(), subscribe).await.map_err(slow)??;
    *pause = FIRST_PAUSE;
    look(link).await;
    if *before {
        // Whatever was said meanwhile was not heard.
        link.noted(None, 0, [1; 4]);
    }
    *before = true;
    let mut messages = hints.on_message();
    let mut timer = tokio::time::interval(LOOK);
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

async fn look(link: &Link) {
    if let Err(error) = link.look().await {
        tracing::warn!(%error, "the end of the journal cannot be seen");
    }
}

fn heard(link: &Link, message: &[u8]) {
    let mut words = std::str::from_utf8(message).unwrap_or_default().split(' ');
    if words.next() == Some(&link.origin) {
        return;
    }
    let mut numbers = words.map(|word| word.parse().unwrap_or(0));
    let head = numbers.next().unwrap_or(0);
    let mut touched = [0; 4];
    for (count, more) in touched.iter_mut().zip(numbers) {
        *count = more;
    }
    link.noted(None, head, touched);
}
