use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix::Addr;
use async_trait::async_trait;
use chrono::DateTime;
use tokio::time::Instant;

use super::store::{LeaseAnswer, LeaseError, Renewal};
use super::*;
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::said::Said;

const TTL: Duration = Duration::from_secs(30);

/// A lease with a TTL, as a server keeps it.
#[derive(Default)]
struct Server {
    held: Mutex<Option<(String, Instant)>>,
    /// Takes questions and does not answer.
    silent: AtomicBool,
    /// Refuses connections.
    down: AtomicBool,
    /// Grants, and the answer gets lost.
    mute: AtomicBool,
    /// Attempts to take the lease.
    asked: AtomicU64,
}

struct Client {
    name: &'static str,
    server: Arc<Server>,
}

impl Client {
    async fn reach(&self) -> Result<(), LeaseError> {
        if self.server.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.server.down.load(Ordering::SeqCst) {
            let (what, why) = ("could not be asked".to_owned(), "connection refused".to_owned());
            return Err(LeaseError { what, why });
        }
        Ok(())
    }
}

#[async_trait]
impl LeaseStore for Client {
    async fn try_acquire(&self, ttl: Duration) -> Result<LeaseAnswer, LeaseError> {
        self.server.asked.fetch_add(1, Ordering::SeqCst);
        self.reach().await?;
        {
            let mut held = self.server.held.lock().unwrap();
            match held.as_ref() {
                Some((holder, until)) if holder != self.name && *until > Instant::now() => {
                    return Ok(LeaseAnswer::HeldBy(holder.clone()));
                }
                _ => *held = Some((self.name.to_owned(), Instant::now() + ttl)),
            }
        }
        if self.server.mute.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(LeaseAnswer::Granted)
    }

    async fn renew(&self, ttl: Duration) -> Result<Renewal, LeaseError> {
        self.reach().await?;
        let mut held = self.server.held.lock().unwrap();
        match held.as_mut() {
            Some((holder, until)) if holder == self.name && *until > Instant::now() => {
                *until = Instant::now() + ttl;
                Ok(Renewal::Renewed)
            }
            _ => Ok(Renewal::Lost),
        }
    }

    async fn release(&self) -> Result<(), LeaseError> {
        self.reach().await?;
        let mut held = self.server.held.lock().unwrap();
        if held.as_ref().is_some_and(|(holder, _)| holder == self.name) {
            *held = None;
        }
        Ok(())
    }

    fn warning(&self) -> Option<Said> {
        Some(Said::alike("a fake"))
    }
}

#[derive(Default)]
struct Refusal(AtomicBool);

impl Faults for Refusal {
    fn next(&self, point: FaultPoint) -> Fault {
        match point {
            FaultPoint::Append if self.0.load(Ordering::SeqCst) => Fault::Rejected,
            FaultPoint::Append | FaultPoint::Claim | FaultPoint::Read => Fault::Ok,
        }
    }
}

/// Hears of the lease.
#[derive(Clone, Default)]
struct Poller {
    heard: Arc<Mutex<Vec<Option<u64>>>>,
    /// The journal does not accept this fence from it.
    refuses: Arc<AtomicU64>,
    told: Arc<tokio::sync::Notify>,
}

impl Actor for Poller {
    type Context = Context<Self>;
}

impl Handler<LeaseChanged> for Poller {
    type Result = bool;

    fn handle(&mut self, change: LeaseChanged, _ctx: &mut Self::Context) -> bool {
        let fence = change.fence.map(|fence| fence.token);
        self.heard.lock().unwrap().push(fence);
        self.told.notify_one();
        fence.is_none_or(|fence| fence != self.refuses.load(Ordering::SeqCst))
    }
}

struct Bench {
    world: World,
    journal: Arc<MemoryJournal>,
    server: Arc<Server>,
    refusal: Arc<Refusal>,
}

struct Worker {
    lock: Addr<LockActor>,
    heard: Arc<Mutex<Vec<Option<u64>>>>,
    refuses: Arc<AtomicU64>,
    told: Arc<tokio::sync::Notify>,
}

impl Bench {
    fn new() -> Self {
        tokio::time::pause();
        let world = World::seeded(DateTime::from_timestamp(1_800_000_000, 0).unwrap(), 7);
        let refusal = Arc::new(Refusal::default());
        let journal =
            Arc::new(MemoryJournal::with_faults(world.clone(), Arc::new(Vec::new()), refusal.clone()));
        Self { world, journal, server: Arc::default(), refusal }
    }

    async fn worker(&self, name: &'static str) -> Worker {
        self.worker_with(name, TTL).await
    }

    async fn worker_with(&self, name: &'static str, ttl: Duration) -> Worker {
        let deps = LockDeps {
            world: self.world.clone(),
            journal: self.journal.clone(),
            store: Arc::new(Client { name, server: Arc::clone(&self.server) }),
            worker: name.to_owned(),
            ttl,
        };
        let lock = LockActor::new(deps).start();
        let Poller { heard, refuses, told } = Poller::default();
        let poller =
            Poller { heard: Arc::clone(&heard), refuses: Arc::clone(&refuses), told: Arc::clone(&told) }
                .start();
        lock.send(WireLock(Port::new("poller", &poller, 2, Duration::from_secs(5)))).await.unwrap();
        Worker { lock, heard, refuses, told }
    }

    /// `kind fence previous` of every event of the lease.
    async fn events(&self) -> Vec<String> {
        let log = self.journal.read_log(0, 100).await.unwrap();
        log.iter()
            .map(|event| {
                let previous = event.payload.get("previous").and_then(|name| name.as_str()).unwrap_or("-");
                format!("{} {} {previous}", event.kind, event.payload["fence"])
            })
            .collect()
    }
}

impl Worker {
    async fn status(&self) -> LockStatus {
        self.lock.send(GetLockStatus).await.unwrap()
    }

    /// How long until its poller hears that it may poll; to the tick of the virtual clock.
    async fn until_it_polls(&self) -> Duration {
        let asked = Instant::now();
        while self.last_heard().is_none() {
            self.told.notified().await;
        }
        asked.elapsed()
    }

    fn last_heard(&self) -> Option<u64> {
        self.heard.lock().unwrap().last().copied().flatten()
    }
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[actix::test]
async fn a_free_lease_is_taken_at_once_and_every_renewal_is_told() {
    let bench = Bench::new();
    let one = bench.worker("one").await;
    sleep(1).await;
    let status = one.status().await;
    assert!(status.held);
    assert_eq!((status.fence, status.holder.as_deref()), (Some(1), Some("one")));
    assert_eq!(status.warning, Some(Said::alike("a fake")));
    sleep(60).await;
    assert_eq!(bench.events().await, ["lease.acquired 1 -"], "renewals are no events");
    let heard = one.heard.lock().unwrap().clone();
    assert!(heard.iter().filter(|fence| **fence == Some(1)).count() >= 5, "{heard:?}");
}

/// A standby looks every half second, spread by a fifth.
const LOOK: Duration = Duration::from_millis(600);

#[actix::test]
async fn after_a_stop_the_next_worker_polls_within_a_second() {
    let bench = Bench::new();
    let mut holder = bench.worker("one").await;
    sleep(1).await;
    for (number, next) in ["two", "three", "four", "five"].into_iter().enumerate() {
        let standby = bench.worker(next).await;
        // Some other moment between two looks each time.
        tokio::time::sleep(Duration::from_millis(7_070 + 130 * number as u64)).await;
        assert_eq!(standby.last_heard(), None);
        assert!(standby.status().await.holder.is_some());
        let (stopped, took) = tokio::join!(holder.lock.send(Drain), standby.until_it_polls());
        stopped.unwrap();
        assert!(took <= LOOK && LOOK <= Duration::from_secs(1), "{next} polls {took:?} after the stop");
        assert_eq!(holder.last_heard(), None);
        holder = standby;
    }
    let events = bench.events().await;
    assert_eq!(events[..3], ["lease.acquired 1 -", "lease.released 1 -", "lease.acquired 2 -"]);
    assert_eq!(events.len(), 9, "{events:?}");
}

#[actix::test]
async fn after_a_death_the_next_worker_polls_when_the_ttl_ends() {
    let bench = Bench::new();
    for (number, next) in ["one", "two", "three", "four"].into_iter().enumerate() {
        // A holder that renewed a moment ago and is gone: nobody renews any more.
        *bench.server.held.lock().unwrap() = Some(("gone".to_owned(), Instant::now() + TTL));
        let standby = bench.worker(next).await;
        let took = standby.until_it_polls().await;
        assert!(took >= TTL, "{next} polls while the lease is held");
        assert!(took <= TTL + LOOK, "{next} polls {took:?} after the last renewal");
        assert_eq!(standby.last_heard(), Some(number as u64 + 1));
        standby.lock.send(Drain).await.unwrap();
    }
}

#[actix::test]
async fn a_lease_that_was_given_to_somebody_else_is_noticed() {
    let bench = Bench::new();
    let one = bench.worker("one").await;
    let two = bench.worker("two").await;
    sleep(1).await;
    *bench.server.held.lock().unwrap() = Some(("two".to_owned(), Instant::now() + TTL));
    assert_eq!(two.until_it_polls().await.as_secs(), 0);
    sleep(TTL.as_secs()).await;
    assert_eq!(one.last_heard(), None, "it noticed that it is not the holder any more");
    assert_eq!(bench.events().await, ["lease.acquired 1 -", "lease.taken_over 2 one"]);
}

#[actix::test]
async fn a_store_that_cannot_be_reached_is_shown_and_tried_again_soon_whatever_the_ttl() {
    for ttl in [TTL, Duration::from_secs(300)] {
        for silent in [false, true] {
            let bench = Bench::new();
            let harm = |harmed| {
                let harm = if silent { &bench.server.silent } else { &bench.server.down };
                harm.store(harmed, Ordering::SeqCst);
            };
            *bench.server.held.lock().unwrap() = Some(("gone".to_owned(), Instant::now() + ttl));
            let one = bench.worker_with("one", ttl).await;
            sleep(1).await;
            let status = one.status().await;
            assert_eq!((status.holder.as_deref(), &status.trouble), (Some("gone"), &None));
            let harmed = bench.world.now();
            harm(true);
            sleep(20).await;
            let status = one.status().await;
            let trouble = status.trouble.expect("said");
            assert!((trouble.since - harmed).num_seconds() <= 6, "since when");
            let word = if silent { "did not answer" } else { "connection refused" };
            assert!(trouble.why.contains(word), "{}", trouble.why);
            assert_eq!(status.holder.as_deref(), Some("gone"), "it may still have it");
            assert!(status.seen.is_some_and(|seen| seen <= harmed));

            let before = bench.server.asked.load(Ordering::SeqCst);
            tokio::time::sleep(ttl).await;
            let status = one.status().await;
            assert_eq!(status.holder, None, "without news for a TTL nobody is known");
            assert!(status.seen.is_some_and(|seen| seen <= harmed));
            assert_eq!(status.trouble.expect("said").since, trouble.since, "still the same trouble");
            let tried = bench.server.asked.load(Ordering::SeqCst) - before;
            assert!(tried >= ttl.as_secs() / 12, "tried {tried} times within {ttl:?}");

            harm(false);
            assert!(one.until_it_polls().await <= Duration::from_secs(12));
            let status = one.status().await;
            assert_eq!((status.holder.as_deref(), status.trouble), (Some("one"), None));

            // A holder says, too, that its lease is not confirmed.
            harm(true);
            tokio::time::sleep(ttl / 3 + Duration::from_secs(6)).await;
            let status = one.status().await;
            assert!(status.held && status.trouble.is_some());
            harm(false);
            sleep(6).await;
            let status = one.status().await;
            assert!(status.held && status.trouble.is_none(), "confirmed soon after");
            tokio::time::resume();
        }
    }
}

#[actix::test]
async fn a_stop_amid_the_taking_of_the_lease_leaves_nothing_behind() {
    type Harm = fn(&Bench);
    let harms: [(&str, Harm); 3] = [
        ("the journal refuses the grant", |bench| bench.refusal.0.store(true, Ordering::SeqCst)),
        ("the answer got lost", |bench| bench.server.mute.store(true, Ordering::SeqCst)),
        ("nothing is wrong", |_| {}),
    ];
    for (name, harm) in harms {
        for after in [0, 1, 40, 700, 5_300, 11_000] {
            let bench = Bench::new();
            harm(&bench);
            let one = bench.worker_with("one", Duration::from_secs(300)).await;
            tokio::time::sleep(Duration::from_millis(after)).await;
            let asked = Instant::now();
            one.lock.send(Drain).await.unwrap();
            let took = asked.elapsed();
            assert!(took <= Duration::from_secs(6), "{name}, {after} ms: stopping took {took:?}");
            assert!(bench.server.held.lock().unwrap().is_none(), "{name}, {after} ms: left behind");
            tokio::time::resume();
        }
    }
}

#[actix::test]
async fn a_worker_without_a_lease_does_not_wait_for_a_store_that_is_down() {
    let bench = Bench::new();
    *bench.server.held.lock().unwrap() = Some(("two".to_owned(), Instant::now() + TTL));
    let one = bench.worker("one").await;
    sleep(1).await;
    bench.server.silent.store(true, Ordering::SeqCst);
    let asked = Instant::now();
    one.lock.send(Drain).await.unwrap();
    assert!(asked.elapsed() <= Duration::from_secs(4), "{:?}", asked.elapsed());
}

#[actix::test]
async fn a_holder_that_slept_past_its_lease_steps_down_and_comes_back_with_a_higher_fence() {
    let bench = Bench::new();
    let one = bench.worker("one").await;
    sleep(1).await;
    // The process is stopped and wakes up: every timer is late.
    tokio::time::advance(TTL * 2).await;
    sleep(1).await;
    let heard = one.heard.lock().unwrap().clone();
    let stepped_down = heard.iter().rposition(Option::is_none).unwrap();
    assert!(stepped_down > 0, "{heard:?}");
    assert_eq!(heard[stepped_down - 1], Some(1));
    assert_eq!(one.last_heard(), Some(2));
    assert_eq!(bench.events().await, ["lease.acquired 1 -", "lease.taken_over 2 one"]);
}

#[actix::test]
async fn a_fence_that_the_journal_refuses_is_replaced_although_the_lease_is_ours() {
    let bench = Bench::new();
    let one = bench.worker("one").await;
    sleep(1).await;
    // Somebody who believed to have the lease raised the fence, and is gone.
    assert_eq!(bench.journal.raise_fence(POLLER).await.unwrap(), 2);
    one.refuses.store(1, Ordering::SeqCst);
    sleep(TTL.as_secs()).await;
    assert_eq!(one.last_heard(), Some(3));
    assert_eq!(bench.events().await, ["lease.acquired 1 -", "lease.taken_over 3 one"]);
    let log = bench.journal.read_log(0, 100).await.unwrap();
    let fence = Fence { lease: POLLER.to_owned(), token: 3 };
    assert_eq!(log[1].id, fence.grant(), "a grant is known by its own id");
    assert_eq!(fence.grant().get_version_num(), 8);
}

#[actix::test]
async fn a_silent_store_ends_the_lease_when_the_ttl_ends() {
    let bench = Bench::new();
    let one = bench.worker("one").await;
    sleep(1).await;
    bench.server.silent.store(true, Ordering::SeqCst);
    sleep(TTL.as_secs() / 3).await;
    assert_eq!(one.last_heard(), Some(1), "there is still time");
    sleep(TTL.as_secs()).await;
    assert_eq!(one.last_heard(), None);
    assert!(!one.status().await.held);
    bench.server.silent.store(false, Ordering::SeqCst);
    sleep(TTL.as_secs()).await;
    assert_eq!(one.last_heard(), Some(2));
}

#[actix::test]
async fn without_a_journal_nobody_polls_and_the_lease_is_left_to_others() {
    let bench = Bench::new();
    bench.refusal.0.store(true, Ordering::SeqCst);
    let one = bench.worker("one").await;
    sleep(1).await;
    assert_eq!(one.last_heard(), None);
    assert!(bench.server.held.lock().unwrap().is_none(), "given back");
    bench.refusal.0.store(false, Ordering::SeqCst);
    sleep(TTL.as_secs()).await;
    assert!(one.last_heard().is_some());
}

#[actix::test]
async fn after_a_restart_of_the_actor_the_poller_gets_a_new_fence() {
    let bench = Bench::new();
    let (notices, mut noticed) = tokio::sync::mpsc::unbounded_channel();
    let deps = LockDeps {
        world: bench.world.clone(),
        journal: bench.journal.clone(),
        store: Arc::new(Client { name: "one", server: Arc::clone(&bench.server) }),
        worker: "one".to_owned(),
        ttl: TTL,
    };
    let (lock, _guardian) = crate::kernel::guardian::Guardian::start(
        "lock",
        crate::kernel::guardian::Restarts::default(),
        bench.world.clone(),
        notices,
        |_| LockActor::new(deps),
    );
    let poller = Poller::default();
    let heard = Arc::clone(&poller.heard);
    let poller = poller.start();
    lock.send(WireLock(Port::new("poller", &poller, 2, Duration::from_secs(5)))).await.unwrap();
    sleep(1).await;
    assert!(lock.send(Fall).await.is_err());
    assert!(noticed.recv().await.is_some());
    sleep(2).await;
    assert_eq!(heard.lock().unwrap().last(), Some(&Some(2)));
}

/// Makes the actor panic.
#[derive(Message)]
#[rtype(result = "()")]
struct Fall;

impl Handler<Fall> for LockActor {
    type Result = ();

    fn handle(&mut self, _: Fall, _ctx: &mut Self::Context) {
        panic!("injected");
    }
}
