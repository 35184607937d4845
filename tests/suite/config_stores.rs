//! Where the configuration is kept: the same behaviour whichever store has the last word,
//! with real servers that are killed and come back.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use render_signal_actors::config::active::{InForce, canonical_hash};
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::{Edit, EditError, Editor};
use render_signal_actors::config::history;
use render_signal_actors::config::history::import::put_back;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::state::DocumentCommand;
use render_signal_actors::config::store::fallback::{FallbackDeps, FallbackStore};
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::store::php::{PhpSettings, PhpStore};
use render_signal_actors::config::store::redis::{RedisSettings, RedisStore};
use render_signal_actors::config::store::{
    ConflictWinner, DocumentChange, DocumentStore, Fallbacks as _, Precondition, Revision, StoreError,
    StoreHealth, StoreReading, WriteReceipt, holder,
};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::journal::memory::MemoryJournal;
use serde_json::{Value, json};

use crate::support::php::{Php, TOKEN};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, Redis, Site, TestMail, mails, until};

const KEY: Key = Key::WebhookConfig;
const PREFIX: &str = "r:ss:config:";

/// Which store has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    RedisFirst,
    PhpFirst,
    FilesOnly,
}

/// The servers, and the folders of one worker.
struct Bench {
    mode: Mode,
    redis: Redis,
    php: Php,
    folder: tempfile::TempDir,
    journal: Arc<dyn Journal>,
}

impl Bench {
    async fn new(mode: Mode) -> Self {
        Self {
            mode,
            redis: Redis::start().await,
            php: Php::start().await,
            folder: tempfile::tempdir().unwrap(),
            journal: Arc::new(MemoryJournal::new(World::real(), Arc::default())),
        }
    }

    /// A worker that starts.
    fn worker(&self) -> Worker {
        let world = World::real();
        let settings = RedisSettings {
            address: format!("redis://127.0.0.1:{}/0", self.redis.port()).into(),
            prefix: PREFIX.to_owned(),
            writer: "test".to_owned(),
        };
        let redis: Arc<dyn DocumentStore> = Arc::new(RedisStore::new(settings, world.clone()).unwrap());
        let egress = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let http = GuardedClient::new(&egress, ClientOptions::default()).unwrap();
        let base = format!("http://127.0.0.1:{}/", self.php.port());
        let php: Arc<dyn DocumentStore> =
            Arc::new(PhpStore::new(PhpSettings::new(&base, TOKEN.into()).unwrap(), http));
        let files: Arc<dyn DocumentStore> = Arc::new(FileStore::new(self.folder.path(), None));
        let (authority, others) = match self.mode {
            Mode::RedisFirst => (redis, vec![php, files]),
            Mode::PhpFirst => (php, vec![redis, files]),
            Mode::FilesOnly => (files, Vec::new()),
        };
        let env = Arc::new(EnvDefaults::default());
        let journal = Arc::clone(&self.journal);
        let deps = FallbackDeps { world, env, journal: Some(Arc::clone(&journal)) };
        Worker { stores: FallbackStore::new(authority, others, deps), journal }
    }

    const fn authority(&self) -> &'static str {
        match self.mode {
            Mode::RedisFirst => "redis",
            Mode::PhpFirst => "php",
            Mode::FilesOnly => "file",
        }
    }

    const fn next(&self) -> &'static str {
        match self.mode {
            Mode::RedisFirst => "php",
            Mode::PhpFirst => "redis",
            Mode::FilesOnly => "",
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(format!("{KEY}.json"))
    }

    /// Another program writes into a store.
    async fn write_into(&self, store: &str, document: &Value) {
        match store {
            "redis" => {
                let answer = self.redis.command(&format!("SET {PREFIX}{KEY} '{document}'")).await.unwrap();
                assert!(answer.starts_with("+OK"), "{answer}");
            }
            "php" => {
                let body = json!({"key": KEY, "config": document, "allow_unknown": true}).to_string();
                assert_eq!(self.php.ask("POST", "", Some(TOKEN), &body).await.unwrap().status, 200);
            }
            _ => fs::write(self.file(), document.to_string()).unwrap(),
        }
    }

    /// What a store holds, as another program sees it.
    async fn held_by(&self, store: &str) -> Option<Value> {
        let text = match store {
            "redis" => {
                let answer = self.redis.command(&format!("GET {PREFIX}{KEY}")).await.unwrap();
                answer.split_once("\r\n").map(|(_, text)| text.trim_end().to_owned())
            }
            "php" => {
                let answer = self.php.read(KEY.as_str()).await;
                let body: Value = serde_json::from_str(&answer.body).unwrap();
                (answer.status == 200).then(|| body["config"].to_string())
            }
            _ => fs::read_to_string(self.file()).ok(),
        };
        text.filter(|text| !text.is_empty()).map(|text| said(&text))
    }

    /// The authority dies, as by `kill -9`.
    fn kill(&mut self) {
        match self.mode {
            Mode::RedisFirst => self.redis.kill(),
            Mode::PhpFirst => self.php.kill(),
            Mode::FilesOnly => unreachable!("files do not die"),
        }
    }

    /// The authority comes back, with what it had on its disk.
    async fn restart(&mut self) {
        match self.mode {
            Mode::RedisFirst => self.redis.restart().await,
            Mode::PhpFirst => self.php.launch().await,
            Mode::FilesOnly => unreachable!("files do not die"),
        }
    }
}

/// A document without the time of its writing, which the PHP host sets.
fn said(text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    document.as_object_mut().unwrap().remove("_updated_at");
    document
}

/// The stores of one worker, and the journal of all.
struct Worker {
    stores: FallbackStore,
    journal: Arc<dyn Journal>,
}

impl Deref for Worker {
    type Target = FallbackStore;

    fn deref(&self) -> &FallbackStore {
        &self.stores
    }
}

impl Worker {
    /// What it does again and again: it reads, offers what waits, reads again, and enters what is in
    /// force in the history.
    async fn turn(&self) -> Result<StoreReading, StoreError> {
        let read = self.stores.read(KEY).await?;
        let settled = health(self).pending == [KEY] && self.offer(KEY).await.is_ok();
        let read = if settled { self.stores.read(KEY).await? } else { read };
        if let StoreReading::Found { text, .. } = &read {
            let hash = canonical_hash(&serde_json::from_str(text).unwrap());
            let seen = InForce { text: text.clone(), hash };
            let stored_in = holder(&self.stores, KEY, text);
            let command = DocumentCommand::seen(Some(&seen), "external", stored_in);
            let place = (self.journal.as_ref(), &World::real());
            history::record(place, KEY, &command, None).await.unwrap();
        }
        Ok(read)
    }
}

async fn read(stores: &Worker) -> Option<Value> {
    match stores.turn().await.unwrap() {
        StoreReading::Absent => None,
        StoreReading::Found { text, .. } => Some(said(&text)),
    }
}

async fn expected(stores: &Worker) -> Precondition {
    match stores.read(KEY).await.unwrap() {
        StoreReading::Absent => Precondition::Absent,
        StoreReading::Found { revision, .. } => Precondition::Revision(revision),
    }
}

async fn write(stores: &Worker, value: &Value, expected: Precondition) -> Result<WriteReceipt, StoreError> {
    stores.write(&DocumentChange { key: KEY, value: value.clone(), expected, origin: "api".to_owned() }).await
}

async fn until_read(stores: &Worker, document: &Value) {
    until(&format!("{document}"), PATIENCE, async || match stores.turn().await {
        Ok(StoreReading::Found { text, .. }) if said(&text) == *document => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

fn health(stores: &Worker) -> StoreHealth {
    stores.health().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_first() {
    behaves(Bench::new(Mode::RedisFirst).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn php_first() {
    behaves(Bench::new(Mode::PhpFirst).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_only() {
    behaves(Bench::new(Mode::FilesOnly).await).await;
}

/// The behaviour that all modes share.
async fn behaves(bench: Bench) {
    absent_then_written(&bench).await;
    invalid_is_refused(&bench).await;
    changed_by_others(&bench).await;
    if bench.mode == Mode::FilesOnly {
        without_its_folder(&bench).await;
        return;
    }
    let bench = down_and_back(bench).await;
    let bench = conflict_on_return(bench, ConflictWinner::Authority).await;
    let bench = conflict_on_return(bench, ConflictWinner::Pending).await;
    emptied(&bench).await;
}

async fn absent_then_written(bench: &Bench) {
    let stores = bench.worker();
    assert_eq!(read(&stores).await, None);
    let stale = Precondition::Revision(Revision("of something else".to_owned()));
    assert_eq!(write(&stores, &json!({"a": 0}), stale).await, Err(StoreError::Conflict(KEY)));
    assert_eq!(read(&stores).await, None, "a refused change changes nothing");

    let document = json!({"a": 1, "nested": {"é": [1.0, {}]}, "webhook_sending_enabled": false});
    let written = write(&stores, &document, Precondition::Absent).await.unwrap();
    assert_eq!((written.stored_in, written.degraded), (bench.authority(), None));
    assert_eq!(read(&stores).await, Some(document.clone()));
    assert_eq!(expected(&stores).await, Precondition::Revision(written.revision.clone()));
    for store in ["redis", "php", "file"] {
        let held = (store == bench.authority()).then(|| document.clone());
        assert_eq!(bench.held_by(store).await, held, "{store}");
    }

    let second =
        write(&stores, &json!({"a": 2}), Precondition::Revision(written.revision.clone())).await.unwrap();
    for stale in [Precondition::Absent, Precondition::Revision(written.revision)] {
        assert_eq!(write(&stores, &json!({"a": 3}), stale).await, Err(StoreError::Conflict(KEY)));
    }
    assert_eq!(bench.held_by(bench.authority()).await, Some(json!({"a": 2})));
    // Another worker's writes and this one's are told apart by the same revisions.
    let other = bench.worker();
    write(&other, &json!({"a": 4}), Precondition::Revision(second.revision.clone())).await.unwrap();
    assert_eq!(
        write(&stores, &json!({"a": 5}), Precondition::Revision(second.revision)).await,
        Err(StoreError::Conflict(KEY))
    );
}

async fn invalid_is_refused(bench: &Bench) {
    let mut before = Vec::new();
    for store in ["redis", "php", "file"] {
        before.push(bench.held_by(store).await);
    }
    let recorded = bench.journal.read_log(0, 1_000).await.unwrap().len();
    let editor = Editor {
        store: Arc::new(bench.worker().stores),
        env: Arc::default(),
        journal: Some(Arc::clone(&bench.journal)),
        world: World::real(),
    };
    let wrong = [("webhook_time_start", json!("25h00")), ("retry_count", json!("many"))];
    let fields = wrong.map(|(name, value)| (name.to_owned(), Some(value)));
    let refused = editor.apply(&Edit::merge(KEY, fields, "api")).await;
    assert!(matches!(&refused, Err(EditError::Invalid(problems)) if !problems.is_empty()), "{refused:?}");
    for (store, before) in ["redis", "php", "file"].into_iter().zip(before) {
        assert_eq!(bench.held_by(store).await, before, "{store}");
    }
    assert_eq!(bench.journal.read_log(0, 1_000).await.unwrap().len(), recorded);
    assert!(health(&bench.worker()).pending.is_empty());
}

async fn changed_by_others(bench: &Bench) {
    let stores = bench.worker();
    assert_eq!(read(&stores).await, Some(json!({"a": 4})));
    let theirs = json!({"a": 6, "theirs": true});
    bench.write_into(bench.authority(), &theirs).await;
    until_read(&stores, &theirs).await;
    // What lies behind the authority is not in force.
    if bench.mode != Mode::FilesOnly {
        bench.write_into(bench.next(), &json!({"old": 1})).await;
        fs::write(bench.file(), "{\"older\": 1}").unwrap();
        assert_eq!(read(&bench.worker()).await, Some(theirs));
    }
}

/// The authority is down: the next store takes changes. It returns: nothing is lost.
async fn down_and_back(mut bench: Bench) -> Bench {
    let stores = bench.worker();
    let before = json!({"a": 10, "b": 10});
    write(&stores, &before, expected(&stores).await).await.unwrap();
    assert_eq!(read(&stores).await, Some(before.clone()));
    bench.kill();
    assert_eq!(read(&stores).await, Some(before.clone()), "in force");
    assert_eq!(read(&bench.worker()).await, Some(before.clone()), "and for a worker that starts now");

    let ours = json!({"a": 11, "b": 10});
    let written = write(&stores, &ours, expected(&stores).await).await.unwrap();
    assert_eq!(written.stored_in, bench.next());
    assert!(written.degraded.unwrap().contains("could not be"));
    assert_eq!(bench.held_by(bench.next()).await, Some(ours.clone()));
    assert_eq!(read(&stores).await, Some(ours.clone()));
    let found = health(&stores);
    assert_eq!((found.store, found.authority, &found.pending), (bench.authority(), true, &vec![KEY]));
    assert!(found.trouble.is_some() && found.conflicts.is_empty());
    // Killed and started again, with the authority still down.
    drop(stores);
    let stores = bench.worker();
    assert_eq!(read(&stores).await, Some(ours.clone()));
    let ours = json!({"a": 12, "b": 10});
    write(&stores, &ours, expected(&stores).await).await.unwrap();

    bench.restart().await;
    until("the change to arrive", PATIENCE, async || {
        assert_eq!(read(&stores).await, Some(ours.clone()), "at no time is something old in force");
        let held = bench.held_by(bench.authority()).await;
        ensure(held.as_ref() == Some(&ours), || format!("{held:?}"))
    })
    .await;
    until("nothing to be pending", PATIENCE, async || {
        read(&stores).await;
        ensure(health(&stores).pending.is_empty(), || format!("{:?}", health(&stores)))
    })
    .await;
    assert!(health(&stores).trouble.is_none());

    // Changes of different fields, on both sides, are both kept.
    bench.kill();
    let ours = json!({"a": 13, "b": 10});
    write(&stores, &ours, expected(&stores).await).await.unwrap();
    let bench = restarted_with(bench, &json!({"a": 12, "b": 10, "c": 13})).await;
    until_read(&stores, &json!({"a": 13, "b": 10, "c": 13})).await;
    assert_eq!(bench.held_by(bench.authority()).await, Some(json!({"a": 13, "b": 10, "c": 13})));
    bench
}

/// The authority comes back, and somebody changes the document there before any worker looks.
async fn restarted_with(mut bench: Bench, theirs: &Value) -> Bench {
    bench.restart().await;
    bench.write_into(bench.authority(), theirs).await;
    bench
}

async fn conflict_on_return(mut bench: Bench, keep: ConflictWinner) -> Bench {
    let stores = bench.worker();
    write(&stores, &json!({"a": 20, "b": 20}), expected(&stores).await).await.unwrap();
    bench.kill();
    let ours = json!({"a": 21, "b": 20});
    write(&stores, &ours, expected(&stores).await).await.unwrap();
    let theirs = json!({"a": 22, "b": 20});
    let bench = restarted_with(bench, &theirs).await;
    until_read(&stores, &theirs).await;
    assert_eq!((health(&stores).conflicts, health(&stores).pending), (vec![KEY], Vec::new()));
    let events = bench.journal.read_log(0, 1_000).await.unwrap();
    let lost = events.iter().rev().find(|event| event.kind == "config.conflicted").unwrap();
    assert_eq!((&lost.payload["origin"], &lost.payload["fields"]), (&json!("api"), &json!(["a"])));
    let copy = bench.journal.body(lost.payload["body_key"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!(said(&String::from_utf8_lossy(&copy)), ours);

    // A worker that starts knows that there is something to decide.
    let stores = bench.worker();
    assert_eq!(read(&stores).await, Some(theirs.clone()));
    assert_eq!(health(&stores).conflicts, [KEY]);
    assert_eq!(stores.resolve(KEY, keep, "api").await, Ok(true));
    let kept = if keep == ConflictWinner::Pending { ours } else { theirs };
    until_read(&stores, &kept).await;
    assert_eq!(bench.held_by(bench.authority()).await, Some(kept));
    assert!(health(&stores).conflicts.is_empty());
    bench
}

/// A server that comes back empty resets nothing, if it can tell that from a removal.
async fn emptied(bench: &Bench) {
    if bench.mode != Mode::RedisFirst {
        return;
    }
    let stores = bench.worker();
    let document = read(&stores).await.unwrap();
    bench.redis.flush().await;
    until("the loss to be noticed", PATIENCE, async || match stores.read(KEY).await {
        Err(StoreError::Lost(KEY)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    // A worker that starts then gives it the copy of the one before.
    let successor = bench.worker();
    put_back(&successor.stores, bench.journal.as_ref()).await;
    assert_eq!(read(&successor).await, Some(document.clone()));
    until_read(&stores, &document).await;
    assert_eq!(bench.held_by("redis").await, Some(document));
}

/// What waits is in the journal: it needs no worker's folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_waits_outlives_its_worker() {
    let mut bench = Bench::new(Mode::PhpFirst).await;
    let stores = bench.worker();
    write(&stores, &json!({"a": 1}), Precondition::Absent).await.unwrap();
    bench.kill();
    let ours = json!({"a": 2});
    assert_eq!(write(&stores, &ours, expected(&stores).await).await.unwrap().stored_in, "redis");
    // A worker that has heard of nothing but the journal.
    let fresh = bench.worker();
    assert_eq!((read(&fresh).await, health(&fresh).pending), (Some(ours.clone()), vec![KEY]));
    bench.restart().await;
    until_read(&fresh, &ours).await;
    until("it to arrive", PATIENCE, async || {
        read(&fresh).await;
        ensure(health(&fresh).pending.is_empty(), || format!("{:?}", health(&fresh)))
    })
    .await;
    assert_eq!(bench.held_by("php").await, Some(ours));
    // The worker that made it comes back after a later change: that stays.
    drop(fresh);
    bench.write_into("php", &json!({"a": 1})).await;
    until_read(&stores, &json!({"a": 1})).await;
    assert!(health(&stores).pending.is_empty() && health(&stores).conflicts.is_empty());
    drop(stores);
    let late = bench.worker();
    assert_eq!(read(&late).await, Some(json!({"a": 1})));
    assert!(health(&late).pending.is_empty() && health(&late).conflicts.is_empty());

    // A conflict is known to all of them, too, and decided on any.
    bench.kill();
    write(&late, &json!({"a": 3}), expected(&late).await).await.unwrap();
    drop(late);
    let bench = restarted_with(bench, &json!({"a": 4})).await;
    let fresh = bench.worker();
    until_read(&fresh, &json!({"a": 4})).await;
    drop(fresh);
    let other = bench.worker();
    assert_eq!(read(&other).await, Some(json!({"a": 4})));
    assert_eq!(health(&other).conflicts, [KEY]);
    assert_eq!(other.resolve(KEY, ConflictWinner::Pending, "api").await, Ok(true));
    until_read(&other, &json!({"a": 3})).await;
    assert_eq!(bench.held_by("php").await, Some(json!({"a": 3})));
    assert!(health(&other).conflicts.is_empty());
}

/// Files have nothing behind them: a change that cannot be written is refused.
async fn without_its_folder(bench: &Bench) {
    let stores = bench.worker();
    let document = read(&stores).await.unwrap();
    let believed = expected(&stores).await;
    let text = fs::read_to_string(bench.file()).unwrap();
    fs::remove_file(bench.file()).unwrap();
    fs::create_dir(bench.file()).unwrap();
    let refused = write(&stores, &json!({"a": 30}), believed.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("webhook_config.json"), "{refused}");
    assert_eq!(read(&stores).await, Some(document), "what was in force stays");
    assert!(health(&stores).trouble.is_some());
    fs::remove_dir(bench.file()).unwrap();
    fs::write(bench.file(), text).unwrap();
    write(&stores, &json!({"a": 31}), believed).await.unwrap();
    assert_eq!(read(&stores).await, Some(json!({"a": 31})));
    assert!(health(&stores).trouble.is_none());
}

/// A service and commands that share a Redis.
struct Shop {
    site: Site,
    redis: Redis,
    worker: Program,
}

impl Shop {
    async fn open() -> Self {
        let (site, redis) = (Site::start().await, Redis::start().await);
        let mut worker = site.worker("worker");
        worker.set("REDIS_URL", &redis.url());
        // The server goes away: what is about the documents must not be about the journal.
        worker.set("JOURNAL_URL", "sqlite:data/render-signal.db");
        // So it must not be about the lease: whoever has it keeps it during every outage here.
        worker.set("POLLER_LOCK_TTL_SECONDS", "300");
        let shop = Self { site, redis, worker };
        shop.put_target("/first").await;
        shop
    }

    /// Another program writes the address into Redis.
    async fn put_target(&self, path: &str) {
        let document = json!({"webhook_url": self.site.receiver.url(path)});
        let answer = self.redis.command(&format!("SET {PREFIX}{KEY} '{document}'")).await.unwrap();
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    async fn set_target(&self, path: &str) -> String {
        let field = format!("webhook_url={}", self.site.receiver.url(path));
        let done = self.worker.run(&["config", "set", KEY.as_str(), &field]).await;
        assert!(done.status.success(), "{}", done.text);
        done.text
    }

    /// What an operator does who knows that the holder is dead.
    async fn free_the_lease(&self) {
        self.redis.command("DEL render_signal:poller_lock").await.expect("an answer");
    }

    /// A new mail is sent there.
    async fn sends_to(&self, path: &str) {
        let mails: Vec<TestMail> = mails::mixed(1);
        self.site.dovecot.deliver(&mails);
        let went = until(&format!("a webhook at {path}"), PATIENCE, async || {
            let deliveries = self.site.receiver.deliveries();
            let found = deliveries.iter().find(|delivery| delivery.mark() == mails[0].mark);
            found.map(|delivery| delivery.path.clone()).ok_or("it has not come")
        })
        .await;
        assert_eq!(went, path);
    }

    /// What `/readyz` says of the configuration.
    async fn until_said(&mut self, wanted: impl Fn(&str) -> bool) {
        self.worker.until_answer("/readyz", |answer| wanted(&answer.body)).await;
    }

    async fn until_redis_has(&self, path: &str) {
        let url = self.site.receiver.url(path);
        until(&format!("Redis to hold {url}"), PATIENCE, async || {
            let answer = self.redis.command(&format!("GET {PREFIX}{KEY}")).await.unwrap_or_default();
            ensure(answer.contains(&url), || answer)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_during_an_outage_acts_at_once_and_is_not_lost() {
    const PENDING: &str = "must still be given webhook_config";
    let mut shop = Shop::open().await;
    shop.worker.start().await;
    shop.sends_to("/first").await;

    // A server that hangs is worse than one that is gone.
    shop.redis.freeze();
    let said = shop.set_target("/second").await;
    assert!(said.contains("stored in file") && said.contains("until the authority is back"), "{said}");
    shop.until_said(|body| body.contains(PENDING)).await;
    shop.sends_to("/second").await;

    shop.worker.kill();
    shop.worker.start().await;
    // It knows of the change, and polls when it gets the lease, which is on that server, too.
    shop.until_said(|body| body.contains(PENDING)).await;

    shop.redis.thaw();
    shop.free_the_lease().await;
    shop.until_redis_has("/second").await;
    shop.until_said(|body| !body.contains(PENDING) && !body.contains("does not answer")).await;
    shop.sends_to("/second").await;
    let history = shop.worker.run(&["config", "history", KEY.as_str()]).await.text;
    assert!(history.contains("cli"), "{history}");
    shop.worker.stop().await;
    shop.worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_shown_and_decided_on_the_command_line() {
    const CONFLICT: &str = "two changes wait for a decision: webhook_config";
    let mut shop = Shop::open().await;
    shop.worker.start().await;
    shop.sends_to("/first").await;
    // The service must not reconcile before the other program has written.
    shop.redis.kill();
    shop.set_target("/ours").await;
    shop.sends_to("/ours").await;
    shop.worker.kill();
    shop.redis.restart().await;
    shop.free_the_lease().await;
    shop.put_target("/theirs").await;
    shop.worker.start().await;
    shop.until_said(|body| body.contains(CONFLICT)).await;
    shop.sends_to("/theirs").await;

    let history = shop.worker.run(&["config", "history", KEY.as_str()]).await.text;
    assert!(history.contains("webhook_url"), "{history}");
    let decided = shop.worker.run(&["config", "resolve", KEY.as_str(), "--keep", "pending"]).await;
    assert!(decided.status.success(), "{}", decided.text);
    shop.until_redis_has("/ours").await;
    shop.until_said(|body| !body.contains(CONFLICT)).await;
    shop.sends_to("/ours").await;
    let again = shop.worker.run(&["config", "resolve", KEY.as_str(), "--keep", "pending"]).await;
    assert_eq!(again.status.code(), Some(1), "{}", again.text);
    shop.worker.stop().await;
    shop.worker.assert_journal_verifies().await;
}
