use std::collections::HashSet;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain_events;
use crate::kernel::event::StreamId;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn recorded(kind: &str, schema: u16, payload: Value) -> Recorded {
    Recorded {
        position: 1,
        id: Uuid::nil(),
        stream: StreamId::new("mail", "x"),
        version: 1,
        kind: kind.to_owned(),
        schema,
        at: DateTime::UNIX_EPOCH,
        cause: None,
        payload,
    }
}

/// `(kind, schema, payload)` of every golden file.
pub(crate) fn golden_files() -> Vec<(String, u16, Value)> {
    let folder = root().join("tests/golden/events");
    let files = std::fs::read_dir(&folder).expect("the folder of golden events");
    files
        .map(|file| {
            let path = file.expect("entry").path();
            let name = path.file_name().expect("name").to_string_lossy().into_owned();
            let stem = name.strip_suffix(".json").unwrap_or_else(|| panic!("{name}: not a .json file"));
            let (kind, schema) = stem.rsplit_once(".v").unwrap_or_else(|| panic!("{name}: no schema number"));
            let text = std::fs::read_to_string(&path).expect("text");
            let payload = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (kind.to_owned(), schema.parse().expect("schema number"), payload)
        })
        .collect()
}

#[test]
fn the_page_of_events_is_fresh() {
    let path = root().join("docs/EVENTS.md");
    let page = markdown();
    if std::env::var_os("UPDATE_EVENTS").is_some() {
        std::fs::create_dir_all(path.parent().expect("folder")).expect("docs/");
        std::fs::write(&path, &page).expect("docs/EVENTS.md");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/EVENTS.md is stale: run `UPDATE_EVENTS=1 cargo test -p render-signal-actors registry`"
    );
}

#[test]
fn kinds_are_unique_and_well_formed() {
    let mut seen = HashSet::new();
    for kind in all_kinds() {
        assert!(seen.insert(kind.kind), "{} is declared twice", kind.kind);
        let (noun, verb) = kind.kind.split_once('.').unwrap_or_default();
        let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(plain(noun) && plain(verb), "{} is not noun.past_tense", kind.kind);
        assert!(kind.schema >= 1, "{}", kind.kind);
        assert_eq!(
            kind.upcasts.len(),
            usize::from(kind.schema) - 1,
            "{}: one upcast per older schema",
            kind.kind
        );
        assert!(!kind.doc.is_empty() && !kind.fields.is_empty(), "{}", kind.kind);
    }
}

#[test]
fn every_recorded_shape_can_still_be_read() {
    let files = golden_files();
    for (kind, schema, payload) in &files {
        let read = read(&recorded(kind, *schema, payload.clone()));
        let read = read.unwrap_or_else(|error| panic!("{kind}.v{schema}.json: {error}"));
        let declared = all_kinds().into_iter().find(|declared| declared.kind == kind).expect("declared");
        if *schema == declared.schema {
            // The file is what is written today, to the letter and in the declared order.
            assert_eq!(read.to_string(), payload.to_string(), "{kind}.v{schema}.json");
            let keys: Vec<&str> =
                payload.as_object().expect("an object").keys().map(String::as_str).collect();
            let fields: Vec<&str> = declared.fields.iter().map(|(name, _)| *name).collect();
            assert_eq!(keys, fields, "{kind}: the declared fields are not those of its payload");
        }
    }
    let have: HashSet<(&str, u16)> = files.iter().map(|(kind, schema, _)| (kind.as_str(), *schema)).collect();
    for kind in all_kinds() {
        for schema in 1..=kind.schema {
            assert!(
                have.contains(&(kind.kind, schema)),
                "tests/golden/events/{}.v{schema}.json is missing",
                kind.kind
            );
        }
    }
}

/// Fields were added to these shapes; what was written before has to be read as it was meant.
#[test]
fn a_field_that_came_later_may_be_missing() {
    let location = json!({"mailbox": "m", "validity": 1, "item": "1"});
    for (kind, payload) in [
        (
            "mail.received",
            json!({"email_id": "a", "location": location, "sender": "a@b.fr", "subject": "s", "size": 1,
                   "arrived_at": null, "subject_group": "s"}),
        ),
        ("mail.ignored", json!({"reason": "no_links", "configuration": null})),
        ("mail.routed", json!({"links": [], "deliveries": [], "offload": false, "configuration": {}})),
        (
            "delivery.dead_lettered",
            json!({"email_id": "a", "target": "default", "why": "HTTP 404", "attempts": 1}),
        ),
        (
            "delivery.deferred",
            json!({"email_id": "a", "target": "default", "until": "2026-01-01T00:00:00Z", "why": "retry"}),
        ),
        (
            "journal.archived",
            json!({"before": "2026-01-01T00:00:00Z", "streams": ["mail-a"], "events": 2, "place": "elsewhere"}),
        ),
    ] {
        let schema = if payload.get("configuration").is_some() { 2 } else { 1 };
        let read = read(&recorded(kind, schema, payload.clone())).expect(kind);
        assert_eq!(read, payload, "{kind}: the field means nothing when it is not there");
    }
}

#[test]
fn of_an_old_decision_the_configuration_is_unknown() {
    let before = json!({"reason": "no_links", "policy": 7});
    let after = json!({"reason": "no_links", "configuration": null});
    assert_eq!(read(&recorded("mail.ignored", 1, before)).expect("readable"), after);
}

#[test]
fn a_field_that_was_added_later_may_be_missing() {
    let before = json!({ "raw_url": "https://a", "source_url": "https://b", "r2_url": "https://c", "provider": "dropbox" });
    assert_eq!(read(&recorded("link.offloaded", 1, before.clone())).expect("readable"), before);
}

#[test]
fn what_nobody_declared_is_refused() {
    assert!(matches!(read(&recorded("mail.eaten", 1, json!({}))), Err(EventError::UnknownKind(_))));
    assert!(matches!(read(&recorded("mail.held", 99, json!({}))), Err(EventError::FromTheFuture { .. })));
    assert!(matches!(read(&recorded("mail.held", 0, json!({}))), Err(EventError::FromTheFuture { .. })));
    assert!(matches!(read(&recorded("mail.held", 1, json!({}))), Err(EventError::Payload { .. })));
}

/// Payload of `parcel.weighed`, as it is today.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Weighed {
    grams: u64,
    scale: String,
}

/// Schema 1 had kilograms.
fn to_grams(old: Value) -> Value {
    json!({ "grams": old["kilograms"].as_f64().unwrap_or_default() * 1000.0 })
}

/// Schema 2 did not name the scale, and had a fraction.
fn name_the_scale(old: Value) -> Value {
    json!({ "grams": old["grams"].as_f64().unwrap_or_default().round() as u64, "scale": "unknown" })
}

domain_events! {
    /// What happens to a parcel.
    enum ParcelEvent {
        Weighed(Weighed) = "parcel.weighed", schema 3, in "parcel", "A parcel was weighed.", {
            grams: "weight", scale: "which" }, upcasts [to_grams, name_the_scale];
    }
}

#[test]
fn an_old_shape_is_brought_up_to_date_step_by_step() {
    let today = ParcelEvent::Weighed(Weighed { grams: 1500, scale: "b".to_owned() });
    let new = today.to_new(Uuid::nil()).expect("encodes");
    assert_eq!((new.kind, new.schema), ("parcel.weighed", 3));

    let unknown = ParcelEvent::Weighed(Weighed { grams: 1500, scale: "unknown".to_owned() });
    for (schema, payload, want) in [
        (1, json!({ "kilograms": 1.5 }), &unknown),
        (2, json!({ "grams": 1499.7 }), &unknown),
        (3, new.payload, &today),
    ] {
        let event = recorded("parcel.weighed", schema, payload);
        assert_eq!(&ParcelEvent::from_recorded(&event).expect("readable"), want, "schema {schema}");
    }
    let newer = recorded("parcel.weighed", 4, json!({}));
    assert!(matches!(
        ParcelEvent::from_recorded(&newer),
        Err(EventError::FromTheFuture { schema: 4, known: 3, .. })
    ));
}
