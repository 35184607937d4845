//! Several workers on one Redis: one polls, all deliver, and nothing is lost whatever dies,
//! freezes, forgets or is cut off. Who wrote what under which grant of the lease is read
//! from the journal: the cause of every fenced commit is the grant.

mod everything;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::until::ensure;
use crate::support::worker::Mode;
use crate::support::{Answer, PATIENCE, Program, Redis, Seed, Site, TestMail, Worker, checks, mails, until};

/// `POLLER_LOCK_TTL_SECONDS` of these tests.
const TTL: Duration = Duration::from_secs(4);
/// Claims of dead workers and lost answers are released within half a minute; the rest is a
/// busy machine.
const HEALED: Duration = Duration::from_secs(180);

/// A site, a server, and workers that share them.
struct Crew {
    /// Dropped first: a test that fails shows what is in their logs.
    workers: Vec<Program>,
    redis: Redis,
    site: Site,
    mails: Vec<TestMail>,
}

impl Crew {
    /// Not started yet; `url` is where the workers find the server.
    async fn new(count: usize, redis: Redis, url: &str) -> Self {
        let site = Site::start().await;
        let workers = (1..=count)
            .map(|number| {
                let mut worker = site.worker(&format!("worker-{number}"));
                worker.set("WORKER_NAME", &format!("worker-{number}"));
                worker.set("REDIS_URL", url);
                worker.set("POLLER_LOCK_TTL_SECONDS", &TTL.as_secs().to_string());
                worker
            })
            .collect();
        Self { workers, redis, site, mails: Vec::new() }
    }

    /// So many workers on a server of their own, all ready.
    async fn start(count: usize) -> Self {
        let redis = Redis::start().await;
        let url = redis.url();
        let mut crew = Self::new(count, redis, &url).await;
        crew.launch().await;
        crew
    }

    async fn launch(&mut self) {
        for worker in &mut self.workers {
            worker.launch();
        }
        for worker in &mut self.workers {
            worker.until_ready().await;
        }
    }

    /// More mails arrive.
    fn mail(&mut self, count: usize) {
        let mails = mails::mixed(count);
        self.site.dovecot.deliver(&mails);
        self.mails.extend(mails);
    }

    /// Waits until so many more requests have arrived, or for a while: any moment is good.
    async fn amid_the_work(&self, seed: &mut Seed) {
        let enough = self.site.receiver.count() + usize::try_from(seed.number(1..20)).expect("small");
        let latest = Instant::now() + seed.millis(50..2_000);
        while self.site.receiver.count() < enough && Instant::now() < latest {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until every mail is delivered and marked.
    async fn until_done(&self) {
        until("every webhook", HEALED, async || checks::all_accepted(&self.site.receiver, &self.mails)).await;
        until("every mail to be marked as read", HEALED, async || {
            let seen = self.site.dovecot.seen().await;
            ensure(seen.unseen == 0 && seen.seen == self.mails.len(), || format!("{seen:?}"))
        })
        .await;
    }

    /// How many webhooks were sent more than once.
    fn repeats(&self) -> usize {
        self.site.receiver.count() - self.mails.len()
    }

    async fn poller(&self) -> usize {
        until("one worker to hold the lease", HEALED, async || {
            for (index, worker) in self.workers.iter().enumerate() {
                if worker.is_alive() && held(worker).await {
                    return Ok(index);
                }
            }
            Err("nobody does".to_owned())
        })
        .await
    }

    /// The whole log, as the program prints it.
    async fn log(&self) -> Vec<Value> {
        let printed = self.workers[0].run(&["events", "tail", "-n", "1000000", "--json"]).await;
        assert!(printed.status.success(), "{}", printed.text);
        printed.text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// At any position of the log, only the holder of the last grant has written as a poller.
    async fn assert_one_poller_at_a_time(&self) -> Vec<Value> {
        let log = self.log().await;
        let mut granted = 0;
        let mut fenced = 0;
        for event in &log {
            let kind = event["kind"].as_str().expect("a kind");
            if matches!(kind, "lease.acquired" | "lease.taken_over") {
                let fence = event["payload"]["fence"].as_u64().expect("a fence");
                assert!(fence > granted, "grants in order: {event} after {granted}");
                assert_eq!(grant(&event["id"]), Some(fence));
                granted = fence;
            } else if let Some(fence) = grant(&event["cause"]) {
                // After a loss, the holder of before may write until the next one is there.
                assert!(fence == granted || granted == 0, "{event} was written under {granted}");
                fenced += 1;
            } else {
                let fenced_kinds = ["mail.received", "mail.duplicated", "mailbox.flagged", "lease.released"];
                assert!(!fenced_kinds.contains(&kind), "{event} has no grant");
            }
        }
        assert!(granted > 0 && fenced > 0, "a log without a poller");
        log
    }

    async fn stop(&mut self) {
        for worker in &mut self.workers {
            worker.stop().await;
        }
        self.workers[0].assert_journal_verifies().await;
    }
}

/// The fence in the id of a grant: a UUID of version 8.
fn grant(id: &Value) -> Option<u64> {
    let digits = id.as_str()?.replace('-', "");
    let token = u64::from_str_radix(digits.get(16..)?, 16).ok()?;
    (digits.as_bytes().get(12) == Some(&b'8')).then_some(token & ((1 << 62) - 1))
}

async fn held(worker: &Program) -> bool {
    let Some(answer) = worker.try_get("/readyz").await else { return false };
    let answer: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    answer["checks"]["lease"]["detail"]["held"] == true
}

/// The sum of a counter over all its labels.
async fn counter(worker: &Program, name: &str) -> f64 {
    let page = worker.get("/metrics").await.body;
    let lines = page.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

async fn everybody_works(count: usize) {
    let redis = Redis::start().await;
    let url = redis.url();
    let mut crew = Crew::new(count, redis, &url).await;
    crew.site.receiver.always("/hook", Answer::Slow(Duration::from_millis(60)));
    let r2 = Worker::start(Mode::Slow(Duration::from_millis(60))).await;
    for worker in &mut crew.workers {
        for (name, value) in r2.environment() {
            worker.set(&name, &value);
        }
        // On a busy machine a short one may change hands.
        worker.unset("POLLER_LOCK_TTL_SECONDS");
    }
    crew.launch().await;
    let poller = crew.poller().await;
    let mut holders = 0;
    for worker in &crew.workers {
        holders += usize::from(held(worker).await);
    }
    assert_eq!(holders, 1, "one polls");
    // Whoever is quicker takes more; with enough work everybody gets some.
    until("everybody to deliver and to offload", HEALED, async || {
        crew.mail(40);
        crew.until_done().await;
        for (number, worker) in crew.workers.iter().enumerate() {
            let delivered = counter(worker, "render_signal_delivery_attempts_total").await;
            let offloaded = counter(worker, "render_signal_r2_links_total").await;
            if delivered < 1.0 || offloaded < 1.0 {
                return Err(format!("worker {number}: {delivered} webhooks, {offloaded} links"));
            }
            let admitted = counter(worker, "render_signal_mails_admitted_total").await;
            assert!(number == poller || admitted == 0.0, "worker {number} polled, too");
        }
        Ok(())
    })
    .await;
    checks::assert_each_exactly_once(&crew.site.receiver, &crew.mails);
    crew.assert_one_poller_at_a_time().await;
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_one_polls_and_both_deliver() {
    everybody_works(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_workers_one_polls_and_all_deliver() {
    everybody_works(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_workers_one_polls_and_all_deliver() {
    everybody_works(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_leaves_or_dies_is_followed_by_another_one() {
    let mut crew = Crew::start(3).await;
    crew.mail(10);
    crew.until_done().await;

    let first = crew.poller().await;
    crew.workers[first].stop().await;
    let stopped = Instant::now();
    crew.poller().await;
    eprintln!("graceful stop: another worker polls {:.1?} after the end of the first", stopped.elapsed());
    crew.mail(10);
    crew.until_done().await;

    // On a slow machine the lease may have changed hands meanwhile.
    let second = crew.poller().await;
    crew.workers[second].kill();
    let killed = Instant::now();
    let third = crew.poller().await;
    eprintln!("kill -9: another worker polls after {:.1?}, the lease lasts {TTL:?}", killed.elapsed());
    crew.mail(10);
    crew.until_done().await;
    checks::assert_each_exactly_once(&crew.site.receiver, &crew.mails);

    // The journal says the same: given back, then taken; and taken over from the dead.
    let log = crew.assert_one_poller_at_a_time().await;
    let lease: Vec<(&str, &str, &str)> = log
        .iter()
        .filter(|event| event["stream"] == "lease-poller")
        .map(|event| {
            let of = |field: &str| event["payload"][field].as_str().unwrap_or("-");
            let name = |field| of(field).split('/').next().expect("a name");
            (event["kind"].as_str().expect("a kind"), name("holder"), name("previous"))
        })
        .collect();
    let [one, two] = [first, second].map(|index| format!("worker-{}", index + 1));
    let release = lease.iter().position(|event| (event.0, event.1) == ("lease.released", one.as_str()));
    let release = release.expect("the first gave it back");
    let (kind, holder, previous) = lease[release + 1];
    assert_eq!((kind, previous), ("lease.acquired", "-"), "{lease:?}");
    assert_ne!(holder, one);
    let taken_over = |event: &&(&str, &str, &str)| event.0 == "lease.taken_over" && event.2 == two;
    let (_, holder, _) = lease.iter().find(taken_over).expect("another one took it over from the dead");
    assert_ne!(*holder, two);
    let at = |index: usize| -> chrono::DateTime<chrono::Utc> {
        let events: Vec<_> = log.iter().filter(|event| event["stream"] == "lease-poller").collect();
        events[index]["at"].as_str().and_then(|at| at.parse().ok()).expect("a time")
    };
    eprintln!(
        "from the release to the next grant: {} ms",
        (at(release + 1) - at(release)).num_milliseconds()
    );
    crew.workers[third].stop().await;
    crew.workers[third].assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_holder_that_wakes_up_writes_nothing() {
    let mut crew = Crew::start(2).await;
    crew.mail(10);
    crew.until_done().await;
    let first = crew.poller().await;
    crew.workers[first].freeze();
    crew.mail(20);
    crew.until_done().await;
    // Mails that arrive while it wakes up: it may well see them, and hand them to the journal.
    crew.mail(20);
    crew.workers[first].thaw();
    crew.mail(20);
    crew.until_done().await;
    checks::assert_each_exactly_once(&crew.site.receiver, &crew.mails);
    crew.workers[first].until_answer("/livez", |answer| answer.status == 200).await;
    crew.assert_one_poller_at_a_time().await;
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_everything_is_noticed_by_all_and_healed_from_the_mailbox() {
    let mut seed = Seed::announced();
    let mut crew = Crew::start(3).await;
    crew.site.receiver.always("/hook", Answer::Slow(Duration::from_millis(10)));
    for _ in 0..4 {
        crew.mail(30);
        crew.amid_the_work(&mut seed).await;
        crew.redis.flush().await;
    }
    crew.until_done().await;
    checks::assert_repeats_are_identical(&crew.site.receiver);
    eprintln!("{} webhooks of {} were repeated over 4 losses", crew.repeats(), crew.mails.len());
    for worker in &mut crew.workers {
        let lost = "lost acknowledged commits";
        worker.until_answer("/readyz", |answer| answer.status == 200 && answer.body.contains(lost)).await;
        assert!(counter(worker, "render_signal_journal_regressed_total").await >= 1.0);
    }
    until("every worker to record the loss", HEALED, async || {
        let log = crew.log().await;
        let mut told: Vec<&str> = log
            .iter()
            .filter(|event| event["kind"] == "journal.regressed")
            .filter_map(|event| event["payload"]["worker"].as_str()?.split('/').next())
            .collect();
        told.sort_unstable();
        told.dedup();
        ensure(told == ["worker-1", "worker-2", "worker-3"], || format!("{told:?}"))
    })
    .await;
    // The documents lie in files; their history begins anew with what is in force.
    until("the history of the documents", HEALED, async || {
        let history = crew.workers[0].run(&["config", "history", "processing_prefs"]).await.text;
        ensure(history.matches("recovery").count() == 1, || history)
    })
    .await;
    crew.assert_one_poller_at_a_time().await;

    // All goes on without a restart.
    let before = crew.site.receiver.count();
    crew.mail(10);
    crew.until_done().await;
    assert_eq!(crew.site.receiver.count(), before + 10, "no more repeats");
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_with_an_old_snapshot_has_the_lost_stretch_read_again() {
    let redis = Redis::start_forgetful().await;
    let url = redis.url();
    let mut crew = Crew::new(2, redis, &url).await;
    crew.launch().await;
    crew.mail(10);
    crew.until_done().await;
    crew.redis.save().await;
    crew.mail(20);
    // They are read by now, so that only their place in the mailbox tells that they are lost.
    crew.until_done().await;
    crew.redis.restart().await;
    until("the lost mails to be in the journal again", HEALED, async || {
        let log = crew.log().await;
        let received = log.iter().filter(|event| event["kind"] == "mail.received").count();
        ensure(received == crew.mails.len(), || format!("{received} mails"))
    })
    .await;
    crew.mail(10);
    crew.until_done().await;
    until("every delivery to be recorded", HEALED, async || {
        let log = crew.log().await;
        let done = log.iter().filter(|event| event["kind"] == "delivery.succeeded").count();
        ensure(done == crew.mails.len(), || format!("{done} deliveries"))
    })
    .await;
    checks::assert_repeats_are_identical(&crew.site.receiver);
    crew.assert_one_poller_at_a_time().await;
    // By every worker, however much the log has grown by then; and what was left is still there.
    until("every worker to record the loss", HEALED, async || {
        let log = crew.log().await;
        let losses: Vec<&Value> = log.iter().filter(|event| event["kind"] == "journal.regressed").collect();
        let workers: BTreeSet<&str> =
            losses.iter().filter_map(|loss| loss["payload"]["worker"].as_str()).collect();
        ensure(workers.len() == crew.workers.len(), || format!("{losses:?}"))?;
        let left = |loss: &&Value| loss["payload"]["found_position"].as_u64() > Some(0);
        ensure(losses.iter().all(left), || format!("nothing was left: {losses:?}"))
    })
    .await;
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_the_previous_system_is_waited_for() {
    let redis = Redis::start().await;
    redis.command("SET render_signal:poller_lock pid=4711 EX 300").await.expect("an answer");
    let url = redis.url();
    let mut crew = Crew::new(1, redis, &url).await;
    crew.launch().await;
    let standby = "standby: pid=4711 of the previous system polls";
    crew.workers[0].until_answer("/readyz", |answer| answer.body.contains(standby)).await;
    crew.mail(4);
    crew.redis.command("DEL render_signal:poller_lock").await.expect("an answer");
    until("the webhooks", PATIENCE, async || checks::all_accepted(&crew.site.receiver, &crew.mails)).await;
    crew.stop().await;
}
