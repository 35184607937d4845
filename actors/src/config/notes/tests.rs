use std::sync::Arc;

use chrono::DateTime;
use serde_json::json;

use super::format::{NoteOrigin, NotedConflict};
use super::*;
use crate::config::events::{ConfigEvent, config_stream};
use crate::config::store::Revision;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::Queue;
use crate::kernel::journal::memory::MemoryJournal;

const KEY: Key = Key::WebhookConfig;

struct Bench {
    folder: tempfile::TempDir,
    journal: Arc<MemoryJournal>,
    world: World,
}

impl Bench {
    fn new() -> Self {
        let world = World::seeded(DateTime::from_timestamp(1_800_000_000, 0).unwrap(), 7);
        let journal = Arc::new(MemoryJournal::new(world.clone(), Arc::default()));
        Self { folder: tempfile::tempdir().unwrap(), journal, world }
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("config-store")
    }

    fn put(&self, name: &str, text: &str) {
        fs::create_dir_all(self.notes()).unwrap();
        fs::write(self.notes().join(name), text).unwrap();
    }

    async fn start(&self) {
        let folder = self.notes();
        let notes = EarlierNotes {
            folder: &folder,
            shared: None,
            journal: self.journal.as_ref(),
            world: &self.world,
        };
        notes.adopt().await;
    }

    async fn happened(&self) -> Vec<ConfigEvent> {
        let events = self.journal.read_stream(&config_stream(KEY.as_str()), 0).await.unwrap();
        events.iter().map(|event| ConfigEvent::from_recorded(event).unwrap()).collect()
    }
}

/// As a released version wrote it.
fn note() -> Value {
    json!({
        "pending": {
            "text": "{\"a\":2}", "base": "{\"a\":1}", "origin": "cli", "at": "2026-11-20T08:00:00Z",
            "stored_in": "file", "why": "redis could not be read: no answer",
        },
        "conflict": {
            "text": "{\"a\":9}", "origin": "api", "at": "2026-11-19T08:00:00Z", "fields": ["a"],
            "recorded": true,
        },
    })
}

#[tokio::test]
async fn notes_of_a_released_version_become_events_once_and_go() {
    let bench = Bench::new();
    bench.put("webhook_config.pending.json", &note().to_string());
    let known = json!({"store": "php", "text": "{}", "revision": "r", "at": "2026-11-20T08:00:00Z"});
    bench.put("webhook_config.known.json", &known.to_string());
    let none = json!({"store": "php", "text": null, "revision": "", "at": "2026-11-20T08:00:00Z"});
    bench.put("routing_rules.known.json", &none.to_string());
    bench.put("changed", "");
    bench.put("lock", "");
    bench.start().await;
    let events = bench.happened().await;
    let [ConfigEvent::Conflicted(lost), ConfigEvent::Deferred(waits)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((lost.origin.as_str(), lost.fields.as_slice()), ("api", ["a".to_owned()].as_slice()));
    assert_eq!((waits.origin.as_str(), waits.why.contains("no answer")), ("cli", true));
    for (body_key, text) in
        [(&lost.waits, "{\"a\":9}"), (&waits.waits, "{\"a\":2}"), (&waits.base, "{\"a\":1}")]
    {
        let body = bench.journal.body(body_key).await.unwrap();
        assert_eq!(body.as_deref(), Some(text.as_bytes()), "{body_key}");
    }
    assert_eq!(bench.journal.outbox(Queue::Config, 9).await.unwrap().len(), 1);
    let absent = bench.journal.read_stream(&config_stream("authority"), 0).await.unwrap();
    assert_eq!(absent[0].payload, json!({"store": "php", "documents": ["routing_rules"]}));
    assert!(!bench.notes().exists(), "the folder is gone");

    // A worker that comes late with the same note does not enter it again.
    bench.put("webhook_config.pending.json", &json!({"pending": note()["pending"]}).to_string());
    bench.start().await;
    assert_eq!(bench.happened().await.len(), 2);
    assert!(!bench.notes().exists());
}

#[tokio::test]
async fn a_note_that_cannot_be_read_stays_and_the_others_are_taken() {
    let bench = Bench::new();
    bench.put("routing_rules.pending.json", "{torn");
    bench.put("webhook_config.pending.json", &note().to_string());
    bench.start().await;
    assert_eq!(bench.happened().await.len(), 2);
    assert_eq!(fs::read_to_string(bench.notes().join("routing_rules.pending.json")).unwrap(), "{torn");
    let error = read::<EarlierNote>(&bench.notes().join("routing_rules.pending.json")).unwrap_err();
    assert!(error.contains("routing_rules.pending.json"), "{error}");
}

fn change(text: &str, base: &str, of: Option<NoteOrigin>) -> NotedChange {
    NotedChange {
        text: text.to_owned(),
        base: Some(base.to_owned()),
        origin: "cli".to_owned(),
        at: DateTime::UNIX_EPOCH,
        why: String::new(),
        of,
    }
}

fn shared(change: Option<NotedChange>, settled: &[&str]) -> SharedNote {
    let text = "as Redis has it".to_owned();
    let note = EarlierNote { id: "one".to_owned(), pending: change, conflict: None };
    SharedNote { text, note, settled: settled.iter().map(ToString::to_string).collect() }
}

fn of(id: &str, sum: &str, ahead: bool) -> Option<NoteOrigin> {
    Some(NoteOrigin { id: id.to_owned(), sum: sum.to_owned(), ahead })
}

#[test]
fn the_note_of_the_folder_and_that_of_redis_come_to_one_change() {
    let sum = Revision::of("as Redis has it").0;
    let theirs = change("{\"a\":2,\"b\":1}", "{\"a\":1,\"b\":1}", None);
    let local = |change: NotedChange| EarlierNote { pending: Some(change), ..EarlierNote::default() };
    let mine = |text: &str, of| local(change(text, "{\"a\":1,\"b\":1}", of));
    let text = |work: &NotedWork| work.pending.as_ref().map(|change| change.text.clone());
    for (context, local, shared, expected) in [
        (
            "a copy",
            mine("old", of("one", "x", false)),
            shared(Some(theirs.clone()), &[]),
            Some("{\"a\":2,\"b\":1}"),
        ),
        ("a copy of one that arrived", mine("old", of("zero", "x", false)), shared(None, &["zero"]), None),
        (
            "a copy of one that Redis lost",
            mine("kept", of("zero", "x", false)),
            shared(None, &[]),
            Some("kept"),
        ),
        (
            "on top of it",
            mine("newer", of("one", &sum, true)),
            shared(Some(theirs.clone()), &[]),
            Some("newer"),
        ),
        (
            "beside it",
            mine("{\"a\":1,\"b\":2}", None),
            shared(Some(theirs.clone()), &[]),
            Some("{\"a\":2,\"b\":2}"),
        ),
        (
            "only in Redis",
            EarlierNote::default(),
            shared(Some(theirs.clone()), &[]),
            Some("{\"a\":2,\"b\":1}"),
        ),
        ("nothing", EarlierNote::default(), SharedNote::default(), None),
    ] {
        let work = combine(local, shared);
        assert_eq!(text(&work).as_deref(), expected, "{context}");
        assert!(work.conflicts.is_empty(), "{context}");
    }
    let work = combine(mine("{\"a\":3,\"b\":1}", None), shared(Some(theirs), &[]));
    assert_eq!(text(&work).as_deref(), Some("{\"a\":2,\"b\":1}"));
    let lost: Vec<&NotedConflict> = work.conflicts.iter().collect();
    assert_eq!(
        (lost[0].text.as_str(), lost[0].fields.as_slice()),
        ("{\"a\":3,\"b\":1}", ["a".to_owned()].as_slice())
    );
}
