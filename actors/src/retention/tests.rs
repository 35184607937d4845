//! Rounds in virtual time.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use tokio::sync::mpsc;

use super::*;
use crate::chore::ChoreActor;
use crate::kernel::clock::Clock;
use crate::kernel::guardian::{Guardian, GuardianNotice, Restarts};
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::readmodel;

/// A clock, and a journal's reads, that can be broken.
#[derive(Clone)]
struct Broken {
    inner: Arc<dyn Clock>,
    clock: Arc<AtomicBool>,
    reads: Arc<AtomicBool>,
}

impl Clock for Broken {
    fn now(&self) -> DateTime<Utc> {
        assert!(!self.clock.load(Ordering::SeqCst), "broken on purpose");
        self.inner.now()
    }
}

impl Faults for Broken {
    fn next(&self, point: FaultPoint) -> Fault {
        let hit = point == FaultPoint::Read && self.reads.load(Ordering::SeqCst);
        if hit { Fault::Rejected } else { Fault::Ok }
    }
}

fn epoch() -> DateTime<Utc> {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

type Notices = mpsc::UnboundedReceiver<GuardianNotice>;

/// The chore under its guardian.
fn start() -> (Broken, watch::Receiver<Rounds>, Notices, impl Sized) {
    tokio::time::pause();
    let plain = World::seeded(epoch(), 1);
    let broken = Broken { inner: plain.clock.clone(), clock: Arc::default(), reads: Arc::default() };
    let journal =
        Arc::new(MemoryJournal::with_faults(plain.clone(), readmodel::all(), Arc::new(broken.clone())));
    let world = World { clock: Arc::new(broken.clone()), ..plain.clone() };
    let history = CopyLimits { versions: 3, days: 30 };
    let (chore, rounds) = Retention { world, journal, history, archiver: None }.chore();
    let (tell, notices) = mpsc::unbounded_channel();
    let guard =
        Guardian::start(chore.name, Restarts::default(), plain, tell, |_| ChoreActor::new(chore.clone()));
    (broken, rounds, notices, guard)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[actix_rt::test]
async fn each_round_is_told_and_so_is_what_went_wrong_in_it() {
    let (broken, rounds, _notices, _guard) = start();
    pass(1).await;
    let told = rounds.borrow().clone();
    let first = told.finished_at.expect("a round at once");
    assert!(first - epoch() < TimeDelta::seconds(1) && told.since == Some(epoch()));
    assert_eq!(told.trouble, [""; 0]);
    broken.reads.store(true, Ordering::SeqCst);
    pass(3_600).await;
    let told = rounds.borrow().clone();
    assert_eq!(told.finished_at, Some(first), "that one came to nothing");
    assert!(told.trouble[0].starts_with("old copies of documents could not be dropped: "), "{told:?}");
    broken.reads.store(false, Ordering::SeqCst);
    pass(3_600).await;
    let told = rounds.borrow().clone();
    assert!(told.finished_at > Some(first + TimeDelta::hours(1)) && told.trouble.is_empty(), "{told:?}");
}

#[actix_rt::test]
async fn a_round_that_panics_again_and_again_ends_neither_the_retention_nor_the_process() {
    let (broken, rounds, mut notices, _guard) = start();
    broken.clock.store(true, Ordering::SeqCst);
    pass(24 * 3_600).await;
    let told = rounds.borrow().clone();
    assert_eq!((told.finished_at, told.trouble.len()), (None, 1), "{told:?}");
    let mut restarts = 0;
    while let Ok(notice) = notices.try_recv() {
        assert!(matches!(notice, GuardianNotice::Restarting { actor: "retention", .. }), "{notice:?}");
        restarts += 1;
    }
    assert!((100..=145).contains(&restarts), "one every ten minutes: {restarts}");
    broken.clock.store(false, Ordering::SeqCst);
    pass(601).await;
    assert!(rounds.borrow().finished_at.is_some() && rounds.borrow().trouble.is_empty());
}
