//! Waiting for something to become true, never for time to pass.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a test waits for something that should happen soon. Generous: the machine
/// may be busy with other tests, and a deadline that is met costs nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until `check` answers `Ok`, and returns what it found.
///
/// # Panics
/// When `patience` is over; the message tells what was awaited and the last obstacle.
pub async fn until<T, E: Display>(
    what: &str,
    patience: Duration,
    mut check: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(4);
    loop {
        match check().await {
            Ok(found) => return found,
            Err(obstacle) if started.elapsed() >= patience => {
                panic!("waited {:.0?} for {what}, but: {obstacle}", started.elapsed())
            }
            Err(_) => {
                // Looking costs processor time that the watched ones need.
                tokio::time::sleep(pause).await;
                pause = (pause * 5 / 4).min(Duration::from_millis(60));
            }
        }
    }
}

/// `Ok` when `holds`, else the obstacle in words.
pub fn ensure(holds: bool, obstacle: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(obstacle()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_until_the_check_passes() {
        let mut asked = 0;
        let found = until("three questions", PATIENCE, async || {
            asked += 1;
            ensure(asked >= 3, || format!("asked {asked} times")).map(|()| asked)
        })
        .await;
        assert_eq!(found, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "for the impossible, but: no")]
    async fn gives_up_with_the_last_obstacle() {
        until("the impossible", Duration::from_millis(30), async || Err::<(), _>("no")).await;
    }
}
