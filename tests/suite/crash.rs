//! `kill -9` at any moment loses nothing, and repeats only what was under way.

use std::time::{Duration, Instant};

use crate::support::worker::Mode;
use crate::support::{Answer, PATIENCE, Seed, Site, Worker, checks, mails, until};

const KILLS: usize = 10;
const MAILS_PER_LIFE: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_at_random_points_lose_nothing() {
    let mut seed = Seed::announced();
    let site = Site::start().await;
    // Slow enough that a life ends amid the work, whatever the machine.
    site.receiver.always("/hook", Answer::Slow(Duration::from_millis(20)));
    let r2 = Worker::start(Mode::Slow(Duration::from_millis(10))).await;
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }

    let mut all = Vec::new();
    for _ in 0..KILLS {
        let mails = mails::mixed(MAILS_PER_LIFE);
        site.dovecot.deliver(&mails);
        all.extend(mails);
        worker.launch();
        // A point of the work (so many webhooks seen) or of the start (so much time
        // passed), whichever comes first. The wait decides nothing: any point is good.
        let enough = site.receiver.count() + usize::try_from(seed.number(1..25)).expect("small");
        let latest = Instant::now() + seed.millis(20..1_500);
        while site.receiver.count() < enough && Instant::now() < latest {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        worker.kill();
    }

    worker.start().await;
    until("every webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    checks::assert_repeats_are_identical(&site.receiver);
    // A repeat is the exception: at most what was under way at each kill.
    let repeats = site.receiver.count() - all.len();
    eprintln!("{repeats} webhooks were repeated over {KILLS} kills");
    worker.stop().await;
    worker.assert_journal_verifies().await;
}
