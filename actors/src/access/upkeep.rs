//! What is done about sessions and sign-in links without anybody asking.

use std::sync::Arc;
use std::time::Duration;

use super::links::MagicLinks;
use super::sessions::Sessions;
use crate::chore::Chore;

/// Between two looks at the document of the sign-in links.
const INTERVAL: Duration = Duration::from_secs(3_600);
/// What failed is tried again after this.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Ends the sessions of another password once, and keeps the document of the sign-in links in
/// step with the journal.
#[must_use]
pub fn chore(sessions: Arc<Sessions>, links: Arc<MagicLinks>) -> Chore {
    Chore::new("access", move || {
        let (sessions, links) = (Arc::clone(&sessions), Arc::clone(&links));
        async move {
            loop {
                match sessions.end_those_of_another_password().await {
                    Ok(0) => break,
                    Ok(count) => {
                        tracing::info!(count, "sessions of another user, password or key are over");
                        break;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "sessions of another password open nothing, and are listed still");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
            }
            loop {
                let pause = match links.tidy().await {
                    Ok(_) => INTERVAL,
                    Err(error) => {
                        tracing::warn!(%error, "the document of the sign-in links is not tidied up");
                        RETRY_PAUSE
                    }
                };
                tokio::time::sleep(pause).await;
            }
        }
    })
}
