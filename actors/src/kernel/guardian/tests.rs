use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{ActorContext as _, Handler, MailboxError, Message, ResponseFuture};

use super::*;
use crate::kernel::clock::Jitter;

/// Spreads nothing: waits are exact.
struct Exact;
impl Jitter for Exact {
    fn fraction(&self) -> f64 {
        0.5
    }
}

#[derive(Clone, Default)]
struct Told {
    started: Arc<AtomicUsize>,
    restarting: Arc<AtomicUsize>,
    /// This many of the next restarts panic.
    broken_restarts: Arc<AtomicUsize>,
}

struct Counter {
    told: Told,
    count: u32,
    doomed: bool,
}

impl Counter {
    fn new(told: Told) -> Self {
        Self { told, count: 0, doomed: false }
    }
}

impl Actor for Counter {
    type Context = Context<Self>;
    fn started(&mut self, _: &mut Self::Context) {
        self.told.started.fetch_add(1, Ordering::SeqCst);
    }
}

impl Supervised for Counter {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.told.restarting.fetch_add(1, Ordering::SeqCst);
        *self = Self::new(self.told.clone());
        let broken = &self.told.broken_restarts;
        if broken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            panic!("cannot recover");
        }
    }
}

#[derive(Message)]
#[rtype(result = "u32")]
struct Add;
impl Handler<Add> for Counter {
    type Result = u32;
    fn handle(&mut self, _: Add, _: &mut Self::Context) -> u32 {
        self.count += 1;
        self.count
    }
}

#[derive(Message)]
#[rtype(result = "()")]
enum Fail {
    InHandler,
    InFuture,
    InAnswer,
    Stop,
}
impl Handler<Fail> for Counter {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, how: Fail, context: &mut Self::Context) -> ResponseFuture<()> {
        match how {
            Fail::InHandler => {
                self.doomed = true;
                panic!("broken on purpose")
            }
            Fail::InFuture => {
                context.spawn(actix::fut::wrap_future(async { panic!("broken in a future") }));
            }
            Fail::InAnswer => return Box::pin(async { panic!("broken in an answer") }),
            Fail::Stop => context.stop(),
        }
        Box::pin(async {})
    }
}

const RESTARTS: Restarts = Restarts {
    first_backoff: Duration::from_millis(100),
    max_backoff: Duration::from_millis(300),
    window: Duration::from_secs(60),
    limit: 3,
};

struct Scene {
    counter: Addr<Counter>,
    told: Told,
    notices: mpsc::UnboundedReceiver<GuardianNotice>,
}

/// Runs a test on an actix system with virtual time.
fn scene<T: Future<Output = ()>>(play: impl FnOnce(Scene) -> T) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        let (sender, notices) = mpsc::unbounded_channel();
        let told = Told::default();
        let world = World { jitter: Arc::new(Exact), ..World::real() };
        let make = told.clone();
        let (counter, _alive) = Guardian::start("counter", RESTARTS, world, sender, |_| Counter::new(make));
        play(Scene { counter, told, notices }).await;
    });
}

fn restarting(reason: &str, count: usize, millis: u64) -> GuardianNotice {
    let after = Duration::from_millis(millis);
    GuardianNotice::Restarting { actor: "counter", reason: reason.to_owned(), count, after }
}

#[test]
fn a_panic_gives_a_fresh_actor_behind_the_same_address() {
    scene(async |mut scene| {
        assert_eq!(scene.counter.send(Add).await, Ok(1));
        assert_eq!(scene.counter.send(Add).await, Ok(2));
        let failed = scene.counter.send(Fail::InHandler).await;
        assert_eq!(failed, Err(MailboxError::Closed), "the message that panicked gets an error");
        assert_eq!(scene.counter.send(Add).await, Ok(1), "nothing is remembered");
        assert_eq!(scene.notices.recv().await, Some(restarting("broken on purpose", 1, 100)));
        assert_eq!(scene.told.restarting.load(Ordering::SeqCst), 1);
        assert_eq!(scene.told.started.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn queued_messages_are_served_after_the_backoff() {
    scene(async |scene| {
        let began = Instant::now();
        let failing = scene.counter.send(Fail::InHandler);
        let clone = scene.counter.clone();
        let (failed, first, second) = tokio::join!(failing, scene.counter.send(Add), clone.send(Add));
        assert_eq!(failed, Err(MailboxError::Closed));
        let mut served = [first.unwrap(), second.unwrap()];
        served.sort_unstable();
        assert_eq!(served, [1, 2]);
        let waited = began.elapsed();
        assert!((100..110).contains(&waited.as_millis()), "{waited:?}");
    });
}

#[test]
fn a_panic_in_a_future_of_the_context_restarts_too() {
    scene(async |mut scene| {
        scene.counter.send(Add).await.unwrap();
        scene.counter.send(Fail::InFuture).await.unwrap();
        assert_eq!(scene.notices.recv().await, Some(restarting("broken in a future", 1, 100)));
        assert_eq!(scene.counter.send(Add).await, Ok(1));
    });
}

#[test]
fn a_stop_that_nobody_ordered_is_a_failure() {
    scene(async |mut scene| {
        scene.counter.send(Add).await.unwrap();
        _ = scene.counter.send(Fail::Stop).await;
        assert_eq!(scene.counter.send(Add).await, Ok(1));
        assert_eq!(scene.notices.recv().await, Some(restarting("stopped", 1, 100)));
    });
}

#[test]
fn a_panic_in_an_answer_harms_its_asker_at_most() {
    scene(async |mut scene| {
        scene.counter.send(Add).await.unwrap();
        assert_eq!(scene.counter.send(Fail::InAnswer).await, Err(MailboxError::Closed));
        // Whether the actor was restarted or not: it serves, and it is not given up.
        assert!(scene.counter.send(Add).await.is_ok());
        while let Ok(notice) = scene.notices.try_recv() {
            assert!(matches!(notice, GuardianNotice::Restarting { .. }), "{notice:?}");
        }
    });
}

#[test]
fn too_many_failures_escalate_and_close_the_mailbox() {
    scene(async |mut scene| {
        for (count, millis) in [(1, 100), (2, 200), (3, 300)] {
            assert_eq!(scene.counter.send(Fail::InHandler).await, Err(MailboxError::Closed));
            assert_eq!(scene.notices.recv().await, Some(restarting("broken on purpose", count, millis)));
        }
        let failing = scene.counter.send(Fail::InHandler);
        let (_, queued) = tokio::join!(failing, scene.counter.send(Add));
        assert_eq!(queued, Err(MailboxError::Closed));
        let reason = "broken on purpose".to_owned();
        assert_eq!(scene.notices.recv().await, Some(GuardianNotice::Escalated { actor: "counter", reason }));
        assert!(!scene.counter.connected());
        assert_eq!(scene.notices.recv().await, None, "the guardian is gone");
    });
}

#[test]
fn old_failures_are_forgotten() {
    scene(async |mut scene| {
        for _ in 0..20 {
            assert_eq!(scene.counter.send(Fail::InHandler).await, Err(MailboxError::Closed));
            assert_eq!(scene.notices.recv().await, Some(restarting("broken on purpose", 1, 100)));
            tokio::time::sleep(RESTARTS.window + Duration::from_secs(1)).await;
        }
        assert_eq!(scene.counter.send(Add).await, Ok(1));
    });
}

#[test]
fn a_restart_that_panics_is_tried_again() {
    scene(async |mut scene| {
        scene.told.broken_restarts.store(2, Ordering::SeqCst);
        assert_eq!(scene.counter.send(Fail::InHandler).await, Err(MailboxError::Closed));
        assert_eq!(scene.counter.send(Add).await, Ok(1));
        assert_eq!(scene.notices.recv().await, Some(restarting("broken on purpose", 1, 100)));
        assert_eq!(scene.notices.recv().await, Some(restarting("cannot recover", 2, 200)));
        assert_eq!(scene.notices.recv().await, Some(restarting("cannot recover", 3, 300)));
    });
}

#[test]
fn the_last_address_is_the_end_and_no_failure() {
    scene(async |mut scene| {
        scene.counter.send(Add).await.unwrap();
        drop(scene.counter);
        assert_eq!(scene.notices.recv().await, None);
        assert_eq!(scene.told.restarting.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn panics_are_told_as_text() {
    let text = |panic: fn()| panic_text(std::panic::catch_unwind(panic).unwrap_err().as_ref());
    assert_eq!(text(|| panic!("plain")), "plain");
    assert_eq!(text(|| panic!("{}", 42)), "42");
    assert_eq!(text(|| std::panic::panic_any(7)), "panic without a message");
}
