//! Several workers with one server and one journal.

use std::sync::Mutex;

use actix::{Actor as _, Addr};
use arc_swap::ArcSwap;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::time::Instant;

use super::super::link::LIMITS;
use super::super::tail::POLL_INTERVAL;
use super::*;
use crate::config::active::{ActiveDocuments, canonical_hash};
use crate::config::history::import::put_back;
use crate::config::load::load;
use crate::config::policy::EnvDefaults;
use crate::config::{ConfigActor, ConfigDeps, WireConfig};
use crate::config::{ConfigStatus, DocumentStatus, GetConfigStatus};
use crate::kernel::journal::Journal;
use crate::kernel::journal::memory::MemoryJournal;
use crate::kernel::port::Port;
use crate::messages::{Drain, PolicyChanged};

fn journal() -> Arc<dyn Journal> {
    Arc::new(MemoryJournal::new(World::real(), Arc::default()))
}

struct Worker {
    name: String,
    deps: ConfigDeps,
    store: Arc<RedisStore>,
    actor: Addr<ConfigActor>,
}

impl Worker {
    async fn start(name: &str, server: &Server, journal: &Arc<dyn Journal>, env: EnvDefaults) -> Self {
        let env = Arc::new(env);
        let store = server.store(name);
        let deps = ConfigDeps {
            world: World::real(),
            journal: Arc::clone(journal),
            policy: Arc::new(ArcSwap::from_pointee(ActiveDocuments::default().policy(&env, 1))),
            worker: name.to_owned(),
            store: store.clone(),
            env,
        };
        let actor = ConfigActor::new(deps.clone()).start();
        let worker = Self { name: name.to_owned(), deps, store, actor };
        until("the first reading", async || worker.deps.policy.load().version > 1).await;
        worker
    }

    async fn three(server: &Server, journal: &Arc<dyn Journal>) -> Vec<Self> {
        let start = |name| Self::start(name, server, journal, EnvDefaults::default());
        futures::future::join_all(["a", "b", "c"].map(start)).await
    }

    /// An actor that is told the policy in force.
    async fn listen(&self) -> Heard {
        let heard = Heard::default();
        let listener = Listener(Arc::clone(&heard)).start();
        let port = Port::new("listener", &listener, 4, Duration::from_secs(5));
        self.actor.send(WireConfig(vec![port])).await.unwrap();
        heard
    }

    fn sending(&self) -> bool {
        self.deps.policy.load().sending_enabled
    }

    async fn status(&self) -> (ConfigStatus, DocumentStatus) {
        let status = self.actor.send(GetConfigStatus).await.unwrap();
        let document = status.documents.iter().find(|document| document.key == KEY.as_str()).unwrap().clone();
        (status, document)
    }

    /// Waits until every worker runs what is stored, and says so.
    async fn until_agreed(&self, workers: usize) {
        until(&format!("{workers} workers agree, says {}", self.name), async || {
            let (status, document) = self.status().await;
            (status.workers, document.running, document.remarks.len()) == (workers, workers, 0)
        })
        .await;
    }
}

/// `origin:hash` of the recorded changes of the document, oldest first.
async fn recorded(journal: &Arc<dyn Journal>) -> Vec<(String, String)> {
    let log = journal.read_log(0, 10_000).await.unwrap();
    let field = |event: &crate::kernel::event::Recorded, name: &str| {
        event.payload[name].as_str().unwrap_or_default().to_owned()
    };
    log.iter()
        .filter(|event| event.payload["key"] == KEY.as_str())
        .map(|event| (field(event, "origin"), field(event, "hash")))
        .collect()
}

async fn recorded_origins(journal: &Arc<dyn Journal>) -> Vec<String> {
    recorded(journal).await.into_iter().map(|(origin, _)| origin).collect()
}

#[actix::test]
async fn a_change_acts_on_every_worker_and_is_recorded_once_with_its_origin() {
    let (server, journal) = (Server::start().await, journal());
    server.set(KEY, "{\"webhook_sending_enabled\": true}").await;
    let workers = Worker::three(&server, &journal).await;
    workers[0].until_agreed(3).await;
    set_field(&workers[1].store, "webhook_sending_enabled", json!(false), "cli").await;
    for worker in &workers {
        until("it acts", async || !worker.sending()).await;
        worker.until_agreed(3).await;
    }
    // The reference system says nothing to anybody.
    server.set(KEY, "{\"webhook_sending_enabled\": true, \"_note\": \"é\"}").await;
    for worker in &workers {
        until("it acts", async || worker.sending()).await;
    }
    until("the history", async || recorded(&journal).await.len() >= 3).await;
    workers[2].until_agreed(3).await;
    workers[0].actor.send(Drain).await.unwrap();
    workers[1].until_agreed(2).await;
    for worker in &workers {
        worker.actor.send(Drain).await.unwrap();
    }
    assert_eq!(recorded_origins(&journal).await, ["startup", "cli", "external"]);
}

#[actix::test]
async fn a_writer_that_dies_before_the_history_knows_loses_nothing() {
    let (server, journal) = (Server::start().await, journal());
    let writer = server.store("writer");
    for (number, origin) in ["cli", "api", "restore"].into_iter().enumerate() {
        set_field(&writer, "_note", json!(number), origin).await;
    }
    drop(writer);
    let workers = Worker::three(&server, &journal).await;
    until("the history", async || recorded(&journal).await.len() >= 3).await;
    workers[0].until_agreed(3).await;
    assert_eq!(recorded_origins(&journal).await, ["cli", "api", "restore"]);
    let first = journal.body("config/webhook_config/1").await.unwrap().unwrap();
    assert_eq!(first, "{\"_note\":0}", "with the text of each");
}

#[actix::test]
async fn a_version_that_a_worker_cannot_apply_is_rolled_back_there_and_everybody_knows() {
    let (server, journal) = (Server::start().await, journal());
    server.set(KEY, "{\"webhook_sending_enabled\": false}").await;
    let lenient =
        EnvDefaults { egress_allow: vec!["127.0.0.0/8".parse().unwrap()], ..EnvDefaults::default() };
    let a = Worker::start("a", &server, &journal, lenient).await;
    let b = Worker::start("b", &server, &journal, EnvDefaults::default()).await;
    a.until_agreed(2).await;
    set_field(&a.store, "webhook_url", json!("http://127.0.0.1/hook"), "api").await;
    until("one of two runs it", async || {
        let (status, document) = a.status().await;
        let told = document
            .remarks
            .iter()
            .any(|remark| remark.english.starts_with("b keeps the version before: webhook_url"));
        (status.workers, document.running, told) == (2, 1, true)
    })
    .await;
    assert!(!a.sending() && !b.sending(), "what was in force there stays");
    assert_eq!(b.status().await.1.state, "invalid");

    // Nobody can apply this one.
    let mut bad = held(&a.store, KEY).await.0;
    bad["webhook_time_start"] = json!("25h00");
    server.set(KEY, &bad.to_string()).await;
    until("nobody runs it", async || {
        let (_, document) = b.status().await;
        (document.running, document.remarks.len()) == (0, 2)
    })
    .await;
    set_field(&b.store, "webhook_time_start", json!("9h00"), "cli").await;
    set_field(&b.store, "webhook_url", json!("https://example.com/hook"), "cli").await;
    a.until_agreed(2).await;
}

#[actix::test]
async fn an_emptied_server_changes_nothing_and_gets_its_documents_back() {
    let (mut server, journal) = (Server::start().await, journal());
    let text = "{\"webhook_sending_enabled\": false, \"webhook_time_start\": \"9h00\"}";
    server.set(KEY, text).await;
    let workers = Worker::three(&server, &journal).await;
    workers[0].until_agreed(3).await;
    let versions: Vec<u64> = workers.iter().map(|worker| worker.deps.policy.load().version).collect();
    server.command::<()>(&["FLUSHALL"]).await;
    until("it is back", async || server.get(KEY).await.as_deref() == Some(text)).await;
    server.restart().await;
    until("it is back again", async || server.get(KEY).await.as_deref() == Some(text)).await;
    workers[0].until_agreed(3).await;
    let after: Vec<u64> = workers.iter().map(|worker| worker.deps.policy.load().version).collect();
    assert_eq!(after, versions, "nothing else was ever in force");
    assert_eq!(origins(&workers[0].store).await, ["recovered"], "once");

    server.command::<()>(&["DEL", "r:ss:config:webhook_config"]).await;
    for worker in &workers {
        until("a removal is a removal", async || worker.sending()).await;
    }
    until("the history", async || recorded(&journal).await.len() >= 2).await;
    assert_eq!(recorded(&journal).await.last().unwrap(), &("external".to_owned(), String::new()));
}

#[actix::test]
async fn a_worker_that_starts_with_an_emptied_server_puts_back_what_the_journal_has() {
    let (mut server, journal) = (Server::start().await, journal());
    server.set(KEY, "{\"webhook_sending_enabled\": false}").await;
    let worker = Worker::start("a", &server, &journal, EnvDefaults::default()).await;
    until("the history", async || recorded(&journal).await.len() == 1).await;
    worker.actor.send(Drain).await.unwrap();
    server.restart().await;
    let store = server.store("b");
    put_back(store.as_ref(), journal.as_ref()).await;
    let env = EnvDefaults::default();
    let active = load(store.as_ref(), &env, Some(journal.as_ref()), World::real().now()).await;
    assert!(!active.policy(&env, 1).sending_enabled);
}

/// How long a worker may act on a version after another one was published: the look before may
/// have used up its time for a connection and an answer, and the pause until the next one may be
/// a fifth longer.
fn timer() -> Duration {
    POLL_INTERVAL.mul_f64(1.2) + LIMITS.connect + LIMITS.response
}

/// Numbers that can be had again: the seed is printed, `SEED=n` replays it.
fn seeded() -> StdRng {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    println!("random choices of this run: SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Cuts every connection of one kind, again and again.
async fn cut_at_random(server: &Server, chance: &mut StdRng) {
    loop {
        tokio::time::sleep(Duration::from_millis(chance.random_range(5..80))).await;
        let kind = if chance.random() { "pubsub" } else { "normal" };
        server.command::<i64>(&["CLIENT", "KILL", "TYPE", kind]).await;
    }
}

/// Writes it, also when an answer gets lost: then the document tells whether it is there.
async fn set_target(store: &RedisStore, number: usize) {
    loop {
        let (mut value, expected) = held(store, KEY).await;
        if value["webhook_url"] == target(number) {
            return;
        }
        value["webhook_url"] = json!(target(number));
        match store.write(&change(value, expected, &format!("api{number}"))).await {
            Ok(_) => return,
            // Perhaps because an answer got lost.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => println!("change {number}: {error}"),
        }
    }
}

/// Prints from when changes were published until they acted.
#[actix::test]
async fn a_hundred_changes_through_alternating_workers_over_cut_connections() {
    let (server, journal) = (Server::start().await, journal());
    let workers = Worker::three(&server, &journal).await;
    let mut heard = Vec::new();
    for worker in &workers {
        heard.push(worker.listen().await);
    }
    let (mut chance, mut cuts) = {
        let mut chance = seeded();
        let cuts = StdRng::seed_from_u64(chance.random());
        (chance, cuts)
    };
    // When each was begun, and when it was acknowledged.
    let mut published = Vec::new();
    let changes = async {
        for number in 0..100 {
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..30))).await;
            let begun = Instant::now();
            set_target(&workers[number % 3].store, number).await;
            published.push((begun, Instant::now()));
        }
    };
    tokio::select! {
        () = changes => {}
        () = cut_at_random(&server, &mut cuts) => {}
    }
    let last = canonical_hash(&json!({"webhook_url": target(99)}));
    for worker in &workers {
        until("the last one is in force", async || worker.status().await.1.hash == last).await;
    }
    workers[0].until_agreed(3).await;
    until("the history", async || recorded(&journal).await.len() >= 100).await;
    let wanted: Vec<String> = (0..100).map(|number| format!("api{number}")).collect();
    assert_eq!(recorded_origins(&journal).await, wanted, "each once, in order");

    let mut waits = Vec::new();
    for heard in &heard {
        until("the last one acts", async || {
            heard.lock().unwrap().last().is_some_and(|last| last.1 == target(99))
        })
        .await;
        let heard: Vec<(Instant, usize)> =
            heard.lock().unwrap().iter().filter_map(|(at, url)| Some((*at, number_of(url)?))).collect();
        assert!(heard.is_sorted_by_key(|(_, number)| *number), "nothing old is in force again: {heard:?}");
        // A change acts as soon as it, or one after it, is in force.
        for (number, (begun, acknowledged)) in published.iter().enumerate() {
            let first = heard.iter().find(|(_, acting)| *acting >= number).unwrap();
            let stale = first.0.saturating_duration_since(*acknowledged);
            assert!(stale <= timer(), "change {number} acted {stale:?} after it was acknowledged");
            waits.push(first.0.saturating_duration_since(*begun));
        }
    }
    waits.sort();
    let quantile = |part: usize| waits[waits.len() * part / 100];
    println!(
        "100 changes, 3 workers, cut connections: publish to effect p50 {:?}, p95 {:?}, worst {:?}",
        quantile(50),
        quantile(95),
        waits.last().unwrap()
    );
}

fn target(number: usize) -> String {
    format!("https://example.com/hook/{number}")
}

fn number_of(url: &str) -> Option<usize> {
    url.strip_prefix("https://example.com/hook/")?.parse().ok()
}

/// When an actor was told, and the default target of what it was told.
type Heard = Arc<Mutex<Vec<(Instant, String)>>>;

/// Hears of policies.
struct Listener(Heard);

impl actix::Actor for Listener {
    type Context = actix::Context<Self>;
}

impl actix::Handler<PolicyChanged> for Listener {
    type Result = ();

    fn handle(&mut self, PolicyChanged(policy): PolicyChanged, _ctx: &mut Self::Context) {
        self.0.lock().unwrap().push((Instant::now(), policy.default_target.url.clone()));
    }
}
