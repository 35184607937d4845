//! The lease as a key with a TTL on a Redis server: `SET NX PX`, renewed and released only
//! by whoever has its token.
//!
//! The key is that of the reference system (its section 3), whose value `pid=<n>` counts as
//! held until its TTL ends; an installation that shares its Redis with another one has a key of its
//! own (`key_of`), and knows nothing of that lock. Our value is the worker's name, which differs at every start.

use std::time::Duration;

use async_trait::async_trait;
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;

use super::store::{LeaseAnswer, LeaseError, LeaseStore, Renewal};
use crate::kernel::journal::redis::DEFAULT_PREFIX;
use crate::kernel::redis::{Dialer, RedisAddress, Script, explain, judge};
use crate::kernel::said::Said;

/// The key of an installation that has its Redis for itself, and of the reference system.
pub const KEY: &str = "render_signal:poller_lock";

/// The key of the installation whose keys of the journal begin with this (`JOURNAL_REDIS_PREFIX`).
#[must_use]
pub fn key_of(prefix: &str) -> String {
    if prefix == DEFAULT_PREFIX { KEY.to_owned() } else { format!("{prefix}:poller_lock") }
}

/// Longest wait for a connection, and for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Our own lease is taken again, with a new TTL: an answer may have been lost on its way.
const ACQUIRE: &str = "
local taken = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
if taken then return false end
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return holder end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return false";

const RENEW: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

const RELEASE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// A lease in Redis. Has one connection of its own, so that no work of the journal
/// stands before a renewal.
pub struct RedisLease {
    dialer: Dialer,
    patience: Duration,
    key: String,
    token: String,
    connection: Mutex<Option<MultiplexedConnection>>,
    acquire: Script,
    renew: Script,
    release: Script,
}

impl std::fmt::Debug for RedisLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLease").field("token", &self.token).finish_non_exhaustive()
    }
}

impl RedisLease {
    /// The lease with this key on the server for a holder of this name (`token`), which must be another one at every start of
    /// a process. Connects to nothing yet. `ttl`: connecting and asking together take less
    /// than a third of it.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn new(
        address: &RedisAddress,
        key: impl Into<String>,
        token: impl Into<String>,
        ttl: Duration,
    ) -> Result<Self, LeaseError> {
        let dialer = address.dialer().map_err(|why| failed("cannot be kept in Redis", why))?;
        let patience = ANSWER_TIMEOUT.min(ttl / 8);
        Ok(Self {
            dialer,
            patience,
            key: key.into(),
            token: token.into(),
            connection: Mutex::new(None),
            acquire: Script::new(ACQUIRE),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
        })
    }

    /// Runs a script; a connection on which anything failed is not used again.
    async fn run<T: FromRedisValue>(
        &self,
        what: &str,
        script: &Script,
        ttl: Duration,
    ) -> Result<T, LeaseError> {
        let mut kept = self.connection.lock().await;
        // Taken out: when this future is dropped amid the exchange, the connection goes, too.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self
                .dialer
                .connect(self.patience, self.patience)
                .await
                .map_err(|error| failed(what, explain(&error)))?,
        };
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let mut call = script.prepare();
        call.key(&self.key).arg(&self.token).arg(ttl);
        let answer = call.run(&mut connection).await.map_err(|error| failed(what, judge(&error).words()))?;
        *kept = Some(connection);
        Ok(answer)
    }
}

fn failed(what: &str, why: String) -> LeaseError {
    LeaseError { what: format!("in Redis {what}"), why }
}

/// The holder in words.
fn name(value: String) -> String {
    if value.starts_with("pid=") { format!("{value} of the previous system") } else { value }
}

#[async_trait]
impl LeaseStore for RedisLease {
    async fn try_acquire(&self, ttl: Duration) -> Result<LeaseAnswer, LeaseError> {
        let holder: Option<String> = self.run("could not be taken", &self.acquire, ttl).await?;
        Ok(holder.map_or(LeaseAnswer::Granted, |holder| LeaseAnswer::HeldBy(name(holder))))
    }

    async fn renew(&self, ttl: Duration) -> Result<Renewal, LeaseError> {
        let renewed: bool = self.run("could not be renewed", &self.renew, ttl).await?;
        Ok(if renewed { Renewal::Renewed } else { Renewal::Lost })
    }

    async fn release(&self) -> Result<(), LeaseError> {
        self.run::<u64>("could not be released", &self.release, Duration::ZERO).await.map(drop)
    }

    fn warning(&self) -> Option<Said> {
        None
    }
}

#[cfg(test)]
mod tests;
