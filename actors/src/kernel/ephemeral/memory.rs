//! In the memory of this process: for a worker alone, and for a while where a server is away.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Allowance, Ephemeral, EphemeralError, MONTH, Published, Spent};
use crate::kernel::clock::World;

/// So many allowances are looked through for those that are whole again. Strangers choose some of
/// the keys, so they are dropped while they come.
pub(super) const SWEEP: usize = 1_024;

/// The same in the memory of one process.
#[derive(Debug)]
pub struct MemoryEphemeral {
    world: World,
    pub(super) held: Mutex<HeldKey>,
}

#[derive(Debug, Default)]
pub(super) struct HeldKey {
    /// By key, the instant at which the allowance is whole again.
    pub(super) owed: BTreeMap<String, DateTime<Utc>>,
    /// Allowances when they were last looked through.
    swept: usize,
    /// By key, what is said and until when.
    said: BTreeMap<String, (String, DateTime<Utc>)>,
}

impl HeldKey {
    /// Drops the allowances that are whole, when there are twice as many as were left last time.
    fn sweep(&mut self, now: DateTime<Utc>) {
        if self.owed.len() >= SWEEP.max(self.swept * 2) {
            self.owed.retain(|_, whole| *whole > now);
            self.swept = self.owed.len();
        }
    }
}

impl MemoryEphemeral {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { world, held: Mutex::default() }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HeldKey> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(millis: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX).min(MONTH as i64))
}

#[async_trait]
impl Ephemeral for MemoryEphemeral {
    async fn spend(&self, key: &str, allowance: Allowance) -> Result<Spent, EphemeralError> {
        let now = self.world.now();
        let (every, most) = allowance.millis();
        let mut held = self.held();
        held.sweep(now);
        let owed = held.owed.get(key).copied().unwrap_or(now).max(now);
        let then = owed + millis(every);
        let wait = then - now - millis(most);
        if wait > TimeDelta::zero() {
            return Ok(Spent::Wait(wait.to_std().unwrap_or_default()));
        }
        held.owed.insert(key.to_owned(), then);
        Ok(Spent::Granted)
    }

    async fn restore(&self, key: &str) -> Result<(), EphemeralError> {
        self.held().owed.remove(key);
        Ok(())
    }

    async fn publish(&self, key: &str, value: &str, ttl: Duration) -> Result<(), EphemeralError> {
        let until = self.world.now() + millis(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        self.held().said.insert(key.to_owned(), (value.to_owned(), until));
        Ok(())
    }

    async fn withdraw(&self, key: &str) -> Result<(), EphemeralError> {
        self.held().said.remove(key);
        Ok(())
    }

    async fn published(&self, prefix: &str) -> Result<Vec<Published>, EphemeralError> {
        let now = self.world.now();
        let mut held = self.held();
        held.said.retain(|_, (_, until)| *until > now);
        let with_prefix = held.said.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(with_prefix
            .map(|(key, (value, _))| Published { key: key.clone(), value: value.clone() })
            .collect())
    }
}
