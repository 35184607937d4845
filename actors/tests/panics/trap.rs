//! A world that panics when told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use render_signal_actors::kernel::clock::{Clock, Ids, Jitter, World};
use uuid::Uuid;

/// What the panics say.
pub(crate) const MESSAGE: &str = "injected on purpose";

/// Cheap to clone; all clones are the same trap.
#[derive(Clone)]
pub(crate) struct Trap(Arc<Inner>);

struct Inner {
    calls: AtomicU64,
    at: Option<u64>,
    sprung: AtomicBool,
    always: AtomicBool,
}

impl Trap {
    /// Panics at the call of this number, from 0.
    pub(crate) fn at(at: Option<u64>) -> Self {
        let (sprung, always) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Inner { calls: AtomicU64::new(0), at, sprung, always }))
    }

    /// From now on, whoever asks what time it is panics.
    pub(crate) fn always(&self) {
        self.0.always.store(true, Ordering::SeqCst);
    }

    pub(crate) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn sprung(&self) -> bool {
        self.0.sprung.load(Ordering::SeqCst)
    }

    fn step(&self) {
        if self.0.at == Some(self.0.calls.fetch_add(1, Ordering::SeqCst)) {
            self.0.sprung.store(true, Ordering::SeqCst);
            panic!("{MESSAGE}");
        }
    }

    /// The same world, with the trap in it.
    pub(crate) fn set_in(&self, world: &World) -> World {
        let trapped = Arc::new(Trapped { trap: self.clone(), world: world.clone() });
        World { clock: trapped.clone(), ids: trapped.clone(), jitter: trapped }
    }
}

struct Trapped {
    trap: Trap,
    world: World,
}

impl Clock for Trapped {
    fn now(&self) -> DateTime<Utc> {
        assert!(!self.trap.0.always.load(Ordering::SeqCst), "{MESSAGE}");
        self.trap.step();
        self.world.now()
    }
}

impl Ids for Trapped {
    fn next(&self) -> Uuid {
        self.trap.step();
        self.world.ids.next()
    }

    fn secret(&self) -> [u8; 32] {
        self.trap.step();
        self.world.ids.secret()
    }
}

impl Jitter for Trapped {
    fn fraction(&self) -> f64 {
        self.trap.step();
        self.world.jitter.fraction()
    }

    fn spread(&self, base: Duration) -> Duration {
        self.trap.step();
        self.world.jitter.spread(base)
    }
}

/// Injected panics say nothing; others go on being shown.
pub(crate) fn quieten() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let injected = info.payload().downcast_ref::<String>().is_some_and(|text| text == MESSAGE);
            if !injected {
                shown(info);
            }
        }));
    });
}
