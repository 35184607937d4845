//! Three workers, six hundred mails, and whatever can befall workers, wire and server, in one
//! run over one mailbox. Nothing is lost; and what is sent twice is what the promise names.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Crew, grant};
use crate::support::redis::url_at;
use crate::support::{Answer, ChaosProxy, Redis, Seed, checks};

/// From right before a kill to right after it.
type Moment = (Instant, Instant);

/// What a webhook's receiver must not notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The server is killed, and comes back with what is on its disk.
    Killed,
    /// Every connection to it is reset, again and again.
    Reset,
    /// It is stopped for twenty seconds.
    Frozen,
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_and_six_hundred_mails_over_every_fault() {
    let mut seed = Seed::announced();
    let redis = Redis::start().await;
    let wire = ChaosProxy::start(redis.port()).await;
    let mut crew = Crew::new(3, redis, &url_at(wire.port())).await;
    crew.launch().await;
    crew.site.receiver.always("/hook", Answer::Slow(Duration::from_millis(20)));

    faults_of_server_and_wire(&mut crew, &wire, &mut seed).await;
    workers_are_killed(&mut crew, &mut seed).await;
    let before = last_grant(&crew.assert_one_poller_at_a_time().await);
    the_server_is_emptied(&mut crew, &mut seed).await;

    // All goes on as if nothing had been.
    let count = crew.site.receiver.count();
    crew.mail(40);
    crew.until_done().await;
    assert_eq!((crew.site.receiver.count(), crew.mails.len()), (count + 40, 600), "no more repeats");
    let after = last_grant(&crew.assert_one_poller_at_a_time().await);
    assert!(after > before, "grants go on where they were: {after} after {before}");
    crew.stop().await;
}

/// Every acknowledged commit is on the server's disk and every worker outlives it, so that
/// nothing is repeated either.
async fn faults_of_server_and_wire(crew: &mut Crew, wire: &ChaosProxy, seed: &mut Seed) {
    let mut faults = [vec![Fault::Killed; 4], vec![Fault::Reset; 10], vec![Fault::Frozen]].concat();
    for last in (1..faults.len()).rev() {
        faults.swap(last, usize::try_from(seed.number(0..last as u64 + 1)).expect("small"));
    }
    for fault in faults {
        eprintln!("{fault:?} after {} mails", crew.mails.len());
        if fault == Fault::Frozen {
            // Longer than twenty seconds without a server, and claims may be given to others.
            crew.until_done().await;
        }
        crew.mail(16);
        crew.amid_the_work(seed).await;
        match fault {
            Fault::Killed => {
                crew.redis.kill();
                tokio::time::sleep(seed.millis(0..1_500)).await;
                crew.redis.restart().await;
            }
            Fault::Reset => {
                for _ in 0..3 {
                    wire.reset();
                    tokio::time::sleep(seed.millis(20..400)).await;
                }
            }
            Fault::Frozen => {
                crew.redis.freeze();
                tokio::time::sleep(Duration::from_secs(20)).await;
                crew.redis.thaw();
                crew.until_done().await;
            }
        }
    }
    crew.until_done().await;
    checks::assert_each_exactly_once(&crew.site.receiver, &crew.mails);
    crew.assert_one_poller_at_a_time().await;
}

/// What is repeated was with its receiver when a worker was killed.
async fn workers_are_killed(crew: &mut Crew, seed: &mut Seed) {
    let old = crew.site.receiver.accepted();
    let mut kills = Vec::new();
    for _ in 0..10 {
        crew.mail(20);
        crew.amid_the_work(seed).await;
        let victim = usize::try_from(seed.number(0..3)).expect("small");
        let before = Instant::now();
        crew.workers[victim].kill();
        kills.push((before, Instant::now()));
        crew.workers[victim].launch();
    }
    crew.until_done().await;
    for worker in &mut crew.workers {
        worker.until_ready().await;
    }
    assert_nothing_came_again(crew, &old);
    let repeats = assert_repeats_have_a_cause(crew, &kills);
    eprintln!("{repeats} webhooks were repeated over {} kills", kills.len());
}

/// What is repeated is what the mailbox still had to tell: each loss has a mail that was not
/// marked yet read once more. A worker may send one that it had claimed before it notices.
async fn the_server_is_emptied(crew: &mut Crew, seed: &mut Seed) {
    const LOSSES: usize = 3;
    const MAILS: usize = 40;
    let old = crew.site.receiver.accepted();
    let first = crew.mails.len();
    for _ in 0..LOSSES {
        crew.mail(MAILS);
        crew.amid_the_work(seed).await;
        crew.redis.flush().await;
    }
    crew.until_done().await;
    assert_nothing_came_again(crew, &old);
    let accepted = crew.site.receiver.accepted();
    for (round, mails) in crew.mails[first..].chunks(MAILS).enumerate() {
        for mail in mails {
            let (count, losses) = (accepted[&mail.mark], LOSSES - round);
            assert!(count <= 1 + losses, "mail {} was sent {count} times over {losses} losses", mail.mark);
        }
    }
    let repeats: usize = crew.repeats() - old.values().map(|count| count - 1).sum::<usize>();
    eprintln!("{repeats} webhooks of {} were repeated over {LOSSES} losses", LOSSES * MAILS);
}

/// Repeats are the same bytes under the same id, and not of what was done before.
fn assert_nothing_came_again(crew: &Crew, old: &BTreeMap<String, usize>) {
    checks::assert_repeats_are_identical(&crew.site.receiver);
    let accepted = crew.site.receiver.accepted();
    for (mark, count) in old {
        assert_eq!(accepted.get(mark), Some(count), "mail {mark} was done before");
    }
}

/// Between any two requests for one mail one of the kills has happened. Returns how many
/// requests were repeated.
fn assert_repeats_have_a_cause(crew: &Crew, kills: &[Moment]) -> usize {
    let mut arrivals: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    for delivery in crew.site.receiver.deliveries() {
        arrivals.entry(delivery.mark()).or_default().push(delivery.at);
    }
    let mut repeats = 0;
    for (mark, times) in arrivals {
        for pair in times.windows(2) {
            let explained = kills.iter().any(|(before, after)| pair[0] <= *after && *before <= pair[1]);
            assert!(explained, "mail {mark} was sent again, and nobody had been killed");
            repeats += 1;
        }
    }
    repeats
}

fn last_grant(log: &[Value]) -> u64 {
    log.iter().filter_map(|event| grant(&event["id"])).max().expect("a grant")
}
