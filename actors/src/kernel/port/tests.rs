use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{ActorContext as _, Context, ResponseFuture};

use super::*;

#[derive(Default)]
struct Slow {
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

/// Work that takes this long; answers how much was under way with it.
#[derive(Message)]
#[rtype(result = "usize")]
struct Work(Duration);

impl Handler<Work> for Slow {
    type Result = ResponseFuture<usize>;
    fn handle(&mut self, work: Work, _: &mut Self::Context) -> Self::Result {
        let (under_way, most) = (Arc::clone(&self.under_way), Arc::clone(&self.most));
        Box::pin(async move {
            let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(work.0).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            now
        })
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;
impl Handler<Stop> for Slow {
    type Result = ();
    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}

const DEADLINE: Duration = Duration::from_secs(10);

fn run(test: impl Future<Output = ()>) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(test);
}

#[test]
fn the_bound_holds_across_clones() {
    run(async {
        let slow = Slow::default();
        let most = Arc::clone(&slow.most);
        let port = Port::<Work>::new("slow", &slow.start(), 3, DEADLINE);
        let asks = (0..12).map(|_| {
            let clone = port.clone();
            async move { clone.ask(Work(Duration::from_secs(1))).await }
        });
        let answers = futures::future::join_all(asks).await;
        assert!(answers.iter().all(Result::is_ok), "all are served in turn: {answers:?}");
        assert_eq!(most.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn without_a_permit_in_time_nothing_is_sent() {
    run(async {
        let slow = Slow::default();
        let most = Arc::clone(&slow.most);
        let port = Port::<Work>::new("slow", &slow.start(), 1, DEADLINE);
        let (first, second) = tokio::join!(port.ask(Work(DEADLINE * 2)), async {
            tokio::task::yield_now().await;
            // The first one's deadline would free the permit in the same instant.
            tokio::time::timeout(DEADLINE / 2, port.clone().ask(Work(Duration::ZERO))).await
        });
        assert_eq!(first, Err(PortError::Deadline("slow")));
        assert!(second.is_err(), "still waiting for a permit");
        assert_eq!(most.load(Ordering::SeqCst), 1);

        let none = Port::<Work>::new("slow", &Slow::default().start(), 0, DEADLINE);
        let began = tokio::time::Instant::now();
        assert_eq!(none.ask(Work(Duration::ZERO)).await, Err(PortError::Busy("slow")));
        assert_eq!(began.elapsed(), DEADLINE);
    });
}

#[test]
fn a_missed_deadline_frees_the_permit() {
    run(async {
        let port = Port::<Work>::new("slow", &Slow::default().start(), 1, DEADLINE);
        let began = tokio::time::Instant::now();
        assert_eq!(port.ask(Work(DEADLINE * 5)).await, Err(PortError::Deadline("slow")));
        assert_eq!(began.elapsed(), DEADLINE);
        assert!(port.ask(Work(Duration::ZERO)).await.is_ok());
        assert!(format!("{port:?}").contains("free: 1"), "{port:?}");
    });
}

#[test]
fn a_cancelled_ask_frees_the_permit() {
    run(async {
        let port = Port::<Work>::new("slow", &Slow::default().start(), 1, DEADLINE);
        let asked = tokio::time::timeout(Duration::from_secs(1), port.ask(Work(DEADLINE))).await;
        assert!(asked.is_err());
        assert!(port.ask(Work(Duration::ZERO)).await.is_ok());
    });
}

#[test]
fn a_stopped_actor_is_closed() {
    run(async {
        let actor = Slow::default().start();
        let port = Port::<Work>::new("slow", &actor, 1, DEADLINE);
        let stop = Port::<Stop>::new("stop", &actor, 1, DEADLINE);
        stop.ask(Stop).await.unwrap();
        assert_eq!(port.ask(Work(Duration::ZERO)).await, Err(PortError::Closed("slow")));
    });
}
