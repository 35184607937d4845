//! A refresh token in the Redis of the journal, for all workers of an installation: whichever polls
//! next goes on with it.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{<prefix of the journal>:oauth}:refresh_token` | string | the token and its seed, as JSON |

use std::time::Duration;

use ::redis::cmd;
use async_trait::async_trait;

use super::kept::{KeptToken, RefreshTokens};
use crate::kernel::redis::{Limits, RedisAddress, Server};

/// Asked once an hour.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(2), response: Duration::from_secs(2), connections: 1 };

/// In Redis.
pub struct RedisRefreshTokens {
    server: Server,
    key: String,
}

impl std::fmt::Debug for RedisRefreshTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisRefreshTokens").field("key", &self.key).finish_non_exhaustive()
    }
}

impl RedisRefreshTokens {
    /// On this server, below the prefix of the installation's journal. Connects to nothing yet.
    ///
    /// # Errors
    /// The address cannot be used; in plain words, without the address.
    pub fn new(address: &RedisAddress, prefix: &str) -> Result<Self, String> {
        let key = format!("{{{}:oauth}}:refresh_token", prefix.trim_end_matches(':'));
        Ok(Self { server: Server::new(address, LIMITS)?, key })
    }
}

#[async_trait]
impl RefreshTokens for RedisRefreshTokens {
    async fn load(&self) -> Result<Option<KeptToken>, String> {
        let text: Option<Vec<u8>> =
            self.server.ask(cmd("GET").arg(&self.key)).await.map_err(|trouble| trouble.words())?;
        Ok(text.as_deref().and_then(KeptToken::read))
    }

    async fn keep(&self, token: &KeptToken) -> Result<(), String> {
        let set = self.server.ask::<String>(cmd("SET").arg(&self.key).arg(token.written())).await;
        set.map(drop).map_err(|trouble| trouble.words())
    }
}

#[cfg(test)]
mod tests {
    use render_signal_testkit::{Redis, free_port};
    use secrecy::ExposeSecret as _;

    use super::*;

    #[tokio::test]
    async fn whichever_worker_comes_next_goes_on_with_it_and_another_installation_does_not() {
        let server = Redis::start_forgetful().await;
        let tokens = |prefix: &str| RedisRefreshTokens::new(&server.url().as_str().into(), prefix).unwrap();
        let first = tokens("rs:journal");
        assert!(first.load().await.unwrap().is_none());
        for number in 1..3 {
            let kept = KeptToken { seed: "seed".to_owned(), token: format!("token-{number}").into() };
            first.keep(&kept).await.unwrap();
            let next = tokens("rs:journal").load().await.unwrap().unwrap();
            assert_eq!(
                (next.seed.as_str(), next.token.expose_secret()),
                ("seed", kept.token.expose_secret())
            );
        }
        assert!(tokens("rs:other").load().await.unwrap().is_none());
        assert!(!format!("{first:?}").contains("token-"));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_told_in_plain_words() {
        let nobody = format!("redis://:hush@127.0.0.1:{}/", free_port());
        let tokens = RedisRefreshTokens::new(&nobody.as_str().into(), "rs:journal").unwrap();
        let why = tokens.load().await.unwrap_err();
        assert!(!why.is_empty() && !why.contains("hush"), "{why}");
        let kept = KeptToken { seed: "seed".to_owned(), token: "token".into() };
        assert!(tokens.keep(&kept).await.is_err());
    }
}
