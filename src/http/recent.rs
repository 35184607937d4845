//! A result of a moment ago, for all pages: every page says how many things need a person, and to
//! find that out the journal, every actor and the other workers are asked. Nothing that decides or answers for the state of this worker (`/readyz`, the API, the page of the
//! overview) reads it from here.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use render_signal_actors::kernel::journal::Hint;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// How long a result is used when nothing is known to have changed. What happens outside of the
/// journal and of this process is seen that much later.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The last result, shared by all pages. Clones share it.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    kept: Arc<Mutex<Option<CachedResult<T>>>>,
    changes: Arc<AtomicU64>,
}

/// A result, and what it depends on.
#[derive(Debug)]
struct CachedResult<T> {
    found: Arc<T>,
    /// When the look began.
    begun: Instant,
    /// When it ended.
    at: Instant,
    /// How many changes it came after.
    changes: u64,
    /// Tells of commits since the look began.
    hints: watch::Receiver<Hint>,
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), changes: Arc::clone(&self.changes) }
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { kept: Arc::default(), changes: Arc::default() }
    }
}

impl<T> Recent<T> {
    /// What is known, or what `look` finds. One looks at a time, and all who came before it began to
    /// look are given what it finds: a server that does not answer costs them its time at most
    /// twice, and not one after the other.
    pub(crate) async fn get(&self, hints: watch::Receiver<Hint>, look: impl Future<Output = T>) -> Arc<T> {
        let wanted = self.changes.load(Ordering::Acquire);
        let asked = Instant::now();
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_good(wanted, asked)) {
            return Arc::clone(&kept.found);
        }
        // Before the look begins: what happens while it lasts may not be in what it finds.
        let changes = self.changes.load(Ordering::Acquire);
        let mut hints = hints;
        hints.mark_unchanged();
        let begun = Instant::now();
        let found = Arc::new(look.await);
        *kept = Some(CachedResult { found: Arc::clone(&found), begun, at: Instant::now(), changes, hints });
        found
    }

    /// Something has changed: requests from now on are answered with it. A look that is under way
    /// answers only those that came before.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}

impl<T> CachedResult<T> {
    /// Whether it may answer a request that came at `asked`, after `wanted` changes. One that came
    /// before the look began knows of no commit that the look could have missed.
    fn is_good(&self, wanted: u64, asked: Instant) -> bool {
        if self.begun >= asked {
            return true;
        }
        // A journal that is closed says nothing more.
        let committed = self.hints.has_changed().unwrap_or(true);
        self.changes >= wanted && !committed && self.at.elapsed() < MAX_AGE
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Looks that take two seconds, and are counted.
    struct Scene {
        recent: Recent<usize>,
        journal: watch::Sender<Hint>,
        looks: AtomicUsize,
    }

    impl Scene {
        fn new() -> Self {
            let journal = watch::Sender::new(Hint::default());
            Self { recent: Recent::default(), journal, looks: AtomicUsize::new(0) }
        }

        async fn ask(&self) -> usize {
            let look = async {
                let number = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_secs(2)).await;
                number
            };
            *self.recent.get(self.journal.subscribe(), look).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_who_ask_at_once_are_told_what_one_look_found() {
        let scene = Scene::new();
        let begun = Instant::now();
        let told = futures::future::join_all((0..100).map(|_| scene.ask())).await;
        assert!(told.iter().all(|number| *number == 1), "{told:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(2), "nobody waited for another's look");
        tokio::time::advance(MAX_AGE - Duration::from_millis(1)).await;
        assert_eq!(scene.ask().await, 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(scene.ask().await, 2, "it has become old");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_after_a_change_is_told_of_it() {
        let scene = Scene::new();
        assert_eq!(scene.ask().await, 1);
        scene.recent.forget();
        assert_eq!(scene.ask().await, 2, "somebody has changed something");
        scene.journal.send_replace(Hint::default());
        assert_eq!(scene.ask().await, 3, "the journal has grown");
        assert_eq!(scene.ask().await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_began_before_a_change_is_for_those_who_asked_before() {
        for commit in [false, true] {
            let scene = Scene::new();
            let late = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if commit {
                    scene.journal.send_replace(Hint::default());
                } else {
                    scene.recent.forget();
                }
                futures::join!(scene.ask(), scene.ask(), scene.ask())
            };
            let begun = Instant::now();
            let (early, late) = futures::join!(scene.ask(), late);
            assert_eq!((early, late), (1, (2, 2, 2)), "commit: {commit}");
            assert_eq!(begun.elapsed(), Duration::from_secs(4), "at most twice");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_are_told_by_one_look_however_often_the_journal_grows() {
        let scene = Scene::new();
        let flow = async {
            for _ in 0..80 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                scene.journal.send_replace(Hint::default());
            }
        };
        let late = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            futures::future::join_all((0..20).map(|_| scene.ask())).await
        };
        let (early, late, ()) = futures::join!(scene.ask(), late, flow);
        assert_eq!((early, late), (1, vec![2; 20]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_goes_away_while_he_looks_keeps_nobody_waiting() {
        let scene = Scene::new();
        let gone = tokio::time::timeout(Duration::from_secs(1), scene.ask()).await;
        assert!(gone.is_err());
        assert_eq!(scene.ask().await, 2);
    }
}
