//! Slow files and long ones do not hold up the others, and waiting is no fault of theirs.

use std::sync::Arc;
use std::time::Duration;

use render_signal_actors::r2::direct::{DirectStore, Pace};
use render_signal_actors::r2::{Copied, LinkStore as _};
use render_signal_testkit::file_host::{End, File};
use tokio::task::JoinHandle;

use crate::place::{PART, Place, job, until};

/// What is copied at the same time.
struct Crowd {
    place: Place,
    store: Arc<DirectStore>,
    under_way: Vec<JoinHandle<Result<Copied, String>>>,
}

impl Crowd {
    async fn new(pace: Pace) -> Self {
        let mut place = Place::start().await;
        place.settings.pace = pace;
        let store = Arc::new(place.store());
        Self { place, store, under_way: Vec::new() }
    }

    fn path(number: usize) -> String {
        format!("/f/{number}.bin")
    }

    fn offload(&self, path: &str, file: File) -> JoinHandle<Result<Copied, String>> {
        self.place.host.serve(path, file);
        let (store, job) = (Arc::clone(&self.store), job(&self.place.link(path), "fromsmash"));
        tokio::spawn(async move { store.offload(job).await.map_err(|failure| failure.why) })
    }

    /// Files that stop at a byte until they are let go.
    fn held(&mut self, number: usize, length: u64, at: u64) {
        self.join(number, &File::honest(length).ending(End::Held(at)));
    }

    fn join(&mut self, number: usize, file: &File) {
        for _ in 0..number {
            let path = Self::path(self.under_way.len());
            self.under_way.push(self.offload(&path, file.clone()));
        }
    }

    fn all_under_way(&self) -> bool {
        self.under_way.iter().all(|end| !end.is_finished())
    }

    async fn let_go(&mut self) {
        for number in 0..self.under_way.len() {
            self.place.host.let_go(&Self::path(number));
        }
        for end in self.under_way.drain(..) {
            end.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_small_file_does_not_wait_for_long_ones() {
    let mut crowd = Crowd::new(Pace::default()).await;
    crowd.held(4, 3 * PART, PART + 100);
    until("a part of each", || crowd.place.s3.unfinished_parts() == 4).await;
    // A further one: it has to wait for its turn.
    crowd.held(1, 3 * PART, 0);
    until("it was asked for", || crowd.place.host.asked().len() == 5).await;
    for (path, file) in
        [("/f/small", File::honest(1_000)), ("/f/unannounced", File::honest(PART - 1).chunked())]
    {
        let copied = crowd.offload(path, file.clone()).await.unwrap().unwrap();
        assert!(crowd.place.s3.object(&Place::key(&copied)) == Some(file.bytes()));
    }
    assert!(crowd.all_under_way());
    assert_eq!(crowd.place.s3.unfinished().len(), 4, "no further one has begun");
    crowd.let_go().await;
    assert_eq!(crowd.place.s3.completed(), vec![vec![PART; 3]; 5]);
    crowd.place.assert_nothing_unfinished();
}

#[tokio::test]
async fn a_small_file_does_not_wait_for_slow_hosts() {
    // More than there is room for anywhere: some never fall silent, some give no answer.
    let quick = Duration::from_millis(150);
    let mut crowd = Crowd::new(Pace { quick, ..Pace::default() }).await;
    crowd.join(20, &File::honest(100_000).trickling(1, Duration::from_millis(100)));
    crowd.join(8, &File { delay: Duration::from_secs(600), ..File::honest(10) });
    until("sixteen were asked for", || crowd.place.host.asked().len() >= 16).await;
    let small = crowd.offload("/f/small", File::honest(1_000)).await.unwrap().unwrap();
    assert!(crowd.all_under_way());
    assert_eq!(crowd.place.s3.keys(), [Place::key(&small)]);
}

#[tokio::test]
async fn a_slow_file_goes_on_where_it_is_when_a_place_is_free() {
    let mut place = Place::start().await;
    place.settings.pace = Pace { quick: Duration::from_millis(50), ..Pace::default() };
    let file = File::honest(40_000).trickling(1_000, Duration::from_millis(5));
    let copied = place.offload(file.clone()).await.unwrap();
    assert!(place.s3.object(&Place::key(&copied)) == Some(file.bytes()));
    assert_eq!(place.host.asked().len(), 1);
}

/// Stops tokio's clock, also while everything waits for a socket: it does not run ahead
/// while a blocking task is there.
struct StoppedClock(Option<std::sync::mpsc::Sender<()>>);

impl StoppedClock {
    fn stop() -> Self {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        drop(tokio::task::spawn_blocking(move || receiver.recv()));
        tokio::time::pause();
        Self(Some(sender))
    }

    async fn advance(&self, seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

#[tokio::test]
async fn the_time_limit_begins_with_the_turn() {
    let mut crowd = Crowd::new(Pace::default()).await;
    let clock = StoppedClock::stop();
    crowd.held(4, 3 * PART, PART + 100);
    until("a part of each", || crowd.place.s3.unfinished_parts() == 4).await;
    let late = crowd.offload("/f/late", File::honest(2 * PART).ending(End::Held(100)));
    until("it was asked for", || crowd.place.host.asked().len() == 5).await;
    // Of 60 seconds. Whatever is in the lane still has left it after 11.
    clock.advance(11).await;
    clock.advance(34).await;
    crowd.let_go().await;
    until("it was asked for again", || crowd.place.host.asked().len() == 6).await;
    clock.advance(40).await;
    assert!(!late.is_finished());
    crowd.place.host.let_go("/f/late");
    late.await.unwrap().unwrap();
    crowd.place.assert_nothing_unfinished();
}

#[tokio::test]
async fn who_waits_for_too_long_is_told_why() {
    let mut crowd = Crowd::new(Pace::default()).await;
    let clock = StoppedClock::stop();
    crowd.held(4, 3 * PART, PART + 100);
    until("a part of each", || crowd.place.s3.unfinished_parts() == 4).await;
    let late = crowd.offload("/f/late", File::honest(2 * PART));
    until("it was asked for", || crowd.place.host.asked().len() == 5).await;
    clock.advance(11).await;
    // Those in the places have to end their uploads before they leave.
    clock.advance(61).await;
    drop(clock);
    let ends = futures::future::join_all(crowd.under_way.drain(..)).await;
    assert!(ends.into_iter().all(|end| end.unwrap().unwrap_err().contains("took longer than")));
    let why = late.await.unwrap().unwrap_err();
    assert!(why.contains("its turn did not come") && why.contains("R2_TRANSFER_MAX_SECONDS (60)"), "{why}");
}
