//! What a journal in Redis is opened with.

use std::time::Duration;

use super::installation::Owner;
use super::profile::Profile;
use crate::kernel::redis::RedisAddress;

/// Before every key, unless [`RedisOptions::prefix`] says otherwise.
pub const DEFAULT_PREFIX: &str = "rs:journal";

/// How a journal is opened.
#[derive(Clone)]
pub struct RedisOptions {
    /// The server.
    pub address: RedisAddress,
    /// Before every key. [`DEFAULT_PREFIX`] by default.
    pub prefix: String,
    /// How long a connection may take to come about. 2 seconds by default.
    pub connect: Duration,
    /// How long an answer may take; after that its outcome is unknown. 5 seconds by default.
    pub response: Duration,
    /// Connections at the same time. 8 by default.
    pub connections: usize,
    /// The claims of a worker that was not heard of for so long are released. 20 seconds by
    /// default.
    pub silence: Duration,
    /// Whose journal it has to be. Anybody's by default.
    pub owner: Owner,
    /// What the other workers of the journal are compared with; `None` (the default) = with nothing.
    pub profile: Option<Profile>,
}

impl RedisOptions {
    /// The defaults, for a server.
    #[must_use]
    pub fn new(address: impl Into<RedisAddress>) -> Self {
        Self {
            address: address.into(),
            prefix: DEFAULT_PREFIX.to_owned(),
            connect: Duration::from_secs(2),
            response: Duration::from_secs(5),
            connections: 8,
            silence: Duration::from_secs(20),
            owner: Owner::Anybody,
            profile: None,
        }
    }
}

impl std::fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisOptions").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
