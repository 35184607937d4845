use std::path::Path;
use std::sync::Mutex;

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::events::{ConfigEvent, config_stream};
use crate::config::history;
use crate::config::store::{PutNote, StoredNote};
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::memory::MemoryJournal;

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
    /// `None` = it keeps no notes.
    kept: Option<Mutex<StoredNote>>,
}

impl Scripted {
    fn new(name: &'static str, document: Option<Value>) -> Arc<Self> {
        let text = Mutex::new(document.map(|document| document.to_string()));
        Arc::new(Self { name, mood: Mutex::new(Mood::Well), text, origins: Mutex::default(), kept: None })
    }

    /// One that keeps notes for everybody.
    fn pending_store(name: &'static str) -> Arc<Self> {
        let (mood, kept) = (Mutex::new(Mood::Well), Some(Mutex::default()));
        Arc::new(Self { name, mood, text: Mutex::default(), origins: Mutex::default(), kept })
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

    fn pending_notes(&self) -> Option<&dyn PendingNotes> {
        self.kept.as_ref().map(|_| self as &dyn PendingNotes)
    }
}

#[async_trait]
impl PendingNotes for Scripted {
    async fn note(&self, key: Key) -> Result<StoredNote, StoreError> {
        match &self.kept {
            Some(_) if self.mood() == Mood::Down => Err(self.unreadable()),
            Some(kept) if key == KEY => Ok(kept.lock().unwrap().clone()),
            _ => Ok(StoredNote::default()),
        }
    }

    async fn write_noted(&self, change: &DocumentChange, note: &PutNote) -> Result<WriteReceipt, StoreError> {
        if self.note(change.key).await?.note != note.before {
            return Err(StoreError::Conflict(change.key));
        }
        let written = self.write(change).await?;
        self.put_note(change.key, note).await.map(|()| written)
    }

    async fn put_note(&self, key: Key, note: &PutNote) -> Result<(), StoreError> {
        if self.note(key).await?.note != note.before {
            return Err(StoreError::Conflict(key));
        }
        let mut kept = self.kept.as_ref().unwrap().lock().unwrap();
        kept.note.clone_from(&note.after);
        kept.settled.extend(note.settled.clone());
        Ok(())
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

struct Bench {
    dir: tempfile::TempDir,
    redis: Arc<Scripted>,
    php: Arc<Scripted>,
    file: Arc<Scripted>,
    journal: Arc<dyn Journal>,
    world: World,
}

impl Bench {
    fn new(redis: Option<Value>, php: Option<Value>, file: Option<Value>) -> Self {
        let world = World::seeded(DateTime::from_timestamp(1_800_000_000, 0).unwrap(), 7);
        Self {
            dir: tempfile::tempdir().unwrap(),
            redis: Scripted::new("redis", redis),
            php: Scripted::new("php", php),
            file: Scripted::new("file", file),
            journal: Arc::new(MemoryJournal::new(world.clone(), Arc::default())),
            world,
        }
    }

    /// A process that starts: its stores behind each other, and the notes of the one before.
    fn chain(&self) -> FallbackStore {
        self.chain_at(self.dir.path())
    }

    /// The same, with a next store that keeps notes for every worker.
    fn with_pending_store() -> Self {
        Self { php: Scripted::pending_store("php"), ..Self::new(Some(json!({"a": 1})), None, None) }
    }

    fn chain_at(&self, notes: &Path) -> FallbackStore {
        let deps = FallbackDeps {
            notes: notes.to_owned(),
            world: self.world.clone(),
            env: Arc::default(),
            journal: Some(Arc::clone(&self.journal)),
        };
        FallbackStore::new(self.redis.clone(), vec![self.php.clone(), self.file.clone()], deps)
    }
}

async fn read(chain: &FallbackStore) -> Option<Value> {
    match chain.read(KEY).await.unwrap() {
        StoreReading::Absent => None,
        StoreReading::Found { text, .. } => Some(serde_json::from_str(&text).unwrap()),
    }
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
    let successor = bench.chain();
    assert_eq!(read(&successor).await, Some(json!({"redis": 1})), "an older document does not come back");
    bench.redis.be(Mood::Well);
    bench.redis.hold(json!({"redis": 2}));
    assert_eq!(read(&successor).await, Some(json!({"redis": 2})));
    assert!(successor.health()[0].trouble.is_none());

    let alone = Bench::new(None, None, None);
    alone.redis.be(Mood::Down);
    assert_eq!(alone.chain().read(KEY).await, Err(alone.redis.unreadable()), "nobody has it");
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
        let ConfigEvent::Conflicted(lost) = ConfigEvent::from_recorded(&events[0]).unwrap() else { panic!() };
        assert_eq!((lost.origin.as_str(), &lost.fields), ("api", &vec!["a".to_owned()]));
        let copy = bench.journal.body(&lost.body_key).await.unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&copy).unwrap(), json!({"a": 2, "b": 1}));
        assert_eq!(history::last(bench.journal.as_ref(), KEY).await.unwrap().unwrap().text, None);
        assert_eq!(read(&chain).await, Some(theirs.clone()));
        let again = bench.journal.read_stream(&config_stream(KEY.as_str()), 0).await.unwrap();
        assert_eq!(again.len(), 1, "recorded once");

        // It can be changed meanwhile, and the conflict survives a restart.
        write(&chain, json!({"a": 3, "b": 2})).await.unwrap();
        let successor = bench.chain();
        assert_eq!(read(&successor).await, Some(json!({"a": 3, "b": 2})));
        assert!(conflicts(&successor));
        assert_eq!(successor.resolve(KEY, keep).await, Ok(true));
        assert_eq!(successor.resolve(KEY, keep).await, Ok(false), "there is none any more");
        let kept = match keep {
            ConflictWinner::Authority => json!({"a": 3, "b": 2}),
            ConflictWinner::Pending => json!({"a": 2, "b": 1}),
        };
        assert_eq!(read(&successor).await, Some(kept.clone()));
        assert_eq!(read(&chain).await, Some(kept));
        assert!(!conflicts(&successor) && !conflicts(&chain));
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
    assert_eq!(read(&bench.chain()).await, Some(json!({"a": 2})));
    for store in [&bench.redis, &bench.php] {
        *store.text.lock().unwrap() = None;
    }
    assert_eq!(read(&bench.chain()).await, Some(json!({"old": 1})));
}

#[tokio::test]
async fn a_note_that_cannot_be_read_changes_nothing() {
    let bench = Bench::new(Some(json!({"a": 1})), None, None);
    let chain = bench.chain();
    std::fs::write(bench.dir.path().join("webhook_config.pending.json"), "{torn").unwrap();
    for answer in [chain.read(KEY).await.map(drop), write(&chain, json!({"a": 2})).await.map(drop)] {
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("webhook_config.pending.json"), "{error}");
    }
    assert_eq!(bench.redis.document(), Some(json!({"a": 1})));
}

#[tokio::test]
async fn a_note_of_another_process_is_noticed() {
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
    // The first look may fall before the other store had it; the document is in the note.
    assert_eq!(seen, Some(json!({"a": 2})));
}

#[tokio::test]
async fn what_the_next_store_notes_is_known_to_every_worker_and_arrives_once() {
    let bench = Bench::with_pending_store();
    let folders = ["one", "two", "three"].map(|name| bench.dir.path().join(name));
    let [writer, other, third] = folders.clone().map(|folder| bench.chain_at(&folder));
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
    // The folders of both are gone with their machines: somebody else gives it back.
    std::fs::remove_dir_all(&folders[1]).unwrap();
    bench.redis.be(Mood::Well);
    assert_eq!(read(&third).await, Some(json!({"a": 2, "b": 1})));
    assert_eq!(bench.redis.document(), Some(json!({"a": 2, "b": 1})));
    assert_eq!(*bench.redis.origins.lock().unwrap(), ["reconciled"]);
    // Whoever still has a copy of the note does not bring it back, over an older value either.
    bench.redis.hold(json!({"a": 1}));
    assert_eq!(read(&writer).await, Some(json!({"a": 1})));
    assert!([&writer, &other, &third].iter().all(|chain| !conflicts(chain)));
    assert!(!folders[0].join("webhook_config.pending.json").exists(), "its copy is of no use");
}

#[tokio::test]
async fn a_conflict_of_a_shared_note_is_shown_by_every_worker_and_decided_on_any() {
    for keep in [ConflictWinner::Authority, ConflictWinner::Pending] {
        let bench = Bench::with_pending_store();
        let folders = ["one", "two"].map(|name| bench.dir.path().join(name));
        let [writer, other] = folders.clone().map(|folder| bench.chain_at(&folder));
        read(&writer).await;
        bench.redis.be(Mood::Down);
        write(&writer, json!({"a": 2})).await.unwrap();
        drop(writer);
        std::fs::remove_dir_all(&folders[0]).unwrap();
        bench.redis.be(Mood::Well);
        bench.redis.hold(json!({"a": 3}));
        assert_eq!(read(&other).await, Some(json!({"a": 3})));
        let fresh = bench.chain_at(&folders[0]);
        assert_eq!(read(&fresh).await, Some(json!({"a": 3})));
        assert!(conflicts(&other) && conflicts(&fresh) && !pending(&fresh));
        assert!(history::versions(bench.journal.as_ref(), KEY).await.unwrap().iter().any(|v| v.lost));
        assert_eq!(fresh.resolve(KEY, keep).await, Ok(true));
        let kept = if keep == ConflictWinner::Pending { json!({"a": 2}) } else { json!({"a": 3}) };
        assert_eq!((read(&other).await, bench.redis.document()), (Some(kept.clone()), Some(kept)));
        assert!(!conflicts(&other) && other.resolve(KEY, keep).await == Ok(false));
    }
}

/// Only the store that keeps the note knows whether it has arrived: until it can be asked,
/// the change stays in force and waits.
#[tokio::test]
async fn a_note_is_not_given_back_twice_while_its_store_is_away() {
    let bench = Bench::with_pending_store();
    let [writer, other] = ["one", "two"].map(|name| bench.chain_at(&bench.dir.path().join(name)));
    read(&writer).await;
    bench.redis.be(Mood::Down);
    write(&writer, json!({"a": 2})).await.unwrap();
    assert_eq!(read(&other).await, Some(json!({"a": 2})));
    bench.php.be(Mood::Down);
    for chain in [&writer, &other] {
        assert_eq!(read(chain).await, Some(json!({"a": 2})), "also when nobody answers");
    }
    // A change on top of it has only the file.
    assert_eq!(write(&writer, json!({"a": 2, "b": 1})).await.unwrap().stored_in, "file");
    bench.redis.be(Mood::Well);
    assert_eq!(read(&writer).await, Some(json!({"a": 2, "b": 1})));
    assert!(pending(&writer) && writer.health()[0].trouble.is_some());
    bench.php.be(Mood::Well);
    assert_eq!(read(&writer).await, Some(json!({"a": 2, "b": 1})));
    assert_eq!(bench.redis.document(), Some(json!({"a": 2, "b": 1})));
    bench.redis.hold(json!({"a": 1}));
    assert_eq!(read(&other).await, Some(json!({"a": 1})), "the note of the store went along");
    assert!(!pending(&writer) && !pending(&other) && !conflicts(&other));
}

/// A reader of a store that remembers notes for a while, as that of Redis does.
struct Remembering {
    store: Arc<Scripted>,
    remembered: Mutex<Option<StoredNote>>,
}

#[async_trait]
impl DocumentStore for Remembering {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        self.store.read(key).await
    }

    async fn changed(&self) {
        std::future::pending().await
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        self.store.write(change).await
    }

    fn pending_notes(&self) -> Option<&dyn PendingNotes> {
        Some(self)
    }
}

#[async_trait]
impl PendingNotes for Remembering {
    async fn note(&self, key: Key) -> Result<StoredNote, StoreError> {
        let now = self.store.note(key).await?;
        Ok(self.remembered.lock().unwrap().get_or_insert(now).clone())
    }

    async fn write_noted(&self, change: &DocumentChange, note: &PutNote) -> Result<WriteReceipt, StoreError> {
        self.store.write_noted(change, note).await
    }

    async fn put_note(&self, key: Key, note: &PutNote) -> Result<(), StoreError> {
        *self.remembered.lock().unwrap() = None;
        self.store.put_note(key, note).await
    }
}

#[tokio::test]
async fn a_note_that_another_worker_has_just_settled_is_not_believed() {
    let bench = Bench::with_pending_store();
    let [writer, deps] = ["one", "two"].map(|name| bench.chain_at(&bench.dir.path().join(name)));
    let remembering = Remembering { store: bench.php.clone(), remembered: Mutex::default() };
    let late = FallbackStore::new(bench.redis.clone(), vec![Arc::new(remembering)], deps.deps);
    read(&writer).await;
    bench.redis.be(Mood::Down);
    write(&writer, json!({"a": 2})).await.unwrap();
    assert_eq!(read(&late).await, Some(json!({"a": 2})));
    bench.redis.be(Mood::Well);
    assert_eq!(read(&writer).await, Some(json!({"a": 2})));
    write(&writer, json!({"a": 1})).await.unwrap();
    assert_eq!((read(&late).await, bench.redis.document()), (Some(json!({"a": 1})), Some(json!({"a": 1}))));
    assert!(!pending(&late) && !conflicts(&late));
}

/// What happens to two workers, each with notes of its own, and their stores.
#[derive(Debug, Clone)]
enum Step {
    Redis(bool),
    Php(bool),
    Mute,
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
        6 => any::<bool>().prop_map(Step::Edit),
        1 => Just(Step::External),
        1 => any::<bool>().prop_map(Step::Restart),
        2 => any::<bool>().prop_map(Step::Read),
    ]
}

/// Every acknowledged change adds a field of its own. Answers those that are missing after
/// the authority has returned.
async fn missing(bench: Bench, steps: Vec<Step>, keeps_folders: bool) -> Vec<String> {
    bench.redis.hold(json!({"start": 0}));
    let folders = [bench.dir.path().join("one"), bench.dir.path().join("two")];
    let mut chains = folders.clone().map(|folder| bench.chain_at(&folder));
    let mut acknowledged = vec!["start".to_owned()];
    let mood = |up: bool| if up { Mood::Well } else { Mood::Down };
    for (index, step) in steps.into_iter().enumerate() {
        let field = format!("f{index}");
        match step {
            Step::Redis(up) => bench.redis.be(mood(up)),
            // Without a folder and without the next store nothing could be kept.
            Step::Php(up) if keeps_folders => bench.php.be(mood(up)),
            Step::Php(_) => {}
            Step::Mute => bench.redis.be(Mood::Mute),
            Step::Read(first) => drop(chains[usize::from(first)].read(KEY).await),
            Step::Restart(first) => {
                if !keeps_folders {
                    drop(std::fs::remove_dir_all(&folders[usize::from(first)]));
                }
                chains[usize::from(first)] = bench.chain_at(&folders[usize::from(first)]);
            }
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
    let first = read(&chains[0]).await;
    let last = read(&chains[1]).await.unwrap();
    assert!(chains.iter().all(|chain| !pending(chain) && !conflicts(chain)), "{first:?} {last}");
    acknowledged.into_iter().filter(|field| last.get(field).is_none()).collect()
}

proptest! {
    // Notes are synced to the disk, which takes its time.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_acknowledged_change_is_lost(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Bench::new(None, None, None);
        prop_assert_eq!(runtime.block_on(missing(bench, steps, true)), Vec::<String>::new());
    }

    /// Nor is one that the next store keeps a note about, with the folders or without them.
    #[test]
    fn no_change_that_is_noted_for_all_is_lost(
        steps in prop::collection::vec(step(), 1..25), keeps_folders in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(missing(Bench::with_pending_store(), steps, keeps_folders));
        prop_assert_eq!(found, Vec::<String>::new());
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

/// Without anybody's timer: on one machine by the folder of the notes, on several by a store
/// that reaches them.
#[tokio::test(start_paused = true)]
async fn a_change_of_a_store_that_tells_nobody_is_told_by_who_made_it() {
    for same_machine in [true, false] {
        let bench = Bench::new(None, Some(json!({"a": 1})), None);
        let elsewhere = tempfile::tempdir().unwrap();
        let crier = Arc::new(Crier::default());
        let chain = |notes: &Path, others: Vec<Arc<dyn DocumentStore>>| {
            let deps = FallbackDeps { notes: notes.to_owned(), ..bench.chain().deps };
            FallbackStore::new(Quiet::at(&bench.php), others, deps)
        };
        let (writer, reader) = if same_machine {
            (chain(bench.dir.path(), Vec::new()), chain(bench.dir.path(), Vec::new()))
        } else {
            (chain(bench.dir.path(), vec![crier.clone()]), chain(elsewhere.path(), vec![crier.clone()]))
        };
        assert_eq!(read(&reader).await, Some(json!({"a": 1})));
        write(&writer, json!({"a": 2})).await.unwrap();
        assert_eq!(read(&reader).await, Some(json!({"a": 1})), "it has not heard yet");
        tokio::time::timeout(std::time::Duration::from_secs(1), reader.changed()).await.expect("it is told");
        assert_eq!(read(&reader).await, Some(json!({"a": 2})));
    }
}
