//! Facts with a time to live that workers share: allowances, and what each says of itself.
//!
//! What is here is no event. It may be lost at any moment, and whoever reads it must be right
//! without it: a throttle that forgets is generous for a minute, a worker that is not listed is
//! listed again with its next word. Workers that share a Redis share these facts; a worker alone
//! keeps them in its memory.

mod memory;
mod redis;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;

pub use self::memory::MemoryEphemeral;
pub use self::redis::RedisEphemeral;

/// How often something may happen: `burst` times at once, and once more for every `every` that
/// passes (a token bucket). What is refused costs nothing, so that whoever waits as long as told
/// is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// So many times at once.
    pub burst: u32,
    /// The time in which one of them comes back.
    pub every: Duration,
}

impl Allowance {
    /// In milliseconds: what one costs, and what may be owed at most.
    fn millis(self) -> (u64, u64) {
        let every = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX).clamp(1, MONTH);
        (every, every.saturating_mul(u64::from(self.burst.max(1))))
    }
}

/// Nothing here lives longer.
const MONTH: u64 = 31 * 24 * 60 * 60 * 1_000;

/// Whether it may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Yes; it was counted.
    Granted,
    /// Not before so much time has passed; nothing was counted.
    Wait(Duration),
}

/// What somebody published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Under which key.
    pub key: String,
    /// What it says.
    pub value: String,
}

/// Why there is no answer: in plain words, without an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what workers tell each other for a while is not known: {0}")]
pub struct EphemeralError(pub String);

/// What workers share for a while. Allowances and what is published have names of their own: a key of one
/// never means the other.
#[async_trait]
pub trait Ephemeral: Send + Sync {
    /// Takes one of the allowance of `key`, if one is left.
    ///
    /// # Errors
    /// The place where they are kept does not answer; it may have been counted.
    async fn spend(&self, key: &str, allowance: Allowance) -> Result<Spent, EphemeralError>;

    /// Gives the whole allowance of `key` back.
    ///
    /// # Errors
    /// The place where they are kept does not answer.
    async fn restore(&self, key: &str) -> Result<(), EphemeralError>;

    /// Says `value` under `key` until `ttl` has passed; what was said before is replaced.
    ///
    /// # Errors
    /// The place where it is kept does not answer.
    async fn publish(&self, key: &str, value: &str, ttl: Duration) -> Result<(), EphemeralError>;

    /// Takes back what was said under `key`.
    ///
    /// # Errors
    /// The place where it is kept does not answer.
    async fn withdraw(&self, key: &str) -> Result<(), EphemeralError>;

    /// What is said under keys that begin with `prefix`, by key.
    ///
    /// # Errors
    /// The place where it is kept does not answer.
    async fn published(&self, prefix: &str) -> Result<Vec<Published>, EphemeralError>;
}
