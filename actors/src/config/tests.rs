use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use arc_swap::ArcSwap;
use chrono::DateTime;
use proptest::prelude::*;

use super::active::{ActiveDocuments, InForce};
use super::documents::Key;
use super::status::GetConfigStatus;
use super::store::file::FileStore;
use super::store::{Revision, StoreReading};
use super::*;
use crate::kernel::journal::JournalAdmin as _;
use crate::kernel::journal::VerifyReport;
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::messages::Drain;

/// Refuses appends while it is told to.
#[derive(Default)]
struct Refusal(AtomicBool);

impl Faults for Refusal {
    fn next(&self, point: FaultPoint) -> Fault {
        match point {
            FaultPoint::Append if self.0.load(Ordering::SeqCst) => Fault::Rejected,
            FaultPoint::Append | FaultPoint::Claim | FaultPoint::Read => Fault::Ok,
        }
    }
}

/// Hears of policies.
struct Listener(Arc<Mutex<Vec<u64>>>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<PolicyChanged> for Listener {
    type Result = ();

    fn handle(&mut self, PolicyChanged(policy): PolicyChanged, _ctx: &mut Self::Context) {
        self.0.lock().unwrap().push(policy.version);
    }
}

struct Bench {
    dir: tempfile::TempDir,
    deps: ConfigDeps,
    journal: Arc<MemoryJournal>,
    refusal: Arc<Refusal>,
    heard: Arc<Mutex<Vec<u64>>>,
}

impl Bench {
    fn new() -> Self {
        tokio::time::pause();
        let dir = tempfile::tempdir().unwrap();
        let world = World::seeded(DateTime::from_timestamp(1_800_000_000, 0).unwrap(), 7);
        let refusal = Arc::new(Refusal::default());
        let projections = Arc::new(Vec::new());
        let journal = Arc::new(MemoryJournal::with_faults(world.clone(), projections, refusal.clone()));
        let env = Arc::new(EnvDefaults::default());
        let policy = Arc::new(ArcSwap::from_pointee(ActiveDocuments::default().policy(&env, 1)));
        let store = Arc::new(FileStore::new(dir.path(), None));
        let worker = "here".to_owned();
        let deps = ConfigDeps { world, journal: journal.clone(), policy, worker, store, env };
        Self { dir, deps, journal, refusal, heard: Arc::default() }
    }

    fn write(&self, key: Key, text: &str) {
        std::fs::write(self.path(key), text).unwrap();
    }

    fn path(&self, key: Key) -> impl AsRef<Path> {
        self.dir.path().join(format!("{key}.json"))
    }

    async fn start(&self) -> Addr<ConfigActor> {
        let actor = ConfigActor::new(self.deps.clone()).start();
        let listener = Listener(Arc::clone(&self.heard)).start();
        let port = Port::new("listener", &listener, 4, Duration::from_secs(5));
        actor.send(WireConfig(vec![port])).await.unwrap();
        until(|| self.version() > 1).await;
        actor
    }

    fn version(&self) -> u64 {
        self.deps.policy.load().version
    }

    fn sending(&self) -> bool {
        self.deps.policy.load().sending_enabled
    }

    async fn state(&self, actor: &Addr<ConfigActor>, key: Key) -> (String, Vec<String>) {
        let status = actor.send(GetConfigStatus).await.unwrap();
        let document = status.documents.into_iter().find(|document| document.key == key.as_str()).unwrap();
        (document.state, document.problems.iter().map(ToString::to_string).collect())
    }

    /// `origin:fields` of every recorded change, in order.
    async fn recorded(&self) -> Vec<String> {
        let log = self.deps.journal.read_log(0, 100).await.unwrap();
        log.iter()
            .map(|event| {
                let fields: Vec<_> =
                    event.payload["fields"].as_array().unwrap().iter().filter_map(|f| f.as_str()).collect();
                format!("{}:{}", event.payload["origin"].as_str().unwrap(), fields.join(","))
            })
            .collect()
    }
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not happen");
}

const KEY: Key = Key::WebhookConfig;

#[actix::test]
async fn a_change_of_a_file_is_in_force_everywhere_and_in_the_journal() {
    let bench = Bench::new();
    bench.write(KEY, r#"{"webhook_sending_enabled": false, "webhook_url": "https://secret.example/token"}"#);
    let actor = bench.start().await;
    assert!(!bench.sending());
    bench.write(KEY, r#"{"webhook_url": "https://secret.example/token", "note": 1}"#);
    let noticed = tokio::time::Instant::now();
    until(|| bench.sending()).await;
    assert!(noticed.elapsed() < Duration::from_secs(1), "in virtual time");
    until(|| bench.heard.lock().unwrap().last() == Some(&bench.version())).await;
    actor.send(Drain).await.unwrap();

    assert_eq!(
        bench.recorded().await,
        ["startup:webhook_sending_enabled,webhook_url", "external:note,webhook_sending_enabled"]
    );
    let log = bench.deps.journal.read_log(0, 100).await.unwrap();
    assert!(!format!("{log:?}").contains("secret"), "addresses stay out of events");
    let copy = bench.deps.journal.body("config/webhook_config/1").await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&copy).contains("secret.example"));
    assert_eq!(bench.journal.verify().await.unwrap().problems, VerifyReport::default().problems);
}

#[actix::test]
async fn the_same_content_is_not_recorded_twice() {
    let bench = Bench::new();
    bench.write(KEY, r#"{"a": 1, "b": 2}"#);
    let actor = bench.start().await;
    bench.write(KEY, r#"{ "b":2, "a":1 }"#);
    tokio::time::sleep(Duration::from_secs(2)).await;
    actor.send(Drain).await.unwrap();
    let again = bench.start().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    again.send(Drain).await.unwrap();
    assert_eq!(bench.recorded().await, ["startup:a,b"]);
}

#[actix::test]
async fn a_refused_document_changes_nothing_and_says_why() {
    let bench = Bench::new();
    bench.write(KEY, r#"{"webhook_sending_enabled": false}"#);
    let actor = bench.start().await;
    for (bad, why) in [
        (r#"{"webhook_sending_enabled": true, "webhook_time_start": "25h00"}"#, "webhook_time_start"),
        (r#"{"webhook_sending_enabled": tr"#, "it is no JSON"),
    ] {
        let before = bench.version();
        bench.write(KEY, bad);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(bench.version(), before);
        let (state, problems) = bench.state(&actor, KEY).await;
        assert_eq!(state, "invalid");
        assert!(problems[0].contains(why), "{problems:?}");
    }

    // A new process finds the broken file and takes the last good copy from the journal.
    actor.send(Drain).await.unwrap();
    let policy = load::load(
        bench.deps.store.as_ref(),
        &bench.deps.env,
        Some(bench.deps.journal.as_ref()),
        bench.deps.world.now(),
    )
    .await
    .policy(&bench.deps.env, 1);
    assert!(!policy.sending_enabled);
    let successor = bench.start().await;
    assert!(!bench.sending());
    assert_eq!(bench.state(&successor, KEY).await.0, "invalid");

    // That it vanishes changes nothing, now and at the next start; that somebody removes it does.
    std::fs::remove_file(bench.path(KEY)).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!bench.sending());
    assert_eq!(bench.state(&successor, KEY).await.0, "missing");
    successor.send(Drain).await.unwrap();
    let successor = bench.start().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!bench.sending());
    assert_eq!(bench.state(&successor, KEY).await.0, "missing");
    let (store, journal) = (Arc::clone(&bench.deps.store), Some(Arc::clone(&bench.deps.journal)));
    let (env, world) = (Arc::clone(&bench.deps.env), bench.deps.world.clone());
    let editor = edit::Editor { store, env, journal, world };
    assert_eq!(editor.remove(KEY, "cli").await, Ok(true));
    assert_eq!(editor.remove(KEY, "cli").await, Ok(false));
    until(|| bench.sending()).await;
    assert_eq!(bench.state(&successor, KEY).await.0, "absent");
    successor.send(Drain).await.unwrap();
    assert_eq!(bench.recorded().await, ["startup:webhook_sending_enabled", "cli:webhook_sending_enabled"]);
}

#[actix::test]
async fn one_bad_rule_is_shown_and_the_others_act() {
    let bench = Bench::new();
    let rule = r#"{"conditions": [{"field": "body", "operator": "contains", "value": "x"}], "actions": {"webhook_url": "https://h"}}"#;
    bench.write(Key::RoutingRules, &format!(r#"{{"rules": [{rule}, {{"name": "b"}}]}}"#));
    let actor = bench.start().await;
    assert_eq!(bench.deps.policy.load().rules.len(), 1);
    let (state, problems) = bench.state(&actor, Key::RoutingRules).await;
    assert_eq!(state, "ok");
    assert_eq!(problems, ["rules[1].conditions: A rule must have at least one condition."]);
}

#[actix::test]
async fn a_failing_journal_does_not_stop_the_reload_and_is_told_later() {
    let bench = Bench::new();
    let actor = bench.start().await;
    bench.refusal.0.store(true, Ordering::SeqCst);
    bench.write(KEY, r#"{"webhook_sending_enabled": false}"#);
    until(|| !bench.sending()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(bench.recorded().await.is_empty());
    bench.refusal.0.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.recorded().await, ["external:webhook_sending_enabled"]);
    actor.send(Drain).await.unwrap();
}

#[actix::test]
async fn a_restarted_actor_still_knows_whom_to_tell() {
    let bench = Bench::new();
    bench.write(KEY, r#"{"webhook_sending_enabled": false}"#);
    let (notices, mut noticed) = tokio::sync::mpsc::unbounded_channel();
    let restarts = crate::kernel::guardian::Restarts::default();
    let (actor, _guardian) = crate::kernel::guardian::Guardian::start(
        "config",
        restarts,
        bench.deps.world.clone(),
        notices,
        |_| ConfigActor::new(bench.deps.clone()),
    );
    let listener = Listener(Arc::clone(&bench.heard)).start();
    actor.send(WireConfig(vec![Port::new("listener", &listener, 4, Duration::from_secs(5))])).await.unwrap();
    until(|| bench.version() > 1).await;
    assert!(actor.send(Fall).await.is_err());
    assert!(noticed.recv().await.is_some());
    bench.write(KEY, r#"{"webhook_sending_enabled": true}"#);
    until(|| bench.sending()).await;
    until(|| bench.heard.lock().unwrap().last() == Some(&bench.version())).await;
}

#[actix::test]
async fn a_document_that_appears_broken_stops_what_it_governs_until_it_is_mended() {
    let bench = Bench::new();
    let actor = bench.start().await;
    let withheld = || bench.deps.policy.load().withheld.clone();
    bench.write(Key::RoutingRules, "{\"rules\": ");
    until(|| !withheld().sending.is_empty()).await;
    until(|| bench.heard.lock().unwrap().last() == Some(&bench.version())).await;
    assert_eq!(bench.state(&actor, Key::RoutingRules).await.0, "invalid");
    bench.write(Key::RoutingRules, "{\"rules\": []}");
    until(|| withheld() == Default::default()).await;
    until(|| bench.heard.lock().unwrap().last() == Some(&bench.version())).await;
    actor.send(Drain).await.unwrap();
    assert_eq!(bench.recorded().await, ["external:rules"], "what was refused was never in force");
}

#[actix::test]
async fn at_a_start_the_newest_good_version_of_the_history_is_in_force() {
    let bench = Bench::new();
    bench.write(KEY, r#"{"webhook_sending_enabled": false}"#);
    let actor = bench.start().await;
    actor.send(Drain).await.unwrap();
    // A version that was good when it was recorded, and is not by today's checks.
    let bad = serde_json::json!({"webhook_time_start": "25h00"});
    let in_force = InForce { hash: active::canonical_hash(&bad), text: bad.to_string() };
    let command = state::DocumentCommand::seen(Some(&in_force), "external", "file");
    let place = (bench.deps.journal.as_ref(), &bench.deps.world);
    assert!(history::record(place, KEY, &command, None).await.unwrap().1);
    bench.write(KEY, &bad.to_string());
    let successor = bench.start().await;
    assert!(!bench.sending());
    assert_eq!(bench.deps.policy.load().withheld, Default::default());
    successor.send(Drain).await.unwrap();
}

/// Makes the actor panic.
#[derive(Message)]
#[rtype(result = "()")]
struct Fall;

impl Handler<Fall> for ConfigActor {
    type Result = ();

    fn handle(&mut self, _: Fall, _ctx: &mut Self::Context) {
        panic!("injected");
    }
}

proptest! {
    /// Whatever bytes lie under a key, the document in force is the last good one.
    #[test]
    fn no_text_panics_and_a_refused_one_changes_nothing(
        key in prop::sample::select(Key::ALL.to_vec()),
        texts in prop::collection::vec(
            prop_oneof![
                Just(r#"{"webhook_sending_enabled": false, "retry_count": 3, "rules": []}"#.to_owned()),
                Just(r#"{"retry_count": 99, "active_days": 5, "ordering": 1, "rules": 1}"#.to_owned()),
                "\\PC{0,20}",
                "[{}\\[\\]\",:a0-9]{0,12}",
            ],
            1..6,
        ),
    ) {
        let env = EnvDefaults::default();
        let mut active = ActiveDocuments::default();
        for (index, text) in texts.into_iter().enumerate() {
            let now = DateTime::from_timestamp(1_800_000_000 + i64::try_from(index).unwrap(), 0).unwrap();
            let before = active.in_force(key).cloned();
            let read = Ok(StoreReading::Found { revision: Revision(text.clone()), text: text.clone() });
            active.take_final(key, read, &env, now);
            if active.is_refused(key) {
                prop_assert!(!active.problems(key).is_empty());
                prop_assert_eq!(active.in_force(key), before.as_ref());
                let withheld = if before.is_some() { None } else { key.governs() };
                prop_assert_eq!(active.withholds(key), withheld);
            } else {
                prop_assert_eq!(&active.in_force(key).unwrap().text, &text);
            }
        }
    }
}
