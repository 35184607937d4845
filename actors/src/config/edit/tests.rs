use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::store::file::FileStore;
use crate::config::store::{Revision, WriteReceipt};
use crate::kernel::journal::memory::MemoryJournal;
use crate::readmodel;

const KEY: Key = Key::WebhookConfig;

struct Desk {
    folder: tempfile::TempDir,
    editor: Editor,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::real();
        let editor = Editor {
            store: Arc::new(FileStore::new(folder.path(), None)),
            env: Arc::new(EnvDefaults::default()),
            journal: Some(Arc::new(MemoryJournal::new(world.clone(), readmodel::all()))),
            world,
        };
        Self { folder, editor }
    }

    fn put(&self, key: Key, text: &str) {
        std::fs::write(self.folder.path().join(format!("{key}.json")), text).unwrap();
    }

    fn text(&self, key: Key) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(format!("{key}.json"))).ok()
    }

    fn document(&self, key: Key) -> Value {
        serde_json::from_str(&self.text(key).unwrap()).unwrap()
    }

    async fn merge(&self, fields: Value) -> Result<SavedEdit, EditError> {
        self.editor.apply(&merge(fields)).await
    }

    async fn history(&self, key: Key) -> Vec<String> {
        let journal = self.editor.journal.as_deref().unwrap();
        let versions = history::versions(journal, key).await.unwrap();
        versions.iter().map(|v| format!("{} {} {}", v.version, v.origin, v.fields.join(","))).collect()
    }
}

fn merge(fields: Value) -> Edit {
    let Value::Object(fields) = fields else { panic!("fields") };
    Edit::merge(KEY, fields.into_iter().map(|(name, value)| (name, Some(value))), "test").allowing_unknown()
}

fn invalid(outcome: Result<SavedEdit, EditError>) -> Vec<String> {
    match outcome {
        Err(EditError::Invalid(problems)) => problems.into_iter().map(|problem| problem.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_merge_keeps_what_it_does_not_name_and_every_type() {
    let desk = Desk::new();
    desk.put(KEY, r#"{"mine":{"x":{},"f":1.0,"l":[]},"webhook_ssl_verify":true,"_updated_at":"old"}"#);
    let saved = desk.merge(json!({"webhook_ssl_verify": false, "note": null})).await.unwrap();
    assert_eq!((saved.fields.join(","), saved.stored_in), ("webhook_ssl_verify,note".into(), "file"));
    assert_eq!(saved.version, Some(2), "what it replaced is the first");
    let stored = desk.document(KEY);
    assert_eq!(stored["mine"].to_string(), r#"{"x":{},"f":1.0,"l":[]}"#);
    assert_eq!((&stored["webhook_ssl_verify"], &stored["note"]), (&json!(false), &json!(null)));
    assert!(stored["_updated_at"].as_str().unwrap().ends_with("+00:00"));

    let edit = Edit::merge(KEY, [("note".to_owned(), None), ("nothing".to_owned(), None)], "test");
    assert_eq!(desk.editor.apply(&edit).await.unwrap().fields, ["note"]);
    assert!(desk.document(KEY).get("note").is_none());
    let (before, unchanged) = (desk.text(KEY), desk.editor.apply(&edit).await.unwrap());
    assert_eq!((unchanged.stored_in, desk.text(KEY)), ("", before), "nothing is written for nothing");
    let history =
        ["1 external _updated_at,mine,webhook_ssl_verify", "2 test _updated_at,note,webhook_ssl_verify"];
    assert_eq!(desk.history(KEY).await[..2], history);
    assert_eq!(desk.history(KEY).await.len(), 3);
}

#[tokio::test]
async fn a_patch_merges_objects_and_a_mask_that_comes_back_changes_nothing() {
    let desk = Desk::new();
    desk.put(KEY, r#"{"webhook_url":"https://hook.example.com/s3cret","mine":{"a":1,"b":{"c":2}}}"#);
    let Value::Object(patch) = json!({
        "webhook_url": "https://hook.example.com/***",
        "mine": {"a": null, "b": {"d": 3}},
    }) else {
        unreachable!("an object")
    };
    let edit = Edit::patch(KEY, patch, "test").allowing_unknown().keeping_masked();
    assert_eq!(desk.editor.apply(&edit).await.unwrap().fields, ["mine"]);
    let stored = desk.document(KEY);
    assert_eq!(stored["mine"], json!({"b": {"c": 2, "d": 3}}));
    assert_eq!(stored["webhook_url"], "https://hook.example.com/s3cret");
    // The same for a whole document.
    let whole = json!({"webhook_url": "https://hook.example.com/***", "mine": 1});
    let edit = Edit::replace(KEY, whole, "test").allowing_unknown().keeping_masked();
    assert_eq!(desk.editor.preview(&edit).await.unwrap()["webhook_url"], "https://hook.example.com/s3cret");
    desk.editor.apply(&edit).await.unwrap();
    assert_eq!(desk.document(KEY)["webhook_url"], "https://hook.example.com/s3cret");
    let other = json!({"webhook_url": "https://other.example.com/***"});
    let edit = Edit::replace(KEY, other, "test").keeping_masked();
    assert_eq!(invalid(desk.editor.apply(&edit).await), ["webhook_url"], "it masks nothing that is there");
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_and_nothing_is_changed() {
    let desk = Desk::new();
    let before = r#"{ "webhook_url":"https://hook.example.com/x", "mine":1 }"#;
    desk.put(KEY, before);
    let wrong =
        json!({"webhook_url": "ftp://x", "absence_pause_enabled": "perhaps", "webhook_time_start": "25h"});
    assert_eq!(
        invalid(desk.merge(wrong).await),
        ["webhook_url", "webhook_time_start", "absence_pause_enabled"]
    );
    let masked = json!({"webhook_url": "https://hook.example.com/***"});
    assert_eq!(invalid(desk.merge(masked).await), ["webhook_url"]);
    let list = Edit::replace(KEY, json!([1]), "test");
    assert_eq!(invalid(desk.editor.apply(&list).await), ["document"]);
    let large = json!({"x": "y".repeat(MAX_DOCUMENT_BYTES)});
    assert_eq!(invalid(desk.merge(large).await), ["document"]);
    assert_eq!(desk.text(KEY).as_deref(), Some(before));
    assert!(desk.history(KEY).await.is_empty());
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_refused_with_the_one_that_was_meant() {
    let desk = Desk::new();
    desk.put(KEY, r#"{"mine":1,"webhook_sending_enabled":true}"#);
    let before = desk.text(KEY);
    let set = |name: &str, value: Value| Edit::merge(KEY, [(name.to_owned(), Some(value))], "test");
    let refused = desk.editor.apply(&set("webhook_enabledd", json!(false))).await;
    let Err(EditError::Invalid(problems)) = refused else { panic!("{refused:?}") };
    assert!(problems[0].to_string().contains("webhook_enabled"), "{problems:?}");
    let whole = json!({"mine": 2, "webhook_sending_enabled": false, "time_window": {"hours": 1}});
    let replace = Edit::replace(KEY, whole, "test");
    assert_eq!(invalid(desk.editor.apply(&replace).await), ["time_window.hours"]);
    assert!(desk.editor.preview(&replace).await.is_err());
    assert_eq!(desk.text(KEY), before);
    // What is stored already is no obstacle, changed or not; nor is a note, nor what is removed.
    let kept = json!({"mine": 2, "webhook_sending_enabled": false, "_why": "holidays"});
    desk.editor.apply(&Edit::replace(KEY, kept, "test")).await.unwrap();
    desk.editor.apply(&set("mine", json!(3))).await.unwrap();
    desk.editor.apply(&set("webhook_enabledd", json!(1)).allowing_unknown()).await.unwrap();
    assert_eq!(
        (&desk.document(KEY)["mine"], &desk.document(KEY)["webhook_enabledd"]),
        (&json!(3), &json!(1))
    );
    desk.editor.apply(&Edit::merge(KEY, [("mine".to_owned(), None)], "test")).await.unwrap();
    assert_eq!(invalid(desk.editor.apply(&set("mine", json!(3))).await), ["mine"], "it is new again");
}

#[tokio::test]
async fn a_damaged_document_can_only_be_replaced() {
    let desk = Desk::new();
    desk.put(KEY, "{half");
    assert_eq!(invalid(desk.merge(json!({"a": 1})).await), ["document"]);
    assert_eq!(desk.text(KEY).as_deref(), Some("{half"));
    let saved =
        desk.editor.apply(&Edit::replace(KEY, json!({"a": 1}), "test").allowing_unknown()).await.unwrap();
    assert_eq!((saved.fields, desk.document(KEY)["a"].clone()), (vec!["a".to_owned()], json!(1)));
}

#[tokio::test]
async fn what_is_written_is_stored_as_every_program_reads_it() {
    let desk = Desk::new();
    desk.put(KEY, r#"{"webhook_ssl_verify": "yes"}"#);
    desk.merge(json!({"webhook_sending_enabled": "false"})).await.unwrap();
    let stored = desk.document(KEY);
    assert_eq!(stored["webhook_sending_enabled"], json!(false));
    assert_eq!(stored["webhook_ssl_verify"], json!("yes"), "what was not written is as it was");
    let edit = Edit::replace(
        Key::PollingConfig,
        json!({"active_days": "6,5", "sender_of_interest_for_polling": "A@B.fr", "enable_polling": "on"}),
        "test",
    );
    desk.editor.apply(&edit).await.unwrap();
    let stored = desk.document(Key::PollingConfig);
    assert_eq!(
        (&stored["active_days"], &stored["sender_of_interest_for_polling"], &stored["enable_polling"]),
        (&json!([5, 6]), &json!(["a@b.fr"]), &json!(true))
    );
}

#[tokio::test]
async fn a_field_that_was_bad_before_is_no_obstacle_to_another_one() {
    let desk = Desk::new();
    desk.put(Key::WebhookConfig, r#"{"webhook_time_start": "25h00", "webhook_url": "nowhere"}"#);
    let set =
        |name: &str, value: Value| Edit::merge(Key::WebhookConfig, [(name.to_owned(), Some(value))], "test");
    let saved = desk.editor.apply(&set("webhook_sending_enabled", json!(false))).await.unwrap();
    let wrong: Vec<_> = saved.still_wrong.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(wrong, ["webhook_url", "webhook_time_start"]);
    assert_eq!(saved.version, None, "it is not in force, so it is not in the history");
    // What the edit names itself has to be good, however bad it was.
    let worse = desk.editor.apply(&set("webhook_time_start", json!("26h00"))).await;
    assert!(
        matches!(&worse, Err(EditError::Invalid(problems)) if problems[0].field == "webhook_time_start"),
        "{worse:?}"
    );
    let saved = desk.editor.apply(&set("webhook_time_start", json!(""))).await.unwrap();
    assert_eq!(saved.still_wrong.len(), 1);
    let saved = desk.editor.apply(&set("webhook_url", json!(null))).await.unwrap();
    assert!(saved.still_wrong.is_empty() && saved.version.is_some(), "{saved:?}");
}

#[tokio::test]
async fn a_new_bad_rule_is_refused_and_an_old_one_is_no_obstacle() {
    let desk = Desk::new();
    let rule = |id: &str, url: &str| {
        json!({"id": id, "name": id, "conditions": [{"field": "subject", "operator": "contains", "value": "x"}],
            "actions": {"webhook_url": url}})
    };
    let bad = json!({"rules": [rule("a", "https://hook.example.com/a"), rule("b", "nowhere at all")]});
    let edit = Edit::replace(Key::RoutingRules, bad.clone(), "test");
    assert_eq!(invalid(desk.editor.apply(&edit).await).len(), 1);
    assert!(desk.text(Key::RoutingRules).is_none());
    desk.put(Key::RoutingRules, &bad.to_string());
    let edit = Edit::merge(Key::RoutingRules, [("_note".to_owned(), Some(json!(1)))], "test");
    desk.editor.apply(&edit).await.unwrap();
    // At another place it is as bad as it was, and no worse.
    let moved = json!({"rules": [bad["rules"][1], bad["rules"][0]]});
    desk.editor.apply(&Edit::replace(Key::RoutingRules, moved, "test")).await.unwrap();
    let alone = json!({"rules": [bad["rules"][1]]});
    desk.editor.apply(&Edit::replace(Key::RoutingRules, alone, "test")).await.unwrap();
    let twice = json!({"rules": [bad["rules"][1], rule("c", "nowhere, too")]});
    let refused = invalid(desk.editor.apply(&Edit::replace(Key::RoutingRules, twice, "test")).await);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].starts_with("rules[1]"), "{refused:?}");
}

#[tokio::test]
async fn the_time_of_the_last_change_is_set_where_it_belongs() {
    let desk = Desk::new();
    let at = desk.editor.world.now();
    let written = instant(at);
    assert_eq!(written.len(), "2026-01-19T00:36:24.000001+00:00".len());
    assert!(DateTime::parse_from_rfc3339(&written).is_ok());
    for (edit, key, expected) in [
        (Edit::replace(KEY, json!({"_updated_at": "mine"}), "t"), KEY, "set"),
        (
            Edit::replace(Key::RuntimeFlags, json!({"_updated_at": "mine"}), "t").keeping_time(),
            Key::RuntimeFlags,
            "kept",
        ),
        (Edit::replace(Key::ProcessingPrefs, json!({}), "t").keeping_time(), Key::ProcessingPrefs, "set"),
    ] {
        desk.editor.apply(&edit).await.unwrap();
        let found = desk.document(key)["_updated_at"].as_str().unwrap().to_owned();
        assert_eq!(found == "mine", expected == "kept", "{key}: {found}");
    }
    let links = Edit::replace(Key::MagicLinkTokens, json!({"id": {"consumed": false}}), "t");
    let saved = desk.editor.apply(&links).await.unwrap();
    assert!(!saved.text.contains(UPDATED_AT));
}

#[tokio::test]
async fn a_field_that_somebody_else_changed_is_a_conflict_and_another_is_not() {
    let desk = Desk::new();
    let first = desk.merge(json!({"a": 1, "b": 1})).await.unwrap();
    desk.merge(json!({"a": 2})).await.unwrap();
    for seen in [BasedOn::Version(1), BasedOn::Revision(first.revision)] {
        let edit = merge(json!({"a": 3})).expecting(Some(seen.clone()));
        let Err(EditError::Conflict(conflict)) = desk.editor.apply(&edit).await else { panic!("{seen:?}") };
        assert_eq!(conflict.fields, ["a"]);
        assert_eq!(conflict.present.as_ref().unwrap()["a"], 2, "it shows what is there now");
        assert!(conflict.to_string().contains("webhook_config was changed by somebody else"));
        let replace =
            Edit::replace(KEY, json!({"c": 1}), "t").allowing_unknown().expecting(Some(seen.clone()));
        assert!(matches!(desk.editor.apply(&replace).await, Err(EditError::Conflict(_))));
        // What is wanted is there already.
        let same = merge(json!({"a": 2})).expecting(Some(seen.clone()));
        assert!(desk.editor.apply(&same).await.unwrap().fields.is_empty());
        let other = merge(json!({"b": 2})).expecting(Some(seen));
        desk.editor.apply(&other).await.unwrap();
        // Back again, for the next turn.
        desk.merge(json!({"b": 1})).await.unwrap();
    }
    assert_eq!(desk.document(KEY)["a"], 2);
    let new = merge(json!({"z": 1})).expecting(Some(BasedOn::Absent));
    desk.editor.apply(&new).await.unwrap();
    let absent = Edit::replace(KEY, json!({}), "t").expecting(Some(BasedOn::Absent));
    assert!(matches!(desk.editor.apply(&absent).await, Err(EditError::Conflict(_))));
    let unknown = merge(json!({"a": 3})).expecting(Some(BasedOn::Version(99)));
    assert!(matches!(desk.editor.apply(&unknown).await, Err(EditError::Unknown(why)) if why.contains("99")));
    // A version that nobody knows: only what is surely not lost is changed.
    let lost = merge(json!({"a": 3})).expecting(Some(BasedOn::Revision(Revision("?".into()))));
    assert!(matches!(desk.editor.apply(&lost).await, Err(EditError::Conflict(_))));
}

/// A store that yields between look and write, so that writers really overlap.
struct Slow(FileStore, AtomicUsize);

#[async_trait]
impl DocumentStore for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }
    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        let read = self.0.read(key).await;
        tokio::task::yield_now().await;
        read
    }
    async fn changed(&self) {
        self.0.changed().await;
    }
    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        let written = self.0.write(change).await;
        if matches!(written, Err(StoreError::Conflict(_))) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
        written
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_clients_at_once_lose_nothing() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 10;
    let desk = Desk::new();
    let slow = Arc::new(Slow(FileStore::new(desk.folder.path(), None), AtomicUsize::new(0)));
    let editor = Editor { store: Arc::clone(&slow) as Arc<dyn DocumentStore>, ..desk.editor.clone() };
    desk.put(KEY, r#"{"mine":{"kept":1.0}}"#);
    let start = Arc::new(tokio::sync::Barrier::new(CLIENTS));
    let clients = (0..CLIENTS).map(|client| {
        let (editor, start) = (editor.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                start.wait().await;
                let edit = merge(json!({format!("field_{client}"): round}));
                editor.apply(&edit).await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let stored = desk.document(KEY);
    for client in 0..CLIENTS {
        assert_eq!(stored[format!("field_{client}")], ROUNDS - 1, "{stored}");
    }
    assert_eq!(stored["mine"].to_string(), r#"{"kept":1.0}"#);
    assert!(slow.1.load(Ordering::SeqCst) > 0, "they did not meet");

    // The same field: exactly one of those who have seen the same version gets through.
    let seen = editor.apply(&merge(json!({"same": 0}))).await.unwrap().revision;
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|client| {
            let (editor, seen) = (editor.clone(), BasedOn::Revision(seen.clone()));
            tokio::spawn(async move {
                let edit = merge(json!({"same": client})).expecting(Some(seen));
                editor.apply(&edit).await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for client in clients {
        outcomes.push(client.await.unwrap());
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(EditError::Conflict(_)))));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!(1.0)),
        Just(json!({})),
        Just(json!([])),
        prop::sample::select(vec!["9h00", "18h00", "", "monday", "https://hook.example.com/x", "a\nb"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn fields() -> impl Strategy<Value = Vec<(String, Option<Value>)>> {
    let name = prop::sample::select(vec![
        "webhook_url",
        "webhook_ssl_verify",
        "webhook_time_start",
        "webhook_time_end",
        "absence_pause_days",
        "unknown_1",
        "unknown_2",
    ]);
    prop::collection::vec((name.prop_map(str::to_owned), prop::option::of(any_value())), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn merges_touch_what_they_name_and_refused_ones_touch_nothing(
        start in prop::collection::btree_map("[a-z]{1,8}", any_value(), 0..4),
        merges in prop::collection::vec(fields(), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let desk = Desk::new();
            desk.put(KEY, &json!(start).to_string());
            for merge in merges {
                let (before, had) = (desk.text(KEY).unwrap(), desk.document(KEY));
                let outcome = desk.editor.apply(&Edit::merge(KEY, merge.clone(), "test").allowing_unknown()).await;
                let after = desk.document(KEY);
                match outcome {
                    Err(EditError::Invalid(problems)) => {
                        prop_assert!(!problems.is_empty());
                        prop_assert_eq!(&before, &desk.text(KEY).unwrap(), "byte by byte");
                    }
                    Err(other) => prop_assert!(false, "{}", other),
                    Ok(saved) => {
                        prop_assert_eq!(saved.stored_in.is_empty(), before == desk.text(KEY).unwrap());
                        for (name, value) in &merge {
                            let last = merge.iter().rfind(|(other, _)| other == name).map(|(_, value)| value);
                            prop_assert!(last != Some(value) || after.get(name) == value.as_ref());
                        }
                        let named = |name: &str| name == UPDATED_AT || merge.iter().any(|(n, _)| n == name);
                        for (name, value) in had.as_object().unwrap() {
                            let kept = after.get(name).map(Value::to_string) == Some(value.to_string());
                            prop_assert!(named(name) || kept, "{} was lost", name);
                        }
                    }
                }
                prop_assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 1);
            }
            Ok(())
        })?;
    }
}
