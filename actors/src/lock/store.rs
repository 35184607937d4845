//! Where the lease itself lives: one trait, one adapter per back end.

use std::time::Duration;

use crate::kernel::said::Said;
use async_trait::async_trait;

/// The answer to an attempt to take the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is ours, for a TTL from the moment we asked.
    Granted,
    /// Somebody else has it, as far as known by this name.
    HeldBy(String),
}

/// The answer to a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// It is ours, for a TTL from the moment we asked.
    Renewed,
    /// It is not ours any more.
    Lost,
}

/// The store did not answer: whether the lease is ours is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease {what}: {why}")]
pub struct LeaseError {
    /// What was tried on what.
    pub what: String,
    /// The system's answer.
    pub why: String,
}

/// A lease that at most one holder has at a time. Fencing is not its business: that is
/// what makes a store acceptable whose clock or network is not to be trusted.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Takes the lease when it is free, or ours already (its TTL then starts anew).
    ///
    /// # Errors
    /// Unknown whether it was taken.
    async fn try_acquire(&self, ttl: Duration) -> Result<LeaseAnswer, LeaseError>;

    /// Keeps the lease for another TTL.
    ///
    /// # Errors
    /// Unknown whether it is still ours.
    async fn renew(&self, ttl: Duration) -> Result<Renewal, LeaseError>;

    /// Gives the lease back, when it is ours.
    ///
    /// # Errors
    /// It may still be ours until its TTL ends.
    async fn release(&self) -> Result<(), LeaseError>;

    /// What an operator should know about this store, if anything.
    fn warning(&self) -> Option<Said>;
}
