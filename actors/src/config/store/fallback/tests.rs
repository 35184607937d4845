use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::active::{InForce, canonical_hash};
use crate::config::events::{ConfigEvent, config_stream};
use crate::config::history;
use crate::config::history::import::put_back;
use crate::config::state::{DocumentCommand, HeardAbsent};
use crate::config::store::{ChangeId, ConflictWinner, ListedChanges, Revision, holder};
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::journal::{JournalAdmin as _, Queue};

const KEY: Key = Key::WebhookConfig;

/// How a [`Scripted`] store behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// Answers nothing.
    Down,
    /// Shows documents and takes none.
    ReadOnly,
    /// Takes a change and does not get to say so.
    Mute,
    /// Knows that it lost what it had.
    Emptied,
    /// Was emptied before anybody asked.
    Wiped,
}

/// One document in memory, compared and set.
struct Scripted {
    name: &'static str,
    mood: Mutex<Mood>,
    text: Mutex<Option<String>>,
    origins: Mutex<Vec<String>>,
}

impl Scripted {
    fn new(name: &'static str, document: Option<Value>) -> Arc<Self> {
        let text = Mutex::new(document.map(|document| document.to_string()));
        Arc::new(Self { name, mood: Mutex::new(Mood::Well), text, origins: Mutex::default() })
    }

    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    /// Somebody else changes it.
    fn hold(&self, document: Value) {
        *self.text.lock().unwrap() = Some(document.to_string());
    }

    fn document(&self) -> Option<Value> {
        self.text.lock().unwrap().as_ref().map(|text| serde_json::from_str(text).unwrap())
    }

    fn unreadable(&self) -> StoreError {
        StoreError::Unreadable { what: self.name.to_owned(), why: "no answer".to_owned() }
    }
}

#[async_trait]
impl DocumentStore for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        match self.mood() {
            _ if key != KEY => Ok(StoreReading::Absent),
            Mood::Down => Err(self.unreadable()),
            Mood::Emptied => Err(StoreError::Lost(key)),
            Mood::Wiped => Ok(StoreReading::Absent),
            Mood::Well | Mood::ReadOnly | Mood::Mute => Ok(match self.text.lock().unwrap().clone() {
                None => StoreReading::Absent,
                Some(text) => StoreReading::Found { revision: Revision::of(&text), text },
            }),
        }
    }

    async fn changed(&self) {
        std::future::pending().await
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        if matches!(self.mood(), Mood::Down | Mood::ReadOnly | Mood::Emptied) {
            return Err(StoreError::Unwritable { what: self.name.to_owned(), why: "not now".to_owned() });
        }
        as_believed(&self.read(change.key).await?, change)?;
        self.hold(change.value.clone());
        self.origins.lock().unwrap().push(change.origin.clone());
        if self.mood() == Mood::Mute {
            return Err(self.unreadable());
        }
        let revision = Revision::of(&change.value.to_string());
        Ok(WriteReceipt { revision, stored_in: self.name, degraded: None })
    }

    fn change_log(&self) -> Option<&dyn ChangeLog> {
        (self.name == "redis").then_some(self as &dyn ChangeLog)
    }
}

#[async_trait]
impl ChangeLog for Scripted {
    async fn changes(&self, _: Option<&ChangeId>) -> Result<ListedChanges, StoreError> {
        Ok(ListedChanges::default())
    }

    async fn recover(&self, _: Key, text: &str) -> Result<bool, StoreError> {
        let lost = matches!(self.mood(), Mood::Emptied | Mood::Wiped);
        if lost {
            self.be(Mood::Well);
            *self.text.lock().unwrap() = Some(text.to_owned());
        }
        Ok(lost)
    }
}

/// A journal that is away while it is told to.
#[derive(Default)]
struct Away(AtomicBool);

impl Away {
    fn set(&self, away: bool) {
        self.0.store(away, Ordering::SeqCst);
    }
}

impl Faults for Away {
    fn next(&self, _: FaultPoint) -> Fault {
        if self.0.load(Ordering::SeqCst) { Fault::Rejected } else { Fault::Ok }
    }
}

struct Bench {
    redis: Arc<Scripted>,
    php: Arc<Scripted>,
    file: Arc<Scripted>,
    journal: Arc<MemoryJournal>,
    away: Arc<Away>,
    world: World,
}

impl Bench {
    fn new(redis: Option<Value>, php: Option<Value>, file: Option<Value>) -> Self {
        let world = World::seeded(DateTime::from_timestamp(1_800_000_000, 0).unwrap(), 7);
        let away = Arc::new(Away::default());
        let journal = MemoryJournal::with_faults(world.clone(), Arc::default(), away.clone());
        Self {
            redis: Scripted::new("redis", redis),
            php: Scripted::new("php", php),
            file: Scripted::new("file", file),
            journal: Arc::new(journal),
            away,
            world,
        }
    }

    fn deps(&self) -> FallbackDeps {
        let journal: Arc<dyn Journal> = self.journal.clone();
        FallbackDeps { world: self.world.clone(), env: Arc::default(), journal: Some(journal) }
    }

    /// A process that starts: its stores behind each other, and the journal of all.
    fn chain(&self) -> FallbackStore {
        FallbackStore::new(self.redis.clone(), vec![self.php.clone(), self.file.clone()], self.deps())
    }

    /// What a worker enters in the history after it has read.
    async fn record(&self, chain: &FallbackStore) {
        let place = (self.journal.as_ref() as &dyn Journal, &self.world);
        if let Ok(StoreReading::Found { text, .. }) = chain.read(KEY).await {
            let stored_in = holder(chain, KEY, &text);
            let hash = canonical_hash(&serde_json::from_str(&text).unwrap());
            let seen = DocumentCommand::seen(Some(&InForce { text, hash }), "external", stored_in);
            history::record(place, KEY, &seen, None).await.unwrap();
        }
        let heard = HeardAbsent { store: chain.name().to_owned(), documents: chain.absent() };
        history::record_absent(place, &heard).await.unwrap();
    }

    /// How often something happened to the document.
    async fn happened(&self, kind: &str) -> usize {
        let events = self.journal.read_stream(&config_stream(KEY.as_str()), 0).await.unwrap();
        events.iter().filter(|event| event.kind == kind).count()
    }

    async fn rows(&self) -> usize {
        self.journal.outbox(Queue::Config, 9).await.unwrap().len()
    }
}

/// What a reader is told.
async fn look(chain: &FallbackStore) -> Option<Value> {
    match chain.read(KEY).await.unwrap() {
        StoreReading::Absent => None,
        StoreReading::Found { text, .. } => Some(serde_json::from_str(&text).unwrap()),
    }
}

/// A worker reads, offers what waits, and reads again.
async fn read(chain: &FallbackStore) -> Option<Value> {
    if chain.read(KEY).await.is_ok() && pending(chain) {
        drop(chain.offer(KEY).await);
    }
    look(chain).await
}

/// Replaces the document by a writer who has just looked.
async fn write(chain: &FallbackStore, value: Value) -> Result<WriteReceipt, StoreError> {
    let expected = match chain.read(KEY).await {
        Ok(StoreReading::Found { revision, .. }) => Precondition::Revision(revision),
        Ok(StoreReading::Absent) | Err(_) => Precondition::Absent,
    };
    chain.write(&DocumentChange { key: KEY, value, expected, origin: "api".to_owned() }).await
}

fn pending(chain: &FallbackStore) -> bool {
    chain.health()[0].pending == [KEY]
}

fn conflicts(chain: &FallbackStore) -> bool {
    chain.health()[0].conflicts == [KEY]
}

#[tokio::test]
async fn the_table_of_the_module_page_holds() {
    let bench = Bench::new(None, None, Some(json!({"file": 1})));
    let chain = bench.chain();
    bench.redis.be(Mood::Down);
    assert_eq!(read(&chain).await, Some(json!({"file": 1})), "never heard: the next store stands in");
    bench.redis.be(Mood::Well);
    assert_eq!(read(&chain).await, Some(json!({"file": 1})), "absent is not empty");
    bench.php.hold(json!({}));
    assert_eq!(read(&chain).await, Some(json!({})), "empty is not absent");
    bench.php.be(Mood::Down);
    assert!(chain.read(KEY).await.is_err(), "heard before: what stands behind it does not replace it");
    bench.redis.hold(json!({"redis": 1}));
    assert_eq!(read(&chain).await, Some(json!({"redis": 1})), "those behind are not even asked");
    bench.redis.be(Mood::Down);
    bench.php.be(Mood::Well);
    assert_eq!(read(&chain).await, Some(json!({"redis": 1})), "what it last held");
    let health = chain.health();
    assert_eq!(health[0].trouble.as_deref(), Some("redis could not be read: no answer"));
    assert!(health[0].authority && !health[1].authority);

    // A process that starts now has that from the one before.
    bench.record(&chain).await;
    let successor = bench.chain();
    assert_eq!(read(&successor).await, Some(json!({"redis": 1})), "an older document does not come back");
    bench.redis.be(Mood::Well);
    bench.redis.hold(json!({"redis": 2}));
    assert_eq!(read(&successor).await, Some(json!({"redis": 2})));
    assert!(successor.health()[0].trouble.is_none());

    let alone = Bench::new(None, None, None);
    alone.redis.be(Mood::Down);
    assert_eq!(alone.chain().read(KEY).await, Err(alone.redis.unreadable()), "nobody has it");
    // Unless it was heard that there is none.
    alone.redis.be(Mood::Well);
    let chain = alone.chain();
    assert_eq!(read(&chain).await, None);
    alone.record(&chain).await;
    alone.redis.be(Mood::Down);
    assert_eq!(read(&alone.chain()).await, None);
}

#[tokio::test]
async fn a_look_writes_nothing() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let chain = bench.chain();
    look(&chain).await;
    bench.redis.be(Mood::Down);
    write(&chain, json!({"a": 2})).await.unwrap();
    bench.redis.be(Mood::Well);
    let before = bench.journal.head().await.unwrap();
    for chain in [&chain, &bench.chain()] {
        assert_eq!(look(chain).await, Some(json!({"a": 2})), "it is in force until it is settled");
        assert!(pending(chain));
    }
    assert_eq!(bench.redis.document(), Some(json!({"a": 1})));
    assert_eq!((bench.journal.head().await.unwrap(), bench.rows().await), (before, 1));
    assert_eq!(chain.offer(KEY).await, Ok(true));
    assert_eq!(chain.offer(KEY).await, Ok(false), "nothing waits");
    assert_eq!((bench.redis.document(), bench.rows().await), (Some(json!({"a": 2})), 0));
    assert_eq!(look(&chain).await, Some(json!({"a": 2})));
    assert!(!pending(&chain));
}

/// Whoever died after the authority had taken a change has told nobody. What was changed on top of
/// it meanwhile is no conflict with it.
#[tokio::test]
async fn a_change_on_top_of_one_that_arrived_unheard_is_given_too() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let chain = bench.chain();
    look(&chain).await;
    bench.redis.be(Mood::Down);
    write(&chain, json!({"a": 2})).await.unwrap();
    write(&chain, json!({"a": 3})).await.unwrap();
    bench.redis.be(Mood::Well);
    bench.redis.hold(json!({"a": 2}));
    assert_eq!(read(&chain).await, Some(json!({"a": 3})));
    assert_eq!(bench.redis.document(), Some(json!({"a": 3})));
    assert!(!pending(&chain) && !conflicts(&chain));
}

#[tokio::test]
async fn without_a_journal_a_change_is_taken_by_the_authority_or_by_nobody() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let deps = FallbackDeps { journal: None, ..bench.deps() };
    let alone = FallbackStore::new(bench.redis.clone(), vec![bench.file.clone()], deps);
    write(&alone, json!({"a": 2})).await.unwrap();
    bench.redis.be(Mood::Down);
    let refused = write(&alone, json!({"a": 3})).await.unwrap_err().to_string();
    assert!(refused.contains("no answer") && refused.contains("without a journal"), "{refused}");
    // Nor is one that the journal does not take.
    let chain = bench.chain();
    drop(chain.read(KEY).await);
    bench.away.set(true);
    let refused = write(&chain, json!({"a": 3})).await.unwrap_err().to_string();
    assert!(refused.contains("the journal cannot keep the change"), "{refused}");
    bench.away.set(false);
    assert_eq!((bench.file.document(), bench.rows().await), (None, 0));
    assert_eq!(read(&alone).await, Some(json!({"a": 2})), "a refused change is in force nowhere");
}

#[tokio::test]
async fn a_change_goes_to_the_authority_and_nowhere_else() {
    let bench = Bench::new(None, None, Some(json!({"file": 1})));
    let chain = bench.chain();
    let stale = DocumentChange {
        key: KEY,
        value: json!({}),
        expected: Precondition::Absent,
        origin: "api".to_owned(),
    };
    assert_eq!(chain.write(&stale).await, Err(StoreError::Conflict(KEY)), "the file is in force");
    let written = write(&chain, json!({"a": 1})).await.unwrap();
    assert_eq!((written.stored_in, written.degraded), ("redis", None));
    assert_eq!(chain.write(&stale).await, Err(StoreError::Conflict(KEY)));
    assert_eq!(bench.redis.document(), Some(json!({"a": 1})));
    assert_eq!((bench.php.document(), bench.file.document()), (None, Some(json!({"file": 1}))));
    // A worker that is cut off at once serves what was written, not what was there before.
    bench.redis.be(Mood::Down);
    assert_eq!(read(&chain).await, Some(json!({"a": 1})));
}

#[tokio::test]
async fn a_change_that_the_authority_cannot_take_waits_for_it() {
    for mood in [Mood::Down, Mood::ReadOnly] {
        let bench = Bench::new(Some(json!({"a": 1})), Some(json!({"old": 1})), None);
        let chain = bench.chain();
        assert_eq!(read(&chain).await, Some(json!({"a": 1})));
        bench.redis.be(mood);
        let written = write(&chain, json!({"a": 2})).await.unwrap();
        assert_eq!(written.stored_in, "php");
        assert!(written.degraded.unwrap().contains("redis could not be"));
        assert_eq!(chain.origin_of(KEY, &written.revision).as_deref(), Some("api"));
        assert_eq!(bench.php.document(), Some(json!({"a": 2})));
        assert!(pending(&chain));
        read(&chain).await;
        assert!(chain.health()[0].trouble.is_some(), "as long as it does not take the change");

        // Another process, and one after a restart, know of it.
        let other = bench.chain();
        assert_eq!(read(&other).await, Some(json!({"a": 2})));
        assert!(pending(&other));
        let stale = Precondition::Revision(Revision::of(&json!({"a": 1}).to_string()));
        let change = DocumentChange { key: KEY, value: json!({}), expected: stale, origin: "cli".to_owned() };
        assert_eq!(other.write(&change).await, Err(StoreError::Conflict(KEY)));
        write(&other, json!({"a": 3})).await.unwrap();
        assert_eq!(read(&chain).await, Some(json!({"a": 3})));

        bench.redis.be(Mood::Well);
        assert_eq!(read(&chain).await, Some(json!({"a": 3})));
        assert_eq!(bench.redis.document(), Some(json!({"a": 3})));
        assert_eq!(*bench.redis.origins.lock().unwrap(), ["reconciled"]);
        assert_eq!(read(&other).await, Some(json!({"a": 3})));
        assert!(!pending(&chain) && !pending(&other) && !conflicts(&chain));
        // What the next store took is old by now, and stays behind.
        write(&chain, json!({"a": 4})).await.unwrap();
        assert_eq!(read(&bench.chain()).await, Some(json!({"a": 4})));
    }
}

#[tokio::test]
async fn a_change_that_arrived_unheard_is_not_made_twice() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let chain = bench.chain();
    bench.redis.be(Mood::Mute);
    assert!(write(&chain, json!({"a": 2})).await.unwrap().degraded.is_some());
    bench.redis.be(Mood::Well);
    assert_eq!(read(&chain).await, Some(json!({"a": 2})));
    assert!(!pending(&chain));
    assert_eq!(*bench.redis.origins.lock().unwrap(), ["api"]);
}

#[tokio::test]
async fn the_next_store_that_can_takes_a_change_or_it_is_refused() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let chain = bench.chain();
    read(&chain).await;
    for store in [&bench.redis, &bench.php, &bench.file] {
        store.be(Mood::Down);
    }
    assert!(matches!(write(&chain, json!({"a": 2})).await, Err(StoreError::Unreadable { .. })));
    assert!(!pending(&chain));
    assert_eq!(read(&chain).await, Some(json!({"a": 1})), "a refused change is in force nowhere");
    bench.file.be(Mood::Well);
    assert_eq!(write(&chain, json!({"a": 2})).await.unwrap().stored_in, "file");
    assert_eq!(bench.php.document(), None);
    bench.redis.be(Mood::Well);
    assert_eq!(read(&chain).await, Some(json!({"a": 2})));
}

#[tokio::test]
async fn a_writer_who_knows_nothing_hides_nothing() {
    let bench = Bench::new(Some(json!({"webhook_sending_enabled": false})), None, None);
    bench.redis.be(Mood::Down);
    let chain = bench.chain();
    let written = write(&chain, json!({"webhook_time_start": "11h30"})).await.unwrap();
    assert_eq!(written.stored_in, "php");
    bench.redis.be(Mood::Well);
    let both = json!({"webhook_sending_enabled": false, "webhook_time_start": "11h30"});
    assert_eq!(read(&chain).await, Some(both));
}

#[tokio::test]
async fn changes_of_different_fields_are_put_together_when_that_is_a_valid_document() {
    let bench = Bench::new(Some(json!({"webhook_time_start": "10h00", "note": 1})), None, None);
    let chain = bench.chain();
    read(&chain).await;
    bench.redis.be(Mood::Down);
    write(&chain, json!({"webhook_time_start": "10h00", "note": 2})).await.unwrap();
    bench.redis.be(Mood::Well);
    bench.redis.hold(json!({"webhook_time_start": "10h00", "note": 1, "theirs": 1}));
    let both = json!({"webhook_time_start": "10h00", "note": 2, "theirs": 1});
    assert_eq!(read(&chain).await, Some(both.clone()));
    assert_eq!(bench.redis.document(), Some(both.clone()));

    // Together they are not: rules that are no list.
    bench.redis.be(Mood::Down);
    write(&chain, json!({"webhook_time_start": "25h99", "note": 2, "theirs": 1})).await.unwrap();
    bench.redis.be(Mood::Well);
    bench.redis.hold(json!({"webhook_time_start": "10h00", "note": 3, "theirs": 1}));
    assert_eq!(read(&chain).await, Some(json!({"webhook_time_start": "10h00", "note": 3, "theirs": 1})));
    assert!(conflicts(&chain));
}

#[tokio::test]
async fn a_conflict_keeps_both_sides_until_somebody_decides() {
    for keep in [ConflictWinner::Authority, ConflictWinner::Pending] {
        let bench = Bench::new(Some(json!({"a": 1, "b": 1})), None, None);
        let chain = bench.chain();
        read(&chain).await;
        bench.redis.be(Mood::Down);
        write(&chain, json!({"a": 2, "b": 1})).await.unwrap();
        bench.redis.be(Mood::Well);
        let theirs = json!({"a": 3, "b": 1});
        bench.redis.hold(theirs.clone());
        assert_eq!(read(&chain).await, Some(theirs.clone()), "nothing old wins silently");
        assert!(conflicts(&chain) && !pending(&chain));

        let events = bench.journal.read_stream(&config_stream(KEY.as_str()), 0).await.unwrap();
        let last = ConfigEvent::from_recorded(events.last().unwrap()).unwrap();
        let ConfigEvent::Conflicted(lost) = last else { panic!("{last:?}") };
        assert_eq!((lost.origin.as_str(), &lost.fields), ("api", &vec!["a".to_owned()]));
        let copy = bench.journal.body(&lost.body_key).await.unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&copy).unwrap(), json!({"a": 2, "b": 1}));
        bench.record(&chain).await;
        let last = history::last(bench.journal.as_ref(), KEY).await.unwrap().unwrap();
        assert_eq!(last.text, Some(theirs.to_string()), "what lost is not in force");
        assert_eq!(read(&chain).await, Some(theirs.clone()));
        assert_eq!(bench.happened("config.conflicted").await, 1, "recorded once");

        // It can be changed meanwhile, and the conflict survives a restart.
        write(&chain, json!({"a": 3, "b": 2})).await.unwrap();
        let successor = bench.chain();
        assert_eq!(read(&successor).await, Some(json!({"a": 3, "b": 2})));
        assert!(conflicts(&successor));
        assert_eq!(successor.resolve(KEY, keep, "api").await, Ok(true));
        assert_eq!(successor.resolve(KEY, keep, "api").await, Ok(false), "there is none any more");
        let kept = match keep {
            ConflictWinner::Authority => json!({"a": 3, "b": 2}),
            ConflictWinner::Pending => json!({"a": 2, "b": 1}),
        };
        assert_eq!(read(&successor).await, Some(kept.clone()));
        assert_eq!(read(&chain).await, Some(kept));
        assert!(!conflicts(&successor) && !conflicts(&chain));
        assert_eq!(bench.happened("config.resolved").await, 1);
    }
}

#[tokio::test]
async fn an_emptied_authority_is_given_what_waits_and_nothing_else() {
    let bench = Bench::new(Some(json!({"a": 1})), None, Some(json!({"old": 1})));
    let chain = bench.chain();
    read(&chain).await;
    bench.redis.be(Mood::Emptied);
    assert_eq!(chain.read(KEY).await, Err(StoreError::Lost(KEY)), "nothing old takes its place");
    bench.redis.be(Mood::Down);
    write(&chain, json!({"a": 2})).await.unwrap();
    bench.redis.be(Mood::Emptied);
    assert_eq!(read(&chain).await, Some(json!({"a": 2})));
    assert_eq!(bench.redis.document(), Some(json!({"a": 2})));
    assert!(!pending(&chain));

    // Emptied while no worker was there: it is given the copy. What was removed stays so.
    bench.redis.be(Mood::Wiped);
    let successor = bench.chain();
    put_back(&successor, bench.journal.as_ref()).await;
    assert_eq!(read(&successor).await, Some(json!({"a": 2})));
    for store in [&bench.redis, &bench.php] {
        *store.text.lock().unwrap() = None;
    }
    let successor = bench.chain();
    put_back(&successor, bench.journal.as_ref()).await;
    assert_eq!(read(&successor).await, Some(json!({"old": 1})));
}

#[tokio::test]
async fn a_history_that_cannot_be_read_changes_nothing() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let chain = bench.chain();
    bench.away.set(true);
    for answer in [chain.read(KEY).await.map(drop), write(&chain, json!({"a": 2})).await.map(drop)] {
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("the history of webhook_config"), "{error}");
    }
    assert_eq!(bench.redis.document(), Some(json!({"a": 1})));
}

#[tokio::test]
async fn a_change_that_another_process_deferred_is_noticed() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let (service, command) = (bench.chain(), bench.chain());
    read(&service).await;
    bench.redis.be(Mood::Down);
    let noticed = async {
        service.changed().await;
        read(&service).await
    };
    let (seen, written) = tokio::join!(noticed, write(&command, json!({"a": 2})));
    written.unwrap();
    // The first look may fall before the other store had it; the document is in the journal.
    assert_eq!(seen, Some(json!({"a": 2})));
}

#[tokio::test]
async fn what_waits_is_known_to_every_worker_and_arrives_once() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let [writer, other, third] = [bench.chain(), bench.chain(), bench.chain()];
    assert_eq!(read(&writer).await, read(&other).await);
    bench.redis.be(Mood::Down);
    assert_eq!(write(&writer, json!({"a": 2})).await.unwrap().stored_in, "php");
    for chain in [&writer, &other, &third] {
        assert_eq!(read(chain).await, Some(json!({"a": 2})), "in force for everybody");
        assert!(pending(chain));
    }
    // The next one takes up what is in force, wherever it was made.
    write(&other, json!({"a": 2, "b": 1})).await.unwrap();
    assert_eq!(read(&writer).await, Some(json!({"a": 2, "b": 1})));
    // One of both is gone with its machine: somebody else gives it back.
    drop(other);
    bench.redis.be(Mood::Well);
    assert_eq!(read(&third).await, Some(json!({"a": 2, "b": 1})));
    assert_eq!(bench.redis.document(), Some(json!({"a": 2, "b": 1})));
    assert_eq!(*bench.redis.origins.lock().unwrap(), ["reconciled"]);
    // Whoever knew of it does not bring it back, over an older value either.
    bench.redis.hold(json!({"a": 1}));
    assert_eq!(read(&writer).await, Some(json!({"a": 1})));
    assert!([&writer, &third].iter().all(|chain| !pending(chain) && !conflicts(chain)));
    assert_eq!(bench.rows().await, 0, "nothing waits");
}

#[tokio::test]
async fn a_conflict_is_shown_by_every_worker_and_decided_on_any() {
    for keep in [ConflictWinner::Authority, ConflictWinner::Pending] {
        let bench = Bench::new(Some(json!({"a": 1})), None, None);
        let [writer, other] = [bench.chain(), bench.chain()];
        read(&writer).await;
        bench.redis.be(Mood::Down);
        write(&writer, json!({"a": 2})).await.unwrap();
        drop(writer);
        bench.redis.be(Mood::Well);
        bench.redis.hold(json!({"a": 3}));
        assert_eq!(read(&other).await, Some(json!({"a": 3})));
        let fresh = bench.chain();
        assert_eq!(read(&fresh).await, Some(json!({"a": 3})));
        assert!(conflicts(&other) && conflicts(&fresh) && !pending(&fresh));
        assert!(history::versions(bench.journal.as_ref(), KEY).await.unwrap().iter().any(|v| v.lost));
        assert_eq!(fresh.resolve(KEY, keep, "api").await, Ok(true));
        let kept = if keep == ConflictWinner::Pending { json!({"a": 2}) } else { json!({"a": 3}) };
        assert_eq!((read(&other).await, bench.redis.document()), (Some(kept.clone()), Some(kept)));
        assert!(!conflicts(&other) && other.resolve(KEY, keep, "api").await == Ok(false));
    }
}

/// Only the journal knows whether it has arrived: until it can be asked, the change stays in force
/// and waits.
#[tokio::test]
async fn a_change_is_not_given_twice_while_the_journal_is_away() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let [writer, other] = [bench.chain(), bench.chain()];
    read(&writer).await;
    bench.redis.be(Mood::Down);
    write(&writer, json!({"a": 2})).await.unwrap();
    assert_eq!(read(&other).await, Some(json!({"a": 2})));
    bench.php.be(Mood::Down);
    for chain in [&writer, &other] {
        assert_eq!(read(chain).await, Some(json!({"a": 2})), "also when nobody answers");
    }
    // Of a change on top of it only the file has a copy.
    assert_eq!(write(&writer, json!({"a": 2, "b": 1})).await.unwrap().stored_in, "file");
    assert_eq!(read(&writer).await, Some(json!({"a": 2, "b": 1})));
    bench.redis.be(Mood::Well);
    bench.away.set(true);
    assert_eq!(read(&writer).await, Some(json!({"a": 2, "b": 1})));
    assert!(pending(&writer) && writer.health()[0].trouble.is_some());
    assert_eq!(bench.redis.document(), Some(json!({"a": 1})), "it is not given");
    bench.away.set(false);
    assert_eq!(writer.offer(KEY).await, Ok(true));
    assert_eq!(bench.redis.document(), Some(json!({"a": 2, "b": 1})));
    bench.redis.hold(json!({"a": 1}));
    assert_eq!(read(&other).await, Some(json!({"a": 1})), "it has arrived for everybody");
    assert!(!pending(&other) && !conflicts(&other));
}

#[tokio::test]
async fn a_change_that_another_worker_has_just_settled_is_not_offered_again() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let [writer, late] = [bench.chain(), bench.chain()];
    read(&writer).await;
    bench.redis.be(Mood::Down);
    write(&writer, json!({"a": 2})).await.unwrap();
    assert_eq!(read(&late).await, Some(json!({"a": 2})));
    bench.redis.be(Mood::Well);
    assert_eq!(read(&writer).await, Some(json!({"a": 2})));
    write(&writer, json!({"a": 1})).await.unwrap();
    assert!(pending(&late), "it has not heard yet");
    assert_eq!(late.offer(KEY).await, Ok(false));
    assert_eq!((read(&late).await, bench.redis.document()), (Some(json!({"a": 1})), Some(json!({"a": 1}))));
    assert!(!pending(&late) && !conflicts(&late));
}

/// Of sign-in links nothing stays: neither what waited, nor what was there before.
#[tokio::test]
async fn sign_in_links_that_waited_leave_no_copy() {
    let bench = Bench::new(None, None, None);
    let chain = bench.chain();
    let change = |id: &str, expected| DocumentChange {
        key: Key::MagicLinkTokens,
        value: json!({ id: {} }),
        expected,
        origin: "api".to_owned(),
    };
    bench.redis.be(Mood::Down);
    let first = chain.write(&change("one", Precondition::Absent)).await.unwrap();
    chain.write(&change("two", Precondition::Revision(first.revision))).await.unwrap();
    bench.redis.be(Mood::Well);
    let kept = async || {
        let mut texts = String::new();
        for kept in bench.journal.bodies(0, 100).await.unwrap() {
            let bytes = bench.journal.body(&kept.key).await.unwrap().unwrap_or_default();
            texts.push_str(&String::from_utf8_lossy(&bytes));
        }
        texts
    };
    assert!(kept().await.contains("two"), "until it is settled");
    assert_eq!(chain.offer(Key::MagicLinkTokens).await, Ok(true));
    assert_eq!(kept().await, "");
}

/// What happens to two workers of one journal, and to their stores.
#[derive(Debug, Clone)]
enum Step {
    Redis(bool),
    Php(bool),
    Mute,
    Journal(bool),
    Edit(bool),
    External,
    Restart(bool),
    Read(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(Step::Redis),
        1 => any::<bool>().prop_map(Step::Php),
        1 => Just(Step::Mute),
        1 => any::<bool>().prop_map(Step::Journal),
        6 => any::<bool>().prop_map(Step::Edit),
        1 => Just(Step::External),
        1 => any::<bool>().prop_map(Step::Restart),
        2 => any::<bool>().prop_map(Step::Read),
    ]
}

/// Every acknowledged change adds a field of its own. Answers those that are missing after
/// the authority has returned.
async fn missing(bench: Bench, steps: Vec<Step>) -> Vec<String> {
    bench.redis.hold(json!({"start": 0}));
    let mut chains = [bench.chain(), bench.chain()];
    let mut acknowledged = vec!["start".to_owned()];
    let mood = |up: bool| if up { Mood::Well } else { Mood::Down };
    let turn = async |chain: &FallbackStore| {
        drop(chain.read(KEY).await);
        if pending(chain) {
            drop(chain.offer(KEY).await);
        }
    };
    for (index, step) in steps.into_iter().enumerate() {
        let field = format!("f{index}");
        match step {
            Step::Redis(up) => bench.redis.be(mood(up)),
            Step::Php(up) => bench.php.be(mood(up)),
            Step::Mute => bench.redis.be(Mood::Mute),
            Step::Journal(up) => bench.away.set(!up),
            Step::Read(first) => turn(&chains[usize::from(first)]).await,
            Step::Restart(first) => chains[usize::from(first)] = bench.chain(),
            Step::External => {
                let mut document = bench.redis.document().unwrap();
                document[&field] = json!(index);
                bench.redis.hold(document);
                acknowledged.push(field);
            }
            Step::Edit(first) => {
                let chain = &chains[usize::from(first)];
                let Ok(StoreReading::Found { text, revision }) = chain.read(KEY).await else { continue };
                let mut value: Value = serde_json::from_str(&text).unwrap();
                value[&field] = json!(index);
                let (expected, origin) = (Precondition::Revision(revision), "api".to_owned());
                if chain.write(&DocumentChange { key: KEY, value, expected, origin }).await.is_ok() {
                    acknowledged.push(field);
                }
            }
        }
    }
    bench.redis.be(Mood::Well);
    bench.php.be(Mood::Well);
    bench.away.set(false);
    // What was said of the journal while it was away does not count any more.
    chains = [bench.chain(), bench.chain()];
    let first = read(&chains[0]).await;
    let last = read(&chains[1]).await.unwrap();
    assert!(chains.iter().all(|chain| !pending(chain) && !conflicts(chain)), "{first:?} {last}");
    assert_eq!(bench.rows().await, 0, "nothing waits");
    acknowledged.into_iter().filter(|field| last.get(field).is_none()).collect()
}

proptest! {
    #[test]
    fn no_acknowledged_change_is_lost(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Bench::new(None, None, None);
        prop_assert_eq!(runtime.block_on(missing(bench, steps)), Vec::<String>::new());
    }
}

/// A store like a PHP host: it tells nobody of changes, and remembers what it answered.
struct Quiet {
    host: Arc<Scripted>,
    remembered: Mutex<Option<StoreReading>>,
}

impl Quiet {
    fn at(host: &Arc<Scripted>) -> Arc<Self> {
        Arc::new(Self { host: Arc::clone(host), remembered: Mutex::default() })
    }
}

#[async_trait]
impl DocumentStore for Quiet {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        if let Some(read) = self.remembered.lock().unwrap().clone().filter(|_| key == KEY) {
            return Ok(read);
        }
        let read = self.host.read(key).await?;
        if key == KEY {
            *self.remembered.lock().unwrap() = Some(read.clone());
        }
        Ok(read)
    }

    async fn changed(&self) {
        std::future::pending().await
    }

    fn tells(&self) -> bool {
        false
    }

    fn forget(&self) {
        *self.remembered.lock().unwrap() = None;
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        self.forget();
        self.host.write(change).await
    }
}

/// A store that carries announcements, to whatever process.
#[derive(Default)]
struct Crier(tokio::sync::Notify);

#[async_trait]
impl DocumentStore for Crier {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn read(&self, _: Key) -> Result<StoreReading, StoreError> {
        Ok(StoreReading::Absent)
    }

    async fn changed(&self) {
        self.0.notified().await;
    }

    async fn announce(&self, _: Key) {
        self.0.notify_one();
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        Err(StoreError::Conflict(change.key))
    }
}

/// Without anybody's timer: by the journal that both have, or by a store that reaches them.
#[tokio::test(start_paused = true)]
async fn a_change_of_a_store_that_tells_nobody_is_told_by_who_made_it() {
    for same_journal in [true, false] {
        let bench = Bench::new(None, Some(json!({"a": 1})), None);
        let crier = Arc::new(Crier::default());
        let chain = |deps: FallbackDeps, others: Vec<Arc<dyn DocumentStore>>| {
            FallbackStore::new(Quiet::at(&bench.php), others, deps)
        };
        let (writer, reader) = if same_journal {
            (chain(bench.deps(), Vec::new()), chain(bench.deps(), Vec::new()))
        } else {
            let elsewhere = Bench::new(None, None, None).deps();
            (chain(bench.deps(), vec![crier.clone()]), chain(elsewhere, vec![crier.clone()]))
        };
        assert_eq!(read(&reader).await, Some(json!({"a": 1})));
        write(&writer, json!({"a": 2})).await.unwrap();
        assert_eq!(read(&reader).await, Some(json!({"a": 1})), "it has not heard yet");
        // Whoever makes a change enters it in the history.
        bench.record(&writer).await;
        tokio::time::timeout(std::time::Duration::from_secs(1), reader.changed()).await.expect("it is told");
        assert_eq!(read(&reader).await, Some(json!({"a": 2})));
    }
}
