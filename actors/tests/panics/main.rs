//! Panics injected in each actor, at each of its steps: it restarts, or recovers by itself, and
//! nothing is lost; one that cannot be mended is escalated.
//!
//! The world of one actor (its clock, its ids, its jitter) panics at one call of it. First a run
//! without a panic counts the calls; then there is one run for each of many of them, so that
//! the handlers of the actor are hit as well as the effects that work for it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test"
)]

#[path = "../simulation/bell.rs"]
mod bell;
#[path = "../simulation/chaos.rs"]
#[expect(dead_code, reason = "nothing else fails here")]
mod chaos;
#[path = "../simulation/mailbox.rs"]
#[expect(dead_code, reason = "the mails stay where they are")]
mod mailbox;
#[path = "../simulation/ports.rs"]
mod ports;
#[path = "../simulation/receiver.rs"]
mod receiver;
#[path = "../simulation/rules.rs"]
#[expect(dead_code, reason = "every mail is delivered here")]
mod rules;
mod site;
#[path = "../simulation/source.rs"]
mod source;
mod trap;

use std::collections::BTreeSet;
use std::time::Duration;

use site::Site;
use trap::Trap;

/// Every actor of the supervision tree.
const ACTORS: [&str; 6] = ["webhook", "r2", "dedup", "poller", "lock", "config"];
/// The first calls are all tried, for that is where an actor starts; of the later ones every
/// seventh.
const ALL_OF_THE_FIRST: u64 = 40;
const LATER: u64 = 7;

/// Runs a script on a paused clock.
fn play<T>(script: impl Future<Output = T>) -> T {
    trap::quieten();
    actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    })
    .block_on(script)
}

/// One run; `at` = the call that panics. What the world saw of it.
async fn run(actor: &'static str, at: Option<u64>) -> (Site, Trap) {
    let trap = Trap::at(at);
    let site = Site::new();
    let system = site.start("one", actor, &trap);
    site.mails_come(&system).await;
    site.until_settled(&system).await;
    system.stop("done").await;
    (site, trap)
}

fn survives(actor: &'static str) {
    let (calls, bodies) = play(async {
        let (site, trap) = run(actor, None).await;
        assert_eq!(site.restarted().await, Vec::<String>::new());
        assert!(site.inbox.all().values().all(|seen| seen.taken == 1));
        (trap.calls(), site.bodies())
    });
    assert!(calls > 0, "{actor} never asks its world");
    let points = (0..calls).filter(|n| *n < ALL_OF_THE_FIRST || n % LATER == 0);
    let (mut restarts, mut recoveries, mut repeats) = (0, 0, 0);
    for at in points {
        play(async {
            let (site, trap) = run(actor, Some(at)).await;
            if !trap.sprung() {
                // The very last steps may differ; there was nothing to survive.
                return;
            }
            let restarted = site.restarted().await;
            if restarted.is_empty() {
                recoveries += 1;
            } else {
                assert_eq!(restarted, [actor], "call {at}: it was restarted once, and nobody else");
                restarts += 1;
            }
            assert_eq!(site.bodies(), bodies, "call {at}: the same webhooks, with the same bodies");
            let repeated: u32 = site.inbox.all().values().map(|seen| seen.taken - 1).sum();
            // Only an attempt that dies after the receiver has answered cannot know that.
            let allowed = u32::from(actor == "webhook" && restarted.is_empty());
            assert!(repeated <= allowed, "call {at}: {repeated} webhooks were sent again");
            repeats += repeated;
        });
    }
    eprintln!("{actor}: of {calls} calls, {restarts} restarts, {recoveries} recoveries, {repeats} repeats");
    assert!(restarts > 0, "no panic made {actor} restart");
}

#[test]
fn webhook_survives_a_panic() {
    survives("webhook");
}

#[test]
fn r2_survives_a_panic() {
    survives("r2");
}

#[test]
fn dedup_survives_a_panic() {
    survives("dedup");
}

#[test]
fn poller_survives_a_panic() {
    survives("poller");
}

#[test]
fn lock_survives_a_panic() {
    survives("lock");
}

#[test]
fn config_survives_a_panic() {
    survives("config");
}

#[test]
fn a_storm_is_escalated_and_the_next_process_loses_nothing() {
    for actor in ACTORS {
        play(async {
            let trap = Trap::at(None);
            let site = Site::new();
            let system = site.start("one", actor, &trap);
            site.mails_come(&system).await;
            trap.always();
            let escalated = async {
                loop {
                    tokio::select! {
                        biased;
                        why = system.escalated() => return why,
                        // Somebody has to ask: an actor that has nothing to do does not fail.
                        () = tokio::time::sleep(Duration::from_millis(200)) => site.one_more(&system).await,
                    }
                }
            };
            let why = tokio::time::timeout(Duration::from_secs(300), escalated).await;

            let why = why.unwrap_or_else(|_| panic!("{actor} panics always and is not given up"));
            assert_eq!(why, format!("actor {actor} failed too often, last with: {}", trap::MESSAGE));
            let restarted = site.restarted().await;
            assert!(restarted.len() >= 5 && restarted.iter().all(|one| one == actor), "{restarted:?}");
            system.stop("escalation").await;

            let system = site.start("two", actor, &Trap::at(None));
            site.until_settled(&system).await;
            system.stop("done").await;
            let ids: BTreeSet<_> = site.inbox.all().into_keys().collect();
            assert_eq!(ids, site.expected(), "{actor}");
        });
    }
}
