//! Time, identity and chance, injected.
//!
//! This is the only module that may read the wall clock (`steady`), make a random id or
//! draw a random number. Everything else receives a [`World`], so that a
//! simulation can replay a run to the letter from one seed.

mod steady;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use self::steady::{SteadyClock, SystemClocks};

/// What time it is.
pub trait Clock: Send + Sync {
    /// The current instant, UTC: for everything that is waited for, kept or shared. It does not
    /// jump with the wall clock of the machine.
    fn now(&self) -> DateTime<Utc>;

    /// The current instant as whoever is told of it will judge it: for signatures. Never to be
    /// compared with [`Self::now`].
    fn stamp(&self) -> DateTime<Utc> {
        self.now()
    }

    /// Time since some moment, on a clock that nobody can set: to be handed to [`Self::follow`].
    fn counted(&self) -> Duration {
        Duration::ZERO
    }

    /// A server whose clock is everybody's said that it is `server`, after it was asked at
    /// `asked` (of [`Self::counted`]) and before this call. A clock that is not the system's goes its own way.
    fn follow(&self, _server: DateTime<Utc>, _asked: Duration) {}
}

/// Names for new things.
pub trait Ids: Send + Sync {
    /// A new, unique, time-ordered id (UUID version 7, RFC 9562 section 5.7).
    fn next(&self) -> Uuid;

    /// Bytes that nobody can guess, for what opens something.
    fn secret(&self) -> [u8; 32];
}

/// Chance, for back-off only. Nothing that is stored may depend on it.
pub trait Jitter: Send + Sync {
    /// A number in `0.0..1.0`.
    fn fraction(&self) -> f64;

    /// `base` spread by ±20 %, so that many workers do not retry in step.
    fn spread(&self, base: Duration) -> Duration {
        spread(base, self.fraction())
    }
}

/// `base` spread by ±20 %; `chance` is in `0.0..1.0`.
#[must_use]
pub fn spread(base: Duration, chance: f64) -> Duration {
    base.mul_f64(0.8 + 0.4 * chance)
}

/// The three, carried together by everything that needs one of them.
#[derive(Clone)]
pub struct World {
    /// See [`Clock`].
    pub clock: Arc<dyn Clock>,
    /// See [`Ids`].
    pub ids: Arc<dyn Ids>,
    /// See [`Jitter`].
    pub jitter: Arc<dyn Jitter>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// The real world: one clock for the whole process, UUID v7, thread-local randomness.
    #[must_use]
    pub fn real() -> Self {
        static CLOCK: LazyLock<Arc<SteadyClock>> = LazyLock::new(|| Arc::new(SteadyClock::new(SystemClocks)));
        Self { clock: CLOCK.clone(), ids: Arc::new(SystemIds), jitter: Arc::new(SystemJitter) }
    }

    /// A world that follows tokio's clock (so it obeys `tokio::time::pause`),
    /// starting at `epoch`, and draws ids and jitter from `seed`.
    ///
    /// Must be called inside a tokio runtime.
    #[must_use]
    pub fn seeded(epoch: DateTime<Utc>, seed: u64) -> Self {
        let chance = Arc::new(SeededChance { rng: Mutex::new(StdRng::seed_from_u64(seed)) });
        Self {
            clock: Arc::new(TokioClock { epoch, started: tokio::time::Instant::now() }),
            ids: chance.clone(),
            jitter: chance,
        }
    }

    /// Shorthand for `self.clock.now()`.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

struct SystemIds;
impl Ids for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// The generator of the thread is one for secrets, too, and seeded by the system.
    fn secret(&self) -> [u8; 32] {
        rand::rng().random()
    }
}

struct SystemJitter;
impl Jitter for SystemJitter {
    fn fraction(&self) -> f64 {
        rand::rng().random::<f64>()
    }
}

/// A clock at a fixed instant, for pure tests and for `explain --at`.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);
impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

struct TokioClock {
    epoch: DateTime<Utc>,
    started: tokio::time::Instant,
}
impl Clock for TokioClock {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = tokio::time::Instant::now().duration_since(self.started);
        self.epoch + chrono::Duration::from_std(elapsed).unwrap_or_default()
    }
}

struct SeededChance {
    rng: Mutex<StdRng>,
}
impl Ids for SeededChance {
    fn next(&self) -> Uuid {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::from_u128(rng.random::<u128>())
    }

    fn secret(&self) -> [u8; 32] {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}
impl Jitter for SeededChance {
    fn fraction(&self) -> f64 {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.random::<f64>()
    }
}
