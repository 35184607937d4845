use serde_json::json;

use super::*;
use crate::mail::life::MailEvent;
use crate::worker::WorkerEvent;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Painted {
    colour: String,
    coats: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sold {}

/// Schema 1 had a British field, schema 2 no coats.
fn to_two(mut old: Value) -> Value {
    let color = old.as_object_mut().and_then(|o| o.remove("color"));
    json!({ "colour": color })
}
fn to_three(mut old: Value) -> Value {
    old["coats"] = json!(1);
    old
}

domain_events! {
    /// Things.
    enum ThingEvent {
        Painted(Painted) = "thing.painted", schema 3, in "thing", "It got a colour.", {
            colour: "which", coats: "how many" }, upcasts [to_two, to_three];
        Sold(Sold) = "thing.sold", schema 1, in "thing", "It went away.", {};
    }
}

fn recorded(kind: &str, schema: u16, payload: Value) -> Recorded {
    Recorded {
        position: 1,
        id: Uuid::nil(),
        stream: StreamId::new("thing", "1"),
        version: 1,
        kind: kind.to_owned(),
        schema,
        at: DateTime::UNIX_EPOCH,
        cause: None,
        payload,
    }
}

#[test]
fn stream_names_split_at_the_first_dash() {
    let stream = StreamId::new("mail", "ab-cd");
    assert_eq!((stream.as_str(), stream.category(), stream.key()), ("mail-ab-cd", "mail", "ab-cd"));
    let bare = StreamId::from_stored("bare");
    assert_eq!((bare.category(), bare.key()), ("bare", ""));
    assert_eq!(serde_json::to_value(&stream).unwrap(), json!("mail-ab-cd"));
    assert_eq!(StreamId::from_stored("mail-ab-cd"), stream);
}

#[test]
fn an_event_comes_back_as_it_was() {
    let event = ThingEvent::Painted(Painted { colour: "red".to_owned(), coats: 2 });
    let new = event.to_new(Uuid::from_u128(5)).unwrap();
    assert_eq!((new.kind, new.schema, new.id), ("thing.painted", 3, Uuid::from_u128(5)));
    let back = ThingEvent::from_recorded(&recorded(new.kind, new.schema, new.payload)).unwrap();
    assert_eq!(back, event);
    let sold = ThingEvent::Sold(Sold {});
    let new = sold.to_new(Uuid::nil()).unwrap();
    assert_eq!(ThingEvent::from_recorded(&recorded(new.kind, new.schema, new.payload)).unwrap(), sold);
}

#[test]
fn every_old_shape_is_read() {
    let wanted = ThingEvent::Painted(Painted { colour: "red".to_owned(), coats: 1 });
    for (schema, payload) in [(1, json!({ "color": "red" })), (2, json!({ "colour": "red" }))] {
        let read = ThingEvent::from_recorded(&recorded("thing.painted", schema, payload)).unwrap();
        assert_eq!(read, wanted, "schema {schema}");
    }
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let read =
        |kind, schema, payload| ThingEvent::from_recorded(&recorded(kind, schema, payload)).unwrap_err();
    assert!(
        matches!(read("thing.lost", 1, json!({})), EventError::UnknownKind(kind) if kind == "thing.lost")
    );
    for schema in [0, 4] {
        let error = read("thing.painted", schema, json!({}));
        assert!(matches!(error, EventError::FromTheFuture { known: 3, .. }), "{error}");
    }
    let error = read("thing.painted", 3, json!({ "colour": 7 }));
    assert!(matches!(error, EventError::Payload { schema: 3, .. }), "{error}");
}

#[test]
fn the_declared_kinds_are_sound() {
    let all: Vec<&EventKind> =
        [ThingEvent::KINDS, MailEvent::KINDS, WorkerEvent::KINDS].into_iter().flatten().collect();
    for kind in &all {
        assert_eq!(kind.upcasts.len() + 1, usize::from(kind.schema), "{}", kind.kind);
        assert!(kind.kind.contains('.') && !kind.doc.is_empty() && !kind.stream.contains('-'), "{kind:?}");
        assert_eq!(all.iter().filter(|other| other.kind == kind.kind).count(), 1, "{}", kind.kind);
    }
}
