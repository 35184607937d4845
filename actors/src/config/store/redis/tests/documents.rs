use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::config::active::ActiveDocuments;
use crate::config::notes::EarlierNotes;
use crate::config::policy::EnvDefaults;
use crate::config::store::{Ack, AckState, ChangeId, Rollout as _};
use crate::kernel::journal::Journal as _;
use crate::kernel::journal::memory::MemoryJournal;

#[tokio::test]
async fn documents_of_the_reference_system_are_read_as_they_are() {
    let server = Server::start().await;
    let store = server.store("here");
    assert_eq!(store.read(KEY).await, Ok(StoreReading::Absent));
    let python = r#"{"webhook_sending_enabled": false, "note": "été ☀", "n": 1.0, "none": null}"#;
    for (text, state) in [
        (python, "ok"),
        ("{}", "ok"),
        ("", "invalid"),
        ("{\"half", "invalid"),
        ("[1]", "invalid"),
        ("null", "invalid"),
        (r#"{"webhook_time_start": "25h00"}"#, "invalid"),
    ] {
        let store = server.store("there");
        server.set(KEY, text).await;
        let read = store.read(KEY).await;
        assert_eq!(
            read,
            Ok(StoreReading::Found { text: text.to_owned(), revision: Revision::of(text) }),
            "{text}"
        );
        let mut active = ActiveDocuments::default();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        active.take_final(KEY, read, &EnvDefaults::default(), now);
        let found = active.status().into_iter().find(|status| status.key == KEY.as_str()).unwrap();
        assert_eq!(found.state, state, "{text}: {:?}", found.problems);
    }
    server.command::<()>(&["DEL", "r:ss:config:webhook_config"]).await;
    server.command::<()>(&["RPUSH", "r:ss:config:webhook_config", "x"]).await;
    let wrong = server.store("there").read(KEY).await;
    assert!(matches!(wrong, Err(StoreError::Unreadable { .. })), "{wrong:?}");
    server.command::<()>(&["SET", "r:ss:config:webhook_config", "{}"]).await;
    server.command::<()>(&["SETRANGE", "r:ss:config:polling_config", "0", "{}"]).await;
    assert_eq!(held(&server.store("there"), Key::PollingConfig).await.0, json!({}));
}

#[tokio::test]
async fn a_server_that_never_held_a_document_has_an_empty_list() {
    let server = Server::start().await;
    let changes = server.store("here").changes(None).await.unwrap();
    assert!(changes.listed.is_empty() && changes.held.is_empty());
}

#[tokio::test]
async fn what_is_written_can_be_read_by_the_reference_system() {
    let server = Server::start().await;
    let store = server.store("here");
    let value = json!({"b": "été", "a": {"x": []}, "n": 1.0});
    let written = store.write(&change(value.clone(), Precondition::Absent, "cli")).await.unwrap();
    assert_eq!((written.stored_in, written.degraded), ("redis", None));
    let text = server.get(KEY).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    assert!(text.contains("été"), "{text}");
    assert_eq!(Revision::of(&text), written.revision);
    assert_eq!(server.command::<i64>(&["TTL", "r:ss:config:webhook_config"]).await, -1);
}

#[tokio::test]
async fn eight_clients_change_different_fields_and_no_change_is_lost() {
    let server = Server::start().await;
    let clients = (0..8).map(|client| {
        let store = server.store(&format!("client{client}"));
        async move {
            for number in 0..10 {
                set_field(&store, &format!("f{client}"), json!(number), "api").await;
            }
        }
    });
    futures::future::join_all(clients).await;
    let store = server.store("reader");
    let (value, expected) = held(&store, KEY).await;
    for client in 0..8 {
        assert_eq!(value[format!("f{client}")], json!(9), "{value}");
    }
    assert_eq!(origins(&store).await, vec!["api"; 80], "each is listed once");

    // Without reading again: one of them wins, the others are told.
    let writes = (0..8).map(|client| {
        let (store, expected) = (server.store("client"), expected.clone());
        async move { store.write(&change(json!({"winner": client}), expected, "api")).await }
    });
    let answers = futures::future::join_all(writes).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let conflicts = answers.iter().filter(|answer| **answer == Err(StoreError::Conflict(KEY))).count();
    assert_eq!(conflicts, 7, "{answers:?}");
}

#[tokio::test]
async fn a_stale_write_changes_nothing() {
    let server = Server::start().await;
    let store = server.store("here");
    server.set(KEY, "{\"a\": 1}").await;
    for stale in [Precondition::Absent, revision("{\"a\":1}")] {
        assert_eq!(store.write(&change(json!({}), stale, "cli")).await, Err(StoreError::Conflict(KEY)));
    }
    assert_eq!(server.get(KEY).await.unwrap(), "{\"a\": 1}");
    server.command::<()>(&["DEL", "r:ss:config:webhook_config"]).await;
    let gone = store.write(&change(json!({}), revision("{\"a\": 1}"), "cli")).await;
    assert_eq!(gone, Err(StoreError::Conflict(KEY)));
    assert_eq!(server.get(KEY).await, None);
}

#[tokio::test]
async fn changes_of_other_programs_are_listed_once_and_in_order() {
    let server = Server::start().await;
    server.set(KEY, "{\"n\": 0}").await;
    let stores: Vec<_> = (0..3).map(|number| server.store(&format!("store{number}"))).collect();
    let look = async || {
        futures::future::join_all(stores.iter().map(|store| async { store.link.look().await })).await;
    };
    look().await;
    server.set(KEY, "{\"n\": 1}").await;
    look().await;
    stores[0].write(&change(json!({"n": 2}), revision("{\"n\": 1}"), "cli")).await.unwrap();
    // Nobody looks between this and the write that knows of it.
    server.set(KEY, "{\"n\": 3}").await;
    stores[1].write(&change(json!({"n": 4}), revision("{\"n\": 3}"), "api")).await.unwrap();
    server.command::<()>(&["DEL", "r:ss:config:webhook_config"]).await;
    look().await;
    look().await;
    assert_eq!(origins(&stores[2]).await, ["startup", "external", "cli", "external", "api", "external"]);

    let changes = stores[2].changes(None).await.unwrap();
    assert_eq!(changes.listed[3].text.as_deref(), Some("{\"n\": 3}"));
    assert_eq!(changes.listed[5].text, None, "removed");
    assert!(changes.held.is_empty());
    let after = stores[0].changes(Some(&changes.listed[3].id)).await.unwrap();
    assert_eq!(after.listed, changes.listed[4..]);
    let another = ChangeId { list: "another".to_owned(), place: changes.listed[3].id.place };
    let all = stores[0].changes(Some(&another)).await.unwrap();
    assert_eq!(all.listed.len(), 6, "the place is of another list");
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_made_once() {
    let server = Server::start().await;
    let store = server.store("here");
    set_field(&store, "a", json!(0), "cli").await;
    let (_, expected) = held(&store, KEY).await;
    // Longer than an answer may take: the first attempt is carried out unheard.
    server.command::<()>(&["CLIENT", "PAUSE", "2300", "WRITE"]).await;
    store.write(&change(json!({"a": 1}), expected, "cli")).await.unwrap();
    assert_eq!(held(&store, KEY).await.0, json!({"a": 1}));
    assert_eq!(origins(&store).await, ["cli", "cli"]);
}

#[tokio::test]
async fn a_server_without_memory_is_read_and_the_list_says_that_it_is_not_complete() {
    let server = Server::start().await;
    server.set(KEY, "{}").await;
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let store = server.store("here");
    assert_eq!(held(&store, KEY).await.0, json!({}));
    assert!(matches!(store.changes(None).await, Err(StoreError::Unreadable { .. })));
    let full = store.write(&change(json!({"a": 1}), revision("{}"), "cli")).await;
    assert!(matches!(full, Err(StoreError::Unwritable { .. })), "{full:?}");
    assert_eq!(server.get(KEY).await.unwrap(), "{}");
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    store.link.look().await;
    assert_eq!(origins(&store).await, ["startup"]);
}

#[tokio::test]
async fn others_are_heard_with_and_without_a_hint_and_after_a_cut() {
    let server = Server::start().await;
    let (reader, writer) = (server.store("reader"), server.store("writer"));
    let subscribed = async || {
        let count: (String, i64) = server.command(&["PUBSUB", "NUMSUB", "r:ss:config:events"]).await;
        count.1 == 1
    };
    let heard = |wanted: Value| {
        let reader = Arc::clone(&reader);
        async move {
            loop {
                reader.changed().await;
                if held(&reader, KEY).await.0["n"] == wanted {
                    return;
                }
            }
        }
    };
    assert_eq!(reader.read(KEY).await, Ok(StoreReading::Absent));
    let patience = Duration::from_secs(30);
    let first = tokio::spawn(heard(json!(1)));
    until("the subscription", subscribed).await;
    set_field(&writer, "n", json!(1), "cli").await;
    tokio::time::timeout(patience, first).await.unwrap().unwrap();

    // No hint: a plain SET.
    server.set(KEY, "{\"n\": 2}").await;
    tokio::time::timeout(patience, heard(json!(2))).await.unwrap();

    // The connections are cut, and the change is published while nobody listens.
    server.command::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    set_field(&writer, "n", json!(3), "cli").await;
    tokio::time::timeout(patience, heard(json!(3))).await.unwrap();
    until("the next subscription", subscribed).await;
    server.command::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    set_field(&writer, "n", json!(4), "cli").await;
    tokio::time::timeout(patience, heard(json!(4))).await.unwrap();
}

#[tokio::test]
async fn an_emptied_server_is_not_a_removal_and_is_put_right_once() {
    let mut server = Server::start().await;
    let stores: Vec<_> = (0..3).map(|number| server.store(&format!("store{number}"))).collect();
    let text = "{\"n\": 1}";
    server.set(KEY, text).await;
    for store in &stores {
        assert_eq!(held(store, KEY).await.0, json!({"n": 1}));
    }
    server.restart().await;
    // Somebody writes another document before anybody looks.
    let other = DocumentChange { key: Key::RuntimeFlags, ..change(json!({}), Precondition::Absent, "cli") };
    server.store("new").write(&other).await.unwrap();
    for store in &stores {
        until("it is noticed", async || store.read(KEY).await == Err(StoreError::Lost(KEY))).await;
        assert_eq!(store.read(Key::PollingConfig).await, Ok(StoreReading::Absent), "nobody knew it");
    }
    assert_eq!(server.store("new").read(KEY).await, Ok(StoreReading::Absent));
    let all = futures::future::join_all(stores.iter().map(|store| store.recover(KEY, text))).await;
    assert_eq!(all.iter().filter(|recovered| **recovered == Ok(true)).count(), 1, "{all:?}");
    for store in &stores {
        assert_eq!(held(store, KEY).await.0, json!({"n": 1}));
    }
    assert_eq!(server.get(KEY).await.as_deref(), Some(text), "to the letter");
    assert_eq!(origins(&stores[0]).await, ["cli", "recovered"]);

    server.command::<()>(&["DEL", "r:ss:config:webhook_config"]).await;
    for store in &stores {
        until("the removal is seen", async || store.read(KEY).await == Ok(StoreReading::Absent)).await;
        assert_eq!(store.recover(KEY, text).await, Ok(false), "somebody removed it");
    }
}

#[tokio::test]
async fn workers_say_what_they_run_until_they_leave_or_die() {
    let server = Server::start().await;
    let store = server.store("here");
    let ack = |worker: &str, hash: &str| Ack {
        worker: worker.to_owned(),
        at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        documents: BTreeMap::from([(KEY, AckState { hash: hash.to_owned(), refused: None })]),
    };
    assert_eq!(store.workers().await, Ok(Vec::new()));
    for worker in ["a", "b", "c"] {
        store.acknowledge(&ack(worker, "old")).await.unwrap();
    }
    store.acknowledge(&ack("b", "new")).await.unwrap();
    let mut said = store.workers().await.unwrap();
    said.sort_by(|one, other| one.worker.cmp(&other.worker));
    assert_eq!(said, [ack("a", "old"), ack("b", "new"), ack("c", "old")]);

    store.leave("a").await;
    // As if it had said so long ago.
    server.command::<()>(&["ZADD", "r:ss:config:alive", "1000", "c"]).await;
    assert_eq!(store.workers().await, Ok(vec![ack("b", "new")]));
    store.acknowledge(&ack("b", "new")).await.unwrap();
    assert_eq!(server.command::<i64>(&["HLEN", "r:ss:config:workers"]).await, 1, "and is forgotten");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_absence_and_no_secret_is_told() {
    let mut server = Server::start().await;
    let url = format!("redis://default:hidden@127.0.0.1:{}/", server.0.port());
    let settings =
        RedisSettings { address: url.into(), prefix: PREFIX.to_owned(), writer: "here".to_owned() };
    assert!(!format!("{settings:?}").contains("hidden"));
    let store = RedisStore::new(settings, World::real()).unwrap();
    server.0.kill();
    for answer in [
        store.read(KEY).await.map(drop),
        store.write(&change(json!({}), Precondition::Absent, "cli")).await.map(drop),
        store.changes(None).await.map(drop),
        store.recover(KEY, "{}").await.map(drop),
        store.workers().await.map(drop),
    ] {
        let error = answer.unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. } | StoreError::Unwritable { .. }), "{error:?}");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
    server.restart().await;
    until("it answers again", async || store.read(KEY).await == Ok(StoreReading::Absent)).await;
}

#[tokio::test]
async fn who_waits_is_told_of_a_change_in_another_store() {
    let server = Server::start().await;
    let (here, there) = (server.store("here"), server.store("there"));
    assert_eq!(held(&there, KEY).await.0, serde_json::json!({}));
    // It listens from some time after this on; a hint before that may be lost.
    let told = tokio::time::timeout(Duration::from_secs(30), there.changed());
    let telling = async {
        loop {
            here.announce(KEY).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        told = told => told.expect("it is told"),
        () = telling => {}
    }
}

/// Two workers start at once, and each of them finds the note.
#[tokio::test]
async fn a_note_of_a_released_version_becomes_an_event_once() {
    let server = Server::start().await;
    let note = json!({"id": "one", "pending": {
        "text": "{\"a\":2}", "base": "{\"a\":1}", "origin": "api", "at": "2026-11-20T08:00:00Z",
        "stored_in": "redis", "why": "php could not be read: no answer",
    }});
    let hash = format!("{PREFIX}pending");
    let fields = [KEY.as_str(), &note.to_string(), "settled:webhook_config", "zero"];
    server.command::<u64>(&[&["HSET", hash.as_str()][..], &fields].concat()).await;
    let journal = MemoryJournal::new(World::real(), Arc::default());
    let (folder, world) = (tempfile::tempdir().unwrap(), World::real());
    let adopt = async |name: &str| {
        let (redis, folder) = (server.store(name), folder.path().join(name));
        let shared = Some(redis.as_ref());
        EarlierNotes { folder: &folder, shared, journal: &journal, world: &world }.adopt().await;
    };
    tokio::join!(adopt("one"), adopt("two"));
    let events = journal.read_log(0, 9).await.unwrap();
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["config.deferred"]);
    assert_eq!(server.command::<u64>(&["EXISTS", &hash]).await, 0, "it is gone");
}
