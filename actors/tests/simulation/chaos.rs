//! Seeded faults, the same for every port: ok, error, delay, done-but-error, crash here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::Notify;

/// What happens to one call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: the call is carried out.
    Ok,
    /// Not carried out, and the caller is told so.
    Error,
    /// Carried out, after a while.
    Delay(Duration),
    /// Carried out, but the caller is told that it failed.
    DoneButError,
    /// The worker dies before it is carried out.
    CrashBefore,
    /// The worker dies after it was carried out, before it learns of it.
    CrashAfter,
}

/// The call did not succeed, as far as the caller can know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed;

/// One run's source of faults, as one worker meets it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Chaos(Arc<Inner>, Arc<Notify>);

struct Inner {
    rng: Mutex<StdRng>,
    active: AtomicBool,
    crashes: AtomicU64,
    trace: Mutex<Vec<String>>,
    /// Share of calls with a fault, and of those that kill the worker.
    rate: f64,
    crash_rate: f64,
}

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        let rate = rng.random_range(0.0..0.35);
        let crash_rate = rng.random_range(0.0..0.03);
        Self(
            Arc::new(Inner {
                rng: Mutex::new(rng),
                active: AtomicBool::new(true),
                crashes: AtomicU64::new(0),
                trace: Mutex::new(Vec::new()),
                rate,
                crash_rate,
            }),
            Arc::default(),
        )
    }

    /// The same run's faults for another worker: its crashes are its own.
    pub(crate) fn for_worker(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::default())
    }

    /// From now on nothing fails any more.
    pub(crate) fn calm(&self) {
        self.0.active.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_active(&self) -> bool {
        self.0.active.load(Ordering::SeqCst)
    }

    /// Waits until a port asks for the death of the worker.
    pub(crate) async fn crashed(&self) {
        self.1.notified().await;
    }

    pub(crate) fn crashes(&self) -> u64 {
        self.0.crashes.load(Ordering::SeqCst)
    }

    /// A number below `n`.
    pub(crate) fn below(&self, n: u64) -> u64 {
        self.0.rng.lock().unwrap().random_range(0..n)
    }

    /// What happens to this call.
    ///
    /// Documents and leases are asked all the time; most of their calls are left alone, or
    /// no worker would live long enough to see a mail.
    pub(crate) fn draw(&self, port: &str) -> Fault {
        let spared = match port {
            "documents.read" => 30,
            "lease.renew" | "lease.acquire" => 4,
            _ => 1,
        };
        let fault = if self.below(spared) == 0 { self.toss() } else { Fault::Ok };
        if fault != Fault::Ok {
            self.note(format!("{port}: {fault:?}"));
        }
        fault
    }

    /// The same, for a port that keeps its own trace.
    pub(crate) fn draw_journal(&self) -> Fault {
        // The journal is asked so often that a tenth of the faults is plenty.
        if self.below(10) == 0 { self.toss() } else { Fault::Ok }
    }

    fn toss(&self) -> Fault {
        if !self.is_active() {
            return Fault::Ok;
        }
        let mut rng = self.0.rng.lock().unwrap();
        if rng.random::<f64>() < self.0.crash_rate {
            return if rng.random::<bool>() { Fault::CrashBefore } else { Fault::CrashAfter };
        }
        if rng.random::<f64>() >= self.0.rate {
            return Fault::Ok;
        }
        match rng.random_range(0..3_u8) {
            0 => Fault::Error,
            1 => Fault::Delay(Duration::from_millis(rng.random_range(1..90_000))),
            _ => Fault::DoneButError,
        }
    }

    /// Carries `work` out, or not, as drawn.
    pub(crate) async fn through<T>(&self, port: &str, work: impl FnOnce() -> T) -> Result<T, Failed> {
        match self.draw(port) {
            Fault::Ok => Ok(work()),
            Fault::Error => Err(Failed),
            Fault::Delay(wait) => {
                tokio::time::sleep(wait).await;
                Ok(work())
            }
            Fault::DoneButError => {
                drop(work());
                Err(Failed)
            }
            Fault::CrashBefore => self.die().await,
            Fault::CrashAfter => {
                drop(work());
                self.die().await
            }
        }
    }

    /// Asks for the worker's death; the call never returns.
    pub(crate) async fn die<T>(&self) -> T {
        self.0.crashes.fetch_add(1, Ordering::SeqCst);
        self.1.notify_one();
        std::future::pending().await
    }

    /// Adds a line to the run's trace.
    pub(crate) fn note(&self, line: String) {
        self.0.trace.lock().unwrap().push(line);
    }

    /// The run so far.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.0.trace.lock().unwrap().clone()
    }
}
