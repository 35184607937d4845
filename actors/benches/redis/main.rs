//! What a Redis costs: reading, writing and reloading configuration documents, and appending
//! to the journal, beside `redis-benchmark` for the same number of round trips in the same run.
//!
//! `cargo bench -p render-signal-actors --bench redis`; `ROUNDS` (default 2000) sets the size.
//! Needs `redis-server` and `redis-benchmark` (Debian packages redis-server, redis-tools).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement")]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Handler};
use arc_swap::ArcSwap;
use futures::stream::{self, StreamExt as _};
use render_signal_actors::config::active::ActiveDocuments;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::redis::{RedisSettings, RedisStore};
use render_signal_actors::config::store::{DocumentChange, DocumentStore, Precondition, StoreReading};
use render_signal_actors::config::{ConfigActor, ConfigDeps, WireConfig};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::event::{NewEvent, StreamId};
use render_signal_actors::kernel::journal::memory::MemoryJournal;
use render_signal_actors::kernel::journal::redis::{RedisJournal, RedisOptions};
use render_signal_actors::kernel::journal::{Commit, Expected, Journal, StreamWrite};
use render_signal_actors::kernel::port::Port;
use render_signal_actors::messages::PolicyChanged;
use render_signal_testkit::Redis;
use serde_json::json;
use tokio::sync::mpsc;

const KEY: Key = Key::WebhookConfig;
const CLIENTS: usize = 8;
/// Longer than an answer from memory is used.
const STALE: Duration = Duration::from_millis(1_200);
/// Between two changes.
const SETTLED: Duration = Duration::from_millis(20);

/// Killed at the end.
struct Server(Redis);

impl Server {
    fn store(&self, writer: &str) -> RedisStore {
        let settings = RedisSettings {
            address: self.0.url().into(),
            prefix: "r:ss:config:".to_owned(),
            writer: writer.to_owned(),
        };
        RedisStore::new(settings, World::real()).expect("a store")
    }

    /// What the server does with as many round trips of the simplest kind.
    fn limit(&self, rounds: usize) -> String {
        let out = Command::new("redis-benchmark")
            .args(["-p", &self.0.port().to_string(), "-n", &rounds.to_string(), "-c", &CLIENTS.to_string()])
            .args(["-t", "set", "-d", "300", "-q"])
            .output()
            .expect("redis-benchmark is installed");
        let text = String::from_utf8_lossy(&out.stdout).replace('\r', "\n");
        text.lines().rev().find(|line| line.contains("requests per second")).unwrap_or("?").trim().to_owned()
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).copied().unwrap_or_default()
}

fn say(what: &str, mut times: Vec<Duration>) {
    let (median, late) = (percentile(&mut times, 50), percentile(&mut times, 95));
    println!("{what:<48} p50 {median:>10.1?}  p95 {late:>10.1?}");
}

async fn write(store: &RedisStore, number: usize) {
    let expected = match store.read(KEY).await.unwrap() {
        StoreReading::Absent => Precondition::Absent,
        StoreReading::Found { revision, .. } => Precondition::Revision(revision),
    };
    let value = json!({"webhook_url": "https://hook.example.com/x", "note": number});
    store.write(&DocumentChange { key: KEY, value, expected, origin: "bench".to_owned() }).await.unwrap();
}

async fn documents(server: &Server, rounds: usize) {
    let store = server.store("writer");
    let mut writes = Vec::new();
    for number in 0..rounds / 10 {
        let begun = Instant::now();
        write(&store, number).await;
        writes.push(begun.elapsed());
    }
    let readers: Vec<RedisStore> = (0..rounds / 20).map(|_| server.store("reader")).collect();
    let first = read_all(&readers).await;
    // What was read is answered from memory for a second.
    tokio::time::sleep(STALE).await;
    let uncached = read_all(&readers).await;
    let cached = read_all(&readers).await;
    say("document: read and compare-and-set", writes);
    say("document: first read, with the connection", first);
    say("document: read from Redis", uncached);
    say("document: read from memory", cached);
}

/// One read of each store, one after the other.
async fn read_all(stores: &[RedisStore]) -> Vec<Duration> {
    let mut times = Vec::new();
    for store in stores {
        let begun = Instant::now();
        store.read(KEY).await.unwrap();
        times.push(begun.elapsed());
    }
    times
}

/// Hears of policies.
struct Listener(mpsc::UnboundedSender<Instant>);

impl Actor for Listener {
    type Context = actix::Context<Self>;
}

impl Handler<PolicyChanged> for Listener {
    type Result = ();

    fn handle(&mut self, _: PolicyChanged, _: &mut Self::Context) {
        // Nobody listens any more at the end.
        let _ = self.0.send(Instant::now());
    }
}

/// A worker's configuration actor, and what an actor beside it is told.
async fn worker(server: &Server, name: &str) -> (Addr<ConfigActor>, mpsc::UnboundedReceiver<Instant>) {
    let (world, env) = (World::real(), Arc::<EnvDefaults>::default());
    let deps = ConfigDeps {
        journal: Arc::new(MemoryJournal::new(world.clone(), Arc::default())),
        policy: Arc::new(ArcSwap::from_pointee(ActiveDocuments::default().policy(&env, 1))),
        worker: name.to_owned(),
        store: Arc::new(server.store(name)),
        world,
        env,
    };
    let (heard, told) = mpsc::unbounded_channel();
    let listener = Listener(heard).start();
    let actor = ConfigActor::new(deps).start();
    let port = Port::new("listener", &listener, 4, Duration::from_secs(5));
    actor.send(WireConfig(vec![port])).await.expect("an actor");
    (actor, told)
}

/// From the moment before the write until an actor of every worker was told the new policy.
async fn reload(server: &Server, workers: usize, rounds: usize) {
    let mut crew = Vec::new();
    for number in 0..workers {
        crew.push(worker(server, &format!("w{number}")).await);
    }
    // They read, subscribe, and tell what was there before.
    tokio::time::sleep(STALE).await;
    let writer = server.store("writer");
    let mut times = Vec::new();
    for number in 0..rounds / 20 {
        for (_, told) in &mut crew {
            while told.try_recv().is_ok() {}
        }
        let begun = Instant::now();
        write(&writer, 1_000_000 + number).await;
        let mut last = begun;
        for (_, told) in &mut crew {
            last = last.max(told.recv().await.expect("a listener"));
        }
        times.push(last - begun);
        tokio::time::sleep(SETTLED).await;
    }
    say(&format!("document: change until {workers} worker(s) act on it"), times);
}

async fn appends(server: &Server, rounds: usize) {
    let world = World::real();
    let options = RedisOptions { connections: CLIENTS, ..RedisOptions::new(server.0.url()) };
    let journal = RedisJournal::open(options, world.clone(), Arc::default()).await.expect("a journal");
    let begun = Instant::now();
    stream::iter(0..rounds)
        .for_each_concurrent(CLIENTS, |number| {
            let (journal, world) = (Arc::clone(&journal), world.clone());
            async move {
                let event = NewEvent {
                    id: world.ids.next(),
                    kind: "mail.duplicated",
                    schema: 1,
                    payload: json!({"location": {"mailbox": "m".repeat(200), "validity": 1, "item": "1"}}),
                };
                let commit = Commit {
                    at: world.now(),
                    writes: vec![StreamWrite {
                        stream: StreamId::new("mail", &number.to_string()),
                        expected: Expected::NoStream,
                        events: vec![event],
                    }],
                    ..Commit::default()
                };
                journal.append(commit).await.unwrap();
            }
        })
        .await;
    let rate = rounds as f64 / begun.elapsed().as_secs_f64();
    println!("{:<48} {rate:.0} per second, {CLIENTS} at a time", "journal: appends of one event");
    println!("{:<48} {}", "redis-benchmark, as many round trips", server.limit(rounds));
    journal.close().await;
}

fn main() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000_usize);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(async {
        let server = Server(Redis::start_forgetful().await);
        documents(&server, rounds).await;
        appends(&server, rounds * 5).await;
        server
    });
    // A system for each: the actors of the first would answer to the changes of the second.
    for workers in [1, 5] {
        actix::System::new().block_on(reload(&server, workers, rounds));
    }
}
